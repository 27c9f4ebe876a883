"""A live portrait: everything that can fail is done first, and then pictures go from the camera to the outputs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from pydantic import TypeAdapter

from followyouremoji.broadcast.output import Output
from followyouremoji.broadcast.recording import Recording
from followyouremoji.broadcast.relay import Relayed, relay
from followyouremoji.broadcast.request import LiveRequest
from followyouremoji.broadcast.virtual_camera import VirtualCamera, required
from followyouremoji.broadcast.window import Window, can_open
from followyouremoji.errors import CameraError, ClipError, SettingsError, advice_on_memory
from followyouremoji.face.detection import FaceDetector
from followyouremoji.face.placed_points import PlacedPoints
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.media.cameras import Camera, ClipAtItsSpeed, LivePictures
from followyouremoji.media.kinds import CLIP_ENDINGS, KINDS, clip_ending
from followyouremoji.media.pictures import on_background, read_layers
from followyouremoji.media.timing import generated_rate
from followyouremoji.media.writing import ClipWriter
from followyouremoji.provenance.record import Record
from followyouremoji.requests.animation import DRAWN_MODEL, GPU_MEMORY, GPU_SETTINGS, is_slow, load_animator
from followyouremoji.requests.bundled import portrait_path
from followyouremoji.requests.events import Note, OnEvent, Stage, ignore
from followyouremoji.requests.marking import Marks, differing, model_record
from followyouremoji.requests.placing import found_portrait
from followyouremoji.requests.request import ModelChoice
from followyouremoji.requests.result import check_output
from followyouremoji.requests.resume import fingerprint
from followyouremoji.serving import LOCAL, listen
from followyouremoji.settings import AnimationSettings
from followyouremoji.sources import Portrait, choose_faces

if TYPE_CHECKING:
    from followyouremoji.animator import PortraitAnimator
    from followyouremoji.live import LiveFigures, LiveSession

Place = Literal["window", "page"]


@dataclass(frozen=True)
class Summary:
    """What a broadcast was: what was `relayed`, the `recording` if there is one, and whether that has `sound`."""

    relayed: Relayed
    recording: Path | None = None
    sound: bool = False


class Broadcast:
    """A live portrait, ready to run, as a context manager.

    Parameters
    ----------
    settings : of the animation; those on clips are not read.
    on_event : told of notes, and that the model is being loaded.
    load : gives the model.

    Attributes
    ----------
    address : of the page, where there is one
    shown : where it can be watched
    passed_on : the name of the virtual camera, where there is one

    Raises
    ------
    UserError : whatever cannot be used: the camera, the portrait, the recording's name, a missing package.
    """

    address: str | None = None
    passed_on: str | None = None

    def __init__(
        self,
        request: LiveRequest,
        settings: AnimationSettings | None = None,
        on_event: OnEvent = ignore,
        load: Callable[[ModelChoice], PortraitAnimator] = load_animator,
    ) -> None:
        self._request, self._settings = request, settings or AnimationSettings()
        self._on_event, self._load = on_event, load
        self._outputs: list[Output] = []
        if request.record is not None:
            check_output(request.record, CLIP_ENDINGS, request.overwrite, ClipError, "the recording")
        if request.virtual_camera:
            required()
        self.shown = place_to_show(request)

    @advice_on_memory(GPU_MEMORY, *GPU_SETTINGS)
    def __enter__(self) -> Self:
        request = self._request
        with ExitStack() as stack:
            if request.record is not None:
                self._marks = Marks.from_environment(clip_ending(request.record))
            portrait, number = self._find_portrait()
            title = Path(portrait.source).name
            listening = stack.enter_context(listen(LOCAL, request.port)) if self.shown == "page" else None
            self._source = stack.enter_context(open_source(request))
            self._rate = generated_rate(self._source.frame_rate)
            self._on_event(Stage("loading", "Loading the model"))
            self._session = stack.enter_context(self._begin(portrait, number))
            if request.virtual_camera:
                passing = stack.enter_context(VirtualCamera(self._session.output_size, self._rate))
                self._outputs.append(passing)
                self.passed_on = passing.name
            if self.shown == "window":
                self._outputs.append(stack.enter_context(Window(f"{title}, live", self._session.still)))
            if listening is not None:
                from followyouremoji.broadcast.page import Page

                page = stack.enter_context(Page(title, self._session.still, listening))
                self._outputs.append(page)
                self.address = page.address
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _find_portrait(self) -> tuple[Portrait, int]:
        """The portrait, and the number of the face that moves."""
        request, settings = self._request, self._settings
        path = portrait_path(request.portrait)
        layers = read_layers(path)
        if request.record is None or not KINDS[clip_ending(request.record)].transparent:
            layers = on_background(layers)  # opacity would come to nothing
        placed = None
        if request.points is not None:
            size = (layers.shape[1], layers.shape[0])
            placed = PlacedPoints.read(request.points).scaled_to(size, request.points)
        with FaceDetector(settings.detector_bundle) as detector:
            found = found_portrait(detector, layers, path, (request.face,), placed)
        (number,) = choose_faces(found, (request.face,), settings)
        for sentence in found.notes([number]):
            self._on_event(Note("portrait", sentence))
        return found, number

    def _made(self) -> Record:
        """What the recording's record says."""
        request = self._request
        alignment = TypeAdapter(AlignmentSettings).dump_python(request.alignment, mode="json")
        return model_record(
            request.model,
            self._model,
            portrait=fingerprint(portrait_path(request.portrait)),
            loras=tuple((fingerprint(lora.file), lora.scale) for lora in request.loras),
            settings=differing(alignment, AlignmentSettings()),
        )

    def _begin(self, portrait: Portrait, number: int) -> LiveSession:
        request = self._request
        animator = self._load(request.model)
        self._model = animator.model.config.name
        if request.model.weights == "bundled":
            self._on_event(DRAWN_MODEL)
        if is_slow(animator):
            sentence = "This model is large for a CPU: it will be far from live."
            self._on_event(Note("slow_on_cpu", sentence, ("weights",)))
        return animator.live(
            portrait,
            face=number,
            alignment=request.alignment,
            settings=self._settings,
            loras=[(lora.file, lora.scale) for lora in request.loras],
            size=request.size,
        )

    @advice_on_memory(GPU_MEMORY, *GPU_SETTINGS)
    def run(
        self, stopped: Callable[[], bool] = lambda: False, on_figures: Callable[[LiveFigures], None] = ignore
    ) -> Summary:
        """Pass pictures from the camera to the outputs until the clip ends, somebody ends it, or `stopped` says so; the
        main thread's to call. `on_figures` is told now and then how it goes.

        Raises
        ------
        CameraError : the camera is gone. What was recorded until then is kept.
        UserError : as the outputs raise; nothing is kept.
        """
        record, session = self._request.record, self._session
        sound = False
        with ExitStack() as stack:
            outputs = [*self._outputs]
            if record is not None:
                made = self._made()
                writer = ClipWriter(
                    record,
                    self._rate,
                    session.output_size,
                    sound_from=None if self._request.number is not None else self._request.camera,
                    overwrite=self._request.overwrite,
                    comment=made.comment(),
                    quick=True,
                    seal=self._marks.seal(clip_ending(record), made),
                )
                recording = Recording(stack.enter_context(writer), self._rate, session.still)
                outputs.append(recording)
            relayed = relay(self._source, session, outputs, stopped, on_figures)
            if record is not None:
                recording.finish(relayed.seconds)
                sound = writer.has_sound
        if relayed.lost is not None:
            kept = "" if record is None else f"; {record} has what came before"
            raise CameraError(f"{relayed.lost}{kept}") from relayed.lost
        return Summary(relayed, record, sound)


def place_to_show(request: LiveRequest) -> Place | None:
    """Where a portrait is shown. Raises SettingsError where it cannot be."""
    if not request.show:
        return None
    if not request.page and can_open():
        return "window"
    try:
        import uvicorn  # noqa: F401

        import followyouremoji.broadcast.page  # noqa: F401
    except ImportError as missing:
        why = "" if request.page else "no window can be opened here, and "
        raise SettingsError(
            f"{why}the page needs FastAPI and uvicorn ({missing.name} is missing): pip install 'followyouremoji[web]', or have "
            "the portrait recorded or passed on without being shown",
            settings=("show",),
        ) from None
    return "page"


def open_source(request: LiveRequest) -> LivePictures:
    """What moves the portrait. Raises CameraError or ClipError."""
    if request.number is None:
        return ClipAtItsSpeed(request.camera, request.mirrored)
    return Camera(request.number, request.mirrored)
