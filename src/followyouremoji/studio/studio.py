"""The studio's work: what visitors give is examined, previewed and animated with one model that all share."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from followyouremoji.errors import FaceNotFound, UserError
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.motion import MOTION_ENDING, Motion
from followyouremoji.requests.animation import animate, load_animator
from followyouremoji.requests.bundled import driving_path, portrait_landmarks, portrait_path
from followyouremoji.requests.events import OnEvent
from followyouremoji.requests.request import AnimationRequest, ModelChoice, Output
from followyouremoji.sources import FaceFinder, cut_motion
from followyouremoji.studio.controls import Controls
from followyouremoji.studio.examples import view_of
from followyouremoji.studio.jobs import Job, Jobs
from followyouremoji.studio.material import Kind, Material, NotThere
from followyouremoji.studio.materials import examine_driving, examine_portrait
from followyouremoji.studio.preview import packed
from followyouremoji.studio.settings import StudioSettings
from followyouremoji.studio.store import Result, Store, Visitor

if TYPE_CHECKING:
    from followyouremoji.animator import PortraitAnimator


class Studio:
    """A context manager; leaving it ends what is under way. Threads may share it.

    The model is loaded in the background, from when `load` is called or it is first needed.
    """

    def __init__(self, settings: StudioSettings, model: ModelChoice) -> None:
        self.settings, self.model = settings, model
        self.store = Store(settings.place, settings.visitor_gigabytes * 1_000_000_000)
        self.jobs = Jobs()
        self.faces = FaceFinder()
        self._loader = ThreadPoolExecutor(1, "loading")
        self._animator: Future[PortraitAnimator] | None = None
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.jobs.__exit__()
        self.faces.close()
        self.store.__exit__()
        self._loader.shutdown(wait=False, cancel_futures=True)

    def load(self) -> Future[PortraitAnimator]:
        """Begin to load the model, if nobody has yet."""
        with self._lock:
            if self._animator is None:
                self._animator = self._loader.submit(load_animator, self.model)
            return self._animator

    @property
    def animator(self) -> PortraitAnimator:
        """The model, once it is loaded. Raises UserError where it cannot be."""
        return self.load().result()

    def add_material(self, visitor: Visitor, kind: Kind, name: str, incoming: Path) -> Material:
        """Examine an uploaded file, alone in its folder, and keep it. Raises UserError where it cannot be used."""
        examine = examine_portrait if kind == "portrait" else examine_driving
        with self.faces.detector() as detector:
            details = examine(incoming, detector, self.settings)
        return visitor.keep_material(incoming.parent, kind, name, incoming.name, details)

    # What is drawn before a network runs

    def landmarks(self, portrait: Material, face: int | None = None) -> Landmarks:
        """Of a portrait's face, the largest where none is named. Raises FaceNotFound."""
        if portrait.folder is None:
            known = portrait_landmarks(portrait_path(portrait.given))
            assert known is not None
            faces = known[None]
        else:
            with np.load(portrait.folder / "faces.npz", allow_pickle=False) as file:
                faces = file["landmarks"]
        if len(faces) == 0:
            raise FaceNotFound(
                f"No face was found in {portrait.name}. Place a few points yourself in the tab Points, and it can be animated."
            )
        if face is None:
            face = 1 + int(np.argmax(np.ptp(faces[..., :2], axis=1).max(axis=-1)))
        width, height = portrait.details["size"]
        return Landmarks(faces[face - 1], (width, height))

    def motion(self, driving: Material, controls: Controls) -> Motion:
        """The part of a driving's motion that is used. Raises ClipError where it has none of it."""
        path = (
            driving_path(driving.given)
            if driving.folder is None
            else driving.folder / f"motion{MOTION_ENDING}"
        )
        return cut_motion(Motion.load(path), driving.name, controls.clip().range)

    def preview(self, portrait: Material, driving: Material, controls: Controls) -> bytes:
        """The aligned landmarks over a portrait's view, see `preview`. Raises UserError."""
        landmarks = self.landmarks(portrait)
        motion = self.motion(driving, controls)
        aligned = self.faces.align(motion, landmarks, controls.alignment(), None)
        size = view_size(portrait)
        return packed(aligned.points, size, size[0] / landmarks.size[0], motion.frame_rate, aligned.notes)

    # Animations

    def animate(self, visitor: Visitor, portrait: Material, driving: Material, controls: Controls) -> Result:
        """Have an animation made when it is the visitor's turn; returns the note of it, which then changes."""
        settings: dict[str, Any] = {name: getattr(controls, name) for name in controls.__dataclass_fields__}
        title = f"{Path(portrait.name).stem}, {Path(driving.name).stem}"
        result, folder = visitor.new_result(title, portrait.id, driving.id, settings)
        file = folder / ("result.webm" if portrait.details["transparent"] else "result.mp4")
        if driving.details.get("frames") == 1:
            file = file.with_suffix(".png")
        request = AnimationRequest(
            portrait=portrait.given,
            driving=driving.given,
            output=Output(path=file),
            model=self.model,
            clip=controls.clip(),
            alignment=controls.alignment(),
            settings=controls.animation(),
        )

        def work(on_event: OnEvent) -> None:
            visitor.change_result(result.id, state="running")
            outcome = animate(request, on_event, lambda choice: self.animator)
            visitor.change_result(
                result.id, file=file.name, outcome=outcome.model_dump(mode="json", exclude={"path"})
            )

        def ended(job: Job) -> None:
            with suppress(NotThere):  # deleted while it was made
                visitor.change_result(result.id, state=job.state, error=job.error)

        try:
            self.jobs.submit(result.id, visitor.name, work, ended)
        except UserError:  # too many wait
            visitor.delete_result(result.id)
            raise
        return result


def view_size(portrait: Material) -> tuple[int, int]:
    """(width, height) of a portrait's view."""
    from PIL import Image

    with Image.open(view_of(portrait)) as image:
        return image.size
