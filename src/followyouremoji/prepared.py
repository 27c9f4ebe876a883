"""A portrait and the motion that it will make, ready for a model: what networks are shown, and how their results become
frames. Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from followyouremoji.face.between import generated_poses
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.drawing import LandmarkStyle, draw_landmarks
from followyouremoji.face.motion import Motion
from followyouremoji.face.settings import Loop
from followyouremoji.face.timeline import Timeline
from followyouremoji.face.tracking import TrackingReport
from followyouremoji.framing import Framing, seen
from followyouremoji.media.pictures import off_white, resize_picture


@dataclass(frozen=True)
class Prepared:
    """A portrait and the motion that it will make, as a model sees them.

    Attributes
    ----------
    portrait : uint8 (height, width, 3), the whole picture, on white where it is transparent.
    landmarks : of its face.
    framing : what the model sees of the portrait and the motion, and how its results become squares of the portrait.
    style : how landmark pictures are drawn.
    paste_back : whether results go back into the portrait.
    motion : as it was driven, before alignment; its frame rate and times are the result's.
    gaps : what was done about driving frames without a face; None where the motion was not tracked here.
    damage : why the driving clip could not be read to its end, in words; None where it was, or was not read here.
    notes : sentences on what was done about the driving clip's peculiarities, and about the portrait's.
    opacity : uint8 (height, width) of the portrait; None where all of it is opaque.
    loop : how `motion` was closed.
    number : of the face among those of the portrait, 1 is the furthest to the left.
    weights : how much of the square shows when it is pasted, where other faces are near: see `framing.paste_weights`.
    """

    portrait: np.ndarray
    landmarks: Landmarks
    framing: Framing
    style: LandmarkStyle
    paste_back: bool
    motion: Motion
    gaps: TrackingReport | None = None
    damage: str | None = None
    notes: tuple[str, ...] = ()
    opacity: np.ndarray | None = None
    loop: Loop = "off"
    number: int = 1
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.points_in_picture)

    @property
    def picture(self) -> np.ndarray:
        """What the model sees of the portrait: uint8 (size, size, 3)."""
        return self.framing.picture

    @property
    def size(self) -> int:
        """Pixels a side of `picture`."""
        return int(self.picture.shape[0])

    @property
    def points_in_picture(self) -> np.ndarray:
        """(T, 478, 2): the aligned landmarks in one picture that stands still."""
        return self.framing.points_in_picture

    @property
    def reads_coded_warp(self) -> bool:
        """Whether `finish` needs the warped picture once through the autoencoder."""
        return self.framing.reads_coded_warp

    @property
    def still(self) -> np.ndarray:
        """What the finished frames set in motion, of their size: the portrait, or the square of it: uint8 (height,
        width, 3)."""
        return self.portrait if self.paste_back else self.framing.square

    @property
    def output_size(self) -> tuple[int, int]:
        """(width, height) of the finished frames."""
        height, width = self.still.shape[:2]
        return width, height

    @property
    def transparent(self) -> bool:
        """Whether the finished frames have opacity."""
        return self.opacity is not None

    def posed(self, motion: Motion, points: np.ndarray) -> Prepared:
        """The same square of the portrait with another motion, whose aligned landmarks are `points` (T, 478, 2), pixels
        of the portrait."""
        points = seen(points, self.landmarks.points, self.style)
        return replace(self, motion=motion, framing=self.framing.posed(points))

    def in_portrait(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 2) of `points_in_picture` in pixels of the portrait."""
        return self.framing.crop.from_crop(points, self.framing.square.shape[0])

    def landmark_picture(self, frame: int) -> np.ndarray:
        """What the model is shown of a frame's motion: uint8 (size, size, 3)."""
        return draw_landmarks(self.framing.points[frame], (self.size, self.size), self.style)

    def reference_landmark_picture(self) -> np.ndarray:
        """The landmark picture of the portrait's own face: uint8 (size, size, 3)."""
        return draw_landmarks(self.framing.reference_points, (self.size, self.size), self.style)

    def warped_picture(self, frame: int) -> np.ndarray:
        """The portrait warped by a frame's landmarks: uint8 (size, size, 3)."""
        return self.framing.warped(frame)

    def generated_poses(self, course: Timeline) -> np.ndarray:
        """The poses of the motion's course that have to be generated, see `face.between`: all, where results do not
        come with the warped portrait that the others are made of."""
        if not self.reads_coded_warp:
            return np.arange(len(course))
        return generated_poses(self.framing.points[course.frames], self.size, course.cuts)

    def square(self, result: np.ndarray, frame: int, coded_warp: np.ndarray | None = None) -> Square:
        """A generated picture of a frame (size, size, 3), finished, before it is put back.

        Where it `reads_coded_warp`, that is what the autoencoder makes of `warped_picture`.
        """
        opacity = None if self.opacity is None else self.framing.warped_opacity(frame)
        return self.framing.finished(result, frame, coded_warp), opacity

    def finish(self, result: np.ndarray, frame: int, coded_warp: np.ndarray | None = None) -> np.ndarray:
        """A generated picture of a frame as the user gets it: see `square`, and `PreparedGroup.finish`."""
        return PreparedGroup((self,)).finish([self.square(result, frame, coded_warp)])

    def paste(self, whole: np.ndarray, square: np.ndarray) -> None:
        """Put a finished square, or its opacity, into the whole portrait's, as far as it shows there."""
        self.framing.crop.paste_into(whole, square, self.weights, cut=self.framing.square.shape[0])


Square = tuple[np.ndarray, np.ndarray | None]
"""What is shown of a finished square, uint8 (rows, columns, 3), and of a transparent portrait how opaque that is, uint8
(rows, columns)."""


@dataclass(frozen=True)
class PreparedGroup:
    """The faces of one portrait that move, from left to right, each prepared; one face, too.

    All have one frame rate. A face whose motion is shorter than others' keeps its last pose.
    """

    faces: tuple[Prepared, ...]

    def __len__(self) -> int:
        """Frames of the longest."""
        return max(map(len, self.faces))

    @property
    def _first(self) -> Prepared:
        return self.faces[0]

    @property
    def frame_rate(self) -> float:
        """Frames a second."""
        return self._first.motion.frame_rate

    @property
    def loop(self) -> Loop:
        """How the motions were closed."""
        return self._first.loop

    @property
    def still(self) -> np.ndarray:
        """See `Prepared.still`."""
        return self._first.still

    @property
    def output_size(self) -> tuple[int, int]:
        """(width, height) of the finished frames."""
        return self._first.output_size

    @property
    def notes(self) -> tuple[str, ...]:
        """Each face's, named where there are several."""
        if len(self.faces) == 1:
            return self._first.notes
        return tuple(f"Face {face.number}: {note}" for face in self.faces for note in face.notes)

    def picture(self, longer_side: int | None = None) -> np.ndarray:
        """What `landmark_picture` lies over: uint8 (height, width, 3)."""
        if len(self.faces) == 1:
            return self._first.picture
        whole = self._first.portrait
        return whole if longer_side is None else resize_picture(whole, self._scaled(longer_side))

    def landmark_picture(self, frame: int, longer_side: int | None = None) -> np.ndarray:
        """A frame's landmarks: of one face what the model is shown, of several all of them in the whole portrait, whose
        longer side is then as long as asked for; uint8 (height, width, 3)."""
        if len(self.faces) == 1:
            return self._first.landmark_picture(frame)
        size = self.output_size if longer_side is None else self._scaled(longer_side)
        drawn = np.zeros((size[1], size[0], 3), np.uint8)
        for face in self.faces:
            points = face.in_portrait(face.points_in_picture[min(frame, len(face) - 1)])
            lines = draw_landmarks(points * (size[0] / self.output_size[0]), size, face.style)
            np.maximum(drawn, lines, out=drawn)
        return drawn

    def _scaled(self, longer_side: int) -> tuple[int, int]:
        width, height = self.output_size
        scale = longer_side / max(width, height)
        return max(1, round(width * scale)), max(1, round(height * scale))

    def finish(self, squares: Sequence[Square]) -> np.ndarray:
        """A frame as the user gets it, from each face's `Prepared.square`: all of them in the portrait, or the square
        of the only one alone.

        Returns uint8 (height, width, 3); of a transparent portrait (height, width, 4).
        """
        first = self._first
        (whole, opacity), *_ = squares
        if first.paste_back:
            whole = first.portrait.copy()
            opacity = None if first.opacity is None else first.opacity.copy()
            for face, (square, opaque) in zip(self.faces, squares, strict=True):
                face.paste(whole, square)
                if opacity is not None and opaque is not None:
                    face.paste(opacity, opaque)
        return whole if opacity is None else off_white(whole, opacity)
