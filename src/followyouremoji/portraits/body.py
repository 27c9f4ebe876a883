"""Neck, shoulders and clothes. The shoulders follow the head's place but do not turn with it."""

import numpy as np

from .anatomy import face_at_rest
from .canvas import polygon, smooth_line, smooth_loop
from .coating import cloth_coat, fur_coat, head_coat
from .head import Skull, skull_behind
from .palettes import toned
from .scene import Scene
from .species import SPECIES


def draw_body(scene: Scene) -> None:
    """Neck, shoulders and collar."""
    identity, canvas, unit = scene.identity, scene.canvas, scene.unit

    def seen(*points: tuple[float, float]) -> np.ndarray:
        flat = np.array(points)
        return scene.see_body(np.column_stack([flat, np.full(len(flat), -3.0)]))

    chin = float(face_at_rest(identity.shape)[152, 1])
    base = chin - 3.6
    half = 4.8 * identity.neck * identity.shape.width
    broad = 16.0 * identity.shoulders
    right = [
        (half + 0.1, base + 0.9),
        (half + 3.4, base - 0.6),
        (0.72 * broad, base - 2.0),
        (0.93 * broad, base - 4.6),
        (broad, base - 16.0),
    ]
    outline = [*right, *((-x, y) for x, y in right[::-1])]
    furry = identity.animal != "none" and identity.collar == "none"
    worn = toned(identity.skin, -0.03) if furry else identity.clothes
    cloth = [scene.lit(worn, (0.0, 0.5, 0.85)), scene.lit(worn, (0.0, -0.5, 0.85))]
    skin = scene.lit(identity.skin, (0.0, -0.1, 0.99))
    body = seen(*outline)
    silhouette = smooth_loop(body, 0.8)
    canvas.fill_linear(silhouette, body[0], body[4], [cloth[0], cloth[1]])
    coat = cloth_coat(identity) if identity.material == "none" else head_coat(identity)
    if coat is not None and not furry:
        canvas.multiply(silhouette, coat, body[0], 9.0 * unit / 256.0)
    if identity.outline:
        canvas.stroke(silhouette, toned(identity.hair, -0.35, 0.6), identity.outline * unit)
    if furry:
        fur = fur_coat(identity)
        if fur is not None:
            canvas.multiply(silhouette, fur, body[0], 16.0 * unit / 256.0)
        species = SPECIES.get(identity.animal)
        if species and species.chest == "skin":
            head = scene.see(np.array([[half, -4.0, -3.5], [-half, -4.0, -3.5]]))
            neck = polygon(np.concatenate([head, seen((-half - 1.4, base - 2.4), (half + 1.4, base - 2.4))]))
            canvas.fill_linear(neck, head[0], seen((half, base - 1.0))[0], [0.72 * cloth[0], cloth[0]])
            if fur is not None:
                canvas.multiply(neck, fur, body[0], 16.0 * unit / 256.0)
            return
        chest = seen(*((3.4 * np.sin(t), base - 3.0 + 6.5 * np.cos(t)) for t in np.linspace(0.0, 5.5, 8)))
        canvas.fill(
            smooth_loop(chest), scene.lit(identity.trim, (0.0, 0.1, 0.99)) * 0.92, 0.8, blur=0.8 * unit
        )
        return
    depth = {"round": 2.2, "v": 4.4, "shirt": 3.2, "hood": 2.0, "high": 0.5}[identity.collar]
    wide = half + 0.55
    bend = np.linspace(-1.0, 1.0, 9)
    fall = np.abs(bend) if identity.collar in ("v", "shirt") else bend**2
    neckline = seen(
        *((wide * x, base + 0.9 - (depth + 0.7) * (1.0 - y)) for x, y in zip(bend, fall, strict=True))
    )
    top = scene.see(np.array([[half, -4.0, -3.5], [-half, -4.0, -3.5]]))
    start, stop = scene.see(np.array([[0.0, chin + 1.0, -1.0]]))[0], seen((0.0, base - 0.5))[0]
    bare = polygon(np.concatenate([top, neckline]))
    canvas.fill_linear(bare, start, stop, [skin * 0.68, skin * 0.93])
    trim = scene.lit(identity.trim, (0.0, 0.3, 0.9))
    if identity.collar == "high":
        rolled = seen(
            (-wide + 0.2, base + 2.6),
            (0.0, base + 1.7),
            (wide - 0.2, base + 2.6),
            (wide + 0.9, base - 0.6),
            (0.0, base - 2.4),
            (-wide - 0.9, base - 0.6),
        )
        canvas.fill(smooth_loop(rolled, 0.7), cloth[0] * 0.93)
    elif identity.collar == "shirt":
        for side in (-1.0, 1.0):
            flap = seen(
                (side * (wide - 0.2), base + 1.6),
                (side * (wide + 1.7), base - 0.9),
                (side * 2.7, base - 4.4),
                (0.0, base - depth + 0.2),
            )
            canvas.fill(polygon(flap), trim)
    else:
        width = {"round": 0.8, "v": 0.8, "hood": 1.9}[identity.collar]
        canvas.stroke(
            smooth_line(neckline), trim if identity.collar != "hood" else cloth[0] * 0.86, width * unit
        )


def draw_wimple(scene: Scene) -> None:
    """The part of a headscarf that covers neck and chest."""
    identity = scene.identity
    chin = face_at_rest(identity.shape)[152]
    skull: Skull = skull_behind(face_at_rest(identity.shape))
    broad = skull.radii[0]
    head = scene.see(np.array([[-broad, -1.0, -2.5], [broad, -1.0, -2.5]]))
    low = np.array([(broad + 4.5, chin[1] - 8.0), (0.0, chin[1] - 10.5), (-broad - 4.5, chin[1] - 8.0)])
    chest = scene.see_body(np.column_stack([low, np.full(3, -3.0)]))
    colours = [
        scene.lit(identity.hat_colour, normal) * 0.9 for normal in ((0.0, 0.1, 0.99), (0.0, -0.4, 0.9))
    ]
    outline = np.concatenate([head, chest])
    scene.canvas.fill_linear(smooth_loop(outline, 0.6), outline[0], outline[3], colours)
    for fraction in (0.25, 0.5, 0.75):
        sides = np.stack(
            [
                outline[1] + fraction * (outline[2] - outline[1]),
                outline[0] + fraction * (outline[4] - outline[0]),
            ]
        )
        middle = sides.mean(axis=0) + np.array([0.0, (1.0 + 3.2 * fraction) * scene.unit])
        fold = smooth_line(np.stack([sides[0], middle, sides[1]]))
        scene.canvas.stroke(fold, colours[1] * 0.8, 0.35 * scene.unit, alpha=0.45, blur=0.12 * scene.unit)
