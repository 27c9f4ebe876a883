"""Eyes, brows, nose, mouth and moustache, drawn through the projected landmarks."""

import numpy as np

from followyouremoji.face.topology import (
    INNER_LIPS_LOOP,
    INNER_LIPS_LOWER,
    INNER_LIPS_UPPER,
    LEFT_CREASE,
    LEFT_EYE_LOOP,
    LEFT_EYE_LOWER,
    LEFT_EYE_UPPER,
    LEFT_EYEBROW_LOWER,
    LEFT_EYEBROW_UPPER,
    LEFT_IRIS,
    OUTER_LIPS_LOOP,
    RIGHT_CREASE,
    RIGHT_EYE_LOOP,
    RIGHT_EYE_LOWER,
    RIGHT_EYE_UPPER,
    RIGHT_EYEBROW_LOWER,
    RIGHT_EYEBROW_UPPER,
    RIGHT_IRIS,
)

from .animals import draw_animal_nose
from .canvas import Canvas, polygon, smooth_line, smooth_loop, tapered
from .palettes import hex_colour, mixed, toned
from .sight import Sight
from .styles import Identity

INK = hex_colour("#2A1C1A")


def draw_eyes(canvas: Canvas, identity: Identity, sight: Sight) -> None:
    """Both eyes: whites, irises, lids and lashes."""
    sides = (
        (RIGHT_EYE_LOOP, RIGHT_EYE_UPPER, RIGHT_EYE_LOWER, RIGHT_CREASE, RIGHT_IRIS),
        (LEFT_EYE_LOOP, LEFT_EYE_UPPER, LEFT_EYE_LOWER, LEFT_CREASE, LEFT_IRIS),
    )
    for loop, upper, lower, crease, iris in sides:
        _draw_eye(canvas, identity, sight, loop, upper, lower, crease, iris)


def _draw_eye(
    canvas: Canvas,
    identity: Identity,
    sight: Sight,
    loop: tuple[int, ...],
    upper: tuple[int, ...],
    lower: tuple[int, ...],
    crease: tuple[int, ...],
    iris: int,
) -> None:
    points, unit = sight.points, sight.unit
    skin = sight.paint[list(crease)].mean(axis=0)
    stone = identity.material != "none"
    outline, top, bottom = points[list(loop)], points[list(upper)], points[list(lower)]
    height = float(np.linalg.norm(top[4] - bottom[4]))
    across = float(np.linalg.norm(top[0] - top[-1]))
    centre = points[iris]
    rim = points[iris + 1 : iris + 5] - centre
    radius = float(np.linalg.norm(rim, axis=1).max())
    ink = (
        skin * 0.45
        if stone
        else np.array(mixed(INK, identity.hair, 0.25))
        if identity.style != "emoji"
        else np.array(hex_colour("#4A2C0C"))
    )
    if identity.style != "emoji" and not stone:
        ink = np.minimum(ink, 0.35)

    path = smooth_loop(outline, 0.9)
    if height > 0.06 * unit:
        white = np.minimum(1.12 * skin + 0.04, 1.0) if stone else np.array([0.985, 0.98, 0.97])
        if not stone:
            white = white * (0.90 + 0.10 * min(1.0, float(skin.mean()) + 0.35))
        canvas.fill(path, white)
        with canvas.clipped(path):
            if stone:
                _draw_stone_iris(canvas, centre, radius, skin)
            else:
                _draw_iris(canvas, identity, centre, radius)
            # The upper lid's shadow on the ball.
            shade = smooth_line(top + np.array([0.0, 0.04 * height]))
            canvas.stroke(shade, skin * 0.35, 0.30 * min(height, 1.6 * unit), alpha=0.22, blur=0.08 * unit)
    closed = np.clip(1.0 - height / (0.9 * unit), 0.0, 1.0)
    # Lash line: thicker over the middle and towards the outer corner.
    thick = (
        0.15
        + 0.11 * identity.lashes
        + 0.08 * identity.liner
        + 0.05 * (identity.style in ("cartoon", "emoji"))
    ) * unit
    profile = np.array([0.55, 0.85, 1.0, 1.0, 0.95, 0.9, 0.75, 0.55, 0.25])
    line = top + np.array([0.0, -0.25 * thick])
    canvas.fill(tapered(line, thick * profile), ink, 0.95)
    if identity.lashes > 0.45 and not stone:
        _draw_wing(canvas, top, bottom, ink, unit, across, identity.lashes + 0.8 * identity.liner)
    canvas.stroke(smooth_line(bottom[1:-1]), skin * 0.55, 0.07 * unit, alpha=0.55)
    if identity.style != "emoji":
        canvas.stroke(
            smooth_line(points[list(crease)][1:-1]),
            skin * 0.62,
            0.085 * unit,
            alpha=0.5 * (1.0 - 0.8 * closed),
        )


def _draw_wing(
    canvas: Canvas,
    top: np.ndarray,
    bottom: np.ndarray,
    ink: np.ndarray,
    unit: float,
    across: float,
    lashes: float,
) -> None:
    """Lashes gathered to a small wing at the outer corner."""
    outwards = (top[0] - top[-1]) / max(across, 1e-6)
    upwards = np.array([outwards[1], -outwards[0]])
    upwards = upwards if upwards[1] < 0 else -upwards
    tip = top[0] + (0.42 * outwards + 0.24 * upwards) * unit * lashes
    canvas.fill(
        polygon(np.stack([top[2], top[1], top[0], tip, top[1] + 0.22 * unit * upwards * lashes])), ink, 0.95
    )


def _draw_iris(canvas: Canvas, identity: Identity, centre: np.ndarray, radius: float) -> None:
    colour = identity.iris
    canvas.disc(centre, radius, toned(colour, -0.12))
    canvas.ball(centre, 0.88 * radius, [toned(colour, 0.10, 1.15), toned(colour, -0.02)], (0.0, 0.5))
    canvas.disc(centre, 0.48 * radius, hex_colour("#15100F"))
    canvas.disc(centre + radius * np.array([-0.33, -0.36]), 0.27 * radius, (1.0, 1.0, 1.0), 0.95)
    canvas.disc(centre + radius * np.array([0.36, 0.40]), 0.13 * radius, (1.0, 1.0, 1.0), 0.55)


def _draw_stone_iris(canvas: Canvas, centre: np.ndarray, radius: float, skin: np.ndarray) -> None:
    canvas.disc(centre, radius, skin * 0.46)
    canvas.disc(centre, 0.82 * radius, skin * 0.66)
    canvas.disc(centre, 0.46 * radius, skin * 0.26)


def draw_brows(canvas: Canvas, identity: Identity, sight: Sight) -> None:
    """Brows as tapered shapes between the two rows of brow landmarks."""
    for upper, lower in (
        (RIGHT_EYEBROW_UPPER, RIGHT_EYEBROW_LOWER),
        (LEFT_EYEBROW_UPPER, LEFT_EYEBROW_LOWER),
    ):
        above, below = sight.points[list(upper)], sight.points[list(lower)]
        middle, across = 0.5 * (above + below), 0.5 * (above - below)
        half = across * identity.brow_thickness * np.array([0.35, 0.72, 0.95, 1.0, 0.85])[:, None]
        path = smooth_loop(np.concatenate([middle + half, (middle - half)[::-1]]), 0.9)
        skin = sight.paint[list(upper)].mean(axis=0)
        if identity.material != "none":
            canvas.fill(path, skin * 0.62)
        elif identity.animal != "none":
            canvas.fill(path, toned(identity.skin, -0.16, 0.8), 0.30, blur=0.14 * sight.unit)
        else:
            shade = toned(identity.hair, -0.06) if sum(identity.hair) < 1.9 else toned(identity.hair, -0.22)
            canvas.fill(path, mixed(shade, tuple(skin), 0.12), 0.94)


def draw_nose(canvas: Canvas, identity: Identity, sight: Sight) -> None:
    """The nose: a soft shadow below, nostrils and a light on the tip; a real one for animals."""
    points, unit, skin = sight.points, sight.unit, sight.paint[2]
    if identity.style == "emoji":
        return
    if identity.animal != "none":
        draw_animal_nose(canvas, identity, sight)
        return
    base = points[[129, 98, 97, 2, 326, 327, 358]]
    canvas.stroke(
        smooth_line(base[1:-1] + np.array([0.0, 0.1 * unit])),
        skin * 0.62,
        0.30 * unit,
        alpha=0.28,
        blur=0.12 * unit,
    )
    canvas.stroke(smooth_line(base[2:-2]), skin * 0.55, 0.12 * unit, alpha=0.45)
    for near, inner in ((98, 97), (327, 326)):
        nostril = 0.55 * points[near] + 0.45 * points[inner] - [0.0, 0.12 * unit]
        along = points[inner] - points[near]
        ends = np.stack([nostril - 0.20 * along, nostril - [0.0, 0.06 * unit], nostril + 0.20 * along])
        canvas.stroke(smooth_line(ends), skin * 0.45, 0.20 * unit, alpha=0.75)
    for wing in ((129, 64, 98), (358, 294, 327)):
        canvas.stroke(smooth_line(points[list(wing)]), skin * 0.6, 0.10 * unit, alpha=0.40)
    tip = points[[1, 4]].mean(axis=0)
    light = np.array(identity.light[:2]) * [1.0, -1.0]
    canvas.disc(
        tip + 0.28 * unit * light,
        0.30 * unit * identity.shape.nose,
        (1.0, 0.98, 0.95),
        0.30,
        blur=0.14 * unit,
    )


def draw_moustache(canvas: Canvas, identity: Identity, sight: Sight) -> None:
    """A moustache on the upper lip, for those who wear one."""
    if identity.beard not in ("moustache", "full", "goatee"):
        return
    points = sight.points
    lip = points[[61, 40, 37, 0, 267, 270, 291]]
    nose = points[[216, 206, 98, 2, 327, 426, 436]]
    fraction = np.array([0.10, 0.42, 0.62, 0.50, 0.62, 0.42, 0.10])[:, None]
    above = lip + fraction * (nose - lip)
    below = lip + 0.04 * (nose - lip)
    light = sight.paint[0] / np.maximum(np.array(identity.skin), 0.05)
    colour = np.clip(np.array(toned(identity.hair, 0.02)) * (0.3 + 0.7 * light), 0.0, 1.0)
    canvas.fill(smooth_loop(np.concatenate([above, below[::-1]])), colour, 0.95)
    for k in range(1, 6):
        strand = np.stack([above[k], 0.5 * (above[k] + below[k]), below[k] + 0.12 * (below[k] - points[0])])
        canvas.stroke(smooth_line(strand), colour * 0.7, 0.12 * sight.unit, alpha=0.5)


def draw_mouth(canvas: Canvas, identity: Identity, sight: Sight) -> None:
    """Lips, and in an open mouth teeth and tongue."""
    points, unit = sight.points, sight.unit
    skin = sight.paint[[17, 0, 61, 291]].mean(axis=0)
    light = skin / np.maximum(np.array(identity.skin), 0.05)
    stone, plain = identity.material != "none", identity.style == "emoji" or identity.animal != "none"
    outer, inner = (
        smooth_loop(points[list(OUTER_LIPS_LOOP)], 0.9),
        smooth_loop(points[list(INNER_LIPS_LOOP)], 0.8),
    )
    lips = np.clip(np.array(identity.lips) * (0.35 + 0.65 * light), 0.0, 1.0)
    dark = skin * 0.38 if stone else np.array(hex_colour("#5A1F26"))
    gape = float(np.linalg.norm(points[13] - points[14]))
    if not plain:
        canvas.fill(outer, lips)
        with canvas.clipped(outer):
            rows = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
            inner_rows = INNER_LIPS_UPPER
            upper = np.concatenate([points[list(rows)], points[list(inner_rows)][::-1]])
            canvas.fill(polygon(upper), lips * 0.86, 1.0)
            glow = points[[15, 16]].mean(axis=0)
            canvas.stroke(
                smooth_line(np.stack([0.7 * glow + 0.3 * points[86], glow, 0.7 * glow + 0.3 * points[316]])),
                np.minimum(lips * 1.25 + 0.06, 1.0), 0.30 * unit, alpha=0.5, blur=0.1 * unit,
            )  # fmt: skip
        shadow = points[[84, 17, 314]] + [0.0, 0.35 * unit]
        canvas.stroke(smooth_line(shadow), skin * 0.6, 0.35 * unit, alpha=0.25, blur=0.16 * unit)
    if gape > 0.10 * unit:
        canvas.fill(inner, dark)
        with canvas.clipped(inner):
            _draw_mouth_inside(canvas, identity, sight, dark, skin)
    line = 0.5 * (points[list(INNER_LIPS_UPPER)] + points[list(INNER_LIPS_LOWER)])
    openness = min(1.0, gape / (0.35 * unit))
    if plain:
        ink = hex_colour("#6B3F10") if identity.style == "emoji" else toned(identity.skin, -0.36, 0.7)
        width = (0.34 if identity.style == "emoji" else 0.22) * unit
        if openness < 1.0:
            canvas.stroke(smooth_line(line), ink, width)
        if openness > 0.0:
            canvas.stroke(inner, ink, width * 0.8, alpha=openness)
    elif openness < 1.0:
        canvas.stroke(
            smooth_line(line),
            skin * 0.40 if stone else mixed(tuple(lips), INK, 0.55),
            0.13 * unit,
            alpha=1.0 - 0.7 * openness,
        )
    corners = points[[61, 291]]
    if not (stone or plain):
        for corner in corners:
            canvas.disc(corner, 0.13 * unit, skin * 0.5, 0.45, blur=0.06 * unit)


def _in_mouth_light(identity: Identity, skin: np.ndarray) -> np.ndarray:
    """How bright teeth are, next to skin that is lit so: half as much darker as the skin is."""
    return np.asarray(np.minimum(0.5 + 0.5 * skin / np.maximum(np.array(identity.skin), 0.05), 1.0))


def _draw_mouth_inside(
    canvas: Canvas, identity: Identity, sight: Sight, dark: np.ndarray, skin: np.ndarray
) -> None:
    points, unit = sight.points, sight.unit
    up, low = points[list(INNER_LIPS_UPPER)], points[list(INNER_LIPS_LOWER)]
    down = points[152] - points[1]
    down = down / np.linalg.norm(down)
    tongue = skin * 0.55 if identity.material != "none" else np.array(hex_colour("#D9686B"))
    middle = low[5] + 0.10 * unit * down
    breadth = 0.30 * float(np.linalg.norm(low[0] - low[-1]))
    canvas.disc(middle + (0.72 * breadth - 0.55 * unit) * down, 1.15 * breadth, tongue)
    # Teeth hang from the skull: they stay at the height of the nose while the jaw drops.
    bend = np.array([0.35, 0.65, 0.85, 0.95, 1.0, 1.0, 1.0, 0.95, 0.85, 0.65, 0.35])[:, None]
    teeth = np.concatenate([up - 0.3 * unit * down, (up + 0.62 * unit * bend * down)[::-1]])
    white = (
        skin * 1.05
        if identity.material != "none"
        else np.array([0.975, 0.965, 0.94]) * _in_mouth_light(identity, skin)
    )
    canvas.fill(smooth_loop(teeth, 0.8), white)
    lower = np.concatenate([low + 0.3 * unit * down, (low - 0.20 * unit * bend * down)[::-1]])
    canvas.fill(smooth_loop(lower, 0.8), white * 0.93, 0.9)
