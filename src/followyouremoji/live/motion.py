"""From the faces that a camera sees, one after the other, to the portrait's landmarks. Needs no torch."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np

from followyouremoji.errors import MotionError, SettingsError
from followyouremoji.face.alignment import Measured, SolvedMotion, align, align_in_picture, measure
from followyouremoji.face.calibration import Calibration
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.gaze import DrivingGaze, Eyes, measure_gaze
from followyouremoji.face.gaze_filter import GazeFilter
from followyouremoji.face.handover import Handover
from followyouremoji.face.heads import Room
from followyouremoji.face.motion import Motion
from followyouremoji.face.neutral import relaxed_rest
from followyouremoji.face.one_euro import LandmarkFilter
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.face.tracking import SOUGHT_SECONDS, WHOLE, share_inside
from followyouremoji.framing import ModelFraming
from followyouremoji.live.pacing import LiveState
from followyouremoji.preparation import check_reach
from followyouremoji.sources import still_motion

SOURCE = "the camera"


class FromRest:
    """`align`, one frame after another, of a face whose rest is known: what no frame changes is measured once."""

    def __init__(
        self,
        rest: Landmarks,
        reference: Landmarks,
        settings: AlignmentSettings,
        model: ModelFraming,
        room: Room | None,
    ) -> None:
        self.rest, self.settings = rest, settings
        self._reference, self._model, self._room = reference, model, room
        own = still_motion(rest, SOURCE)
        self._own = replace(own, rest=own.landmarks[0])
        solved, expression = SolvedMotion(self._own), settings.portrait_expression
        measured = measure(solved, reference, expression, None, settings.conjugate_gaze)
        relaxed = relaxed_rest(measured.resting_faces[0], measured.own, expression)
        self._measured = replace(measured, resting_faces=relaxed[None])
        self._eyes = Eyes.of(solved.faces.vertices)
        self._ahead = measure_gaze(self._own.landmarks, solved.faces, rest.size, self._eyes).directions[0]

    def under(self, settings: AlignmentSettings) -> FromRest:
        """The same with other settings. Few of them cost anything."""
        if settings.portrait_expression != self.settings.portrait_expression:
            return FromRest(self.rest, self._reference, settings, self._model, self._room)
        other = copy(self)
        other.settings = settings
        return other

    def __call__(self, landmarks: np.ndarray, gaze: GazeFilter) -> np.ndarray | None:
        """Normalised landmarks (478, 3) on the portrait's face: (478, 2) pixels of it; None where they lie far outside
        (`preparation.check_reach`)."""
        try:
            points = self._points(replace(self._own, landmarks=landmarks[None].astype(np.float32)), gaze)
            check_reach(points[None], self._reference.size, SOURCE)
        except MotionError:
            return None
        return points

    def _points(self, motion: Motion, gaze: GazeFilter) -> np.ndarray:
        settings, reference = self.settings, self._reference
        if self._model.in_picture:
            return align_in_picture(self._after_rest(motion), reference)[1]
        if settings.head == "absolute":
            return align(self._after_rest(motion), reference, replace(settings, neutral=0)).points[1]

        def measured(driving: SolvedMotion, *_: object) -> Measured:
            seen = measure_gaze(motion.landmarks, driving.faces, motion.size, self._eyes)
            directions = gaze(seen, self._ahead, settings.conjugate_gaze)
            looking = DrivingGaze(directions, np.zeros((1, 2)), self._ahead)
            return replace(self._measured, looking=looking)

        aligned = align(motion, reference, settings, self._room, measure=measured, foreseen=False)
        points: np.ndarray = aligned.points[0]
        return points

    def _after_rest(self, motion: Motion) -> Motion:
        """A motion of two frames, the first of which is the rest."""
        return Motion(
            np.concatenate([self._own.landmarks, motion.landmarks]),
            np.arange(2) / motion.frame_rate,
            motion.frame_rate,
            motion.size,
            SOURCE,
            np.ones(2, bool),
        )


class LiveMotion:
    """The portrait's landmarks for one picture of a camera after another.

    The face's first calm second is its rest, which all is measured from; until it is known, the portrait is at rest.
    Where no face is seen, the last whole pose is held. Nothing that happens makes the portrait jump, see `Handover`.
    """

    def __init__(
        self, reference: Landmarks, model: ModelFraming, room: Room | None, alignment: AlignmentSettings
    ) -> None:
        """`reference` are the portrait's landmarks, which stay in the `room`, see `align`."""
        self._reference, self._model, self._room = reference, model, room
        self._aligned = FromRest(reference, reference, alignment, model, room)
        self._calibration: Calibration | None = Calibration()
        self._knows_rest = False
        self._filter, self._gaze = LandmarkFilter(), GazeFilter()
        self._handover = Handover()
        self._landmarks = reference.normalised  # the last that were seen; the portrait's own before any are
        self._whole: tuple[float, np.ndarray] | None = None  # when a whole face was seen last, and its points
        self._holds = True
        resting = self._aligned(self._landmarks, self._gaze)
        self._points = reference.points if resting is None else resting  # where these are to be, and are held

    def recalibrate(self) -> None:
        """Look for a new rest from the next picture on; the old one counts until it is found."""
        self._calibration = Calibration()

    def follow(
        self, seen: Landmarks | None, time: float, alignment: AlignmentSettings
    ) -> tuple[np.ndarray, LiveState]:
        """The portrait's landmarks (478, 2), pixels, for a face that was `seen` at a `time`, later than the last, or
        for none; and what they are."""
        if alignment is not self._aligned.settings:
            self._align_by(self._aligned.under(alignment))
        found = seen is not None and self._see(seen, time)
        if not found:
            self._hold(time)
        self._holds = not found or not self._knows_rest
        state: LiveState = "live" if found else "held"
        if not self._knows_rest or (found and self._calibration is not None):
            state = "calibrating"
        return self._handover(self._points, time), state

    def _see(self, seen: Landmarks, time: float) -> bool:
        """Whether a face that is there can be shown."""
        landmarks = self._filter(seen.normalised, seen.size, time)
        if self._calibration is not None:
            rest = self._calibration.add(landmarks, seen.size, time)
            if rest is not None:
                self._calibration, self._knows_rest = None, True
                self._landmarks = landmarks
                known = Landmarks(rest.astype(np.float32), seen.size)
                self._align_by(
                    FromRest(known, self._reference, self._aligned.settings, self._model, self._room)
                )
        if not self._knows_rest:
            return True
        points = self._aligned(landmarks, self._gaze)
        if points is None:
            return False
        if self._holds:
            self._handover.jumped(self._points, points)
        self._landmarks, self._points = landmarks, points
        if share_inside(seen.normalised[None])[0] >= WHOLE:
            self._whole = time, points
        return True

    def _hold(self, time: float) -> None:
        if self._calibration is not None:
            self._calibration.lost()
        if self._holds or self._whole is None or self._whole[0] < time - SOUGHT_SECONDS:
            return
        self._handover.jumped(self._points, self._whole[1])
        self._points = self._whole[1]

    def _align_by(self, aligned: FromRest) -> None:
        self._aligned, self._whole = aligned, None
        points = aligned(self._landmarks, self._gaze)
        if points is not None:
            self._handover.jumped(self._points, points)
            self._points = points


def check_alignment(alignment: AlignmentSettings, model: ModelFraming) -> None:
    """Raise SettingsError for settings that live motion cannot have."""
    if alignment.neutral is not None:
        raise SettingsError(
            "live motion has no numbered frames: its rest is what the camera sees in the first calm second",
            settings=("neutral",),
        )
    if alignment.pose and model.in_picture:
        raise SettingsError(
            "this model takes motions as they are, so no pose can be added", settings=("pose",)
        )
