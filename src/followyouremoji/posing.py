"""One portrait, posed again and again: points at once, pictures quickly. For an editor of expressions."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np

from followyouremoji.animator import Loras, PortraitAnimator
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.motion import Motion
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.face.timeline import timeline
from followyouremoji.framing import ModelFraming
from followyouremoji.generation import generate, read_portrait
from followyouremoji.preparation import place
from followyouremoji.prepared import Prepared
from followyouremoji.sampling.guidance import ClipConditioning
from followyouremoji.settings import AnimationSettings
from followyouremoji.sources import PortraitSource, choose_faces, named, still_motion


class PoseSession:
    """Poses of one portrait, made by one model.

    All pictures show the same square of the portrait, the one around its face as it is, so that they do not jump from
    pose to pose; a head that leaves it is cut off at its border. What the networks read of the portrait is kept, in the
    model's memory, as long as the session.

    >>> session = PoseSession(PortraitAnimator.from_pretrained("bundled"), "portrait.png")
    >>> session.picture(session.own, AlignmentSettings(portrait_expression="keep", pose={"smile": 0.5}))

    Parameters
    ----------
    portrait : see `PortraitAnimator.__call__`.
    face : its number from the left; None is the largest.
    portrait_landmarks : of its only face, where they are known; they are then not detected.
    settings : as of an animation; those on clips are not read.
    loras : see `PortraitAnimator.__call__`.

    Raises
    ------
    UserError : as `PortraitAnimator.check` and `preparation.prepare`.
    """

    def __init__(
        self,
        animator: PortraitAnimator,
        portrait: PortraitSource,
        *,
        face: int | None = None,
        portrait_landmarks: Landmarks | None = None,
        settings: AnimationSettings | None = None,
        loras: Loras = (),
    ) -> None:
        settings = replace(settings or AnimationSettings(), loop="off")
        animator.check(settings, loras)
        self._animator, self._settings = animator, settings
        self._model = animator.models_with(loras)[0]
        bundle = settings.detector_bundle
        self._found = animator.faces.portrait(portrait, (face,), bundle, portrait_landmarks)
        (number,) = choose_faces(self._found, (face,), settings)
        self.landmarks = self._found.faces[number - 1]
        """Of the portrait's face, in its upright picture."""
        own = still_motion(self.landmarks, named(portrait, "the portrait"))
        self.own = replace(own, rest=own.landmarks[0])
        """The portrait's own pose as a motion of one frame, at rest: what `AlignmentSettings.pose` is added to."""
        self._still = animator.prepare(
            self._found,
            self.own,
            face=number,
            alignment=AlignmentSettings(portrait_expression="keep"),
            settings=settings,
        )

    def points(
        self, motion: Motion, alignment: AlignmentSettings | None = None, frame: int = 0
    ) -> np.ndarray:
        """The landmarks that the face takes in a frame of a motion: (478, 2), pixels of the upright portrait.

        No network runs. Raises MotionError where the motion takes the face far out of the picture.
        """
        animator, model = self._animator, ModelFraming.of(self._model.config)
        alignment = alignment or AlignmentSettings()
        aligned = place(self.landmarks, motion, model, alignment, self._settings, animator.faces)
        points: np.ndarray = aligned.points[frame]
        return points

    def picture(
        self, motion: Motion, alignment: AlignmentSettings | None = None, frame: int = 0
    ) -> np.ndarray:
        """The portrait with these landmarks: uint8 (height, width, 3), of a transparent portrait (height, width, 4).

        Raises MotionError as `points`, and WeightsError where values of a network are not finite.
        """
        points = self.points(motion, alignment, frame)[None]
        return self._picture(self._still.posed(motion[frame : frame + 1], points))

    def _picture(self, posed: Prepared) -> np.ndarray:
        animator, settings = self._animator, self._settings
        generated = generate(
            (self._model,),
            posed,
            timeline(posed.points_in_picture, "off"),
            animator.sampling(settings),
            code_warps=posed.reads_coded_warp,
            known=self._read,
        )
        ((_, result, coded_warp),) = generated
        return posed.finish(result, 0, coded_warp)

    @cached_property
    def _read(self) -> ClipConditioning:
        scale = self._animator.guidance_scale(self._settings)
        return read_portrait(self._model, self._still, scale)
