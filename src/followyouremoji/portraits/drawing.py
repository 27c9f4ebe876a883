"""Draw one picture: back to front, backdrop, hair behind, body, head, features, hair in front."""

from dataclasses import dataclass

import cv2
import numpy as np

from .anatomy import EMOJI_CENTRE, EMOJI_RADIUS, expressive_face, face_at_rest, place_eyes
from .canvas import Canvas, polygon, smooth_line, smooth_loop, tapered
from .features import (
    Sight,
    draw_brows,
    draw_eyes,
    draw_freckles,
    draw_glasses,
    draw_moustache,
    draw_mouth,
    draw_nose,
)
from .head import (
    HAIR_COLUMNS,
    HEAD_DISTANCE,
    PICTURE_CM,
    Skull,
    Surface,
    ear_outline,
    framing,
    head_pose,
    head_surface,
    skull_behind,
    to_picture,
    turned,
)
from .performance import Performance
from .shading import hair_of, hair_paint, hat_of, head_paint, lit
from .styles import Identity, hex_colour, mixed, toned


@dataclass(frozen=True)
class DrawnPortrait:
    """A picture and the exact truth about it.

    Attributes
    ----------
    picture : ``(size, size, 3)`` uint8 RGB
    points : ``(478, 2)`` landmarks in pixels
    vertices : ``(468, 3)`` the mesh in canonical space, centimetres
    pose : ``(4, 4)`` canonical to camera space; `head.to_picture` of the vertices gives the points
    """

    picture: np.ndarray
    points: np.ndarray
    vertices: np.ndarray
    pose: np.ndarray

    @property
    def expression_mask(self) -> np.ndarray:
        """Where the landmarks and their surroundings are, ``(size, size)`` bool."""
        from followyouremoji.face.drawing import expression_mask

        return expression_mask(self.points, self._size)

    @property
    def face_mask(self) -> np.ndarray:
        """Inside of the face oval, ``(size, size)`` bool."""
        from followyouremoji.face.drawing import face_mask

        return face_mask(self.points, self._size)

    @property
    def _size(self) -> tuple[int, int]:
        return self.picture.shape[1], self.picture.shape[0]


@dataclass(frozen=True)
class _Scene:
    """Canvas, identity and camera of the picture being drawn."""

    canvas: Canvas
    identity: Identity
    pose: np.ndarray
    body: np.ndarray
    unit: float

    def see(self, points: np.ndarray) -> np.ndarray:
        return to_picture(points, self.pose, self.canvas.side)

    def see_body(self, points: np.ndarray) -> np.ndarray:
        """Like `see`, for what does not turn with the head."""
        return to_picture(points, self.body, self.canvas.side)


def draw_portrait(identity: Identity, performance: Performance, size: int = 256) -> DrawnPortrait:
    """Draw an identity in a moment of a performance.

    Parameters
    ----------
    size : pixels of the square picture's side; it is drawn at twice that and halved

    Returns
    -------
    The picture with its landmarks. The face's bounding box is about half as large as the picture.
    """
    staged = Performance(
        performance.controls,
        performance.gaze,
        performance.yaw,
        performance.pitch,
        performance.roll,
        (performance.shift[0] + identity.offset[0], performance.shift[1] + identity.offset[1]),
        performance.scale * identity.scale * framing(identity.shape),
    )
    pose = head_pose(staged)
    body = head_pose(Performance(shift=staged.shift, scale=staged.scale))
    side = 2 * size
    scene = _Scene(Canvas(side), identity, pose, body, side / PICTURE_CM * staged.scale)
    face = expressive_face(identity.shape, np.array(performance.controls))
    irises = place_eyes(identity.shape, performance.gaze)
    points = scene.see(np.concatenate([face, irises]))

    scene.canvas.backdrop(identity.backdrop, identity.backdrop_edge)
    if identity.style == "emoji":
        _draw_ball(scene, points, face)
    else:
        _draw_head(scene, points, face)
    halved = cv2.resize(scene.canvas.picture(), (size, size), interpolation=cv2.INTER_AREA)
    return DrawnPortrait(halved, 0.5 * points, face, pose)


def _draw_head(scene: _Scene, points: np.ndarray, face: np.ndarray) -> None:
    canvas, identity = scene.canvas, scene.identity
    skull = skull_behind(face_at_rest(identity.shape))
    head = head_surface(face, skull)
    hair = hair_of(identity)

    if hair is not None:
        _draw_gathered_hair(scene, skull)
        _draw_surface(
            scene, hair, np.tile(np.array(toned(identity.hair, -0.03)), (len(hair.vertices), 1)), inside=True
        )
        _draw_curls(scene, hair, behind=True)
    _draw_body(scene)
    if identity.style == "animal":
        _draw_cheek_fur(scene, skull)
    nearer = _draw_ears(scene, skull, behind=True)
    normals = _soft_normals(head, skull, scene.pose, 0.35 if identity.style == "stone" else 0.5)
    colours = lit(identity, head_paint(identity), normals)
    _draw_sorted(scene, head, colours)
    sight = Sight(points, colours[:468], normals[:468], scene.unit)
    draw_nose(canvas, identity, sight)
    draw_freckles(canvas, identity, sight)
    draw_moustache(canvas, identity, sight)
    draw_mouth(canvas, identity, sight)
    draw_eyes(canvas, identity, sight)
    draw_brows(canvas, identity, sight)
    draw_glasses(canvas, identity, sight)
    if nearer:
        _draw_ears(scene, skull, behind=False)
    if hair is not None:
        _draw_surface(scene, hair, hair_paint(identity))
        _draw_curls(scene, hair, behind=False)
    hat = hat_of(identity)
    if hat is not None:
        _draw_surface(scene, *hat)


def _soft_normals(head: Surface, skull: Skull, pose: np.ndarray, softness: float) -> np.ndarray:
    """Normals in camera space between those of the mesh and of the smooth skull: a drawing's soft relief."""
    normals = (1.0 - softness) * head.normals() + softness * skull.outwards(head.vertices)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    rotation = pose[:3, :3]
    return normals @ rotation.T


def _front_facing(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    a, b, c = (points[triangles[:, k]] for k in range(3))
    # Pixel rows run down, so counter-clockwise triangles have a negative area.
    return (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0]) < 0.0


def _draw_sorted(scene: _Scene, surface: Surface, colours: np.ndarray, inside: bool = False) -> None:
    """Draw the triangles that show their outer (or inner) side, far ones first."""
    points = scene.see(surface.vertices)
    seen = surface.triangles[_front_facing(points, surface.triangles) != inside]
    depth = turned(surface.vertices, scene.pose)[:, 2]
    seen = seen[np.argsort(depth[seen].sum(axis=1), kind="stable")]
    scene.canvas.mesh(points, seen, colours)


def _draw_surface(scene: _Scene, surface: Surface, paint: np.ndarray, inside: bool = False) -> None:
    normals = surface.normals() @ scene.pose[:3, :3].T
    if inside:
        colours = lit(scene.identity, paint, np.tile([0.0, -0.3, 0.3], (len(paint), 1)))
    else:
        colours = lit(scene.identity, paint, normals)
    _draw_sorted(scene, surface, colours, inside)


def _draw_gathered_hair(scene: _Scene, skull: Skull) -> None:
    """A bun on top, or a tail at the back, in its place on the head."""
    identity, unit = scene.identity, scene.unit
    if identity.hair_style == "bun":
        centre = scene.see(np.array([[0.0, skull.centre[1] + 12.0, -5.0]]))[0]
        colours = [toned(identity.hair, 0.07), identity.hair, toned(identity.hair, -0.07)]
        scene.canvas.ball(centre, 3.3 * identity.hair_volume**0.5 * unit, colours)
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


def _draw_curls(scene: _Scene, hair: Surface, behind: bool) -> None:
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


def _draw_ears(scene: _Scene, skull: Skull, behind: bool) -> bool:
    """Draw the ears that lie behind (or before) the head; whether any is left for the other call."""
    identity, canvas = scene.identity, scene.canvas
    if identity.style == "animal":
        return _draw_animal_ears(scene, behind)
    left_over = False
    for side in (-1, 1):
        outline, normal = ear_outline(skull, side, identity.ears)
        outwards = (scene.pose[:3, :3] @ np.array([side, 0.0, 0.0]))[2]
        if (outwards < 0.18) != behind:
            left_over = True
            continue
        skin = lit(
            identity,
            np.array(identity.skin)[None],
            (scene.pose[:3, :3] @ (0.6 * normal + [side * 0.5, 0, 0]))[None],
        )[0]
        seen = scene.see(outline)
        canvas.fill(smooth_loop(seen), skin * 0.96)
        centre = seen.mean(axis=0)
        canvas.fill(smooth_loop(centre + 0.58 * (seen - centre)), skin * 0.78, 0.7)
        if identity.earrings:
            canvas.disc(seen[12] + [0.0, 0.25 * scene.unit], 0.42 * scene.unit, hex_colour("#F2C14E"))
            canvas.disc(
                seen[12] + [-0.12 * scene.unit, 0.12 * scene.unit], 0.14 * scene.unit, (1.0, 1.0, 0.9), 0.9
            )
    return left_over


def _draw_cheek_fur(scene: _Scene, skull: Skull) -> None:
    """Fur that makes an animal's head broad and round: a crown behind the head and tufts at the cheeks."""
    identity, canvas = scene.identity, scene.canvas
    broad = skull.radii[0]
    right = [
        (0.0, 13.2), (0.45 * broad, 12.6), (0.92 * broad, 9.4), (1.14 * broad, 4.4), (1.16 * broad, 0.2),
        (1.42 * broad, -3.2), (1.16 * broad, -4.0), (1.20 * broad, -6.4), (0.92 * broad, -6.6), (0.78 * broad, -8.6),
    ]  # fmt: skip
    if identity.animal in ("bear", "panda", "mouse", "dog"):
        right[5:] = [(1.18 * broad, -3.0), (1.08 * broad, -5.4), (0.90 * broad, -7.2), (0.66 * broad, -8.4)]
    flat = np.array(right + [(-x, y) for x, y in right[:0:-1]])
    outline = np.column_stack([flat, np.full(len(flat), -3.0)])
    colours = lit(identity, np.array([identity.skin] * 2), np.array([[0.0, 0.7, 0.7], [0.0, -0.5, 0.6]]))
    lower = colours[1] if identity.animal != "fox" else np.array(identity.trim) * 0.92
    seen = scene.see(outline)
    canvas.fill_linear(smooth_loop(seen, 0.6), seen[0], seen[len(right) - 1], [colours[0], lower])


_ANIMAL_EARS = {
    # place (x, y, z), broad, long, lean outwards, pointed
    "cat": ((5.6, 8.4, -2.5), 3.1, 5.6, 0.22, True),
    "fox": ((5.4, 8.6, -2.5), 3.2, 6.4, 0.20, True),
    "dog": ((7.4, 7.2, -3.0), 3.0, -7.4, 0.30, False),
    "bear": ((6.2, 8.8, -3.0), 3.1, 3.4, 0.45, False),
    "panda": ((6.2, 8.8, -3.0), 3.1, 3.4, 0.45, False),
    "mouse": ((7.0, 8.6, -3.5), 4.3, 5.0, 0.55, False),
    "rabbit": ((3.4, 9.6, -3.5), 2.1, 8.2, 0.16, False),
}


def _draw_animal_ears(scene: _Scene, behind: bool) -> bool:
    identity, canvas = scene.identity, scene.canvas
    place, broad, long, lean, pointed = _ANIMAL_EARS[identity.animal]
    hanging = long < 0.0
    if hanging == behind:
        return hanging
    fur = (
        hex_colour("#38353A")
        if identity.animal == "panda"
        else toned(identity.skin, -0.12)
        if hanging
        else identity.skin
    )
    skin = mixed(identity.trim, hex_colour("#E8A0A0"), 0.55)
    for side in (-1.0, 1.0):
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
        colour = lit(identity, np.array(fur)[None], normal[None])[0]
        canvas.fill(smooth_loop(seen, 0.8), colour)
        if not hanging and identity.animal not in ("panda",):
            middle = seen.mean(axis=0)
            canvas.fill(
                smooth_loop(middle + 0.58 * (seen - middle), 0.8),
                lit(identity, np.array(skin)[None], normal[None])[0],
            )
    return False


def _draw_body(scene: _Scene) -> None:
    """Neck, shoulders and collar. The shoulders follow the head's place but do not turn with it."""
    identity, canvas, unit = scene.identity, scene.canvas, scene.unit

    def seen(*points: tuple[float, float]) -> np.ndarray:
        flat = np.array(points)
        return scene.see_body(np.column_stack([flat, np.full(len(flat), -3.0)]))

    chin = float(face_at_rest(identity.shape)[152, 1])
    base = chin - 3.6
    half = (4.3 if identity.lashes > 0.45 else 5.0) * identity.shape.width
    broad = 16.0 * identity.shoulders
    right = [
        (half + 0.1, base + 0.9),
        (half + 3.4, base - 0.6),
        (0.72 * broad, base - 2.0),
        (0.93 * broad, base - 4.6),
        (broad, base - 16.0),
    ]
    outline = [*right, *((-x, y) for x, y in right[::-1])]
    cloth = lit(identity, np.array([identity.clothes] * 2), np.array([[0.0, 0.5, 0.85], [0.0, -0.5, 0.85]]))
    skin = lit(identity, np.array(identity.skin)[None], np.array([[0.0, -0.1, 0.99]]))[0]
    body = seen(*outline)
    canvas.fill_linear(smooth_loop(body, 0.8), body[0], body[4], [cloth[0], cloth[1]])

    depth = {"round": 2.2, "v": 4.4, "shirt": 3.2, "hood": 2.0, "high": 0.5}[identity.collar]
    wide = half + 0.55
    bend = np.linspace(-1.0, 1.0, 9)
    fall = np.abs(bend) if identity.collar in ("v", "shirt") else bend**2
    neckline = seen(
        *((wide * x, base + 0.9 - (depth + 0.7) * (1.0 - y)) for x, y in zip(bend, fall, strict=True))
    )
    top = scene.see(np.array([[half, -4.0, -3.5], [-half, -4.0, -3.5]]))
    start, stop = scene.see(np.array([[0.0, chin + 1.0, -1.0]]))[0], seen((0.0, base - 0.5))[0]
    canvas.fill_linear(polygon(np.concatenate([top, neckline])), start, stop, [skin * 0.68, skin * 0.93])
    trim = lit(identity, np.array([identity.trim]), np.array([[0.0, 0.3, 0.9]]))[0]
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


def _draw_ball(scene: _Scene, points: np.ndarray, face: np.ndarray) -> None:
    """An emoji: a ball whose face turns over it."""
    canvas, identity, unit = scene.canvas, scene.identity, scene.unit
    centre = scene.see(EMOJI_CENTRE[None])[0]
    distance = -turned(EMOJI_CENTRE[None], scene.pose)[0, 2]
    radius = EMOJI_RADIUS * canvas.side / PICTURE_CM * HEAD_DISTANCE / distance
    canvas.disc(centre + np.array([0.0, 0.55 * unit]), radius, (0.1, 0.06, 0.05), 0.28, blur=0.9 * unit)
    light = np.array(identity.light[:2]) * [0.75, -0.75]
    canvas.ball(
        centre, radius, [toned(identity.skin, 0.05), identity.skin, toned(identity.skin, -0.14, 1.15)], light
    )
    skull = Skull(EMOJI_CENTRE, np.full(3, EMOJI_RADIUS))
    normals = skull.outwards(face) @ scene.pose[:3, :3].T
    paint = lit(identity, np.tile(np.array(identity.skin), (468, 1)), normals, 0.5)
    sight = Sight(points, paint, normals, unit)
    for cheek in (50, 280):
        blush = 1.4 * unit * max(0.25, float(normals[cheek, 2]))
        canvas.disc(
            points[cheek] + [0.0, 0.6 * unit],
            blush,
            hex_colour("#FF6A4A"),
            0.45 * identity.blush,
            blur=0.6 * unit,
        )
    draw_mouth(canvas, identity, sight)
    draw_eyes(canvas, identity, sight)
    draw_brows(canvas, identity, sight)
    draw_glasses(canvas, identity, sight)
