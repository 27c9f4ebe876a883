"""Batches made ahead of the training: by a thread of the process, or by worker processes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from followyouremoji.errors import DataError, UserError, first_line
from followyouremoji.prefetch import prefetch

Sample = TypeVar("Sample")
MakeSample = Callable[[int, int], Sample]
"""(step, place in the joined batch) to a sample."""

AHEAD = 3  # batches made before they are asked for


@dataclass(frozen=True)
class Share:
    """The part of each step's joined batch that one process computes, in `accumulation` parts one after the other."""

    samples: int
    process: int = 0
    processes: int = 1
    accumulation: int = 1

    def parts(self) -> list[range]:
        """Places in the joined batch, part by part."""
        each = self.samples // (self.processes * self.accumulation)
        first = self.process * self.accumulation * each
        return [range(first + i * each, first + (i + 1) * each) for i in range(self.accumulation)]


def feed(
    make: MakeSample[Sample],
    join: Callable[[list[Sample]], Sample],
    share: Share,
    first: int,
    last: int,
    workers: int = 0,
    pin: Callable[[Sample], Sample] | None = None,
) -> Generator[Sample, None, None]:
    """Parts of batches in order, from step `first` to before step `last`, each part a joined batch.

    Closing the generator ends the thread or the workers.

    Parameters
    ----------
    make : makes one sample; called in the thread or in the workers, which get a copy of it.
    join : makes samples one batch.
    workers : processes; 0: one thread.
    pin : makes a batch quicker to copy to a GPU; None: not.
    """
    order = ((step, part) for step in range(first, last) for part in share.parts())
    finished = pin or (lambda batch: batch)
    if workers:
        yield from map(finished, _from_workers(make, join, order, workers))
    else:
        made = (finished(join([make(step, index) for index in part])) for step, part in order)
        yield from prefetch(made, AHEAD)


def _from_workers(
    make: MakeSample[Sample],
    join: Callable[[list[Sample]], Sample],
    order: Iterator[tuple[int, range]],
    workers: int,
) -> Iterator[Sample]:
    loader = DataLoader(
        Samples(make),
        batch_sampler=([(step, index) for index in part] for step, part in order),
        collate_fn=Collate(join),
        num_workers=workers,
        prefetch_factor=AHEAD,
        worker_init_fn=begin_worker,
        multiprocessing_context="spawn",  # forked processes would share the locks of whatever threads run here
    )
    try:
        for item in loader:
            if isinstance(item, UserError):
                raise item
            yield item
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise DataError(
            f"a process that makes batches was killed ({first_line(error)}); most often memory ran out: use fewer "
            "`workers`"
        ) from error


class Samples(Dataset[Any]):
    """Samples by (step, place), as a DataLoader asks for them. A user's error travels as a value, to keep its
    message."""

    def __init__(self, make: MakeSample[Any]) -> None:
        self.make = make

    def __getitem__(self, place: tuple[int, int]) -> Any:
        try:
            return self.make(*place)
        except UserError as error:
            return error


class Collate:
    def __init__(self, join: Callable[[list[Any]], Any]) -> None:
        self.join = join

    def __call__(self, samples: list[Any]) -> Any:
        errors = [sample for sample in samples if isinstance(sample, UserError)]
        return errors[0] if errors else self.join(samples)


def begin_worker(worker: int) -> None:
    """A worker is one of many: more threads each would only get in each other's way. Ctrl-C and SIGTERM reach all
    processes of a group, and it is for the training process to end the others."""
    import cv2

    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
