"""The matte of a portrait's head and hair: how much of each pixel belongs to them, and its colour without the
background's.

A network for people, which mediapipe brings up to 0.10.21 (Google's selfie segmentation, Apache-2.0), says where a
person is. Where there is none, or where it does not take the face for a person's, as of many animals and simple
drawings, it is looked for in a usual head and shoulders around the landmarks. From either start, colours decide which
pixels belong together (GrabCut: Rother et al. 2004), and along the edge how much of each does, by the colours on either
side. What lies far below the chin is cut off round.

Where it fails, so that the result needs a look:

- Without the network: dark hair before a dark ground and light fur before a light one are lost, clothes often.
- A thing or an animal that touches the head and has its colours stays, or all that the network takes for a person's.
- Hair finer than some two pixels, veils and glasses become a soft edge, in which some of the background remains.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from followyouremoji.errors import WeightsError
from followyouremoji.face.face_graphs import has_mesh
from followyouremoji.face.topology import N_MESH
from followyouremoji.face.window import WINDOW_SIDE, face_window
from followyouremoji.media.pictures import BACKGROUND

# Lengths are in centimetres of the mean face, which is 16.5 high, from the middle of the face; y goes down.
REACH = 27.0  # of what is looked at, to each side
HEAD_MIDDLE, HEAD_WIDE, HEAD_HIGH = -3.0, 11.0, 13.5  # a usual head with hair and ears: an ellipse
NECK, NECK_WIDE = 3.0, 6.0  # where the neck begins, and half its width
SLOPE = 0.65  # how much the shoulders below spread
BESIDE = 8.0  # down to there the picture's edge shows no shoulder
START = 0.85  # ellipse within which colours are first taken for the head's
CLOSE, FAR = 1.25, 2.4  # ellipses beyond which the picture's edge, and all, is background
BUST_WIDE, BUST_ABOVE, BUST_BELOW = 21.0, 27.0, 15.0  # two half ellipses, which cut off the rest
LEAST_BUST = 10.5  # the lower one at least, where the picture ends sooner: the chin lies at some 8.5
SKIN = 1.0  # how far within the outline of the landmarks all surely is of the face
MISSED, MISSED_HAIR = 1.0, 3.0  # how far from what the network sees more may belong to it
DOUBT = 0.6  # half the width of the band along the edge in which pixels are split
HOLE = 1.0  # a hole of a smaller area, in square centimetres, is none
THIN, HANGING = 0.8, 1.5  # half the width of what is thin, and how far it may reach, such as locks and fur

WORKING_SIDE = 320  # pixels a side in which colours decide what belongs together
FINEST_SIDE = 1024  # and in which pixels are split
A_PERSON = 0.8  # the network's mean on the landmarks from which on it is believed
CUTS = 8  # iterations of GrabCut
NOISE = 2e-3  # summed variance of colours from 0 to 1 that pictures have anyway
ENOUGH = 0.01  # share of a neighbourhood whose colours stand for a side
PURE = 4  # power of opacity, the weight of a colour
CLEAR = 0.08  # opacities so close to none or to all count as that


def cut_out(layers: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A portrait without its background.

    Parameters
    ----------
    layers : uint8 (height, width, 3 or 4), upright. One with opacity keeps its own, and is returned as it is.
    points : (478, 2) landmarks of the face in its pixels.

    Returns
    -------
    uint8 (height, width, 4), straight colours and opacity; along the edge the colours are those of the head alone, as
    if nothing lay behind.
    """
    if layers.shape[2] == 4:
        return layers
    opacity = head_matte(layers, points)
    return np.dstack([foreground_colours(layers, opacity), opacity])


def head_matte(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """How much of each pixel belongs to head, hair and shoulders: uint8 (height, width), of a picture uint8 (height,
    width, 3) with landmarks `points` (478, 2)."""
    whole = _Place.of(points, picture.shape)
    rows, columns = whole.part()
    part = np.ascontiguousarray(picture[rows, columns])
    fine = _shrunk(part, FINEST_SIDE)
    small = _shrunk(fine, WORKING_SIDE)
    place = whole.within(rows, columns, fine)
    inside = _segmented(small, whole.within(rows, columns, small))
    opacity = _split(fine, inside, place) * _bust(place)
    opacity *= _attached(opacity, place)
    matte = np.zeros(picture.shape[:2], np.uint8)
    size = part.shape[1], part.shape[0]
    matte[rows, columns] = np.rint(cv2.resize(opacity, size, interpolation=cv2.INTER_LINEAR) * 255.0)
    return matte


def foreground_colours(picture: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """The colours of a foreground alone, uint8 (height, width, 3), of a picture of that shape and the foreground's
    `opacity` uint8 (height, width). Where that is full, they are the picture's; where nothing shows, it is white.

    From the colours near by on both sides, first of far places and then of near ones (Forte 2021, "Approximate Fast
    Foreground Colour Estimation"), where pixels that are almost pure count most; of large pictures, in `FINEST_SIDE`.
    """
    colours = np.full_like(picture, BACKGROUND)
    left, top, wide, high = cv2.boundingRect((opacity > 0).astype(np.uint8))
    if wide == 0:
        return colours
    rows, columns = slice(top, top + high), slice(left, left + wide)
    part, shown = picture[rows, columns], opacity[rows, columns, None]
    image = _shrunk(np.ascontiguousarray(part), FINEST_SIDE).astype(np.float32)
    alpha = _shrunk(np.ascontiguousarray(shown), FINEST_SIDE).reshape(*image.shape[:2], 1) / np.float32(255.0)
    front, behind = image, image
    for radius in (max(4, max(image.shape) // 12), 4):
        front_near, _ = _mean(front, alpha**PURE, radius)
        behind, _ = _mean(behind, (1.0 - alpha) ** PURE, radius)
        rest = image - alpha * front_near - (1.0 - alpha) * behind
        front = np.clip(front_near + alpha * rest, 0.0, 255.0)
    edge = cv2.resize(np.rint(front).astype(np.uint8), (wide, high), interpolation=cv2.INTER_LINEAR)
    colours[rows, columns] = np.where(shown == 255, part, np.where(shown == 0, colours[rows, columns], edge))
    return colours


def _mean(colours: np.ndarray, weights: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray]:
    """The weighted mean (height, width, channels) of the colours around each pixel, and that of the weights (height,
    width)."""
    side = (2 * radius + 1, 2 * radius + 1)
    total = cv2.blur(weights, side)
    mean = cv2.blur(colours * weights, side).reshape(colours.shape) / np.maximum(total, 1e-6)[..., None]
    return mean, total


@dataclass(frozen=True)
class _Place:
    """Where a head is in a picture of a `shape` (height, width): the `middle` (2,) of the face and the `outline` (N, 2)
    of its landmarks in pixels, and how many pixels a centimetre has, `unit`."""

    shape: tuple[int, int]
    middle: np.ndarray
    outline: np.ndarray
    unit: float

    @classmethod
    def of(cls, points: np.ndarray, shape: tuple[int, ...]) -> _Place:
        window = face_window(points, 1)
        outline = cv2.convexHull(np.asarray(points[:N_MESH, :2], np.float32))[:, 0]
        middle = window.to_picture(np.full(2, 0.5))
        return cls((shape[0], shape[1]), middle, np.asarray(outline), window.scale / WINDOW_SIDE)

    def part(self) -> tuple[slice, slice]:
        """Rows and columns of all that may belong to the head."""
        height, width = self.shape
        limits = np.array([width, height])
        first = np.clip(np.floor(self.middle - REACH * self.unit), 0, limits - 1).astype(int)
        end = np.clip(np.ceil(self.middle + REACH * self.unit), first + 1, limits).astype(int)
        return slice(int(first[1]), int(end[1])), slice(int(first[0]), int(end[0]))

    def within(self, rows: slice, columns: slice, picture: np.ndarray) -> _Place:
        """The same in a `picture` of some rows and columns in another resolution."""
        high, wide = rows.stop - rows.start, columns.stop - columns.start
        first, factors = (columns.start, rows.start), (picture.shape[1] / wide, picture.shape[0] / high)
        return _Place(
            (picture.shape[0], picture.shape[1]),
            (self.middle - first) * factors,
            (self.outline - first) * factors,
            self.unit * max(factors),
        )

    def face(self) -> np.ndarray:
        """Which pixels lie within the outline: uint8 (height, width), 0 or 1."""
        face = np.zeros(self.shape, np.uint8)
        cv2.fillConvexPoly(face, np.rint(self.outline).astype(np.int32), (1,))
        return face

    def centimetres(self) -> tuple[np.ndarray, np.ndarray]:
        """x (1, width) and y (height, 1) of each pixel from the middle of the face."""
        x = (np.arange(self.shape[1]) + 0.5 - self.middle[0]) / self.unit
        y = (np.arange(self.shape[0]) + 0.5 - self.middle[1]) / self.unit
        return x[None], y[:, None]

    def pixels(self, centimetres: float) -> int:
        return max(1, round(centimetres * self.unit))


def _shrunk(picture: np.ndarray, side: int) -> np.ndarray:
    """With a longer side of at most `side`."""
    factor = side / max(picture.shape[:2])
    if factor >= 1:
        return picture
    size = max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _segmented(picture: np.ndarray, place: _Place) -> np.ndarray:
    """Which pixels belong to the person: uint8 (height, width), 0 or 1, one piece without small holes."""
    face = place.face()
    person = _person(picture)
    if person is not None and person[face > 0].mean() > A_PERSON:
        kinds = _kinds_by_network(person, place)
    else:
        kinds = _kinds_by_place(place)
    sure = _disc_eroded(face, place.pixels(SKIN))
    kinds[sure > 0] = cv2.GC_FGD
    if np.isin(kinds, (cv2.GC_BGD, cv2.GC_PR_BGD)).any():
        cv2.setRNGSeed(0)  # its clusters begin at random places
        lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)  # in which a shadow is near to its ground
        models = np.zeros((2, 1, 65))
        cv2.grabCut(lab, kinds, (0, 0, 0, 0), models[0], models[1], CUTS, cv2.GC_INIT_WITH_MASK)
    inside = np.isin(kinds, (cv2.GC_FGD, cv2.GC_PR_FGD))
    return _one_piece(inside, sure > 0, place)


def _kinds_by_network(person: np.ndarray, place: _Place) -> np.ndarray:
    """GrabCut's kinds of pixels where the network sees a person: its doubts, and a band around what it sees, wider
    where hair may be that it misses."""
    seen = (person > 0.5).astype(np.uint8)
    near = cv2.dilate(seen, _disc(place.pixels(MISSED))) > 0
    hair = cv2.dilate(seen, _disc(place.pixels(MISSED_HAIR))) > 0
    doubt = near | (hair & (_usual_head(place) < 1.1)) | (person > 0.03)
    kinds = np.where(doubt, cv2.GC_PR_BGD, cv2.GC_BGD).astype(np.uint8)
    kinds[person > 0.5] = cv2.GC_PR_FGD
    kinds[person > 0.97] = cv2.GC_FGD
    return kinds


def _kinds_by_place(place: _Place) -> np.ndarray:
    """GrabCut's kinds of pixels by where heads and shoulders usually are; the picture's edge beside them is
    background."""
    x, y = place.centimetres()
    head = _usual_head(place)
    body = (y > NECK) & (np.abs(x) < NECK_WIDE + SLOPE * np.maximum(y - 2 * NECK, 0.0))
    kinds = np.where((head < START) | body, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    edge = np.ones(place.shape, bool)
    wide = max(2, place.pixels(0.5))
    edge[wide:, wide:-wide] = False
    kinds[edge & (head > CLOSE) & (y < BESIDE)] = cv2.GC_BGD
    kinds[head > FAR] = cv2.GC_BGD
    return kinds


def _usual_head(place: _Place) -> np.ndarray:
    """How far each pixel lies from the middle of a usual head, whose outline is at 1: (height, width)."""
    x, y = place.centimetres()
    return np.hypot(x / HEAD_WIDE, (y - HEAD_MIDDLE) / HEAD_HIGH)


def _one_piece(inside: np.ndarray, sure: np.ndarray, place: _Place) -> np.ndarray:
    """What hangs together with what is sure: uint8 (height, width), without small holes, and without what hangs on by
    something thin, such as the rim of a shoulder that is cut off otherwise."""
    shown = (inside & (_bust(place) > 0.5)).astype(np.uint8)
    thick = cv2.morphologyEx(shown, cv2.MORPH_OPEN, _disc(place.pixels(THIN))) > 0
    _, pieces = cv2.connectedComponents((thick | (sure & inside)).astype(np.uint8), connectivity=4)
    main = np.isin(pieces, np.setdiff1d(pieces[sure & inside], 0))
    near = cv2.dilate(main.astype(np.uint8), _disc(place.pixels(HANGING))) > 0
    kept = inside & near
    _, holes, facts, _ = cv2.connectedComponentsWithStats((~kept).astype(np.uint8), connectivity=4)
    small = np.flatnonzero(facts[:, cv2.CC_STAT_AREA] < HOLE * place.unit**2)
    return (kept | np.isin(holes, small)).astype(np.uint8)


def _split(picture: np.ndarray, inside: np.ndarray, place: _Place) -> np.ndarray:
    """Opacity float32 (height, width) from 0 to 1 of a picture uint8 (height, width, 3): in a band along the edge of
    `inside`, of any resolution, each pixel lies somewhere between the mean colours on either side (C = aF + (1 - a)B).
    Where these hardly differ, for how much they vary, the edge itself counts.
    """
    rough = _smooth_edge(inside, place)
    reach = place.pixels(DOUBT)
    whole = (rough > 0.5).astype(np.uint8)
    solid = _disc_eroded(whole, reach).astype(np.float32)
    clear = 1.0 - cv2.dilate(whole, _disc(reach)).astype(np.float32)
    colours = picture.astype(np.float32) / 255.0
    front, front_varies, front_near = _statistics(colours, solid, 2 * reach)
    behind, behind_varies, behind_near = _statistics(colours, clear, 2 * reach)
    across = front - behind
    apart = np.einsum("...c,...c", across, across)
    between = np.einsum("...c,...c", colours - behind, across) / np.maximum(apart, 1e-6)
    trust = apart / (apart + 4.0 * (front_varies + behind_varies) + NOISE)
    trust[np.minimum(front_near, behind_near) < ENOUGH] = 0.0
    opacity = trust * np.clip(between, 0.0, 1.0) + (1.0 - trust) * rough
    opacity = np.clip((opacity - CLEAR) / (1.0 - 2 * CLEAR), 0.0, 1.0)
    opacity[solid > 0], opacity[clear > 0] = 1.0, 0.0
    return opacity


def _smooth_edge(inside: np.ndarray, place: _Place) -> np.ndarray:
    """A mask of a coarser resolution as float32 (height, width) from 0 to 1, its steps rounded off."""
    size = place.shape[1], place.shape[0]
    rough = cv2.resize(inside.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    step = max(1.0, size[0] / inside.shape[1])
    rough = cv2.GaussianBlur(rough, (0, 0), 0.8 * step)
    return np.clip(2.0 * rough - 0.5, 0.0, 1.0)


def _attached(opacity: np.ndarray, place: _Place) -> np.ndarray:
    """Which pixels hang together with the middle of the face: bool (height, width)."""
    _, pieces = cv2.connectedComponents((opacity > 0).astype(np.uint8), connectivity=8)
    return np.isin(pieces, np.setdiff1d(pieces[place.face() > 0], 0))


def _statistics(
    colours: np.ndarray, weights: np.ndarray, radius: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the colours (height, width, 3) around each pixel, with weights (height, width): their mean (height, width, 3),
    summed variance (height, width), and the mean of the weights (height, width)."""
    mean, total = _mean(colours, weights[..., None], radius)
    squares, _ = _mean(np.einsum("...c,...c", colours, colours)[..., None], weights[..., None], radius)
    variance = squares[..., 0] - np.einsum("...c,...c", mean, mean)
    return mean, np.maximum(variance, 0.0), total


def _bust(place: _Place) -> np.ndarray:
    """Opacity float32 (height, width) of what a bust shows: half an ellipse above the middle of the face, and half a
    rounder one below, one pixel soft."""
    x, y = place.centimetres()
    below = min(BUST_BELOW, max(LEAST_BUST, (place.shape[0] - place.middle[1]) / place.unit))
    beyond = np.hypot(x / BUST_WIDE, y / np.where(y > 0, below, BUST_ABOVE)) - 1.0
    return np.clip(0.5 - beyond * below * place.unit, 0.0, 1.0).astype(np.float32)


def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def _disc_eroded(mask: np.ndarray, radius: int) -> np.ndarray:
    """Eroded; beyond the picture's border the mask goes on."""
    return cv2.erode(mask, _disc(radius), borderType=cv2.BORDER_REPLICATE)


def _person(picture: np.ndarray) -> np.ndarray | None:
    """How surely each pixel shows a person, float32 (height, width) from 0 to 1; None without the network."""
    try:
        if not has_mesh():  # what brings the one brings the other
            return None
    except WeightsError:  # no mediapipe at all
        return None
    from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation

    with SelfieSegmentation(model_selection=0) as network:
        mask = network.process(picture).segmentation_mask
    return np.asarray(mask, np.float32)
