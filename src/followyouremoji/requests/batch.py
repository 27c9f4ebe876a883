"""Many portraits animated by many motions, with one model that is loaded once.

Each portrait is read and its face found once, and each clip followed once: portraits come one after the other, and
motions are kept as files. What is held in memory does not grow with the number of pairs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from followyouremoji.checkpoints.sources import find_checkpoint
from followyouremoji.errors import UserError
from followyouremoji.executors import Executor
from followyouremoji.face.detection import FaceDetector
from followyouremoji.requests.animation import loader, loras_of
from followyouremoji.requests.batch_elsewhere import open_folder
from followyouremoji.requests.batch_folder import BatchFolder
from followyouremoji.requests.bundled import driving_source
from followyouremoji.requests.driving import Driving
from followyouremoji.requests.events import (
    BatchOutcome,
    BatchProgress,
    Event,
    Note,
    OnBatchEvent,
    PairBegins,
    PairEnds,
    PairResult,
    Progress,
    Stage,
    ignore,
)
from followyouremoji.requests.marking import Marks
from followyouremoji.requests.memory import FittingModel, Load
from followyouremoji.requests.on_workers import make_pairs
from followyouremoji.requests.pair_maker import Job, PairMaker, failed, recipe_of, result_of
from followyouremoji.requests.pairs import BatchError, Pair, Pairs, Source
from followyouremoji.requests.request import BatchRequest
from followyouremoji.requests.resume import differences, fingerprint
from followyouremoji.requests.whole_paths import with_whole_paths
from followyouremoji.requests.work import check_row
from followyouremoji.storage import as_given


def run_batch(
    batch: BatchRequest,
    on_event: OnBatchEvent = ignore,
    load: Load | None = None,
    executor: Executor | None = None,
) -> BatchOutcome:
    """Animate every portrait by every motion, but those whose result is there as it is asked for.

    A pair that cannot be animated is noted in the outcome, and the others are made. What is finished stays, however the
    batch ends, and the same request goes on from there. `load` gives the model, see `animation.animate`. The workers of
    an `executor` make pairs beside each other, see `on_workers`, and of these the notes alone are told.

    Raises UserError, before anything is made, for what concerns all pairs: nothing to animate, a model or settings that
    cannot be used, results in the folder that are not as asked for and may not be replaced. What `on_event` raises, if
    it is no UserError, ends the batch.
    """
    started = time.monotonic()
    if executor is not None:
        batch = with_whole_paths(batch)
    check_row(batch.output, batch.settings)
    pairs = Pairs.of(batch.portraits, batch.motions)
    check_apart(batch)
    Marks.of(batch.output, "" if batch.output.format == "frames" else f".{batch.output.format}")
    weights = find_checkpoint(batch.model.weights)
    with open_folder(batch.output.path) as folder:
        plan = Plan.of(batch, pairs.pairs, folder, weights)
        for note in pairs.notes:
            on_event(note)
        results = dict(plan.results)
        if plan.jobs:
            teller = Teller(on_event, sum(job.frames for job in plan.jobs))
            teller(Stage("loading", "Loading the model"))
            model = FittingModel(batch.model, load or loader(executor))
            model.loaded(teller).check(batch.settings, loras_of(batch))
            if executor is None:
                results |= make_here(batch, folder, model, plan.jobs, teller)
            else:
                results |= make_elsewhere(batch, executor, plan.jobs, teller)
        folder.forget_motions()
    made = tuple(results[pair] for pair in pairs.pairs)
    return BatchOutcome(folder=batch.output.path, pairs=made, seconds=time.monotonic() - started)


def check_apart(batch: BatchRequest) -> None:
    """Raise BatchError where the next run would take results for portraits or motions."""
    folder = batch.output.path
    if any(Path(given).resolve() == folder.resolve() for given in (*batch.portraits, *batch.motions)):
        raise BatchError(
            f"{folder} holds what is to be animated, and results there would be taken for that: give another folder",
            settings=("path",),
        )


@dataclass(frozen=True)
class Plan:
    """What is to be made, and the results of pairs that are done or hopeless."""

    jobs: list[Job]
    results: Mapping[Pair, PairResult]

    @classmethod
    def of(cls, batch: BatchRequest, pairs: tuple[Pair, ...], folder: BatchFolder, weights: Path) -> Plan:
        """Look into the motions and compare with what is there. Raises BatchError where that may not be replaced."""
        jobs: list[Job] = []
        results: dict[Pair, PairResult] = {}
        refused: list[str] = []
        lengths = cache(partial(frames_of, batch))
        known = cache(fingerprint)  # each file is read once
        for pair in pairs:
            try:
                frames = lengths(pair.motion)
            except UserError as error:
                results[pair] = failed(pair, error)
                continue
            path = folder.path / f"{pair.name}{ending_of(batch, frames)}"
            request = batch.pair(pair.portrait.here, pair.motion.here, path)
            wanted = cache(partial(recipe_of, request, pair, weights, known))
            job = Job(pair, request, frames, wanted)
            if not folder.is_taken(path.name):
                jobs.append(job)
                continue
            earlier = folder.made(path.name)
            changed = None if earlier is None else differences(earlier[0], wanted())
            if earlier is not None and not changed:
                results[pair] = result_of(pair, outcome=earlier[1])
            elif batch.output.overwrite:
                jobs.append(job)
            else:
                why = "no batch made it here" if changed is None else "; ".join(changed)
                refused.append(
                    f"{as_given(folder.named(path))} exists already, and is not what is asked for: {why}"
                )
        if refused:
            more = f". So it is with {len(refused) - 1} more" if len(refused) > 1 else ""
            raise BatchError(
                f"{refused[0]}{more}. Ask for the same as before, give another folder, or have them replaced",
                settings=("path", "overwrite"),
            )
        return cls(jobs, results)


def frames_of(batch: BatchRequest, motion: Source) -> int:
    """How many frames the results of a motion have. Raises UserError where it cannot be used."""
    source = driving_source(motion.here)
    return Driving(source, batch.clip.range, batch.settings.frame_rate).expected_frames


def ending_of(batch: BatchRequest, frames: int) -> str:
    """Of a result's name."""
    if batch.output.format == "frames":
        return ""
    return ".png" if frames == 1 else f".{batch.output.format}"


class Teller:
    """Passes a pair's events on, of equal notes the first, and tells how much of the batch is done."""

    def __init__(self, on_event: OnBatchEvent, total: int) -> None:
        self.tell, self._total, self._done = on_event, total, 0
        self._frames, self._stage = 0, ""
        self._told: set[str] = set()

    def begin(self, frames: int) -> None:
        """A pair of so many frames begins."""
        self._frames = frames

    def end(self) -> None:
        """It ended, well or not."""
        self._done += self._frames
        self.tell(BatchProgress(self._done, self._total))

    def __call__(self, event: Event) -> None:
        if isinstance(event, Note):
            if event.sentence in self._told:
                return
            self._told.add(event.sentence)
        if isinstance(event, Stage):
            self._stage = event.name
        self.tell(event)
        if isinstance(event, Progress) and event.total and self._stage == "animating":
            self.tell(BatchProgress(self._done + self._frames * event.done / event.total, self._total))


def make_here(
    batch: BatchRequest, folder: BatchFolder, model: FittingModel, jobs: list[Job], teller: Teller
) -> dict[Pair, PairResult]:
    """What came of each job, made in this process one after the other."""
    results: dict[Pair, PairResult] = {}
    with FaceDetector(batch.settings.detector_bundle) as detector:
        maker = PairMaker(batch, folder, model, detector, teller)
        for job in jobs:
            teller.tell(PairBegins(job.pair.name, len(results) + 1, len(jobs)))
            teller.begin(job.frames)
            results[job.pair] = maker.result(job)
            teller.end()
            teller.tell(PairEnds(results[job.pair]))
    return results


def make_elsewhere(
    batch: BatchRequest, executor: Executor, jobs: list[Job], teller: Teller
) -> dict[Pair, PairResult]:
    """What came of each job, made by workers."""
    results: dict[Pair, PairResult] = {}
    teller(Stage("animating", "Animating"))
    for job, made in make_pairs(executor, batch, jobs):
        teller.tell(PairBegins(job.pair.name, len(results) + 1, len(jobs)))
        teller.begin(job.frames)
        for note in made.notes:
            teller(note)
        results[job.pair] = made.result
        teller.end()
        teller.tell(PairEnds(made.result))
    return results
