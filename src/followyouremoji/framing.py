"""What a model sees of a portrait and its motion, and how what it makes goes back: two framings of one interface.

A model generates the `WholePicture`, a square of the portrait that stands still, or the `FaceAlone`, in a window a
frame that follows the face (see `face.window`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from followyouremoji.errors import SettingsError
from followyouremoji.face.blending import blend_face, place_face
from followyouremoji.face.drawing import RELEASED_STYLE, LandmarkStyle
from followyouremoji.face.geometry import with_gaze_of
from followyouremoji.face.sharing import share_in
from followyouremoji.face.warping import warp_into_window, warp_portrait
from followyouremoji.face.window import FaceWindow, averaged, face_window
from followyouremoji.media.cropping import Crop, Part, face_crop
from followyouremoji.settings import Switch

if TYPE_CHECKING:
    from followyouremoji.checkpoints.config import ModelConfig

LARGEST_SQUARE = 4096  # in which faces are put back; of larger ones, faces alone lose some sharpness
SQUARE_OVER_WINDOW = 2.5  # the square's least side in window sizes: it is cut no coarser than the windows are


KEPT_WARPS = 48  # pictures of a window's size: of three segments

SMALL_FACE = 0.35
"""A face whose landmarks' box is smaller than this share of a square picture's side is cropped by default."""


@dataclass(frozen=True)
class ModelFraming:
    """What a model needs to see of a portrait and its motion.

    Attributes
    ----------
    size : pixels a side of what it generates.
    style : how its landmark pictures are drawn.
    always_crop : it was trained on squares around the face, so cropping is "auto" for it.
    in_picture : its driving landmarks are aligned in the picture alone, see `align_in_picture`.
    face_alone : it makes faces alone, in windows of `size`; "auto" then always crops.
    relative_to_warp : it generates relative to the warped portrait, which is sharper around the face than what it
        makes, so only the face is taken from its results. Faces alone always do.
    """

    size: int
    style: LandmarkStyle = RELEASED_STYLE
    always_crop: bool = False
    in_picture: bool = False
    face_alone: bool = False
    relative_to_warp: bool = False

    @classmethod
    def of(cls, config: ModelConfig, size: int | None = None) -> ModelFraming:
        """What the model of a config needs, at its own size or another one."""
        return cls(
            size=size or config.picture_size,
            style=config.landmark_style,
            always_crop=config.network.layout
            == "paper",  # this project trains them on squares around the face
            in_picture=config.landmark_points == "image",
            face_alone=config.framing == "window",
            relative_to_warp=config.network.warped_reference,
        )


class Framing(Protocol):
    """A portrait and its motion as a model sees them.

    `crop` is the square of the portrait that is animated; `picture` uint8 (size, size, 3) what the model sees of it,
    with landmarks `reference_points` (478, 2) in its pixels; `points` (T, 478, 2) the aligned landmarks in pixels of
    each generated picture; `points_in_picture` the same in one picture that stands still, where windows would hide
    that a face moves; `square` uint8 (side, side, 3) the crop in the resolution of finished squares. To finish a
    frame, a framing with `reads_coded_warp` needs the warped picture once through the autoencoder. `shown` are the
    rows and columns of the square that are finished: the others lie outside the portrait and are not pasted back.
    """

    reads_coded_warp: ClassVar[bool]

    @property
    def crop(self) -> Crop: ...
    @property
    def picture(self) -> np.ndarray: ...
    @property
    def reference_points(self) -> np.ndarray: ...
    @property
    def points(self) -> np.ndarray: ...
    @property
    def points_in_picture(self) -> np.ndarray: ...
    @property
    def square(self) -> np.ndarray: ...
    @property
    def shown(self) -> Part: ...

    def warped(self, frame: int) -> np.ndarray:
        """The portrait warped by a frame's landmarks, as the model sees it: uint8 (size, size, 3)."""

    def finished(self, result: np.ndarray, frame: int, coded_warp: np.ndarray | None) -> np.ndarray:
        """What is shown of a frame's square, uint8 (rows, columns, 3), from what was generated and, where it is read,
        the warped picture once through the autoencoder, uint8 (size, size, 3) both."""

    def warped_opacity(self, frame: int) -> np.ndarray:
        """How opaque that is, of a transparent portrait: uint8 (rows, columns), warped as its colours are."""

    def posed(self, aligned: np.ndarray) -> Framing:
        """The same square with other landmarks (T, 478, 2), pixels of the portrait."""


@dataclass(frozen=True)
class WholePicture:
    """The square in the model's own resolution, `picture`, see `Framing`; `opacity` uint8 (size, size) is the square's,
    of a transparent portrait, `relative_to_warp` as in `ModelFraming`."""

    crop: Crop
    picture: np.ndarray
    reference_points: np.ndarray
    points: np.ndarray
    shown: Part
    opacity: np.ndarray | None = None
    relative_to_warp: bool = False

    reads_coded_warp: ClassVar[bool] = False

    @property
    def points_in_picture(self) -> np.ndarray:
        return self.points

    @property
    def square(self) -> np.ndarray:
        return self.picture

    def warped(self, frame: int) -> np.ndarray:
        return warp_portrait(self.picture, self.reference_points, self.points[frame])

    def finished(self, result: np.ndarray, frame: int, coded_warp: np.ndarray | None = None) -> np.ndarray:
        if self.relative_to_warp:
            result = blend_face(self.warped(frame), result, self.points[frame])
        return result[self.shown]

    def warped_opacity(self, frame: int) -> np.ndarray:
        assert self.opacity is not None
        return warp_portrait(self.opacity, self.reference_points, self.points[frame], self.shown)

    def posed(self, aligned: np.ndarray) -> WholePicture:
        return replace(self, points=self.crop.to_crop(aligned, self.picture.shape[0]))


@dataclass(frozen=True)
class FaceAlone:
    """The square in its own resolution, and windows of `size` pixels a side in which frames are generated, see
    `Framing`.

    `own_points` (478, 2) and `points_in_picture` (T, 478, 2) are the landmarks as they are and as they shall be, in
    pixels of `square`; `opacity` uint8 (side, side) is the square's, of a transparent portrait. `picture` is the
    portrait's own window.
    """

    crop: Crop
    square: np.ndarray
    own_points: np.ndarray
    points_in_picture: np.ndarray
    size: int
    shown: Part
    opacity: np.ndarray | None = None

    reads_coded_warp: ClassVar[bool] = True

    @cached_property
    def _own_window(self) -> FaceWindow:
        return face_window(self.own_points, self.size)

    @cached_property
    def windows(self) -> tuple[FaceWindow, ...]:
        """Each frame's."""
        return tuple(face_window(points, self.size) for points in self.points_in_picture)

    @cached_property
    def picture(self) -> np.ndarray:
        return self._own_window.cut(self.square)

    @property
    def reference_points(self) -> np.ndarray:
        return self._own_window.to_window(self.own_points)

    @cached_property
    def points(self) -> np.ndarray:
        return np.stack([w.to_window(p) for w, p in zip(self.windows, self.points_in_picture, strict=True)])

    def warped(self, frame: int) -> np.ndarray:
        """See `Framing`. Networks read it, and it is read again when their results are decoded; the latest are kept."""
        kept = self._lately_warped.get(frame)
        if kept is not None:
            return kept
        points, window = self.points_in_picture[frame], self.windows[frame]
        warped = warp_into_window(self.square, self.own_points, points, window, self._averaged)
        warped.flags.writeable = False
        for oldest in list(self._lately_warped)[: 1 - KEPT_WARPS]:
            self._lately_warped.pop(oldest, None)  # another thread may have
        self._lately_warped[frame] = warped
        return warped

    @cached_property
    def _lately_warped(self) -> dict[int, np.ndarray]:
        return {}

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

    def finished(self, result: np.ndarray, frame: int, coded_warp: np.ndarray | None) -> np.ndarray:
        """The warped portrait in its own resolution with the generated face in it."""
        assert coded_warp is not None
        left, top = self.shown[1].start, self.shown[0].start
        points = self.points_in_picture[frame]
        warped = warp_portrait(self.square, self.own_points, points, self.shown)
        window = self.windows[frame].seen_from(left, top)
        place_face(warped, result, coded_warp, window, points - (left, top))
        return warped

    def warped_opacity(self, frame: int) -> np.ndarray:
        assert self.opacity is not None
        return warp_portrait(self.opacity, self.own_points, self.points_in_picture[frame], self.shown)

    def posed(self, aligned: np.ndarray) -> FaceAlone:
        return replace(self, points_in_picture=self.crop.to_crop(aligned, self.square.shape[0]))


def frame_portrait(
    portrait: np.ndarray,
    own: np.ndarray,
    aligned: np.ndarray,
    crop: Crop,
    model: ModelFraming,
    opacity: np.ndarray | None = None,
    paste_back: bool = True,
) -> Framing:
    """A square of a portrait uint8 (height, width, 3) of an `opacity` (height, width), framed for a model.

    `own` (478, 2) and `aligned` (T, 478, 2) are landmarks in pixels of the portrait; results are pasted back into it,
    or are shown as squares.
    """
    aligned = seen(aligned, own, model.style)
    side = model.size
    if model.face_alone:
        side = min(max(round(crop.side), round(SQUARE_OVER_WINDOW * side)), LARGEST_SQUARE)
        if side == round(crop.side):  # so that warping alone resamples
            crop = crop.on_whole_pixels
    square = crop.cut(portrait, side)
    own, aligned = crop.to_crop(own, side), crop.to_crop(aligned, side)
    opacity = None if opacity is None else crop.cut(opacity, side)
    shown = (slice(0, side), slice(0, side))
    if paste_back:
        shown = crop.within((portrait.shape[1], portrait.shape[0]), side)
    if model.face_alone:
        return FaceAlone(crop, square, own, aligned, model.size, shown, opacity)
    return WholePicture(crop, square, own, aligned, shown, opacity, model.relative_to_warp)


def seen(aligned: np.ndarray, own: np.ndarray, style: LandmarkStyle) -> np.ndarray:
    """Landmarks `aligned` (T, 478, 2) as a model sees them: where it is not shown the pupils, every frame looks where
    the portrait with landmarks `own` (478, 2) looks."""
    return aligned if style.pupils else with_gaze_of(aligned, own)


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
        return face_crop(np.concatenate([corners(own), corners(aligned)])), True
    return middle_square((width, height), own), False


def paste_weights(
    crops: Sequence[Crop], shares: Sequence[np.ndarray], scale: float, size: tuple[int, int]
) -> list[np.ndarray | None]:
    """How much of each crop shows where they are pasted one after the other into a picture of `size` (width, height),
    so that every place comes to have its `shares`, see `face.sharing`: as of `Crop.edge`, None where that is it.

    A later crop covers a part of an earlier one, which therefore shows as much more of itself there.
    """
    uncovered = np.ones(size[::-1], np.float32)
    weights: list[np.ndarray | None] = []
    for crop, share in reversed(list(zip(crops, shares, strict=True))):
        part, edge = crop.edge(size)
        shown = edge * share_in(share, scale, part)
        weights.append(
            None
            if np.array_equal(shown, edge)
            else np.minimum(shown / np.maximum(uncovered[part], 1e-6), 1.0)
        )
        uncovered[part] -= shown
    return weights[::-1]


def corners(points: np.ndarray) -> np.ndarray:
    """Of the box around points (..., 2): (2, 2), the least and the largest x and y."""
    # One axis at a time NumPy is ten times as fast.
    x, y = points[..., 0], points[..., 1]
    return np.array([[x.min(), y.min()], [x.max(), y.max()]])


def middle_square(size: tuple[int, int], own: np.ndarray) -> Crop:
    """The square in the middle of a picture of `size` (width, height), all of one that is square, which is animated
    where nothing is cropped.

    `own` (478, 2) are the face's landmarks, pixels of the picture. Raises SettingsError where most of them lie outside
    the square.
    """
    width, height = size
    side = min(height, width)
    crop = Crop((width - side) / 2, (height - side) / 2, side)
    places = crop.to_crop(own, 1)
    if ((places >= 0) & (places <= 1)).all(axis=-1).mean() < 0.5:
        raise SettingsError(
            f"Without cropping, the middle {side}x{side} pixels of the portrait's {width}x{height} are animated, and its face lies outside "
            "them: let it be cropped around the face, or cut the picture to a square that holds the face."
        )
    return crop
