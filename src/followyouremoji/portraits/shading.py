"""Colour and light of the head, vertex by vertex."""

from functools import lru_cache

import numpy as np

from followyouremoji.face.easing import smooth_step

from .anatomy import face_at_rest
from .head import head_surface, skull_behind
from .palettes import hex_colour, mixed, toned
from .species import SPECIES
from .styles import Identity


def _spot(points: np.ndarray, centre: tuple[float, float], spread: tuple[float, float]) -> np.ndarray:
    offset = (points[:, :2] - centre) / spread
    front = np.clip(0.3 * points[:, 2] + 1.0, 0.0, 1.0)
    return (np.exp(-0.5 * (offset**2).sum(axis=1)) * front)[:, None]


def _blend(colours: np.ndarray, weight: np.ndarray, colour: tuple[float, float, float]) -> np.ndarray:
    return colours + weight * (np.array(colour) - colours)


@lru_cache(maxsize=64)
def head_at_rest(identity: Identity) -> np.ndarray:
    """The vertices of the head without expression, ``(N, 3)`` canonical centimetres."""
    face = face_at_rest(identity.shape)
    return head_surface(face, skull_behind(face)).vertices


def beard_weight(x: np.ndarray, y: np.ndarray, kind: str) -> np.ndarray:
    """How much of a beard grows at a place of the face at rest (centimetres), 0 to 1, in the shape of ``x``."""

    def spot(cx: float, cy: float, sx: float, sy: float) -> np.ndarray:
        return np.asarray(np.exp(-0.5 * (((x - cx) / sx) ** 2 + ((y - cy) / sy) ** 2)))

    line = -2.6 - 2.4 * np.exp(-0.5 * (x / 3.6) ** 2)
    jaw = smooth_step(line - y, -0.4, 1.2) * smooth_step(y, -15.0, -9.5)
    mouth = np.clip(1.3 * spot(0.0, -4.5, 2.2, 0.75), 0.0, 1.0)
    moustache = 1.35 * spot(0.0, -2.75, 2.0, 0.55)
    chin = 1.4 * spot(0.0, -7.6, 1.7, 1.5) + 0.8 * (spot(2.5, -5.4, 0.5, 1.2) + spot(-2.5, -5.4, 0.5, 1.2))
    grown = {
        "none": 0.0 * jaw,
        "stubble": np.maximum(jaw * (1.0 - mouth), moustache),
        "full": np.maximum(jaw * (1.0 - mouth), moustache),
        "moustache": moustache,
        "goatee": np.maximum(chin * (1.0 - mouth), 0.9 * moustache),
    }[kind]
    return np.clip(grown, 0.0, 1.0)


@lru_cache(maxsize=64)
def head_paint(identity: Identity) -> np.ndarray:
    """Unlit colour of every vertex of the head, ``(N, 3)``: skin, blush, beard, make-up, fur patches."""
    rest = head_at_rest(identity)
    face = face_at_rest(identity.shape)
    paint = np.tile(np.array(identity.skin), (len(rest), 1))
    if identity.animal != "none":
        paint = _fur(identity, rest, paint)
    if identity.material != "none":
        return paint
    flush = mixed(identity.skin, hex_colour("#E0524A"), 0.42)
    for side in (-1.0, 1.0):
        paint = _blend(paint, 0.75 * identity.blush * _spot(rest, (side * 4.7, -1.2), (1.7, 1.3)), flush)
    if identity.animal == "none":
        paint = _blend(paint, 0.35 * identity.blush * _spot(rest, (0.0, -0.9), (1.1, 0.9)), flush)
        for side in (-1, 1):
            eye = face[[159, 145, 33, 133] if side < 0 else [386, 374, 263, 362]].mean(axis=0)
            lid = _spot(rest, (eye[0], eye[1] + 1.05 * identity.shape.eyes**0.5), (1.6, 0.6))
            paint = _blend(paint, np.clip(0.9 * identity.eye_shadow * lid, 0, 1), identity.lid_colour)
            # Tired or old eyes lie a little deeper.
            under = _spot(rest, (0.9 * eye[0], eye[1] - 1.5 * identity.shape.eyes**0.5), (1.2, 0.5))
            paint = _blend(paint, 0.30 * identity.age * under, toned(identity.skin, -0.16, 1.1))
        strength = {"full": 0.92, "goatee": 0.9, "stubble": 0.24}.get(identity.beard, 0.0)
        grown = beard_weight(rest[:, 0], rest[:, 1], identity.beard)[:, None] * np.clip(
            0.3 * rest[:, 2:] + 1.6, 0, 1
        )
        paint = _blend(paint, strength * grown, toned(identity.hair, 0.02))
    return paint


def _fur(identity: Identity, rest: np.ndarray, paint: np.ndarray) -> np.ndarray:
    pale = identity.trim
    species = SPECIES.get(identity.animal)
    if species:
        for mark in species.marks:
            x, y = mark.place
            sides = (-1.0, 1.0) if x else (1.0,)
            weight = sum(_spot(rest, (side * x, y), mark.spread) for side in sides)
            colour = species.colour(mark.colour, identity.skin, pale)
            paint = _blend(paint, np.clip(mark.strength * weight, 0.0, 1.0), colour)
        return paint
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
    if identity.animal == "lion":
        around = np.hypot(rest[:, 0] / 7.2, (rest[:, 1] - 1.0) / 8.4)
        paint = _blend(paint, smooth_step(around, 0.85, 1.25)[..., None], toned(identity.skin, -0.22, 1.1))
    if identity.animal in ("dog", "cat") and identity.marking > 0.55:
        side = 1.0 if identity.seed % 2 else -1.0
        patch = np.clip(1.8 * _spot(rest, (side * 4.2, 3.6), (2.7, 3.0)), 0, 1)
        paint = _blend(paint, 0.8 * patch, dark)
    if identity.animal in ("dog", "cat") and identity.marking < 0.4:
        paint = _blend(paint, np.clip(1.6 * _spot(rest, (0.0, 5.0), (1.1, 4.2)), 0, 1), pale)
    return _blend(paint, muzzle, pale)


def lit(identity: Identity, paint: np.ndarray, normals: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """Colours ``(N, 3)`` under the identity's light: soft wrapped diffuse light in its colour, shade in the complement
    of it, a highlight (Blinn 1977) and a rim of light from behind."""
    light = np.array(identity.light)
    shade = np.clip(0.575 + 0.575 * normals @ light, 0.0, 1.0) ** 1.3
    facing = np.clip(normals[:, 2], 0.0, 1.0)
    shade = (shade * (0.80 + 0.20 * facing))[:, None]
    warm = 0.018 * identity.warmth
    tint = np.array(identity.light_colour)
    dark = np.array([0.66 + warm, 0.57, 0.60 - warm])
    bright = np.array([1.07 + warm, 1.05, 1.02 - warm]) * tint
    if identity.material != "none":
        dark, bright, strength = np.array([0.44, 0.43, 0.45]), np.array([1.14, 1.13, 1.11]) * tint, 1.0
    dark = np.clip(1.0 - (1.0 - dark) * identity.contrast, 0.18, 1.0) * (2.0 - tint)
    if identity.finish != "soft":
        strength *= 0.35
    level = dark + (bright - dark) * shade
    colours = paint * (1.0 + strength * (level - 1.0))
    if identity.shine:
        half = light + np.array([0.0, 0.0, 1.0])
        gleam = np.clip(normals @ (half / np.linalg.norm(half)), 0.0, 1.0) ** (14.0 + 30.0 * identity.shine)
        colours = colours + (0.75 * identity.shine * gleam)[:, None] * (tint - 0.6 * colours)
    if identity.rim:
        edge = (1.0 - facing) ** 2.5 * np.clip(0.3 - np.sign(light[0]) * normals[:, 0], 0.0, 1.0)
        colours = colours + (identity.rim * edge)[:, None] * (np.array([1.0, 0.98, 0.95]) - 0.5 * colours)
    return np.clip(colours, 0.0, 1.0)
