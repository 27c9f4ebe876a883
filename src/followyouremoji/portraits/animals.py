"""Features of animals: fur around the head, ears of their kind, a muzzle with nose and whiskers."""

from typing import Any

import numpy as np

from .canvas import Canvas, smooth_line, smooth_loop
from .coating import fur_coat
from .head import Skull
from .palettes import hex_colour, mixed, toned
from .scene import Scene
from .sight import Sight
from .species import SPECIES
from .species_features import (
    OUTLINES,
    draw_ears_and_horns,
    draw_species_nose,
    draw_spines_behind,
    draw_wool_behind,
)
from .styles import Identity


def draw_cheek_fur(scene: Scene, skull: Skull) -> None:
    """Fur that makes an animal's head broad and round: a crown behind the head and tufts at the cheeks."""
    identity, canvas = scene.identity, scene.canvas
    broad = skull.radii[0]
    right = [
        (0.0, 13.2), (0.45 * broad, 12.6), (0.92 * broad, 9.4), (1.14 * broad, 4.4), (1.16 * broad, 0.2),
        (1.42 * broad, -3.2), (1.16 * broad, -4.0), (1.20 * broad, -6.4), (0.92 * broad, -6.6), (0.78 * broad, -8.6),
    ]  # fmt: skip
    if identity.animal in ("bear", "panda", "mouse", "dog"):
        right[5:] = [(1.18 * broad, -3.0), (1.08 * broad, -5.4), (0.90 * broad, -7.2), (0.66 * broad, -8.4)]
    species = SPECIES.get(identity.animal)
    if species:
        right = [(x * broad, y) for x, y in OUTLINES[species.outline]]
    flat = np.array(right + [(-x, y) for x, y in right[:0:-1]])
    outline = np.column_stack([flat, np.full(len(flat), -3.0)])
    mane = toned(identity.skin, -0.22, 1.1) if identity.animal == "lion" else identity.skin
    colours = [scene.lit(mane, (0.0, 0.7, 0.7)), scene.lit(mane, (0.0, -0.5, 0.6))]
    lower = colours[1] if identity.animal != "fox" else np.array(identity.trim) * 0.92
    seen = scene.see(outline)
    if species:
        lower = scene.lit(species.colour(species.cheeks, identity.skin, identity.trim), (0.0, -0.5, 0.6))
        if "spines" in species.grown:
            draw_spines_behind(scene, seen)
    silhouette = smooth_loop(seen, 0.6)
    if identity.outline:
        canvas.stroke(silhouette, toned(identity.hair, -0.35, 0.6), 2.0 * identity.outline * scene.unit)
    canvas.fill_linear(silhouette, seen[0], seen[len(right) - 1], [colours[0], lower])
    _draw_fringe(scene, seen, [colours[0], lower], species.fringe if species else (0.15, 0.65))
    _cover_with_fur(scene, silhouette)
    if species and "wool" in species.grown:
        draw_wool_behind(scene, seen)


def _cover_with_fur(scene: Scene, silhouette: Any) -> None:
    """Fur that goes with the head's place and tilt."""
    coat = fur_coat(scene.identity)
    if coat is not None:
        scene.canvas.multiply(silhouette, coat, scene.see(np.zeros((1, 3)))[0], 14.0 * scene.unit / 256.0)


def _draw_fringe(
    scene: Scene, outline: np.ndarray, colours: list[np.ndarray], lengths: tuple[float, float]
) -> None:
    """Tufts that stand out along an outline, ``(N, 2)`` pixels, so that fur does not end like paper; their `lengths`
    are centimetres."""
    rng = np.random.default_rng(scene.identity.seed + 5)
    count = 18 * len(outline)
    place = np.arange(count) / 18.0
    start, fraction = place.astype(int), (place % 1.0)[:, None]
    around = [np.roll(outline, -k, axis=0)[start] for k in (-1, 0, 1, 2)]
    # Catmull-Rom, as the outline itself is drawn.
    tension = 0.6
    m1, m2 = 0.5 * tension * (around[2] - around[0]), 0.5 * tension * (around[3] - around[1])
    t2, t3 = fraction**2, fraction**3
    along = (
        (2 * t3 - 3 * t2 + 1) * around[1]
        + (t3 - 2 * t2 + fraction) * m1
        + (3 * t2 - 2 * t3) * around[2]
        + (t3 - t2) * m2
    )
    centre = outline.mean(axis=0)
    away = along - centre
    away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)
    lean = np.stack([-away[:, 1], away[:, 0]], axis=1) * np.sign(along[:, :1] - centre[0])
    length = scene.unit * rng.uniform(*lengths, (count, 1))
    tips = along + length * (away + 0.6 * lean)
    tall = np.ptp(outline[:, 1])
    upper = along[:, 1] < outline[:, 1].min() + 0.55 * tall
    for which, colour in ((upper, colours[0]), (~upper, colours[1])):
        roots = along - 0.5 * scene.unit * away
        segments = np.stack([np.flatnonzero(which), np.flatnonzero(which) + count], axis=1)
        scene.canvas.lines(np.concatenate([roots, tips]), segments, colour, 0.22 * scene.unit)


_ANIMAL_EARS = {
    # place (x, y, z), broad, long, lean outwards, pointed
    "cat": ((5.6, 8.4, -2.5), 3.1, 5.6, 0.22, True),
    "fox": ((5.4, 8.6, -2.5), 3.2, 6.4, 0.20, True),
    "dog": ((7.4, 7.2, -3.0), 3.0, -7.4, 0.30, False),
    "bear": ((6.2, 8.8, -3.0), 3.1, 3.4, 0.45, False),
    "panda": ((6.2, 8.8, -3.0), 3.1, 3.4, 0.45, False),
    "mouse": ((7.0, 8.6, -3.5), 4.3, 5.0, 0.55, False),
    "tiger": ((6.0, 8.4, -3.0), 2.8, 3.2, 0.35, False),
    "lion": ((6.2, 8.2, -3.0), 2.8, 3.2, 0.40, False),
    "koala": ((7.6, 6.8, -3.5), 4.0, 4.2, 0.55, False),
    "rabbit": ((3.4, 9.6, -3.5), 2.1, 8.2, 0.16, False),
}


def draw_animal_ears(scene: Scene, behind: bool) -> bool:
    """Draw the ears behind (or before) the head; whether any is left for the other call."""
    identity, canvas = scene.identity, scene.canvas
    if identity.animal in SPECIES:
        if behind:
            draw_ears_and_horns(scene)
        return False
    place, broad, long, lean, pointed = _ANIMAL_EARS[identity.animal]
    hanging = long < 0.0
    if not (hanging or behind):
        return False
    fur = (
        hex_colour("#38353A")
        if identity.animal == "panda"
        else toned(identity.skin, -0.12)
        if hanging
        else identity.skin
    )
    skin = mixed(identity.trim, hex_colour("#E8A0A0"), 0.55)
    for side in (-1.0, 1.0):
        # A hanging ear lies before the cheek, except on the side that is turned away.
        turned_away = (scene.pose[:3, :3] @ np.array([side, 0.0, 0.0]))[2] < -0.12
        if (turned_away or not hanging) != behind:
            continue
        if pointed:
            flat = np.array(
                [[-1.0, -0.25], [-0.75, 0.35], [-0.12, 0.98], [0.12, 0.98], [0.75, 0.35], [1.0, -0.25]]
            )
        else:
            turn = np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False)
            flat = np.stack([np.cos(turn) * (1.0 - 0.12 * np.sin(turn)), 0.45 + 0.62 * np.sin(turn)], axis=1)
        outline = np.zeros((len(flat), 3))
        outline[:, 0] = side * (place[0] + broad * flat[:, 0] + lean * abs(long) * flat[:, 1])
        outline[:, 1] = place[1] + long * flat[:, 1]
        outline[:, 2] = place[2] + (0.6 if hanging else -0.15) * np.abs(long) * flat[:, 1] * 0.3
        seen = scene.see(outline)
        normal = scene.pose[:3, :3] @ np.array([side * 0.35, 0.1, 0.93])
        colour = scene.lit(fur, normal)
        silhouette = smooth_loop(seen, 0.8)
        if identity.outline:
            canvas.stroke(silhouette, toned(identity.hair, -0.35, 0.6), 2.0 * identity.outline * scene.unit)
        canvas.fill(silhouette, colour)
        _cover_with_fur(scene, silhouette)
        if not hanging and identity.animal not in ("panda",):
            middle = seen.mean(axis=0)
            canvas.fill(
                smooth_loop(middle + 0.58 * (seen - middle), 0.8),
                scene.lit(skin, normal),
            )
    return hanging


def draw_animal_nose(canvas: Canvas, identity: Identity, sight: Sight) -> None:
    """A muzzle: pads, a nose of the animal's colour, the line below it, whiskers."""
    species = SPECIES.get(identity.animal)
    if species and species.nose != "leather":
        draw_species_nose(canvas, identity, sight)
        return
    points, unit = sight.points, sight.unit
    left, right, tip, under = points[48], points[278], points[195], points[2]
    across = right - left
    down = under - tip
    middle = points[1]
    colour = (
        hex_colour("#D9868A")
        if identity.animal in ("rabbit", "mouse") or (identity.animal == "cat" and identity.marking > 0.5)
        else hex_colour(species.nose_colour if species else "#2D2526")
    )
    outline = np.stack(
        [
            middle - 0.52 * across - 0.18 * down,
            middle - 0.28 * across - 0.38 * down,
            middle + 0.28 * across - 0.38 * down,
            middle + 0.52 * across - 0.18 * down,
            middle + 0.20 * across + 0.14 * down,
            middle + 0.30 * down,
            middle - 0.20 * across + 0.14 * down,
        ]
    )
    for pad in (points[[37, 206]].mean(axis=0), points[[267, 426]].mean(axis=0)):
        shade = np.minimum(
            np.array(identity.trim) * (0.4 + 0.6 * sight.paint[2] / np.maximum(identity.skin, 0.1)), 1.0
        )
        canvas.disc(pad + np.array([0.0, 0.1 * unit]), 1.55 * unit, shade, 0.85, blur=0.35 * unit)
    canvas.fill(smooth_loop(outline), colour)
    canvas.disc(middle - 0.14 * across - 0.16 * down, 0.22 * unit, (1.0, 1.0, 1.0), 0.45, blur=0.06 * unit)
    philtrum = np.stack([middle + 0.28 * down, 0.5 * (middle + 0.28 * down + points[0]), points[0]])
    canvas.stroke(smooth_line(philtrum), toned(identity.skin, -0.32, 0.7), 0.14 * unit, alpha=0.8)
    for side, root in ((-1.0, points[206]), (1.0, points[426])):
        for k in (-1.0, 0.0, 1.0):
            start = root + np.array([0.0, 0.45 * k * unit])
            bend = start + np.array([side * 2.6, 0.1 + 0.55 * k]) * unit
            stop = start + np.array([side * 4.6, 0.7 + 0.9 * k]) * unit
            if identity.animal in ("cat", "mouse", "rabbit", "fox") or (species and species.whiskers):
                canvas.stroke(
                    smooth_line(np.stack([start, bend, stop])), (1.0, 0.99, 0.96), 0.09 * unit, alpha=0.6
                )
            canvas.disc(start, 0.09 * unit, toned(identity.skin, -0.25, 0.7), 0.6)
