"""What `species` describes, drawn: ears, horns, snouts and beaks, wool, spines, manes and beards."""

from __future__ import annotations

import numpy as np

from .canvas import Canvas, smooth_line, smooth_loop, tapered
from .head import Skull
from .palettes import hex_colour, toned
from .scene import Scene
from .sight import Sight
from .species import SPECIES, EarKind
from .styles import Identity

OUTLINES = {
    # Fur beside the head: x in half breadths of the skull, y in centimetres, from the crown down
    "round": ((0.0, 13.2), (0.45, 12.6), (0.92, 9.4), (1.14, 4.4), (1.16, 0.2), (1.18, -3.0), (1.08, -5.4), (0.90, -7.2), (0.66, -8.4)),
    "ruff": ((0.0, 13.0), (0.45, 12.4), (0.92, 9.2), (1.12, 4.4), (1.20, 0.6), (1.50, -2.6), (1.24, -3.8), (1.34, -6.0), (0.98, -6.8), (0.76, -8.8)),
    "sleek": ((0.0, 12.2), (0.45, 11.6), (0.86, 9.0), (1.03, 4.6), (1.03, 0.2), (0.99, -3.2), (0.86, -6.0), (0.60, -8.2)),
}  # fmt: skip

_ROUND = np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False)
EAR_SHAPES = {
    # Outlines (across, along), in half breadths and lengths
    "round": np.stack([np.cos(_ROUND) * (1.0 - 0.12 * np.sin(_ROUND)), 0.45 + 0.62 * np.sin(_ROUND)], axis=1),
    "pointed": np.array([[-1.0, -0.25], [-0.75, 0.35], [-0.12, 0.98], [0.12, 0.98], [0.75, 0.35], [1.0, -0.25]]),
    "leaf": np.array([[-0.4, -0.1], [-0.9, 0.3], [-0.8, 0.62], [-0.25, 0.97], [0.25, 0.97], [0.8, 0.62], [0.9, 0.3], [0.4, -0.1]]),
    "floppy": np.array([[-1.0, -0.3], [-0.85, 0.35], [-0.3, 0.8], [0.55, 1.0], [0.75, 0.85], [0.95, 0.35], [1.0, -0.3]]),
}  # fmt: skip


def draw_ears_and_horns(scene: Scene) -> None:
    """What stands out behind the head."""
    species = SPECIES[scene.identity.animal]
    if "mane" in species.grown:
        _draw_mane(scene)
    for horn in species.horns:
        for side in (-1.0, 1.0):
            line = scene.see(np.array([(side * x, y, -2.5) for x, y in horn.points]))
            widths = np.linspace(horn.root, horn.tip, len(line)) * scene.unit
            colour = scene.lit(hex_colour(horn.colour), (0.25 * side, 0.35, 0.9))
            _outlined(scene, tapered(line, widths), colour)
            light = line + np.array([-0.12, -0.08]) * widths[:, None]
            scene.canvas.fill(tapered(light, 0.35 * widths), np.minimum(1.18 * colour, 1.0), 0.6)
            if horn.knob:
                scene.canvas.disc(line[-1], horn.knob * scene.unit, colour * 0.45)
    if species.ears is not None:
        for side in (-1.0, 1.0):
            _draw_ear(scene, species.ears, side)


def _outlined(scene: Scene, path: object, colour: np.ndarray) -> None:
    identity = scene.identity
    if identity.outline:
        scene.canvas.stroke(path, toned(identity.hair, -0.35, 0.6), 2.0 * identity.outline * scene.unit)
    scene.canvas.fill(path, colour)


def _draw_ear(scene: Scene, ears: EarKind, side: float) -> None:
    identity = scene.identity
    species = SPECIES[identity.animal]
    angle = np.radians(ears.angle)
    x, y, z = ears.place

    def seen(flat: np.ndarray) -> np.ndarray:
        across, along = ears.broad * flat[:, 0], ears.long * flat[:, 1]
        outline = np.empty((len(flat), 3))
        outline[:, 0] = side * (x + across * np.cos(angle) + along * np.sin(angle))
        outline[:, 1] = y - across * np.sin(angle) + along * np.cos(angle)
        outline[:, 2] = z - 0.05 * along
        return scene.see(outline)

    shape = EAR_SHAPES[ears.shape]
    normal = scene.pose[:3, :3] @ np.array([side * 0.35, 0.1, 0.93])
    fur = scene.lit(species.colour(ears.colour, identity.skin, identity.trim), normal)
    tension = 0.9 if ears.shape != "pointed" else 0.7
    if ears.tuft:
        tip, root = seen(np.array([[0.0, 1.0], [0.0, 0.6]]))
        away = (tip - root) / max(float(np.linalg.norm(tip - root)), 1e-6)
        for lean in (-0.35, 0.0, 0.35):
            end = tip + ears.tuft * scene.unit * (away + lean * np.array([-away[1], away[0]]))
            line = np.stack([root, 0.5 * (tip + end), end])
            scene.canvas.fill(tapered(line, scene.unit * np.array([0.9, 0.5, 0.05])), fur * 0.85)
    _outlined(scene, smooth_loop(seen(shape), tension), fur)
    middle = np.array([0.0, 0.42])
    inside = scene.lit(species.colour(ears.inside, identity.skin, identity.trim), normal)
    scene.canvas.fill(smooth_loop(seen(middle + 0.60 * (shape - middle)), tension), inside)


def draw_grown(scene: Scene, skull: Skull, points: np.ndarray) -> None:
    """What lies before the head: wool, spines, a forelock, a beard, a chick's tuft; `points` are its landmarks."""
    species = SPECIES.get(scene.identity.animal)
    grown = species.grown if species else ()
    if "wool" in grown:
        _draw_wool(scene, skull)
    if "spines" in grown:
        _draw_spines(scene, skull)
    if "forelock" in grown:
        _draw_locks(scene, skull, (-26.0, 26.0), 84.0, 5.2, 8)
    if "tuft" in grown:
        _draw_tuft(scene)
    if "beard" in grown:
        _draw_beard(scene, points)


def draw_wool_behind(scene: Scene, outline: np.ndarray) -> None:
    """Balls of wool along the outline ``(N, 2)`` of the fur behind a sheep's head."""
    rng = np.random.default_rng(scene.identity.seed + 6)
    colour = _grown_colour(scene)
    closed = np.concatenate([outline, outline[:1]])
    steps = np.linspace(0.0, len(outline), 44, endpoint=False)
    for step in steps:
        start = int(step)
        place = closed[start] + (step - start) * (closed[start + 1] - closed[start])
        _ball(scene, place, scene.unit * rng.uniform(1.5, 2.0), colour * rng.uniform(0.90, 0.98))


def draw_spines_behind(scene: Scene, outline: np.ndarray) -> None:
    """Spines all around a hedgehog's head, but for its throat."""
    rng = np.random.default_rng(scene.identity.seed + 6)
    dark, light = _grown_colour(scene), scene.lit(hex_colour("#E6D3B0"), (0.0, 0.4, 0.9))
    centre = outline.mean(axis=0)
    closed = np.concatenate([outline, outline[:1]])
    for layer, (reach, length) in enumerate(((1.12, 3.0), (1.0, 3.0), (0.88, 2.6))):
        steps = np.linspace(0.0, len(outline), 90, endpoint=False) + 0.3 * layer
        for step in steps % len(outline):
            start = int(step)
            place = closed[start] + (step - start) * (closed[start + 1] - closed[start])
            away = place - centre
            if away[1] > 0.72 * np.ptp(outline[:, 1]) * 0.5:
                continue
            away /= max(float(np.linalg.norm(away)), 1e-6)
            away = away + rng.normal(0.0, 0.10, 2)
            root = centre + reach * 0.92 * (place - centre)
            tip = root + scene.unit * rng.uniform(0.7, 1.0) * length * away
            _spine(scene, root, tip, dark * rng.uniform(0.8, 1.1), light)


def _spine(scene: Scene, root: np.ndarray, tip: np.ndarray, dark: np.ndarray, light: np.ndarray) -> None:
    line = np.stack([root, 0.5 * (root + tip), tip])
    scene.canvas.fill(tapered(line, scene.unit * np.array([0.55, 0.42, 0.04])), np.clip(dark, 0.0, 1.0))
    end = np.stack([0.35 * root + 0.65 * tip, 0.2 * root + 0.8 * tip, tip])
    scene.canvas.fill(tapered(end, scene.unit * np.array([0.30, 0.22, 0.03])), light, 0.9)


def _grown_colour(scene: Scene) -> np.ndarray:
    return scene.lit(hex_colour(SPECIES[scene.identity.animal].grown_colour), (0.0, 0.4, 0.9))


def _on_skull(
    skull: Skull, azimuth: np.ndarray, elevation: np.ndarray, above: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Points on the skull and their normals, ``(N, 3)`` each; degrees, azimuth 0 in front."""
    turn, rise = np.radians(azimuth), np.radians(elevation)
    direction = np.stack([np.sin(turn) * np.cos(rise), np.sin(rise), np.cos(turn) * np.cos(rise)], axis=1)
    surface = direction / np.linalg.norm(direction / skull.radii, axis=1, keepdims=True)
    normals = skull.outwards(skull.centre + surface)
    return skull.centre + surface + above * normals, normals


def _ball(scene: Scene, place: np.ndarray, radius: float, colour: np.ndarray) -> None:
    shades = [np.minimum(1.06 * colour, 1.0), colour, 0.86 * colour]
    light = np.array(scene.identity.light[:2]) * [0.4, -0.5]
    scene.canvas.ball(place, radius, [tuple(np.clip(one, 0.0, 1.0)) for one in shades], light)


def _draw_wool(scene: Scene, skull: Skull) -> None:
    """A cap of curls from the forehead to the crown."""
    rng = np.random.default_rng(scene.identity.seed + 7)
    azimuth, elevation = np.meshgrid(np.linspace(-78.0, 78.0, 9), (88.0, 72.0, 58.0, 46.0))
    azimuth = azimuth.ravel() + rng.normal(0.0, 4.0, azimuth.size)
    # The cap ends higher in the middle of the forehead than at the temples.
    elevation = elevation.ravel() + rng.normal(0.0, 2.0, azimuth.size) - 0.10 * np.abs(azimuth)
    points, normals = _on_skull(skull, azimuth, elevation, 0.3)
    facing = normals @ scene.pose[2, :3]
    places = scene.see(points)
    colour = _grown_colour(scene)
    for k in np.argsort(facing, kind="stable"):
        if facing[k] > -0.1:
            _ball(
                scene,
                places[k],
                scene.unit * rng.uniform(1.25, 1.65),
                colour * (0.86 + 0.14 * max(0.0, facing[k])),
            )


def _draw_spines(scene: Scene, skull: Skull) -> None:
    """Rows of spines over the crown and down to the forehead."""
    rng = np.random.default_rng(scene.identity.seed + 8)
    dark, light = _grown_colour(scene), scene.lit(hex_colour("#E6D3B0"), (0.0, 0.4, 0.9))
    for elevation in (86.0, 76.0, 66.0, 57.0, 49.0):
        azimuth = np.linspace(-85.0, 85.0, 19) + rng.normal(0.0, 2.0, 19)
        rise = elevation - 0.10 * np.abs(azimuth) + rng.normal(0.0, 1.5, 19)
        roots, normals = _on_skull(skull, azimuth, rise)
        tips = scene.see(roots + normals * 1.3 + [0.0, 1.7, -0.8])
        for root, tip, facing in zip(scene.see(roots), tips, normals @ scene.pose[2, :3], strict=True):
            if facing > -0.15:
                _spine(scene, root, tip, dark * rng.uniform(0.8, 1.1), light)


def _draw_locks(
    scene: Scene, skull: Skull, azimuths: tuple[float, float], top: float, length: float, count: int
) -> None:
    """Locks that hang from the crown over the forehead."""
    rng = np.random.default_rng(scene.identity.seed + 9)
    colour = _grown_colour(scene)
    for azimuth in np.linspace(*azimuths, count):
        fall = np.linspace(0.0, rng.uniform(0.75, 1.1) * length * 7.0, 4)
        bend = azimuth + rng.normal(0.0, 6.0) * np.linspace(0.0, 1.0, 4)
        points, _ = _on_skull(skull, bend, top - fall, 0.4)
        widths = scene.unit * np.array([1.3, 1.5, 1.0, 0.08])
        scene.canvas.fill(
            tapered(scene.see(points), widths), np.clip(colour * rng.uniform(0.85, 1.35), 0.0, 1.0)
        )


def _draw_mane(scene: Scene) -> None:
    """Hair that stands up on the crown, behind the head."""
    rng = np.random.default_rng(scene.identity.seed + 10)
    colour = _grown_colour(scene)
    striped = SPECIES[scene.identity.animal].pattern == "stripes"
    for k, x in enumerate(np.linspace(-1.9, 1.9, 15)):
        height = 15.2 - 0.42 * x * x + rng.uniform(-0.4, 0.4)
        line = scene.see(
            np.array([(x, 10.0, -3.0), (1.05 * x, 0.5 * (10.0 + height), -3.4), (1.2 * x, height, -4.0)])
        )
        shade = (
            np.array([0.95, 0.94, 0.92])
            if striped and k % 4 == 1
            else np.clip(colour * rng.uniform(0.9, 1.3), 0, 1)
        )
        scene.canvas.fill(tapered(line, scene.unit * np.array([0.8, 0.7, 0.1])), shade)


def _draw_tuft(scene: Scene) -> None:
    """Three curls of down on the crown."""
    colour = _grown_colour(scene)
    for x in (-1.0, 0.0, 1.0):
        line = scene.see(
            np.array([(0.4 * x, 11.4, -2.0), (1.1 * x + 0.2, 13.4, -2.0), (2.2 * x + 0.5, 14.6, -2.2)])
        )
        scene.canvas.fill(
            tapered(line, scene.unit * np.array([0.7, 0.6, 0.1])), colour * (1.0 - 0.08 * abs(x))
        )


def _draw_beard(scene: Scene, points: np.ndarray) -> None:
    """A goat's beard: strands from the chin, which go with the jaw."""
    rng = np.random.default_rng(scene.identity.seed + 11)
    colour = _grown_colour(scene)
    down = points[152] - points[1]
    down = down / max(float(np.linalg.norm(down)), 1e-6)
    across = np.array([down[1], -down[0]])
    for x in rng.permutation(np.linspace(-1.0, 1.0, 11)):
        root = points[152] + scene.unit * (1.3 * x * across - 0.9 * down)
        tip = root + scene.unit * (rng.uniform(3.6, 4.6) * (1.0 - 0.35 * x * x) * down - 0.7 * x * across)
        line = np.stack([root, 0.5 * (root + tip), tip])
        scene.canvas.fill(
            tapered(line, scene.unit * np.array([0.75, 0.6, 0.05])), colour * rng.uniform(0.86, 1.0)
        )


def draw_species_nose(canvas: Canvas, identity: Identity, sight: Sight) -> None:
    """Snout, nostrils, beak or bill; the leather of a nose is `animals.draw_animal_nose`'s."""
    species = SPECIES[identity.animal]
    points, unit = sight.points, sight.unit
    light = sight.paint[1] / np.maximum(np.array(identity.skin), 0.08)
    colour = np.clip(
        np.array(hex_colour(species.nose_colour)) * (0.45 + 0.55 * np.minimum(light, 1.15)), 0.0, 1.0
    )
    across = 0.5 * (points[278] - points[48])
    down = points[2] - points[195]
    down = down / max(float(np.linalg.norm(down)), 1e-6) * float(np.linalg.norm(across))
    middle = points[1]

    def around(x: float, y: float, wide: float, high: float, lean: float = 0.0) -> np.ndarray:
        turn = _ROUND[:, None]
        return (
            middle + (x + wide * np.cos(turn) + lean * np.sin(turn)) * across + (y + high * np.sin(turn)) * down
        )  # fmt: skip

    if species.nose == "snout":
        rim = smooth_loop(around(0.0, 0.05, 1.35, 1.0))
        canvas.fill(rim, colour * 0.94)
        canvas.fill(smooth_loop(around(0.0, 0.0, 1.2, 0.86)), colour)
        canvas.stroke(rim, colour * 0.72, 0.14 * unit, alpha=0.7)
        for side in (-1.0, 1.0):
            canvas.fill(smooth_loop(around(0.45 * side, 0.05, 0.20, 0.34)), colour * 0.42)
    elif species.nose in ("nostrils", "flat"):
        wide, inwards, low = (0.36, 0.05, 0.35) if species.nose == "nostrils" else (0.20, 0.58, 0.30)
        for side, wing in ((-1.0, 48), (1.0, 278)):
            if sight.normals[wing, 2] < 0.05:
                continue
            place = points[wing] + inwards * (middle - points[wing]) - middle
            hole = smooth_loop(place + around(0.0, low, wide, 0.62 * wide, 0.22 * side * wide))
            canvas.stroke(hole, sight.paint[2] * 0.7, 0.30 * unit, alpha=0.5, blur=0.15 * unit)
            canvas.fill(hole, sight.paint[2] * 0.32)
        if species.nose == "flat":
            line = np.stack([around(x, y, 0.0, 0.0)[0] for x, y in ((-0.75, 0.1), (0.0, 0.62), (0.75, 0.1))])
            canvas.stroke(smooth_line(line), sight.paint[2] * 0.6, 0.14 * unit, alpha=0.6)
        else:
            crease = np.stack([middle + 0.9 * down, 0.5 * (middle + 0.9 * down + points[0]), points[0]])
            canvas.stroke(smooth_line(crease), sight.paint[2] * 0.55, 0.14 * unit, alpha=0.7)
    elif species.nose == "beak":
        top, tip = points[6], 0.45 * points[0] + 0.55 * points[2]
        side = 0.95 * across
        outline = np.stack(
            [top, 0.6 * top + 0.4 * middle + 0.5 * side, middle + side, 0.5 * (middle + tip) + 0.6 * side, tip,
             0.5 * (middle + tip) - 0.6 * side, middle - side, 0.6 * top + 0.4 * middle - 0.5 * side]
        )  # fmt: skip
        canvas.stroke(smooth_loop(outline, 0.8), colour * 0.5, 0.4 * unit, alpha=0.35, blur=0.25 * unit)
        canvas.fill(smooth_loop(outline, 0.8), colour)
        shaded = np.stack([top, middle + side, 0.5 * (middle + tip) + 0.6 * side, tip, 0.5 * (top + tip)])
        canvas.fill(smooth_loop(shaded, 0.6), colour * 0.82, 0.8)
        for place in (-1.0, 1.0):
            canvas.disc(middle + 0.42 * place * across - 0.25 * down, 0.14 * unit, colour * 0.35)
    elif species.nose == "bill":
        right, left = points[61], points[291]
        upper = np.stack(
            [right, 0.45 * right + 0.55 * points[48], points[198], points[197], points[420],
             0.45 * left + 0.55 * points[278], left, points[269], points[0], points[39]]
        )  # fmt: skip
        lower = points[[61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 317, 14, 87]]
        canvas.fill(smooth_loop(lower, 0.8), colour * 0.84)
        closed = np.concatenate([upper[:7], points[[312, 13, 82]]])
        canvas.stroke(smooth_loop(closed, 0.8), colour * 0.5, 0.4 * unit, alpha=0.3, blur=0.25 * unit)
        canvas.fill(smooth_loop(closed, 0.8), colour)
        canvas.fill(
            smooth_loop(around(0.0, -0.35, 0.34, 0.55)),
            np.minimum(1.2 * colour + 0.05, 1.0),
            0.5,
            blur=0.3 * unit,
        )
        for side in (-1.0, 1.0):
            canvas.fill(smooth_loop(around(0.38 * side, -0.5, 0.09, 0.17)), colour * 0.45)
