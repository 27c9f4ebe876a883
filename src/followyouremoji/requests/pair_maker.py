"""Makes the pairs of a batch with one model: each portrait is read and its face found once, each clip followed once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from pydantic import TypeAdapter

from followyouremoji.errors import UserError, advice_on_memory
from followyouremoji.face.detection import FaceDetector
from followyouremoji.face.motion import Motion
from followyouremoji.media.pictures import read_layers
from followyouremoji.requests.animation import (
    GPU_MEMORY,
    GPU_SETTINGS,
    check_destination,
    notes_on_model,
    write_frames,
)
from followyouremoji.requests.batch_folder import BatchFolder
from followyouremoji.requests.bundled import driving_source
from followyouremoji.requests.driving import Driving
from followyouremoji.requests.events import OnEvent, Outcome, PairResult
from followyouremoji.requests.memory import FittingModel
from followyouremoji.requests.pairs import Pair, Source
from followyouremoji.requests.request import AnimationRequest, BatchRequest, Output
from followyouremoji.requests.resume import Recipe, differences, fingerprint, recipe
from followyouremoji.requests.work import Work
from followyouremoji.sources import Portrait


@dataclass(frozen=True)
class Job:
    """A pair that is to be made: its request, what the result depends on, and how many frames it has."""

    pair: Pair
    request: AnimationRequest
    frames: int
    recipe: Callable[[], Recipe]


class PairMaker:
    """Makes one pair after the other; the jobs of a portrait had better come together."""

    def __init__(
        self,
        batch: BatchRequest,
        folder: BatchFolder,
        model: FittingModel,
        detector: FaceDetector,
        tell: OnEvent,
    ) -> None:
        self._batch, self._folder, self._model, self._tell = batch, folder, model, tell
        self._detector = detector
        self._face: Face | None = None
        self._faults: dict[Source, UserError] = {}  # of portraits and motions that cannot be used

    def result(self, job: Job) -> PairResult:
        """What came of a pair."""
        pair = job.pair
        fault = self._faults.get(pair.portrait) or self._faults.get(pair.motion)
        if fault is None:
            try:
                return result_of(pair, outcome=self._made_before(job) or self._made(job))
            except UserError as error:
                fault = error
        return failed(pair, fault)

    def _made_before(self, job: Job) -> Outcome | None:
        """What a worker made that was lost before it could tell."""
        path = job.request.output.path
        assert path is not None
        earlier = self._folder.made(path.name) if self._folder.is_taken(path.name) else None
        if earlier is None or differences(earlier[0], job.recipe()):
            return None
        return earlier[1].model_copy(update={"made_before": False})

    @advice_on_memory(GPU_MEMORY, *GPU_SETTINGS)
    def _made(self, job: Job) -> Outcome:
        request, pair = job.request, job.pair
        made_of = job.recipe()  # before a file is read that may change meanwhile
        if self._face is None or self._face.source != pair.portrait:
            self._face = Face(pair.portrait, self._detector)
        with self._blaming(pair.portrait):
            layers = self._face.layers()
        work = Work.open(request, self._tell, layers)
        file = work.destination.path.name
        self._folder.begin(file)
        check_destination(work)
        with self._blaming(pair.portrait):
            found = self._face.found(work)
        with self._blaming(pair.motion):
            motions = [self._motion(driving, work) for driving in work.drivings.files]
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
        note_made = partial(self._folder.note_made, file, made_of)
        outcome = write_frames(work, self._model, prepared, made_of, note_made)
        self._folder.deliver(file)
        return outcome.model_copy(update={"path": self._folder.named(outcome.path)})

    def _motion(self, driving: Driving, work: Work) -> Motion:
        """A driving's motion, followed once."""
        clip, settings = self._batch.clip, self._batch.settings
        if driving.motion is not None:
            return driving.track(self._detector, None, clip.smooth, work.tell)
        how = TypeAdapter(type(clip)).dump_python(clip, mode="json")
        bundle = settings.detector_bundle
        key = [fingerprint(driving.path), how, settings.driving_face, settings.frame_rate, str(bundle)]
        kept = self._folder.motion(key)
        if kept is None:
            followed = driving.track(self._detector, settings.driving_face, clip.smooth, work.tell)
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
        self.source, self._detector = portrait, detector
        self.layers = cache(partial(read_layers, portrait.path))
        self._found: dict[tuple[int, ...], Portrait] = {}

    def found(self, work: Work) -> Portrait:
        """The face in the picture as the work is done on it, whose size the motion's frame rate may bound."""
        size = work.picture.shape
        if size not in self._found:
            self._found[size] = work.find_portrait(self._detector)
        return self._found[size]


def recipe_of(
    request: AnimationRequest, pair: Pair, weights: Path, fingerprint: Callable[[Path], str]
) -> Recipe:
    """What a result depends on."""
    excluded = {"path", "overwrite", "certificate", "private_key"}
    output = TypeAdapter(Output).dump_python(request.output, mode="json", exclude=excluded)
    certificate = request.output.certificate
    output["certificate"] = None if certificate is None else fingerprint(certificate)
    drivings = [driving_source(driving) for driving in request.driven.values()]
    return recipe(request, pair.portrait.path, drivings, weights, None, fingerprint) | output


def result_of(pair: Pair, **came: object) -> PairResult:
    return PairResult.model_validate(
        {"name": pair.name, "portrait": pair.portrait.given, "motion": pair.motion.given, **came}
    )


def failed(pair: Pair, error: UserError) -> PairResult:
    return result_of(pair, error=str(error), settings=error.settings)
