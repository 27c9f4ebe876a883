"""Colour and light of the surfaces: what a vertex is painted with, and how it is lit."""

from functools import lru_cache

import numpy as np

from .anatomy import face_at_rest
from .head import HAIR_COLUMNS, HAIR_ROWS, Surface, hair_angles, hair_surface, head_surface, skull_behind
from .styles import Identity, hex_colour, mixed, toned


def _spot(points: np.ndarray, centre: tuple[float, float], spread: tuple[float, float]) -> np.ndarray:
    offset = (points[:, :2] - centre) / spread
    front = np.clip(0.3 * points[:, 2] + 1.0, 0.0, 1.0)
    return (np.exp(-0.5 * (offset**2).sum(axis=1)) * front)[:, None]


def _ramp(values: np.ndarray, start: float, stop: float) -> np.ndarray:
    t = np.clip((values - start) / (stop - start), 0.0, 1.0)
    return (t * t * (3.0 - 2.0 * t))[:, None]


def _blend(colours: np.ndarray, weight: np.ndarray, colour: tuple[float, float, float]) -> np.ndarray:
    return colours + weight * (np.array(colour) - colours)


@lru_cache(maxsize=64)
def head_paint(identity: Identity) -> np.ndarray:
    """Unlit colour of every vertex of the head, ``(N, 3)``: skin, blush, beard, make-up, fur patches."""
    face = face_at_rest(identity.shape)
    rest = head_surface(face, skull_behind(face)).vertices
    paint = np.tile(np.array(identity.skin), (len(rest), 1))
    x, y = rest[:, 0], rest[:, 1]
    if identity.style == "animal":
        paint = _fur(identity, rest, paint)
    if identity.style == "stone":
        return paint
    flush = mixed(identity.skin, hex_colour("#E0524A"), 0.42)
    for side in (-1.0, 1.0):
        paint = _blend(paint, 0.75 * identity.blush * _spot(rest, (side * 4.7, -1.2), (1.7, 1.3)), flush)
    if identity.style in ("person", "cartoon"):
        paint = _blend(paint, 0.35 * identity.blush * _spot(rest, (0.0, -0.9), (1.1, 0.9)), flush)
        for side in (-1, 1):
            eye = face[[159, 145, 33, 133] if side < 0 else [386, 374, 263, 362]].mean(axis=0)
            shadow = toned(identity.accent, -0.12)
            lid = _spot(rest, (eye[0], eye[1] + 1.15 * identity.shape.eyes**0.5), (1.5, 0.5))
            paint = _blend(paint, 0.55 * identity.eye_shadow * lid, shadow)
        line = -2.6 - 2.4 * np.exp(-0.5 * (x / 3.6) ** 2)
        jaw = _ramp(line - y, -0.4, 1.2) * _ramp(y, -15.0, -9.5)
        mouth = _spot(rest, (0.0, -4.5), (2.2, 0.75)) * 1.3
        moustache = _spot(rest, (0.0, -2.75), (2.0, 0.55)) * 1.35
        beard = {
            "none": 0.0 * jaw,
            "stubble": 0.30 * np.clip(np.maximum(jaw * (1 - mouth), moustache), 0, 1),
            "full": 0.92 * np.clip(np.maximum(jaw * np.clip(1 - mouth, 0, 1), moustache), 0, 1),
            "moustache": 0.0 * jaw,
        }[identity.beard]
        paint = _blend(paint, beard, toned(identity.hair, 0.02))
    return paint


def _fur(identity: Identity, rest: np.ndarray, paint: np.ndarray) -> np.ndarray:
    pale = identity.trim
    dark = toned(identity.skin, -0.30, 0.7)
    muzzle = np.clip(1.5 * _spot(rest, (0.0, -4.0), (2.7, 2.0)), 0, 1)
    if identity.animal == "fox":
        cheeks = np.clip(
            1.6 * (_spot(rest, (5.5, -4.5), (2.8, 2.4)) + _spot(rest, (-5.5, -4.5), (2.8, 2.4))), 0, 1
        )
        paint = _blend(paint, cheeks, pale)
    if identity.animal == "panda":
        dark = hex_colour("#38353A")
        for side in (-1.0, 1.0):
            paint = _blend(paint, np.clip(1.7 * _spot(rest, (side * 3.6, 2.2), (1.9, 1.7)), 0, 1), dark)
    if identity.animal in ("dog", "cat") and identity.marking > 0.55:
        side = 1.0 if identity.seed % 2 else -1.0
        patch = np.clip(1.8 * _spot(rest, (side * 4.2, 3.6), (2.7, 3.0)), 0, 1)
        paint = _blend(paint, 0.8 * patch, dark)
    if identity.animal in ("dog", "cat") and identity.marking < 0.4:
        paint = _blend(paint, np.clip(1.6 * _spot(rest, (0.0, 5.0), (1.1, 4.2)), 0, 1), pale)
    return _blend(paint, muzzle, pale)


def lit(identity: Identity, paint: np.ndarray, normals: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """Colours under the identity's light, ``(N, 3)``: soft wrapped diffuse light, warm light and cool shade or back."""
    toward = 0.5 + 0.5 * normals @ np.array(identity.light)
    shade = np.clip(1.15 * toward, 0.0, 1.0) ** 1.3
    facing = np.clip(normals[:, 2], 0.0, 1.0)
    shade = (shade * (0.80 + 0.20 * facing))[:, None]
    warm = 0.018 * identity.warmth
    dark = np.array([0.66 + warm, 0.57, 0.60 - warm])
    bright = np.array([1.07 + warm, 1.05, 1.02 - warm])
    if identity.style == "stone":
        dark, bright, strength = np.array([0.44, 0.43, 0.45]), np.array([1.14, 1.13, 1.11]), 1.0
    level = dark + (bright - dark) * shade
    return np.clip(paint * (1.0 + strength * (level - 1.0)), 0.0, 1.0)


def _profile(
    front: float, side: float, back: float, temples: float = 62.0, sweep: float = 0.0, locks: float = 0.0
) -> np.ndarray:
    """Height of a hair edge in degrees by column: over the forehead, at the sides, at the nape."""
    angles = np.degrees(hair_angles())
    around = np.abs(angles)
    known = [0.0, 0.6 * temples, temples, temples + 22.0, 115.0, 180.0]
    heights = [front, front - 2.0, 0.5 * (front + side), side, 0.5 * (side + back), back]
    edge = np.interp(around, known, heights)
    edge += sweep * 7.0 * np.sin(np.radians(angles) * 1.5) * np.exp(-((angles / 50.0) ** 2))
    # Rounded corners: an average over three neighbours, twice.
    for _ in range(2):
        edge = (np.roll(edge, 1) + 2.0 * edge + np.roll(edge, -1)) / 4.0
    # Locks: the edge ends in points that lean with the sweep.
    teeth = (np.radians(angles) * 3.2 + 0.4 * np.sign(sweep)) % 1.0
    lean = 0.72 if sweep > 0 else 0.28
    edge -= locks * np.where(teeth < lean, teeth / lean, (1.0 - teeth) / (1.0 - lean)) * (around < 75.0)
    return edge


@lru_cache(maxsize=64)
def hair_of(identity: Identity) -> Surface | None:
    """The hair surface of an identity in canonical space; None for bald heads."""
    if identity.hair_style == "bald":
        return None
    face = face_at_rest(identity.shape)
    skull = skull_behind(face)
    angles = np.degrees(hair_angles())
    around = np.abs(angles)
    volume, sweep = identity.hair_volume, identity.sweep
    none = np.zeros(HAIR_COLUMNS)
    hang = identity.hair_length * np.clip((around - 56.0) / 10.0, 0.0, 1.0) ** 0.5
    style = identity.hair_style
    if style == "crop":
        return hair_surface(skull, _profile(36, 6, -32), none, 1.2 * volume, 0.35, 0.0)
    if style == "side_part":
        return hair_surface(
            skull,
            _profile(33, 4, -34, sweep=2.2 * np.sign(sweep)),
            none,
            2.6 * volume,
            0.7,
            0.0,
            1.8 * volume,
        )
    if style == "curly":
        return hair_surface(skull, _profile(35, 2, -34), none, 1.8 * volume, 0.8, 0.0)
    if style == "afro":
        return hair_surface(skull, _profile(37, -6, -34), none, 3.4 * volume, 1.2, 0.0)
    if style in ("bun", "ponytail"):
        return hair_surface(skull, _profile(34, 4, -28, sweep=sweep), none, 1.7 * volume, 0.5, 0.0)
    if style == "bob":
        return hair_surface(
            skull,
            _profile(27, -5, -5, sweep=sweep, locks=3.0),
            np.minimum(hang, 7.5),
            2.3 * volume,
            1.2,
            0.10,
        )
    if style == "fringe_long":
        return hair_surface(
            skull, _profile(24, -5, -5, temples=64.0, sweep=0.1, locks=5.0), hang, 2.3 * volume, 1.2, 0.12
        )
    if style == "long":
        return hair_surface(
            skull, _profile(35, -4, -5, temples=52.0, sweep=1.6 * sweep), hang, 2.3 * volume, 1.1, 0.15
        )
    return hair_surface(
        skull, _profile(35, 3, -34, sweep=1.3 * sweep, locks=8.0), none, 2.4 * volume, 0.8, 0.0, 0.8 * volume
    )


@lru_cache(maxsize=64)
def hair_paint(identity: Identity) -> np.ndarray:
    """Unlit colour of the hair surface, ``(N, 3)``: broad locks and a band of shine."""
    angles = np.tile(hair_angles(), HAIR_ROWS)
    share = np.repeat(np.linspace(0.0, 1.0, HAIR_ROWS), HAIR_COLUMNS)
    rng = np.random.default_rng(identity.seed)
    phases = rng.uniform(0.0, 2.0 * np.pi, 2)
    locks = np.cos(9.0 * angles + phases[0]) + 0.7 * np.cos(14.0 * angles + phases[1])
    base = np.array(identity.hair)
    paint = base * (1.0 + 0.07 * (locks * np.minimum(1.0, 3.0 * share))[:, None])
    if identity.style == "stone":
        return base * (1.0 + 0.13 * (locks * np.minimum(1.0, 3.0 * share))[:, None])
    shine = np.exp(-0.5 * ((share - 0.36) / 0.11) ** 2) * (0.75 + 0.25 * locks / 1.7)
    return paint + (0.22 * shine)[:, None] * (np.array([1.0, 0.97, 0.92]) - paint) * (0.4 + 0.6 * base.mean())


@lru_cache(maxsize=64)
def hat_of(identity: Identity) -> tuple[Surface, np.ndarray] | None:
    """A beanie as a surface, and its unlit colours; None for a bare head."""
    if identity.hat == "none":
        return None
    skull = skull_behind(face_at_rest(identity.shape))
    none = np.zeros(HAIR_COLUMNS)
    rows = np.repeat(np.arange(HAIR_ROWS), HAIR_COLUMNS)[:, None]
    surface = hair_surface(skull, _profile(30, 14, 4), none, 3.2 * identity.hair_volume**0.5, 1.0, 0.0)
    ribs = 1.0 + 0.05 * np.cos(32.0 * np.tile(hair_angles(), HAIR_ROWS))[:, None]
    colour = np.array(identity.accent) * ribs
    rim = np.clip(rows - (HAIR_ROWS - 4), 0, 1)
    return surface, colour + rim * (np.array(toned(identity.accent, 0.10)) - colour)
