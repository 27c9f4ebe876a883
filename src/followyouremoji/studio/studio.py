"""The studio's work: what visitors give is examined, previewed and animated with one model that all share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import TypeAdapter

from followyouremoji.arrays import read_arrays
from followyouremoji.config import parse
from followyouremoji.errors import FaceNotFound, SettingsError, UserError
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.fitting import fit_face
from followyouremoji.face.motion import MOTION_ENDING, Motion
from followyouremoji.face_finder import FaceFinder
from followyouremoji.files import atomic, write_arrays
from followyouremoji.jobs.work import Job
from followyouremoji.media.pictures import on_background, read_layers, write_picture
from followyouremoji.preparation import check_reach, room_in
from followyouremoji.requests.animation import animate, load_animator
from followyouremoji.requests.bundled import bundled_motion, portrait_landmarks, portrait_path
from followyouremoji.requests.events import Event, Note, OnEvent, Stage
from followyouremoji.requests.request import AnimationRequest, FaceChoice, ModelChoice, Output
from followyouremoji.sources import largest_face
from followyouremoji.studio.aligning import Aligner, Part
from followyouremoji.studio.controls import Controls
from followyouremoji.studio.derived import DerivedFiles
from followyouremoji.studio.downloads import convert, kinds_of, write_beside
from followyouremoji.studio.examples import view_of
from followyouremoji.studio.jobs import Jobs
from followyouremoji.studio.live import Live
from followyouremoji.studio.material import Kind, Material, NotThere
from followyouremoji.studio.materials import (
    CLIP_SIDE,
    CLIP_VIEW,
    PICTURE_VIEW,
    examine_driving,
    examine_portrait,
    kept_part,
    write_clip_view,
)
from followyouremoji.studio.placing import FILE, has_points, kept_points
from followyouremoji.studio.posing import Posing
from followyouremoji.studio.preview import packed
from followyouremoji.studio.settings import StudioSettings
from followyouremoji.studio.stickers import Stills
from followyouremoji.studio.store import Result, Store, Visitor

if TYPE_CHECKING:
    from followyouremoji.animator import PortraitAnimator


WARM_UP = "bundled:ada"
NONE: Mapping[int | Literal["all"], Material] = MappingProxyType({})
REQUEST = "request.json"
"""In an animation's folder: what it was made from."""

Made = tuple[Path, dict[str, Any]]
"""A result's file, and its outcome."""


class Studio:
    """A context manager; leaving it ends what is under way. Threads may share it.

    The model is loaded in the background, from when `load` is called or it is first needed.
    """

    def __init__(self, settings: StudioSettings, model: ModelChoice) -> None:
        self.settings, self.model = settings, model
        self.store = Store(settings.place, settings.visitor_gigabytes * 1_000_000_000)
        self.jobs = Jobs()
        self.faces = FaceFinder()
        self.posing = Posing(lambda: self.animator)
        self.stills = Stills()
        self.live = Live()
        self.aligner = Aligner()
        self.files = DerivedFiles()
        self._loader = ThreadPoolExecutor(1, "loading")
        self._examiners = ThreadPoolExecutor(os.cpu_count() or 1, "examining")
        self._animator: Future[PortraitAnimator] | None = None
        self._warm = False
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.jobs.__exit__()
        self.files.close()
        self.faces.close()
        self.store.__exit__()
        for threads in (self._loader, self._examiners):
            threads.shutdown(wait=False, cancel_futures=True)

    def load(self) -> Future[PortraitAnimator]:
        """Begin to load the model, if nobody has yet."""
        with self._lock:
            if self._animator is None:
                self._animator = self._loader.submit(load_animator, self.model)
            return self._animator

    def warm_up(self) -> None:
        """Find a face in another thread, if nobody has yet, so that the first visitor does not wait for what that
        loads. Its errors are told to who uploads something."""
        with self._lock:
            if not self._warm:
                self._warm = True
                self._examiners.submit(self._find_a_face)

    def _find_a_face(self) -> None:
        with self.faces.detector() as detector:
            detector.detect(on_background(read_layers(portrait_path(WARM_UP))))

    @property
    def animator(self) -> PortraitAnimator:
        """The model, once it is loaded. Raises UserError where it cannot be."""
        return self.load().result()

    def animator_of(self, choice: ModelChoice) -> PortraitAnimator:
        """The model for a job: the studio's own, or where memory does not suffice for that, one for this job alone."""
        return self.animator if choice == self.model else load_animator(choice)

    def examine(self, visitor: Visitor, kind: Kind, name: str, incoming: Path) -> Future[Material]:
        """`add_material` in its turn: as many at once as there are cores, for each takes memory."""
        return self._examiners.submit(self.add_material, visitor, kind, name, incoming)

    def add_material(self, visitor: Visitor, kind: Kind, name: str, incoming: Path) -> Material:
        """Examine an uploaded file, alone in its folder, and keep it. Raises UserError where it cannot be used."""
        examine = examine_portrait if kind == "portrait" else examine_driving
        try:
            with self.faces.detector() as detector:
                details = examine(incoming, name, detector, self.settings)
        except UserError as error:
            raise type(error)(str(error).replace(str(incoming), name)) from error
        material = visitor.keep_material(incoming.parent, kind, name, incoming.name, details)
        if details.get("view") == CLIP_VIEW:
            self.files.begin(*self._clip_view(material))
        return material

    def driving_view(self, driving: Material) -> Path:
        """What a browser shows of a clip or a picture. Raises NotThere, and UserError where it cannot be made."""
        if driving.folder is None or driving.details["view"] is None:
            raise NotThere(driving.id)
        if driving.details["view"] == CLIP_VIEW:
            return self.files.get(*self._clip_view(driving))
        return driving.folder / driving.details["view"]

    def _clip_view(self, driving: Material) -> tuple[Path, Callable[[], None]]:
        assert driving.folder is not None
        view = driving.folder / CLIP_VIEW
        motion = driving.folder / f"motion{MOTION_ENDING}"
        kept = kept_part(self.settings)
        return view, lambda: write_clip_view(Path(driving.given), view, kept, Motion.load(motion))

    def own_copy(self, visitor: Visitor, example: Material) -> Material:
        """A bundled portrait as a material of the visitor's own."""
        path, folder = portrait_path(example.given), visitor.new_folder()
        layers, landmarks = read_layers(path), portrait_landmarks(path)
        assert landmarks is not None
        shutil.copyfile(path, folder / path.name)
        write_arrays(folder / "faces.npz", {"landmarks": landmarks[None]})
        write_picture(folder / PICTURE_VIEW, layers)
        return visitor.keep_material(folder, "portrait", example.name, path.name, example.details)

    # What is drawn before a network runs

    def landmarks(self, portrait: Material, face: int | None = None) -> Landmarks:
        """Of a portrait's face, from points placed by hand where none is named. Raises FaceNotFound."""
        placed = kept_points(portrait) if face is None else None
        if placed is None:
            return self.detected(portrait, face)
        return fit_face(placed.points, placed.picture).landmarks

    def detected(self, portrait: Material, face: int | None = None) -> Landmarks:
        """Of a portrait's face as it was found, the largest where none is named. Raises FaceNotFound."""
        faces = self._faces(portrait)
        if not faces:
            raise FaceNotFound(
                f"No face was found in {portrait.name}. Place a few points yourself in the tab Points, and it can be animated."
            )
        if face is None:
            face = largest_face(faces)
        if not 1 <= face <= len(faces):
            raise FaceNotFound(f"{portrait.name} has no face {face}.")
        return faces[face - 1]

    def boxes(self, portrait: Material) -> list[list[float]]:
        """Left, top, right and bottom of each face of a portrait, from left to right, as shares of its sides."""
        return [
            [*face.normalised[:, :2].min(axis=0).tolist(), *face.normalised[:, :2].max(axis=0).tolist()]
            for face in self._faces(portrait)
        ]

    @staticmethod
    def _faces(portrait: Material) -> list[Landmarks]:
        """From left to right."""
        if portrait.folder is None:
            known = portrait_landmarks(portrait_path(portrait.given))
            assert known is not None
            faces = known[None]
        else:
            faces = read_arrays(portrait.folder / "faces.npz")["landmarks"]
        width, height = portrait.details["size"]
        return [Landmarks(face, (width, height)) for face in faces]

    def part(self, driving: Material, controls: Controls) -> Part:
        """The part of a driving's motion that is used. Raises ClipError where it has none of it."""
        followed = driving.details["view"] is not None  # a motion file was smoothed when it was made
        used = controls.clip(self.settings.clip_seconds).range
        smooth = controls.smooth if followed else 0.0
        return self.aligner.part(
            driving.id, lambda: motion_of(driving), driving.name, used, smooth, controls.loop
        )

    def driving_landmarks(self, driving: Material) -> bytes:
        """The landmarks of a driving in its own picture, see `preview`."""
        motion = motion_of(driving)
        scale = min(1.0, CLIP_SIDE / max(motion.size))
        width, height = (round(side * scale) for side in motion.size)
        return packed(motion.points, (width, height), scale, motion.frame_rate)

    def preview(
        self, portrait: Material, driving: Material, controls: Controls, face: int | None = None
    ) -> bytes:
        """The aligned landmarks over a portrait's view, see `preview`. Raises UserError."""
        landmarks = self.landmarks(portrait, face)
        part, room = self.part(driving, controls), room_in(landmarks, controls.crop)
        aligned = self.aligner.align(part, landmarks, controls.alignment(), room)
        check_reach(aligned.points, landmarks.size, driving.name)
        size = view_size(portrait)
        start = float(part.motion.timestamps[0])
        return packed(
            aligned.points,
            size,
            size[0] / landmarks.size[0],
            part.motion.frame_rate,
            aligned.notes,
            start,
            part.forward,
        )

    # Animations

    def animate(
        self,
        visitor: Visitor,
        portrait: Material,
        driving: Material,
        controls: Controls,
        driven: Mapping[int | Literal["all"], Material] = NONE,
        batch: str | None = None,
    ) -> Result:
        """Have an animation made when it is the visitor's turn; returns the note of it, which then changes.

        `driven` are the drivings of numbered faces; where it is empty, `driving` moves the largest. `batch` is what the
        result belongs to. Raises UserError for what cannot be used, and where too many of the visitor's wait.
        """
        self.jobs.check_room(visitor.name)
        drivings = list({one.id: one for one in driven.values()}.values()) or [driving]
        for face in driven or [None]:
            self.landmarks(portrait, face if isinstance(face, int) else None)
        for one in drivings:
            self.part(one, controls)  # what cannot be used is said now
        settings: dict[str, Any] = {name: getattr(controls, name) for name in controls.__dataclass_fields__}
        settings["faces"] = [{"face": face, "driving": one.id} for face, one in driven.items()]
        title = ", ".join(Path(one.name).stem for one in (portrait, *drivings))
        result, folder = visitor.new_result(title, portrait.id, driving.id, settings, batch)
        file = folder / ("result.webm" if portrait.details["transparent"] else "result.mp4")
        if all(one.details["frames"] == 1 for one in drivings):
            file = file.with_suffix(".png")
        points = None
        if not driven and portrait.folder is not None and has_points(portrait):
            points = shutil.copyfile(portrait.folder / FILE, folder / FILE)  # as they are now
        request = AnimationRequest(
            portrait=portrait.given,
            driving=None if driven else driving.given,
            faces=tuple(FaceChoice(face=face, driving=one.given) for face, one in driven.items()),
            output=Output(path=file),
            model=self.model,
            clip=controls.clip(self.settings.clip_seconds),
            alignment=controls.alignment(),
            settings=controls.animation(),
            points=points,
        )
        with atomic(folder / REQUEST) as temporary:
            temporary.write_bytes(TypeAdapter(AnimationRequest).dump_json(request))

        def make(on_event: OnEvent) -> Made:
            outcome = animate(request, on_event, self.animator_of)
            return file, outcome.model_dump(mode="json", exclude={"path"})

        return self.begin(visitor, result, (portrait, *drivings), make)

    def begin(
        self, visitor: Visitor, result: Result, materials: Sequence[Material], make: Callable[[OnEvent], Made]
    ) -> Result:
        """Have a noted result made of materials when it is the visitor's turn. `make` returns its file and what is
        noted as its outcome, which has `notes`.

        Raises UserError where too many of the visitor's wait.
        """

        def in_words(sentence: str) -> str:
            for material in materials:
                sentence = material.in_words(sentence)
            return sentence

        def work(on_event: OnEvent) -> None:
            def tell(event: Event) -> None:
                if isinstance(event, Note):
                    event = replace(event, sentence=in_words(event.sentence))
                elif isinstance(event, Stage) and event.name == "tracking":
                    event = Stage("tracking", "Following the driving face")  # the file has another name here
                on_event(event)

            visitor.change_result(result.id, state="running")
            file, outcome = make(tell)
            for note in outcome["notes"]:
                note["sentence"] = in_words(note["sentence"])
            visitor.change_result(result.id, file=file.name, outcome=outcome)

        def ended(job: Job) -> None:
            error = None if job.error is None else self.store.unplaced(in_words(job.error))
            with suppress(NotThere):  # deleted while it was made
                visitor.change_result(
                    result.id, state=job.state, error=error, error_settings=job.error_settings
                )

        try:
            self.jobs.submit(result.id, visitor.name, work, ended)
        except UserError:  # too many wait
            visitor.delete_result(result.id)
            raise
        return result

    def download(self, visitor: Visitor, identity: str, ending: str, beside: bool) -> Path:
        """A result as a file of an ending, made when it is first asked for; `beside` an animation are driving,
        landmarks and portrait. A sticker is given as it is.

        Raises NotThere, and SettingsError for an ending that it has none of.
        """
        master, is_animation = visitor.result_file(identity), visitor.result(identity).kind == "animation"
        kinds = kinds_of(master) if is_animation else (master.suffix,)
        if ending not in kinds:
            raise SettingsError(
                f"this result comes as {', '.join(kinds)}, not as {ending or 'a file without ending'}"
            )
        if beside and is_animation:
            request = parse(
                AnimationRequest, (master.parent / REQUEST).read_bytes(), "the request", SettingsError
            )
            row = master.with_name(f"beside{'.png' if master.suffix == '.png' else '.mp4'}")
            master = self.files.get(row, lambda: write_beside(request, master, row, self.animator_of))
        target = master.with_suffix(ending)
        return self.files.get(target, lambda: convert(master, target))


def motion_of(driving: Material) -> Motion:
    """All of a driving's motion, not smoothed."""
    if driving.folder is None:
        return bundled_motion(driving.name)
    return Motion.load(driving.folder / f"motion{MOTION_ENDING}")


def view_size(portrait: Material) -> tuple[int, int]:
    """(width, height) of a portrait's view."""
    from PIL import Image

    with Image.open(view_of(portrait)) as image:
        return image.size
