"""The matte of a portrait's head and hair: how much of each pixel belongs to them, and its colour without the
background's.

A network for people, which mediapipe brings up to 0.10.21 (Google's selfie segmentation, Apache-2.0), says where a
person is. Where there is none, or where it does not take the face for a person's, as of many animals and simple
drawings, it is looked for in a usual head and shoulders around the landmarks. From either start, colours decide which
pixels belong together (GrabCut: Rother et al. 2004), and along the edge how much of each does (a guided filter: He et
al. 2010). What lies far below the chin is cut off round.

Where it fails, so that the result needs a look:

- Without the network: dark hair before a dark ground and light fur before a light one are lost, clothes often.
- A thing or an animal that touches the head and has its colours stays.
- Hair finer than some two pixels, veils and glasses become a soft edge, in which some of the background remains.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from followyouremoji.face.face_graphs import has_mesh
from followyouremoji.face.topology import N_MESH
from followyouremoji.face.window import WINDOW_SIDE, face_window

# Lengths are in centimetres of the mean face, which is 16.5 high, from the middle of the face; y goes down.
REACH = 27.0  # of what is looked at, to each side
HEAD_MIDDLE, HEAD_WIDE, HEAD_HIGH = -3.0, 11.0, 13.5  # a usual head with hair and ears: an ellipse
NECK, SHOULDERS, SLOPE = 3.0, 8.0, 0.9  # where the neck begins, half its width, and how much the shoulders spread
FAR = 2.4  # ellipses: what lies beyond is background
BUST = (19.0, 15.0)  # semi-axes of the ellipse that cuts off what is below
LEAST_BUST = 10.5  # the lower one at least, where the picture ends sooner: the chin lies at some 8.5
SKIN = 1.0  # how far within the outline of the landmarks all surely is of the face
DOUBT = 0.6  # half the width of the band along the edge in which pixels are split
HOLE = 1.0  # a hole of a smaller area, in square centimetres, is none

WORKING_SIDE = 384  # pixels a side in which colours decide what belongs together
FINEST_SIDE = 1024  # and in which pixels are split
A_PERSON = 0.8  # the network's mean on the landmarks from which on it is believed
CUTS = 6  # iterations of GrabCut
FILTERED = 8  # times that the guided filter runs; each lets what is sure spread further
FILTER_RADIUS, SMOOTHNESS = 3, 1e-5  # pixels, and variance of colours from 0 to 1 that counts as an edge
CLEAR, SOLID = 0.04, 0.96  # opacities beyond which a pixel is wholly outside or inside


def cut_out(layers: np.ndarray, points: np.ndarray, keep_background: bool = False) -> np.ndarray:
    """A portrait without its background.

    Parameters
    ----------
    layers : uint8 (height, width, 3 or 4), upright. One with opacity keeps its own, and is returned as it is.
    points : (478, 2) landmarks of the face in its pixels.
    keep_background : all stays opaque.

    Returns
    -------
    uint8 (height, width, 4), straight colours and opacity; along the edge the colours are those of the head alone, as
    if nothing lay behind.
    """
    if layers.shape[2] == 4:
        return layers
    if keep_background:
        return np.dstack([layers, np.full(layers.shape[:2], 255, np.uint8)])
    opacity = head_matte(layers, points)
    return np.dstack([foreground_colours(layers, opacity), opacity])


def head_matte(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """How much of each pixel belongs to head, hair and shoulders: uint8 (height, width), of a picture uint8 (height,
    width, 3) with landmarks `points` (478, 2)."""
    place = _Place.around(points, picture.shape)
    part = picture[place.rows, place.columns]
    fine = _shrunk(part, FINEST_SIDE)
    small = _shrunk(fine, WORKING_SIDE)
    inside = _segmented(small, place.at(small))
    opacity = _split(fine, inside, place.at(fine))
    opacity *= _bust(place.at(fine))
    matte = np.zeros(picture.shape[:2], np.uint8)
    size = part.shape[1], part.shape[0]
    grown = cv2.resize(opacity, size, interpolation=cv2.INTER_LINEAR)
    matte[place.rows, place.columns] = np.rint(grown * 255.0)
    return matte


def foreground_colours(picture: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """The colours of a foreground alone, uint8 (height, width, 3), of a picture of that shape and the foreground's
    `opacity` uint8 (height, width). Where that is full, they are the picture's.

    From the colours near by on both sides, first of far places and then of near ones (Forte 2021, "Approximate Fast
    Foreground Colour Estimation").
    """
    partly = cv2.boundingRect((opacity > 0).astype(np.uint8))
    left, top, wide, high = partly
    if wide == 0:
        return picture
    rows, columns = slice(top, top + high), slice(left, left + wide)
    image = picture[rows, columns].astype(np.float32)
    alpha = opacity[rows, columns, None].astype(np.float32) / 255.0
    front, behind = image, image
    for radius in (max(3, max(high, wide) // 12), 4):
        front_near = _mean(front, alpha, radius)
        behind_near = _mean(behind, 1.0 - alpha, radius)
        rest = image - alpha * front_near - (1.0 - alpha) * behind_near
        front = np.clip(front_near + alpha * rest, 0.0, 255.0)
        behind = behind_near
    colours = picture.copy()
    colours[rows, columns] = np.where(alpha == 1.0, image, np.rint(front)).astype(np.uint8)
    return colours


def _mean(colours: np.ndarray, weights: np.ndarray, radius: int) -> np.ndarray:
    """The weighted mean of the colours around each pixel."""
    side = (2 * radius + 1, 2 * radius + 1)
    total = cv2.blur(weights, side)[..., None]
    return cv2.blur(colours * weights, side) / np.maximum(total, 1e-4)


@dataclass(frozen=True)
class _Place:
    """Where a head is in a picture: `rows` and `columns` of all that may belong to it; in pixels of that part the
    `middle` (2,) of the face, the landmarks' `outline` (N, 2), and the pixels of a centimetre, `unit`. `side` is the
    length of its longer side in pixels."""

    rows: slice
    columns: slice
    middle: np.ndarray
    outline: np.ndarray
    unit: float
    shape: tuple[int, int]

    @classmethod
    def around(cls, points: np.ndarray, shape: tuple[int, ...]) -> _Place:
        window = face_window(points, 1)
        middle = window.to_picture(np.full(2, 0.5))
        unit = window.scale / WINDOW_SIDE
        limits = np.array([shape[1], shape[0]])
        first = np.clip(np.floor(middle - REACH * unit), 0, limits - 1).astype(int)
        end = np.clip(np.ceil(middle + REACH * unit), first + 1, limits).astype(int)
        outline = cv2.convexHull(np.asarray(points[:N_MESH, :2], np.float32))[:, 0]
        return cls(
            *(slice(int(first[1]), int(end[1])), slice(int(first[0]), int(end[0]))),
            *(middle - first, outline - first, unit),
            (int(end[1] - first[1]), int(end[0] - first[0])),
        )

    def at(self, picture: np.ndarray) -> _Place:
        """The same in a picture of that part in another resolution."""
        shape = picture.shape[0], picture.shape[1]
        factors = np.array([shape[1] / self.shape[1], shape[0] / self.shape[0]])
        return _Place(
            *(self.rows, self.columns, self.middle * factors, self.outline * factors),
            *(self.unit * float(factors.mean()), shape),
        )

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
        return np.ascontiguousarray(picture)
    size = max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _segmented(picture: np.ndarray, place: _Place) -> np.ndarray:
    """Which pixels belong to the person: uint8 (height, width), 0 or 1, one piece without small holes."""
    face = np.zeros(place.shape, np.uint8)
    cv2.fillConvexPoly(face, np.rint(place.outline).astype(np.int32), 1)
    person = _person(picture)
    if person is not None and person[face > 0].mean() > A_PERSON:
        kinds = _kinds_by_network(person, place)
    else:
        kinds = _kinds_by_place(place)
    sure = _disc_eroded(face, place.pixels(SKIN))
    kinds[sure > 0] = cv2.GC_FGD
    cv2.setRNGSeed(0)  # its clusters begin at random places
    try:
        cv2.grabCut(
            cv2.cvtColor(picture, cv2.COLOR_RGB2LAB),  # in which a shadow is nearer to its ground than in RGB
            kinds,
            None,
            np.zeros((1, 65)),
            np.zeros((1, 65)),
            CUTS,
            cv2.GC_INIT_WITH_MASK,
        )
    except cv2.error:  # nothing may be background, or nothing of the head: the start is all that is known
        pass
    inside = np.isin(kinds, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    return _one_piece(inside, sure, HOLE * place.unit**2)


def _kinds_by_network(person: np.ndarray, place: _Place) -> np.ndarray:
    """GrabCut's kinds of pixels where the network sees a person: its doubts, and a band around what it sees."""
    near = cv2.dilate((person > 0.5).astype(np.uint8), _disc(place.pixels(1.0)))
    kinds = np.where((near > 0) | (person > 0.03), cv2.GC_PR_BGD, cv2.GC_BGD).astype(np.uint8)
    kinds[person > 0.5] = cv2.GC_PR_FGD
    kinds[person > 0.97] = cv2.GC_FGD
    return kinds


def _kinds_by_place(place: _Place) -> np.ndarray:
    """GrabCut's kinds of pixels by where heads and shoulders usually are; the picture's edge beside them is
    background."""
    x, y = place.centimetres()
    head = np.hypot(x / HEAD_WIDE, (y - HEAD_MIDDLE) / HEAD_HIGH)
    body = (y > NECK) & (np.abs(x) < SHOULDERS + SLOPE * np.maximum(y - 2 * NECK, 0.0))
    kinds = np.where((head < 1.0) | body, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    edge = np.ones(place.shape, bool)
    wide = max(2, place.pixels(0.5))
    edge[wide:, wide:-wide] = False
    kinds[edge & (head > 1.25) & (y < SHOULDERS)] = cv2.GC_BGD
    kinds[head > FAR] = cv2.GC_BGD
    return kinds


def _one_piece(inside: np.ndarray, sure: np.ndarray, least_hole: float) -> np.ndarray:
    """What hangs together with what is sure, without holes smaller than `least_hole` pixels."""
    _, pieces = cv2.connectedComponents(inside, connectivity=4)
    kept = np.isin(pieces, np.unique(pieces[(sure > 0) & (inside > 0)])) & (inside > 0)
    _, holes, facts, _ = cv2.connectedComponentsWithStats((~kept).astype(np.uint8), connectivity=4)
    small = np.flatnonzero(facts[:, cv2.CC_STAT_AREA] < least_hole)
    return (kept | np.isin(holes, small)).astype(np.uint8)


def _split(picture: np.ndarray, inside: np.ndarray, place: _Place) -> np.ndarray:
    """Opacity float32 (height, width) from 0 to 1: in a band along the edge of `inside`, of any resolution, it follows
    the picture's colours."""
    size = place.shape[1], place.shape[0]
    rough = cv2.resize(inside.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    whole = (rough > 0.5).astype(np.uint8)
    reach = place.pixels(DOUBT)
    solid, clear = _disc_eroded(whole, reach), cv2.dilate(whole, _disc(reach)) == 0
    guided = cv2.ximgproc.createGuidedFilter(picture.astype(np.float32) / 255.0, FILTER_RADIUS, SMOOTHNESS)
    opacity = rough
    for _ in range(FILTERED):
        opacity = guided.filter(opacity)
        opacity[solid > 0], opacity[clear] = 1.0, 0.0
    return np.clip((opacity - CLEAR) / (SOLID - CLEAR), 0.0, 1.0)


def _bust(place: _Place) -> np.ndarray:
    """Opacity float32 (height, width) that ends below in half an ellipse, one pixel soft; above the middle of the face
    it is 1."""
    x, y = place.centimetres()
    wide, high = BUST
    high = min(high, max(LEAST_BUST, (place.shape[0] - place.middle[1]) / place.unit))
    beyond = (np.hypot(x / wide, np.maximum(y, 0.0) / high) - 1.0) * high * place.unit
    return np.where(y > 0, np.clip(0.5 - beyond, 0.0, 1.0), 1.0).astype(np.float32)


def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def _disc_eroded(mask: np.ndarray, radius: int) -> np.ndarray:
    """Eroded; beyond the picture's border the mask goes on."""
    return cv2.erode(mask, _disc(radius), borderType=cv2.BORDER_REPLICATE)


def _person(picture: np.ndarray) -> np.ndarray | None:
    """How surely each pixel shows a person, float32 (height, width) from 0 to 1; None without the network."""
    if not has_mesh():  # what brings the one brings the other
        return None
    from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation

    with SelfieSegmentation(model_selection=0) as network:
        mask = network.process(picture).segmentation_mask
    return np.asarray(mask, np.float32)
