"""The square around a face: cut out before animating, pasted back with a feathered edge after.

OpenCV is imported inside the functions that resample, so that a crop can be computed without it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

FACE_MARGIN = 2.0
"""The crop's side over the larger side of the landmarks' bounding box. The bundled model is trained on such crops."""

HEAD_SHIFT = 0.10
"""How far the crop's centre lies above the box's, in heights of the box: the mesh ends at the hairline."""

REACH = 4  # pixels around a part that cubic interpolation looks at, generously

FEATHER = 0.08
"""Width of the soft edge over the crop's side."""


def _take(picture: np.ndarray, left: int, top: int, right: int, bottom: int) -> np.ndarray:
    """A whole-pixel region; outside the picture its edge pixels go on."""
    height, width = picture.shape[:2]
    if left >= 0 and top >= 0 and right <= width and bottom <= height:
        return picture[top:bottom, left:right]
    rows = np.clip(np.arange(top, bottom), 0, height - 1)
    columns = np.clip(np.arange(left, right), 0, width - 1)
    return picture[rows[:, None], columns[None, :]]


def _resample(picture: np.ndarray, x: float, y: float, scale: float, size: tuple[int, int]) -> np.ndarray:
    """The part of a picture from (x, y) on, magnified by `scale`, as a picture of `size` (width, height).

    Shrinking averages areas to the nearest whole number of pixels first and moves the rest, a fraction of a pixel,
    cubically; enlarging is cubic throughout. Positions follow the house's rule: pixel centres lie at +0.5.
    """
    import cv2

    width, height = size
    left, top = int(np.floor(x)), int(np.floor(y))
    if scale == 1.0 and (x, y) == (left, top):
        return _take(picture, left, top, left + width, top + height)
    right, bottom = int(np.ceil(x + width / scale)), int(np.ceil(y + height / scale))
    scale_x = scale_y = scale
    if scale < 1.0:
        source = _take(picture, left, top, right, bottom)
        wide, tall = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
        source = cv2.resize(np.ascontiguousarray(source), (wide, tall), interpolation=cv2.INTER_AREA)
        shrunk_x, shrunk_y = wide / (right - left), tall / (bottom - top)
        x, y = (x - left) * shrunk_x, (y - top) * shrunk_y
        scale_x, scale_y = scale / shrunk_x, scale / shrunk_y
    else:
        source = _take(picture, left - REACH, top - REACH, right + REACH, bottom + REACH)
        x, y = x - left + REACH, y - top + REACH
    whole = (round(x), round(y))
    if scale_x == scale_y == 1.0 and (x, y) == whole:
        return np.ascontiguousarray(source[whole[1] : whole[1] + height, whole[0] : whole[0] + width])
    # Output centre (i + 0.5) shows source position x + (i + 0.5) / scale; OpenCV counts from pixel centres.
    inverse = np.array(
        [[1 / scale_x, 0.0, x + 0.5 / scale_x - 0.5], [0.0, 1 / scale_y, y + 0.5 / scale_y - 0.5]],
        dtype=np.float64,
    )
    return cv2.warpAffine(
        np.ascontiguousarray(source),
        inverse,
        (width, height),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _ramp(start: int, stop: int, low: float, side: float, extent: int) -> np.ndarray:
    """Weights (stop - start,) of a pasted picture along one axis: 0 at the crop's edges, 1 inside.

    An edge at or beyond the picture's own border stays hard: there is nothing to blend with.
    """
    centres = np.arange(start, stop) + 0.5
    feather = max(FEATHER * side, 1.0)
    from_low = (centres - low) / feather if low > 0.0 else np.ones_like(centres)
    from_high = (low + side - centres) / feather if low + side < extent else np.ones_like(centres)
    linear = np.clip(np.minimum(from_low, from_high), 0.0, 1.0)
    return linear * linear * (3.0 - 2.0 * linear)


Part = tuple[slice, slice]
"""Rows and columns of a picture."""


@lru_cache(maxsize=8)
def _feather_mask(crop: "Crop", size: tuple[int, int]) -> tuple[Part, np.ndarray, Part]:
    """The touched region of a picture of `size`, how much of a pasted crop shows there, float32, and where in that
    region it is all that shows."""
    width, height = size
    left, top = max(0, int(np.floor(crop.x))), max(0, int(np.floor(crop.y)))
    right = max(left, min(width, int(np.ceil(crop.x + crop.side))))
    bottom = max(top, min(height, int(np.ceil(crop.y + crop.side))))
    down = _ramp(top, bottom, crop.y, crop.side, height)
    across = _ramp(left, right, crop.x, crop.side, width)
    new = np.outer(down, across).astype(np.float32)
    new.flags.writeable = False
    return (slice(top, bottom), slice(left, right)), new, (_ones(down), _ones(across))


def _ones(ramp: np.ndarray) -> slice:
    """Where a ramp up and down has reached 1."""
    at = np.flatnonzero(ramp == 1.0)
    return slice(int(at[0]), int(at[-1]) + 1) if at.size else slice(0, 0)


@dataclass(frozen=True)
class Crop:
    """A square of a picture: its upper left corner `x`, `y` and its `side`, in pixels; it may reach outside."""

    x: float
    y: float
    side: float

    def __post_init__(self) -> None:
        if not (np.isfinite([self.x, self.y, self.side]).all() and self.side > 0.0):
            raise ValueError(f"a crop needs finite numbers and a positive side, not {self}")

    @property
    def on_whole_pixels(self) -> "Crop":
        """The nearest crop whose corners lie between pixels: cut and pasted at its own size, nothing is resampled."""
        return Crop(float(round(self.x)), float(round(self.y)), float(round(self.side)))

    def cut(self, picture: np.ndarray, size: int) -> np.ndarray:
        """The crop as a picture (size, size, 3), or as one channel (size, size) of one; beyond the picture's border its
        edge pixels go on."""
        return _resample(picture, self.x, self.y, size / self.side, (size, size))

    def to_crop(self, points: np.ndarray, size: int) -> np.ndarray:
        """Points (..., 2) in pixels of the picture as pixels of the crop cut at `size`."""
        return (np.asarray(points) - (self.x, self.y)) * (size / self.side)

    def from_crop(self, points: np.ndarray, size: int) -> np.ndarray:
        """Points (..., 2) in pixels of the crop cut at `size` as pixels of the picture."""
        return np.asarray(points) * (self.side / size) + (self.x, self.y)

    def edge(self, size: tuple[int, int]) -> tuple[Part, np.ndarray]:
        """Where (rows, columns) the crop lies in a picture of `size` (width, height), and how much of it shows there
        when it is pasted: float32 (rows, columns), 0 at its edge and 1 inside."""
        part, new, _ = _feather_mask(self, size)
        return part, new

    def within(self, size: tuple[int, int], cut: int) -> Part:
        """What a picture of `size` (width, height) shows of the crop cut at `cut` pixels a side: all of it, but where
        it was cut between whole pixels in its own size the part inside the picture."""
        if not self.keeps_pixels(cut):
            return slice(0, cut), slice(0, cut)
        (rows, columns), _, _ = _feather_mask(self, size)
        left, top = round(self.x), round(self.y)
        return slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)

    def keeps_pixels(self, cut: int) -> bool:
        """Whether a crop cut at `cut` pixels a side has the picture's own pixels, not resampled."""
        return self == self.on_whole_pixels and self.side == cut

    def paste(self, picture: np.ndarray, result: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """The picture with `result`, a crop cut earlier and changed, put back where it came from: a new picture of the
        same size; parameters as of `paste_into`."""
        pasted = picture.copy()
        self.paste_into(pasted, result, weights)
        return pasted

    def paste_into(
        self,
        picture: np.ndarray,
        result: np.ndarray,
        weights: np.ndarray | None = None,
        *,
        cut: int | None = None,
    ) -> None:
        """Put `result`, a crop cut earlier and changed, into the picture where it came from.

        Both are uint8, (n, n, 3) and (height, width, 3), or one channel (n, n) and (height, width). Where `cut` says
        at how many pixels a side the crop was cut, the result is what is `within` the picture of it. The edge blends
        over `FEATHER` of the side into the picture, but not where the crop reaches the picture's own border; or
        `weights`, of the shape of `edge`'s, say how much shows.
        """
        import cv2

        (rows, columns), edge, whole = _feather_mask(self, (picture.shape[1], picture.shape[0]))
        size = (columns.stop - columns.start, rows.stop - rows.start)
        if min(size) == 0:
            return
        if cut is None or not self.keeps_pixels(cut):
            scale = self.side / result.shape[0]
            result = _resample(
                result, (columns.start - self.x) / scale, (rows.start - self.y) / scale, scale, size
            )
        shown = edge if weights is None else weights
        region = picture[rows, columns]
        for part in _around(whole, region.shape[:2]) if weights is None else [(slice(None), slice(None))]:
            new = np.ascontiguousarray(shown[part])
            if new.size:
                old = np.ascontiguousarray(region[part])
                region[part] = cv2.blendLinear(np.ascontiguousarray(result[part]), old, new, 1.0 - new)
        if weights is None:
            region[whole] = result[whole]


def _around(inner: Part, shape: tuple[int, ...]) -> Iterator[Part]:
    """The four strips around an inner part of an array."""
    rows, columns = inner
    yield slice(0, rows.start), slice(None)
    yield slice(rows.stop, shape[0]), slice(None)
    yield rows, slice(0, columns.start)
    yield rows, slice(columns.stop, shape[1])


def face_crop(points: np.ndarray, margin: float = FACE_MARGIN) -> Crop:
    """The square around a face, or around all places where a motion takes it, with room for hair and chin.

    Parameters
    ----------
    points : (478, 2) landmarks in pixels, or (T, 478, 2) for the union over time; NaN where there are none.
    margin : the square's side over the larger side of the landmarks' bounding box.

    Returns
    -------
    Crop : centred `HEAD_SHIFT` of the box's height above the box's centre.
    """
    flat = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    flat = flat[np.isfinite(flat).all(axis=1)]
    if len(flat) == 0 or margin <= 0.0:
        raise ValueError("a face crop needs landmarks and a positive margin")
    low, high = flat.min(axis=0), flat.max(axis=0)
    side = margin * float((high - low).max())
    centre_x, centre_y = (low + high) / 2.0
    centre_y -= HEAD_SHIFT * (high[1] - low[1])
    return Crop(x=float(centre_x - side / 2.0), y=float(centre_y - side / 2.0), side=side)
