"""From the frames of an animation to those of a sticker: trimmed, scaled, outlined, with a caption.

All is decided once for all frames, so that nothing jitters; frames are read one at a time and made as they are asked
for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from followyouremoji.errors import PictureError
from followyouremoji.stickers.captions import Place, draw_caption

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; the last two lie outside."""

SEEN = 13  # of 255: what is less opaque is not seen, and trimmed away
MARGIN = 0.02  # of the sticker's shorter side, around all
OUTLINE = 8 / 512  # of the sticker's shorter side, as WhatsApp asks for
FINER = 2  # times as many pixels a side, in which the outline is measured


@dataclass(frozen=True)
class Arrangement:
    """Where the frames lie on a sticker.

    Attributes
    ----------
    size : (width, height) of the sticker in pixels.
    source : what is shown of each frame, in its pixels.
    target : where that lies on the sticker.
    outline : width of the white outline in pixels, 0 for none.
    """

    size: tuple[int, int]
    source: Box
    target: Box
    outline: float = 0.0


def compose(
    frames: Sequence[np.ndarray],
    size: tuple[int, int],
    *,
    exact: bool = True,
    outline: bool = True,
    caption: str | None = None,
    place: Place = "bottom",
    font: Path | None = None,
) -> Iterator[np.ndarray]:
    """The frames as those of a sticker.

    Parameters
    ----------
    frames : uint8 (height, width, 4), straight colours and opacity, all of one size; they are read twice.
    size : (width, height) that a sticker may have.
    exact : it must have that size; else it is only as wide or as high as the frames need, with an even number of
        pixels a side. One with a caption always has it.
    outline : whether it gets a white outline, `OUTLINE` wide.
    caption, place, font : see `draw_caption`. The frames make room for half of it, and it lies over their edge.

    Yields
    ------
    uint8 (height, width, 4), as many as there are frames.

    Raises
    ------
    CaptionError : before the first frame.
    PictureError : nothing in any frame is opaque.
    """
    box = opaque_box(frames)
    layer = draw_caption(size, caption, place, font) if caption is not None else None
    arrangement = arrange(box, size, exact, outline, layer, place)
    return (finish(frame, arrangement, layer) for frame in frames)


def opaque_box(frames: Iterable[np.ndarray]) -> Box:
    """The smallest box around all that is seen in any of the frames uint8 (height, width, 4).

    Raises PictureError where nothing is.
    """
    seen: np.ndarray | None = None
    for frame in frames:
        there = frame[..., 3] >= SEEN
        seen = there if seen is None else np.logical_or(seen, there, out=seen)
    if seen is None or not seen.any():
        raise PictureError(
            "nothing is left of the portrait without its background: all of it is transparent; keep the background, or "
            "use another portrait"
        )
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def arrange(
    box: Box,
    size: tuple[int, int],
    exact: bool = True,
    outline: bool = True,
    caption: np.ndarray | None = None,
    place: Place = "bottom",
) -> Arrangement:
    """Where a box of the frames lies on a sticker: as large as fits, its aspect kept, in the middle; with a `caption`
    uint8 (height, width, 4) towards the other edge. Parameters as of `compose`."""
    short = min(size)
    line = OUTLINE * short if outline else 0.0
    edge = int(np.ceil(MARGIN * short + line))
    left, top, right, bottom = edge, edge, size[0] - edge, size[1] - edge
    if caption is not None:
        rows = np.flatnonzero(caption[..., 3].any(axis=1))
        middle = int(rows[0] + rows[-1] + 1) // 2
        top, bottom = (max(top, middle), bottom) if place == "top" else (top, min(bottom, middle))
    wide, high = box[2] - box[0], box[3] - box[1]
    scale = min((right - left) / wide, (bottom - top) / high)
    width, height = max(1, round(wide * scale)), max(1, round(high * scale))
    if not exact and caption is None:
        size = _even(width + 2 * edge, size[0]), _even(height + 2 * edge, size[1])
        left, top, right, bottom = edge, edge, size[0] - edge, size[1] - edge
    x, y = (left + right - width) // 2, (top + bottom - height) // 2
    return Arrangement(size, box, (x, y, x + width, y + height), line)


def _even(side: int, most: int) -> int:
    return min(side + side % 2, most)


def finish(frame: np.ndarray, arrangement: Arrangement, caption: np.ndarray | None = None) -> np.ndarray:
    """One frame uint8 (height, width, 4) as one of a sticker, uint8 of the arrangement's size."""
    left, top, right, bottom = arrangement.target
    sticker = np.zeros((arrangement.size[1], arrangement.size[0], 4), np.uint8)
    sticker[top:bottom, left:right] = scale_part(frame, arrangement.source, (right - left, bottom - top))
    if arrangement.outline:
        sticker = with_outline(sticker, arrangement.outline)
    return sticker if caption is None else laid_over(caption, sticker)


def scale_part(layers: np.ndarray, box: Box, size: tuple[int, int]) -> np.ndarray:
    """A box of a transparent picture uint8 (height, width, 4) at another size (width, height), resampled with Lanczos'
    kernel, the colours weighted by opacity: what lies under full transparency gets into no edge.

    The weights are divided out before opacity is bounded, as the kernel overshoots both alike: no edge gets brighter.
    """
    left, top, right, bottom = box
    part = layers[top:bottom, left:right].astype(np.float32)
    part[..., :3] *= part[..., 3:] / 255.0
    scaled = np.dstack([_resampled(part[..., channel], size) for channel in range(4)])
    scaled[..., :3] *= 255.0 / np.maximum(scaled[..., 3:], 0.5)
    return np.rint(scaled.clip(0.0, 255.0)).astype(np.uint8)


def _resampled(channel: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    image = Image.fromarray(np.ascontiguousarray(channel))
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS))


def with_outline(layers: np.ndarray, width: float) -> np.ndarray:
    """A transparent picture uint8 (height, width, 4) on a white shape that reaches `width` pixels beyond it.

    It is measured from where the picture is half opaque, by Euclidean distance, and its edge is one pixel soft.
    """
    height, wide = layers.shape[:2]
    fine = cv2.resize(layers[..., 3], (wide * FINER, height * FINER), interpolation=cv2.INTER_LINEAR)
    outside = np.where(fine < 128, np.uint8(255), np.uint8(0))
    if outside.all():
        return layers
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # distances are between the middles of pixels, half of which lies inside
    within = np.clip(width * FINER + 1.0 - distance, 0.0, 1.0)
    shape = cv2.resize(within, (wide, height), interpolation=cv2.INTER_AREA)
    white = np.full(layers.shape, 255, np.uint8)
    white[..., 3] = np.rint(shape * 255.0)
    return laid_over(layers, white)


def laid_over(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """A transparent picture uint8 (height, width, 4) over another: straight colours and opacity (Porter and Duff 1984,
    "Compositing Digital Images", the operator over)."""
    over = Image.alpha_composite(Image.fromarray(lower), Image.fromarray(np.ascontiguousarray(upper)))
    return np.asarray(over)
