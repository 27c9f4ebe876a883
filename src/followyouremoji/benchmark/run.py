"""Run systems on a suite: every pair is animated by every system, observed and measured, on any executor.

One process alone writes the results; workers send it rows and encoded clips. It can be stopped or killed at any moment:
the same call goes on where it stopped, with the same figures.
"""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np

from followyouremoji.benchmark.metrics import Measured, measure
from followyouremoji.benchmark.metrics.networks import Networks
from followyouremoji.benchmark.observation import Observer
from followyouremoji.benchmark.protocol import Protocol
from followyouremoji.benchmark.store import SECONDS, Results, Run, SystemItem, locked
from followyouremoji.benchmark.suite import Case, Suite
from followyouremoji.benchmark.systems import Remark, System, make_system
from followyouremoji.errors import DataError, SettingsError, UserError, first_line, shown
from followyouremoji.executors import Executor, WorkerLost
from followyouremoji.executors.base import Resource
from followyouremoji.media.writing import ClipWriter

Progress = Callable[[int, int], None]
"""Called with the results that are measured in this run, and those to measure in it."""


@dataclass(frozen=True)
class Item:
    """A result to make and measure."""

    system: System
    case: Case


@dataclass(frozen=True)
class Answer:
    """What a worker found: the rows and the result as an MP4, or the `problem` for which there is none. `remarks` are
    what the system said of the result."""

    measured: list[Measured] = field(default_factory=list)
    clip: bytes | None = None
    problem: str | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ran:
    """How a run went.

    Attributes
    ----------
    measured, kept : results of this run, and those that were there before.
    failures : system, pair and problem of those of this run that there is no result of.
    remarks : system and remark, with the number of results that it is about.
    """

    results: Results
    measured: int
    kept: int
    failures: tuple[tuple[str, str, str], ...]
    remarks: Counter[tuple[str, str]]


def run_benchmark(
    suite: Suite,
    systems: Sequence[str | System],
    folder: Path,
    executor: Executor,
    protocol: Protocol,
    networks: Networks,
    progress: Progress = lambda done, total: None,
    *,
    pairs: Sequence[str] | None = None,
    bundle: Path | None = None,
) -> Ran:
    """Measure systems on a suite into a folder of results; what is there already is kept, see `store`.

    Parameters
    ----------
    systems : as `make_system` takes them, or of your own.
    networks : whose checksums the protocol has.
    pairs : names of those to run; None: all.
    bundle : Google's face-landmarker bundle, which adds expression scores; its checksum is the protocol's too.

    Raises
    ------
    SettingsError : a system or pair that does not exist, or two systems of one name.
    WeightsError : weights that are missing or damaged.
    DataError : the suite has no pairs, or the folder holds results of another suite, protocol or system, or another run
        writes to it.
    OSError : results cannot be written; those before are kept.
    """
    made = [make_system(one) if isinstance(one, str) else one for one in systems]
    named = Counter(system.name for system in made)
    if double := [name for name, count in named.items() if count > 1]:
        raise SettingsError(f"Two systems are called {double[0]!r}; write NAME=SYSTEM to tell them apart.")
    cases = chosen_cases(suite, protocol, pairs)
    items = [
        SystemItem(
            name=system.name,
            described=given if isinstance(given, str) else system.name,
            fingerprint=system.fingerprint,
        )
        for given, system in zip(systems, made, strict=True)
    ]
    run = Run(
        suite=suite.manifest.name,
        suite_folder=str(suite.folder.resolve()),
        fingerprint=suite.fingerprint,
        protocol=protocol,
        systems=items,
        missing=dict(networks.missing),
    )
    with locked(folder):
        results = Results.begin(folder, run)
        return _run_missing(results, made, cases, executor, partial(bench, networks, bundle), progress)


def chosen_cases(suite: Suite, protocol: Protocol, pairs: Sequence[str] | None) -> list[Case]:
    """Raises DataError where the suite has no pairs, and SettingsError for names that it lacks."""
    if not suite.manifest.pairs:
        raise DataError(f"The suite in {suite.folder} has no pairs to run.")
    cases = suite.cases(protocol, pairs)
    known = {case.name for case in cases}
    if unknown := [name for name in pairs or () if name not in known]:
        raise SettingsError(f"The suite {shown(repr(suite.manifest.name))} has no pair {unknown[0]!r}.")
    return cases


def spread_pairs(suite: Suite, count: int) -> list[str]:
    """Names of so many pairs, spread over a suite; of all where it has fewer. Raises SettingsError for none."""
    names = [pair.name for pair in suite.manifest.pairs]
    count = min(count, len(names))
    if count < 1:
        raise SettingsError("At least one pair must be run.")
    return [names[place * len(names) // count] for place in range(count)]


def _run_missing(
    results: Results,
    systems: Sequence[System],
    cases: Sequence[Case],
    executor: Executor,
    make_bench: Resource,
    progress: Progress,
) -> Ran:
    failed = results.failed()
    # System after system, so that a worker holds one at a time; models first, so that the time that is left, which is
    # estimated from the time that was taken, is not too little.
    items = [
        Item(system, case)
        for system in sorted(systems, key=lambda system: not system.is_model)
        for case in cases
        if (system.name, case.name) in failed or not results.is_done(system.name, case.name)
    ]
    failures: list[tuple[str, str, str]] = []
    remarks: Counter[tuple[str, str]] = Counter()
    progress(0, len(items))
    for done, outcome in enumerate(executor.map(measure_item, items, make_bench), 1):
        system, case = outcome.item.system.name, outcome.item.case
        if isinstance(outcome.error, WorkerLost):
            answer = Answer(problem=str(outcome.error))
        else:
            answer = outcome.result()
        results.add(system, case, answer.measured, answer.problem, answer.clip)
        if answer.problem is not None:
            failures.append((system, case.name, answer.problem))
        remarks.update((system, remark) for remark in answer.remarks)
        progress(done, len(items))
    kept = len(systems) * len(cases) - len(items)
    return Ran(results, len(items) - len(failures), kept, tuple(failures), remarks)


class Bench:
    """What a worker keeps from item to item: the system at work, and what observes and measures its results."""

    def __init__(self, observer: Observer, networks: Networks) -> None:
        self.observer, self.networks = observer, networks
        self._system: System | None = None
        self._problem: str | None = None

    def ready(self, system: System) -> System:
        """The system, loaded. Raises UserError where it cannot be used, again and again, without trying again."""
        if system != self._system:
            self._system, self._problem = system, None  # the one before is freed
            try:
                system.load()
            except UserError as reason:
                self._problem = str(reason)
        assert self._system is not None
        if self._problem is not None:
            raise UserError(self._problem)
        return self._system


@contextmanager
def bench(networks: Networks, bundle: Path | None) -> Iterator[Bench]:
    with Observer(bundle) as observer:
        yield Bench(observer, networks)


def measure_item(item: Item, bench: Bench) -> Answer:
    """Animate and measure a case. Errors of the system, the case's files and the metrics are the answer's problem."""
    remarks: list[str] = []
    case = replace(item.case)  # a copy, whose pictures go with it
    try:
        system = bench.ready(item.system)
        _ = case.portrait, case.portrait_landmarks, case.motion  # read them before the clock runs
        begun = time.perf_counter()
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", Remark)
            frames = system.animate(case)
        seconds = (time.perf_counter() - begun) / case.frames
        remarks = [str(one.message) for one in said if issubclass(one.category, Remark)]
        if frames.shape != (case.frames, case.size, case.size, 3) or frames.dtype != np.uint8:
            raise ValueError(f"{system.name} made {frames.dtype} {frames.shape}")
        measured = measure(bench.observer.observe(case, frames), bench.networks)
    except UserError as reason:
        return Answer(problem=str(reason), remarks=tuple(remarks))
    except Exception as reason:  # one pair must not end the others
        return Answer(problem=f"{type(reason).__name__}: {first_line(reason)}", remarks=tuple(remarks))
    return Answer([*measured, Measured(SECONDS, seconds)], encoded(frames, case), remarks=tuple(remarks))


def encoded(frames: np.ndarray, case: Case) -> bytes:
    """A result uint8 (T, S, S, 3) as an MP4 at its clip's frame rate. Raises ClipError where the disk has no room for
    temporary files."""
    buffer = BytesIO()
    rate = case.clip.footage.frame_rate
    with ClipWriter(buffer, rate, (case.size, case.size), format="mp4") as writer:
        for frame in frames:
            writer.write(frame)
    return buffer.getvalue()
