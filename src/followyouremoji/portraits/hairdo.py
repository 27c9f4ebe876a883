"""Hair that does not lie on the skull: buns and tails, plaits, curls."""

import numpy as np

from .canvas import smooth_loop, tapered
from .head import HAIR_COLUMNS, Skull, Surface, turned
from .palettes import toned
from .scene import Scene


def draw_gathered_hair(scene: Scene, skull: Skull) -> None:
    """A bun on top, or a tail at the back, in its place on the head."""
    identity, unit = scene.identity, scene.unit
    if identity.hair_style == "bun":
        centre = scene.see(np.array([[0.0, skull.centre[1] + 12.0, -5.0]]))[0]
        colours = [toned(identity.hair, 0.07), identity.hair, toned(identity.hair, -0.07)]
        scene.canvas.ball(centre, 3.3 * identity.hair_volume**0.5 * unit, colours)
    elif identity.hair_style == "pigtails":
        for side in (-1.0, 1.0):
            path = np.array(
                [
                    [side * 7.6, 5.0, -5.0],
                    [side * 10.4, 5.6, -5.0],
                    [side * 12.2, 2.0, -5.0],
                    [side * 12.0, -4.0, -5.0],
                    [side * 10.8, -9.0, -5.0],
                ]
            )
            widths = unit * identity.hair_volume**0.5 * np.array([1.8, 4.2, 4.8, 3.8, 0.6])
            seen = scene.see(path)
            scene.canvas.fill(tapered(seen, widths), toned(identity.hair, -0.04))
            scene.canvas.fill(
                tapered(seen - [0.3 * unit, 0.2 * unit], 0.4 * widths), toned(identity.hair, 0.03), 0.7
            )
            scene.canvas.disc(seen[0], 1.0 * unit, identity.accent)
    elif identity.hair_style == "ponytail":
        side = 1.0 if identity.sweep > 0 else -1.0
        t = np.linspace(0.0, 1.0, 7)[:, None]
        path = (
            np.array([side * 3.0, 9.5, -10.0])
            + t * [side * 13.0, 7.0, -1.0]
            + t**2 * [side * -3.0, -22.0, 0.0]
        )
        widths = unit * identity.hair_volume**0.5 * np.array([3.2, 4.6, 5.2, 5.2, 4.6, 3.2, 0.8])
        seen = scene.see(path)
        scene.canvas.fill(tapered(seen, widths), toned(identity.hair, -0.05))
        scene.canvas.fill(
            tapered(seen[:6] - [0.3 * unit, 0.2 * unit], 0.45 * widths[:6]), toned(identity.hair, 0.03), 0.7
        )


def draw_curls(scene: Scene, hair: Surface, behind: bool) -> None:
    """Curls as balls along the rim and over the mass of the hair."""
    identity = scene.identity
    if identity.hair_style not in ("curly", "afro"):
        return
    chosen = hair.vertices.reshape(-1, HAIR_COLUMNS, 3)[1::2, ::6].reshape(-1, 3)
    normals = hair.normals().reshape(-1, HAIR_COLUMNS, 3)[1::2, ::6].reshape(-1, 3) @ scene.pose[:3, :3].T
    depth = turned(chosen, scene.pose)[:, 2]
    wanted = np.flatnonzero((normals[:, 2] < 0.05) == behind)
    bright, dark = toned(identity.hair, 0.045), toned(identity.hair, -0.05)
    radius = (1.55 if identity.hair_style == "curly" else 1.8) * scene.unit
    places = scene.see(chosen)
    light = np.array(identity.light[:2]) * [0.5, -0.5]
    for k in wanted[np.argsort(depth[wanted])]:
        scene.canvas.ball(places[k], radius, [bright, identity.hair, dark], light)


def draw_plaits(scene: Scene, skull: Skull) -> None:
    """Two plaits that hang from behind the ears over the shoulders."""
    identity, unit = scene.identity, scene.unit
    if identity.hair_style != "braids":
        return
    links = int(4 + 0.5 * identity.hair_length)
    colour = scene.lit(identity.hair, (0.0, 0.1, 0.99))
    for side in (-1.0, 1.0):
        t = np.linspace(0.0, 1.0, links)
        path = np.stack(
            [
                side * (skull.radii[0] + 0.3 + 1.2 * np.sin(2.0 * t)),
                -2.0 - (3.0 + identity.hair_length) * t,
                -2.0 + 0.0 * t,
            ],
            axis=1,
        )
        seen = scene.see(path)
        for k, place in enumerate(seen):
            broad = unit * (1.35 - 0.45 * t[k]) * identity.hair_volume**0.5
            for half in (-1.0, 1.0):
                link = np.array([[-0.1, -0.9], [0.9, -0.55], [0.75, 0.35], [0.0, 0.75]]) * [half, 1.0] * broad
                scene.canvas.fill(smooth_loop(place + link, 0.8), colour * (1.0 if half < 0 else 0.86))
        scene.canvas.disc(seen[-1] + [0.0, 0.6 * unit], 0.75 * unit, identity.accent)
