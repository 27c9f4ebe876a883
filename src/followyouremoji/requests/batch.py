"""Many portraits animated by many motions, with one model that is loaded once.

Each portrait is read and its face found once, and each clip followed once: portraits come one after the other, and
motions are kept as files. What is held in memory does not grow with the number of pairs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from itertools import groupby
from pathlib import Path

from pydantic import TypeAdapter

from followyouremoji.checkpoints.sources import find_checkpoint
from followyouremoji.errors import UserError, advice_on_memory
from followyouremoji.face.detection import FaceDetector
from followyouremoji.face.motion import Motion
from followyouremoji.files import is_taken
from followyouremoji.media.pictures import read_layers
from followyouremoji.requests.animation import (
    GPU_MEMORY,
    GPU_SETTINGS,
    check_destination,
    load_animator,
    loras_of,
    notes_on_model,
    write_frames,
)
from followyouremoji.requests.batch_folder import BatchFolder
from followyouremoji.requests.bundled import driving_source
from followyouremoji.requests.driving import Driving
from followyouremoji.requests.events import (
    BatchOutcome,
    BatchProgress,
    Event,
    Note,
    OnBatchEvent,
    Outcome,
    PairBegins,
    PairEnds,
    PairResult,
    Progress,
    Stage,
    ignore,
)
from followyouremoji.requests.marking import Marks
from followyouremoji.requests.memory import FittingModel, Load
from followyouremoji.requests.pairs import BatchError, Pair, Pairs, Source
from followyouremoji.requests.request import AnimationRequest, BatchRequest, Output
from followyouremoji.requests.resume import Recipe, differences, fingerprint, recipe
from followyouremoji.requests.work import Work, check_row
from followyouremoji.sources import Portrait


def run_batch(
    batch: BatchRequest,
    on_event: OnBatchEvent = ignore,
    load: Load = load_animator,
) -> BatchOutcome:
    """Animate every portrait by every motion, but those whose result is there as it is asked for.

    A pair that cannot be animated is noted in the outcome, and the others are made. What is finished stays, however the
    batch ends, and the same request goes on from there. `load` gives the model, see `animation.animate`.

    Raises UserError, before anything is made, for what concerns all pairs: nothing to animate, a model or settings that
    cannot be used, results in the folder that are not as asked for and may not be replaced. What `on_event` raises, if
    it is no UserError, ends the batch.
    """
    started = time.monotonic()
    check_row(batch.output, batch.settings)
    pairs = Pairs.of(batch.portraits, batch.motions)
    check_apart(batch)
    Marks.of(batch.output, "" if batch.output.format == "frames" else f".{batch.output.format}")
    weights = find_checkpoint(batch.model.weights)
    with BatchFolder(batch.output.path) as folder:
        plan = Plan.of(batch, pairs.pairs, folder, weights)
        for note in pairs.notes:
            on_event(note)
        results = dict(plan.results)
        if plan.jobs:
            teller = Teller(on_event, sum(job.frames for job in plan.jobs))
            teller(Stage("loading", "Loading the model"))
            model = FittingModel(batch.model, load)
            model.loaded(teller).check(batch.settings, loras_of(batch))
            results |= Run(batch, folder, model, teller).all(plan.jobs)
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
class Job:
    """A pair that is to be made: its request, what the result depends on, and how many frames it has."""

    pair: Pair
    request: AnimationRequest
    frames: int
    recipe: Callable[[], Recipe]


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
            request = batch.pair(pair.portrait.given, pair.motion.given, path)
            wanted = cache(partial(recipe_of, request, pair, weights, known))
            job = Job(pair, request, frames, wanted)
            if not is_taken(path):
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
                refused.append(f"{path} exists already, and is not what is asked for: {why}")
        if refused:
            more = f". So it is with {len(refused) - 1} more" if len(refused) > 1 else ""
            raise BatchError(
                f"{refused[0]}{more}. Ask for the same as before, give another folder, or have them replaced",
                settings=("path", "overwrite"),
            )
        return cls(jobs, results)


def frames_of(batch: BatchRequest, motion: Source) -> int:
    """How many frames the results of a motion have. Raises UserError where it cannot be used."""
    source = driving_source(motion.given)
    return Driving(source, batch.clip.range, batch.settings.frame_rate).expected_frames


def ending_of(batch: BatchRequest, frames: int) -> str:
    """Of a result's name."""
    if batch.output.format == "frames":
        return ""
    return ".png" if frames == 1 else f".{batch.output.format}"


def recipe_of(
    request: AnimationRequest, pair: Pair, weights: Path, fingerprint: Callable[[Path], str]
) -> Recipe:
    """What a result depends on."""
    output = TypeAdapter(Output).dump_python(request.output, mode="json", exclude={"path", "overwrite"})
    drivings = [driving_source(driving) for driving in request.driven.values()]
    return recipe(request, pair.portrait.path, drivings, weights, None, fingerprint) | output


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


class Run:
    """Makes the jobs of a plan, one after the other."""

    def __init__(self, batch: BatchRequest, folder: BatchFolder, model: FittingModel, teller: Teller) -> None:
        self._batch, self._folder, self._model, self._teller = batch, folder, model, teller
        self._faults: dict[Source, UserError] = {}  # of portraits and motions that cannot be used

    def all(self, jobs: list[Job]) -> dict[Pair, PairResult]:
        """What came of each."""
        results: dict[Pair, PairResult] = {}
        with FaceDetector(self._batch.settings.detector_bundle) as detector:
            for portrait, its in groupby(jobs, lambda job: job.pair.portrait):
                face = Face(portrait, detector)
                for job in its:
                    self._teller.tell(PairBegins(job.pair.name, len(results) + 1, len(jobs)))
                    self._teller.begin(job.frames)
                    results[job.pair] = self._result(job, face, detector)
                    self._teller.end()
                    self._teller.tell(PairEnds(results[job.pair]))
        return results

    def _result(self, job: Job, face: Face, detector: FaceDetector) -> PairResult:
        pair = job.pair
        fault = self._faults.get(pair.portrait) or self._faults.get(pair.motion)
        if fault is None:
            try:
                return result_of(pair, outcome=self._made(job, face, detector))
            except UserError as error:
                fault = error
        return failed(pair, fault)

    @advice_on_memory(GPU_MEMORY, *GPU_SETTINGS)
    def _made(self, job: Job, face: Face, detector: FaceDetector) -> Outcome:
        request, pair = job.request, job.pair
        made_of = (
            job.recipe()
        )  # before anything is read: of a file that changes meanwhile, the note is of before
        with self._blaming(pair.portrait):
            layers = face.layers()
        work = Work.open(request, self._teller, layers)
        check_destination(work)
        with self._blaming(pair.portrait):
            found = face.found(work)
        with self._blaming(pair.motion):
            motions = [self._motion(driving, work, detector) for driving in work.drivings.files]
        animator = self._model.loaded(work.tell)
        for note in notes_on_model(animator, request):
            work.tell(note)
        prepared = animator.prepare_faces(
            found,
            work.drivings.motions(motions),
            alignment=request.alignment,
            settings=request.settings,
        )
        del animator  # which may leave for one that fits into memory
        work.tell_notes(found, prepared)
        file = work.destination.path.name
        note_made = partial(self._folder.note_made, file, made_of)
        return write_frames(work, self._model, prepared, made_of, note_made)

    def _motion(self, driving: Driving, work: Work, detector: FaceDetector) -> Motion:
        """A driving's motion, followed once."""
        clip, settings = self._batch.clip, self._batch.settings
        if driving.motion is not None:
            return driving.track(detector, None, clip.smooth, work.tell)
        how = TypeAdapter(type(clip)).dump_python(clip, mode="json")
        bundle = settings.detector_bundle
        key = [fingerprint(driving.path), how, settings.driving_face, settings.frame_rate, str(bundle)]
        kept = self._folder.motion(key)
        if kept is None:
            followed = driving.track(detector, settings.driving_face, clip.smooth, work.tell)
            return self._folder.keep_motion(key, followed)
        for note in driving.notes:
            work.tell(note)
        return kept

    @contextmanager
    def _blaming(self, source: Source) -> Iterator[None]:
        """Remembers of a source that it cannot be used."""
        try:
            yield
        except UserError as error:
            self._faults[source] = UserError(str(error), settings=error.settings)  # which holds no pictures
            raise


class Face:
    """A portrait's picture and face, each found when it is first needed."""

    def __init__(self, portrait: Source, detector: FaceDetector) -> None:
        self.layers = cache(partial(read_layers, portrait.path))
        self._detector = detector
        self._found: dict[tuple[int, ...], Portrait] = {}

    def found(self, work: Work) -> Portrait:
        """The face in the picture as the work is done on it, whose size the motion's frame rate may bound."""
        size = work.picture.shape
        if size not in self._found:
            self._found[size] = work.find_portrait(self._detector)
        return self._found[size]


def result_of(pair: Pair, **came: object) -> PairResult:
    return PairResult.model_validate(
        {"name": pair.name, "portrait": pair.portrait.given, "motion": pair.motion.given, **came}
    )


def failed(pair: Pair, error: UserError) -> PairResult:
    return result_of(pair, error=str(error), settings=error.settings)
