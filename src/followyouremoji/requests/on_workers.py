"""The pairs of a batch made by an executor's workers, each of which loads the model once.

Results appear whole and under their own names, with a note of what each was made of (`BatchFolder`), so a pair whose
worker was lost is made once more at most, and counted once. All machines see the files under the same paths, or at
addresses elsewhere (`storage`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial

from followyouremoji.checkpoints.sources import find_checkpoint
from followyouremoji.errors import UserError
from followyouremoji.executors import Executor, WorkerLost
from followyouremoji.face.detection import FaceDetector
from followyouremoji.requests.animation import load_animator
from followyouremoji.requests.batch_elsewhere import open_folder
from followyouremoji.requests.events import Event, Note, PairResult
from followyouremoji.requests.memory import FittingModel
from followyouremoji.requests.pair_maker import Job, PairMaker, failed, recipe_of
from followyouremoji.requests.pairs import Pair
from followyouremoji.requests.request import AnimationRequest, BatchRequest
from followyouremoji.requests.resume import fingerprint


@dataclass(frozen=True)
class PairMade:
    """What came of a pair, and the notes that its worker took."""

    result: PairResult
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Order:
    """A pair that a worker shall make."""

    pair: Pair
    request: AnimationRequest
    frames: int


class Worker:
    """A model with all that makes pairs."""

    def __init__(self, batch: BatchRequest, detector: FaceDetector) -> None:
        self._notes: list[Note] = []
        folder, model = open_folder(batch.output.path), FittingModel(batch.model, load_animator)
        folder.make()
        self._folder = folder
        model.loaded(self._note)
        self._maker = PairMaker(batch, folder, model, detector, self._note)
        self._weights = find_checkpoint(batch.model.weights)
        self._known = cache(fingerprint)  # each file is read once

    def make(self, order: Order) -> PairMade:
        self._notes.clear()
        try:
            pair = replace(
                order.pair, portrait=order.pair.portrait.fetched(), motion=order.pair.motion.fetched()
            )
        except UserError as error:
            return PairMade(failed(order.pair, error))
        request, path = order.request, order.request.output.path
        assert path is not None
        request = replace(
            request,
            portrait=pair.portrait.here,
            driving=pair.motion.here,
            output=replace(request.output, path=self._folder.path / path.name),
        )
        recipe = partial(recipe_of, request, pair, self._weights, self._known)
        result = self._maker.result(Job(pair, request, order.frames, recipe))
        return PairMade(result, tuple(self._notes))

    def _note(self, event: Event) -> None:
        if isinstance(event, Note):
            self._notes.append(event)


@contextmanager
def worker(batch: BatchRequest) -> Iterator[Worker]:
    with FaceDetector(batch.settings.detector_bundle) as detector:
        yield Worker(batch, detector)


def make_pair(order: Order, worker: Worker) -> PairMade:
    """What an executor maps."""
    return worker.make(order)


def make_pairs(
    executor: Executor, batch: BatchRequest, jobs: Sequence[Job]
) -> Iterator[tuple[Job, PairMade]]:
    """Each job with what came of it, as they are done. Raises UserError where workers cannot load the model."""
    by_pair = {job.pair: job for job in jobs}
    orders = [Order(job.pair, job.request, job.frames) for job in jobs]
    for outcome in executor.map(make_pair, orders, partial(worker, batch)):
        pair = outcome.item.pair
        if isinstance(outcome.error, WorkerLost):
            yield by_pair[pair], PairMade(failed(pair, outcome.error))
        else:
            yield by_pair[pair], outcome.result()
