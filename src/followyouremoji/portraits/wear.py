"""Glasses and jewellery, drawn through the projected landmarks."""

import numpy as np

from followyouremoji.face.topology import LEFT_EYE_LOOP, RIGHT_EYE_LOOP

from .canvas import Canvas, polygon, smooth_line, smooth_loop
from .palettes import hex_colour, toned
from .sight import Sight
from .styles import Identity

_FRAMES = {
    # roundness (1 a circle), height, rim in centimetres
    "round": (1.0, 1.75, 0.24),
    "square": (0.55, 1.70, 0.26),
    "thick": (0.60, 1.80, 0.55),
    "rimless": (0.75, 1.60, 0.08),
    "cat": (0.70, 1.65, 0.34),
}


def draw_glasses(canvas: Canvas, identity: Identity, sight: Sight) -> None:
    """Frames around both eyes, tinted or clear, a bridge and temples that go to the ears. The eyes stay visible."""
    if identity.glasses == "none":
        return
    roundness, height, rim = _FRAMES[identity.glasses]
    points, unit = sight.points, sight.unit
    colour = toned(identity.accent, -0.25 if identity.glasses != "thick" else -0.35, 0.7)
    up = points[10] - points[152]
    up = up / np.linalg.norm(up)
    turn = np.linspace(0.0, 2.0 * np.pi, 24, endpoint=False)
    rounded = [np.sign(wave) * np.abs(wave) ** roundness for wave in (np.cos(turn), np.sin(turn))]
    tall = (height + 0.55 * (identity.shape.eyes - 1.0)) * unit
    rims = []
    for loop, outer in ((RIGHT_EYE_LOOP, -1.0), (LEFT_EYE_LOOP, 1.0)):
        outline = points[list(loop)]
        middle = 0.5 * (outline[0] + outline[8]) + [0.0, 0.1 * unit]
        half = 0.5 * (outline[8] - outline[0])
        half = half * (1.22 + 0.2 * unit / max(float(np.linalg.norm(half)), 1e-6))
        shape = middle + rounded[0][:, None] * half + tall * rounded[1][:, None] * up
        if identity.glasses == "cat":
            lifted = np.clip(
                outer * ((shape - middle) @ (half / np.linalg.norm(half))), 0.0, None
            ) ** 2 / np.linalg.norm(half)
            shape = shape + 0.30 * lifted[:, None] * up * (rounded[1] > 0.0)[:, None]
        path = smooth_loop(shape)
        canvas.fill(
            path, toned(colour, 0.05) if identity.tinted else (1.0, 1.0, 1.0), max(identity.tinted, 0.08)
        )
        with canvas.clipped(path):
            glint = np.stack([middle - 0.7 * half + 0.9 * tall * up, middle + 0.1 * half - 0.9 * tall * up])
            canvas.stroke(
                smooth_line(np.stack([glint[0], glint.mean(axis=0), glint[1]])),
                (1.0, 1.0, 1.0),
                0.5 * unit,
                alpha=0.13,
            )
        canvas.stroke(path, colour, rim * unit)
        rims.append((middle, half))
    (right, right_half), (left, left_half) = rims
    inner = np.stack([right + right_half, left - left_half * np.sign(np.dot(left_half, left - right))])
    bridge = np.stack([inner[0], inner.mean(axis=0) + 0.25 * unit * up, inner[1]])
    canvas.stroke(smooth_line(bridge), colour, max(rim, 0.16) * unit)
    for middle, half, ear, away in ((right, right_half, 127, -1.0), (left, left_half, 356, 1.0)):
        if sight.normals[ear, 2] > -0.15:
            outwards = away * half * np.sign(np.dot(half, left - right))
            canvas.stroke(polygon(np.stack([middle + outwards, points[ear]])), colour, max(rim, 0.16) * unit)


def draw_earring(canvas: Canvas, identity: Identity, lobe: np.ndarray, unit: float) -> None:
    """A stud, hoop or drop at an ear's lobe, in pixels."""
    metal = hex_colour("#F2C14E") if identity.seed % 2 else hex_colour("#D5D9DE")
    if identity.earrings == "stud":
        canvas.disc(lobe + np.array([0.0, 0.25 * unit]), 0.42 * unit, metal)
    elif identity.earrings == "hoop":
        turn = np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False)
        ring = (
            lobe
            + np.array([0.0, 1.25 * unit])
            + unit * np.stack([0.8 * np.cos(turn), 1.15 * np.sin(turn)], axis=1)
        )
        canvas.stroke(smooth_loop(ring), toned(metal, -0.12), 0.30 * unit)
        canvas.stroke(smooth_loop(ring), metal, 0.18 * unit)
    else:
        canvas.stroke(
            smooth_line(
                np.stack([lobe, lobe + np.array([0.0, 0.6 * unit]), lobe + np.array([0.0, 1.2 * unit])])
            ),
            metal,
            0.14 * unit,
        )
        pearl = identity.accent if identity.seed % 3 else (0.95, 0.93, 0.90)
        canvas.ball(
            lobe + np.array([0.0, 1.75 * unit]), 0.65 * unit, [toned(pearl, 0.12), pearl, toned(pearl, -0.15)]
        )
    canvas.disc(lobe + np.array([-0.12 * unit, 0.12 * unit]), 0.12 * unit, (1.0, 1.0, 0.95), 0.9)
