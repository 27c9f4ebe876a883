"""What a model sees of a portrait: a square of the picture, or, where it makes faces alone, one window a frame (see
`face.window`), and how such faces go back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from followyouremoji.errors import SettingsError
from followyouremoji.face.blending import place_face
from followyouremoji.face.warping import warp_into_window, warp_portrait
from followyouremoji.face.window import FaceWindow, averaged, face_window
from followyouremoji.media.cropping import Crop, face_crop
from followyouremoji.settings import Switch

LARGE_SQUARE = (
    2048  # pixels a side; larger ones lie on whole pixels of the picture, so that only warping resamples
)
LARGEST_SQUARE = 4096  # in which faces are put back; of larger ones, faces alone lose some sharpness
SQUARE_OVER_WINDOW = 2.5  # the square's least side in window sizes: it is cut no coarser than the windows are


SMALL_FACE = 0.35
"""A face whose landmarks' box is smaller than this share of a square picture's side is cropped by default."""


def choose_crop(
    picture: np.ndarray, own: np.ndarray, aligned: np.ndarray, switch: Switch, always_crop: bool
) -> tuple[Crop, bool]:
    """The square to animate, one for the whole clip, and whether it is one around the face.

    `own` (478, 2) and `aligned` (T, 478, 2) are pixels of the picture; the face's square holds them all. Raises
    SettingsError where the middle square is asked for and the face lies outside it.
    """
    height, width = picture.shape[:2]
    if switch == "auto":
        box = float(np.ptp(own, axis=0).max())
        switch = always_crop or height != width or box < SMALL_FACE * width
    if switch:
        return face_crop(np.concatenate([aligned, own[None]])), True
    return middle_square(picture, own), False


def middle_square(picture: np.ndarray, own: np.ndarray) -> Crop:
    """The square in the middle of a picture, all of one that is square, which is animated where nothing is cropped.

    `own` (478, 2) are the face's landmarks, pixels of the picture. Raises SettingsError where most of them lie outside
    the square.
    """
    height, width = picture.shape[:2]
    side = min(height, width)
    crop = Crop((width - side) / 2, (height - side) / 2, side)
    places = crop.to_crop(own, 1)
    if ((places >= 0) & (places <= 1)).all(axis=-1).mean() < 0.5:
        raise SettingsError(
            f"Without cropping, the middle {side}x{side} pixels of the portrait's {width}x{height} are animated, and its face lies outside "
            "them: let it be cropped around the face, or cut the picture to a square that holds the face."
        )
    return crop


@dataclass(frozen=True)
class WindowedFace:
    """The square around a portrait's face in its own resolution, and the windows in which frames are generated.

    `own_points` (478, 2) and `points` (T, 478, 2) are the landmarks as they are and as they shall be, in pixels of
    `square`, which is uint8 (side, side, 3); `size` is that of the windows, pixels a side. `opacity` (side, side) is
    the square's, of a transparent portrait.
    """

    square: np.ndarray
    own_points: np.ndarray
    points: np.ndarray
    size: int
    opacity: np.ndarray | None = None

    @classmethod
    def within(
        cls,
        picture: np.ndarray,
        crop: Crop,
        own: np.ndarray,
        aligned: np.ndarray,
        size: int,
        opacity: np.ndarray | None = None,
    ) -> WindowedFace:
        """The face in a crop of a picture of an `opacity` (height, width); `own` (478, 2) and `aligned` (T, 478, 2) are
        in pixels of the picture."""
        side = min(max(round(crop.side), round(SQUARE_OVER_WINDOW * size)), LARGEST_SQUARE)
        return cls(
            crop.cut(picture, side),
            crop.to_crop(own, side),
            crop.to_crop(aligned, side),
            size,
            None if opacity is None else crop.cut(opacity, side),
        )

    @cached_property
    def own_window(self) -> FaceWindow:
        return face_window(self.own_points, self.size)

    @cached_property
    def windows(self) -> tuple[FaceWindow, ...]:
        return tuple(face_window(points, self.size) for points in self.points)

    @property
    def portrait(self) -> np.ndarray:
        """The portrait's own face: uint8 (size, size, 3)."""
        return self.own_window.cut(self.square)

    @property
    def portrait_points(self) -> np.ndarray:
        """Its landmarks (478, 2) in pixels of `portrait`."""
        return self.own_window.to_window(self.own_points)

    @cached_property
    def window_points(self) -> np.ndarray:
        """(T, 478, 2): each frame's landmarks in pixels of its window."""
        return np.stack([w.to_window(p) for w, p in zip(self.windows, self.points, strict=True)])

    def warped(self, frame: int) -> np.ndarray:
        """The warped portrait in a frame's window: uint8 (size, size, 3)."""
        return warp_into_window(
            self.square, self.own_points, self.points[frame], self.windows[frame], self._averaged
        )

    def _averaged(self, picture: np.ndarray, scale: float) -> tuple[np.ndarray, int]:
        """`averaged` of the square, which few factors are asked for, remembered: it costs more than all else that
        warping a large square takes."""
        factor = int(scale)
        if factor not in self._averages:
            self._averages[factor] = averaged(picture, scale)
        return self._averages[factor]

    @cached_property
    def _averages(self) -> dict[int, tuple[np.ndarray, int]]:
        return {}

    def finished(self, result: np.ndarray, coded_warp: np.ndarray, frame: int) -> np.ndarray:
        """A frame's square: the warped portrait with the generated face in it.

        `result` and `coded_warp` uint8 (size, size, 3) are what was generated and `warped` once through the
        autoencoder.
        """
        points = self.points[frame]
        warped = warp_portrait(self.square, self.own_points, points)
        return place_face(warped, result, coded_warp, self.windows[frame], points)

    def finished_opacity(self, frame: int) -> np.ndarray:
        """How opaque a frame's square is, of a transparent portrait: uint8 (side, side), warped as its colours are."""
        assert self.opacity is not None
        return warp_portrait(self.opacity, self.own_points, self.points[frame])
