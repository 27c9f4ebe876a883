"""Draw one picture: back to front, backdrop, hair behind, body, head, features, hair in front; then the identity's
look."""

from dataclasses import dataclass

import numpy as np

from .anatomy import EMOJI_CENTRE, EMOJI_RADIUS, expressive_face, face_at_rest, place_eyes
from .animals import draw_animal_ears, draw_cheek_fur
from .backdrops import backdrop_of
from .body import draw_body, draw_wimple
from .canvas import Canvas, smooth_loop
from .coating import hair_coat, hair_places, head_coat, head_places
from .features import draw_brows, draw_eyes, draw_moustache, draw_mouth, draw_nose
from .hair import brim_of, hair_of, hair_paint, hat_of
from .hairdo import draw_curls, draw_gathered_hair, draw_plaits
from .head import (
    HEAD_DISTANCE,
    PICTURE_CM,
    Skull,
    Surface,
    ear_outline,
    head_pose,
    head_surface,
    skull_behind,
    staged,
    turned,
)
from .palettes import hex_colour, toned
from .performance import Performance
from .scene import Scene
from .shading import head_paint, lit
from .sight import Sight
from .species_features import draw_grown
from .styles import Identity
from .wear import draw_earring, draw_glasses
from .wrinkles import draw_wrinkles


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


def draw_portrait(identity: Identity, performance: Performance, size: int = 256) -> DrawnPortrait:
    """Draw an identity in a moment of a performance.

    Parameters
    ----------
    size : pixels of the square picture's side; it is drawn at twice that and halved

    Returns
    -------
    The picture with its landmarks. The face's bounding box is about half as large as the picture.
    """
    placed = staged(identity, performance)
    pose = head_pose(placed)
    body = head_pose(Performance(shift=placed.shift, scale=placed.scale))
    side = 2 * size
    scene = Scene(Canvas(side), identity, pose, body, side / PICTURE_CM * placed.scale)
    face = expressive_face(identity.shape, np.array(performance.controls))
    irises = place_eyes(identity.shape, performance.gaze)
    points = scene.see(np.concatenate([face, irises]))

    scene.canvas.backdrop(backdrop_of(identity, side))
    if identity.style == "emoji":
        _draw_ball(scene, points, face)
    else:
        _draw_head(scene, points, face)
    picture = identity.look.apply(scene.canvas.halved(), 0.5 * points)
    return DrawnPortrait(picture, 0.5 * points, face, pose)


def _draw_head(scene: Scene, points: np.ndarray, face: np.ndarray) -> None:
    canvas, identity = scene.canvas, scene.identity
    skull = skull_behind(face_at_rest(identity.shape))
    head = head_surface(face, skull)
    hair, hat, brim = hair_of(identity), hat_of(identity), brim_of(identity)

    if hair is not None:
        draw_gathered_hair(scene, skull)
        scene.draw_inside(hair, toned(identity.hair, -0.03))
        draw_curls(scene, hair, behind=True)
    if hat is not None and identity.hat in ("scarf", "veil"):
        scene.draw_inside(hat[0], toned(identity.hat_colour, -0.08))
    if brim is not None:
        scene.draw_inside(brim[0], toned(identity.hat_colour, -0.10))
    draw_body(scene)
    if identity.hat == "scarf":
        draw_wimple(scene)
    if identity.animal != "none":
        draw_cheek_fur(scene, skull)
    nearer = _draw_ears(scene, skull, behind=True)
    normals = _soft_normals(head, skull, scene.pose, 0.35 if identity.material != "none" else 0.5)
    colours = lit(identity, head_paint(identity), normals)
    coat = head_coat(identity)
    scene.draw_lit(head, colours, normals, coat, None if coat is None else head_places(identity))
    sight = Sight(points, colours[:468], normals[:468], scene.unit)
    draw_nose(canvas, identity, sight)
    if identity.animal == "none":
        draw_wrinkles(canvas, identity, sight)
    draw_moustache(canvas, identity, sight)
    draw_mouth(canvas, identity, sight)
    draw_eyes(canvas, identity, sight)
    draw_brows(canvas, identity, sight)
    if nearer:
        _draw_ears(scene, skull, behind=False)
    draw_grown(scene, skull, points)
    draw_glasses(canvas, identity, sight)
    if hair is not None:
        scene.draw_surface(hair, hair_paint(identity), hair_coat(identity), hair_places())
        draw_curls(scene, hair, behind=False)
        draw_plaits(scene, skull)
    if hat is not None:
        scene.draw_surface(*hat)
    if brim is not None:
        scene.draw_surface(*brim)


def _soft_normals(head: Surface, skull: Skull, pose: np.ndarray, softness: float) -> np.ndarray:
    """Normals in camera space between those of the mesh and of the smooth skull: a drawing's soft relief."""
    normals = (1.0 - softness) * head.normals() + softness * skull.outwards(head.vertices)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    rotation = pose[:3, :3]
    return normals @ rotation.T


def _draw_ears(scene: Scene, skull: Skull, behind: bool) -> bool:
    """Draw the ears that lie behind (or before) the head; whether any is left for the other call."""
    identity, canvas = scene.identity, scene.canvas
    if identity.animal != "none":
        return draw_animal_ears(scene, behind)
    if identity.hat == "scarf":
        return False
    left_over = False
    for side in (-1, 1):
        outline, normal = ear_outline(skull, side, identity.ears)
        outwards = (scene.pose[:3, :3] @ np.array([side, 0.0, 0.0]))[2]
        if (outwards < 0.18) != behind:
            left_over = True
            continue
        skin = scene.lit(identity.skin, scene.pose[:3, :3] @ (0.6 * normal + [side * 0.5, 0, 0]))
        seen = scene.see(outline)
        path = smooth_loop(seen)
        canvas.fill(path, skin * 0.96)
        if identity.outline:
            canvas.stroke(path, toned(identity.hair, -0.35, 0.6), identity.outline * scene.unit)
        centre = seen.mean(axis=0)
        canvas.fill(smooth_loop(centre + 0.58 * (seen - centre)), skin * 0.78, 0.7)
        if identity.earrings != "none":
            draw_earring(canvas, identity, seen[12], scene.unit)
    return left_over


def _draw_ball(scene: Scene, points: np.ndarray, face: np.ndarray) -> None:
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
    if identity.outline:
        turn = np.linspace(0.0, 2.0 * np.pi, 32, endpoint=False)
        rim = centre + radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)
        canvas.stroke(smooth_loop(rim), toned(identity.skin, -0.40), identity.outline * unit)
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
