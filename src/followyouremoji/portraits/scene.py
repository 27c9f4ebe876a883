"""The picture being drawn: its canvas, whose portrait it is, the camera, and how surfaces are laid on it."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .canvas import Canvas
from .head import Surface, to_picture, turned
from .palettes import toned
from .shading import lit
from .styles import Identity


@dataclass(frozen=True)
class Scene:
    """Canvas, identity and camera of the picture being drawn.

    `pose` moves the head, `body` the shoulders (they follow the head's place but do not turn); `unit` is pixels a
    centimetre.
    """

    canvas: Canvas
    identity: Identity
    pose: np.ndarray
    body: np.ndarray
    unit: float

    def see(self, points: np.ndarray) -> np.ndarray:
        """Pixels ``(N, 2)`` of canonical points ``(N, 3)`` that turn with the head."""
        return to_picture(points, self.pose, self.canvas.side)

    def see_body(self, points: np.ndarray) -> np.ndarray:
        """Like `see`, for points that do not turn with the head."""
        return to_picture(points, self.body, self.canvas.side)

    def lit(
        self, paint: tuple[float, float, float] | np.ndarray, normal: tuple[float, float, float] | np.ndarray
    ) -> np.ndarray:
        """One colour under the light, for a normal in camera space."""
        unit = np.asarray(normal, float)
        return lit(self.identity, np.array(paint)[None], (unit / np.linalg.norm(unit))[None])[0]

    def draw_surface(
        self,
        surface: Surface,
        paint: np.ndarray,
        texture: np.ndarray | None = None,
        places: np.ndarray | None = None,
    ) -> None:
        """Light and draw the outer side of a surface with an unlit colour a vertex."""
        normals = surface.normals() @ self.pose[:3, :3].T
        self.draw_lit(surface, lit(self.identity, paint, normals), normals, texture, places)

    def draw_inside(self, surface: Surface, colour: tuple[float, float, float]) -> None:
        """Draw the inner side of a surface, which no light reaches, in one colour."""
        count = len(surface.vertices)
        normals = np.tile([0.0, -0.3, 0.3], (count, 1))
        colours = lit(self.identity, np.tile(np.array(colour), (count, 1)), normals)
        points, triangles = self._sorted(surface, inside=True)
        self.canvas.mesh(points, triangles, colours)

    def draw_lit(
        self,
        surface: Surface,
        colours: np.ndarray,
        normals: np.ndarray,
        texture: np.ndarray | None = None,
        places: np.ndarray | None = None,
    ) -> None:
        """Draw the outer side of a surface whose vertices have their light already, far triangles first; in a cartoon
        with the hard shadow and the outline of its finish."""
        points, triangles = self._sorted(surface)
        if self.identity.finish == "cel":
            # The light falls on a ramp with a step: the shadow's border is as sharp as its pixels.
            level = 0.5 + 0.5 * normals @ np.array(self.identity.light)
            places = np.stack([np.clip(level, 0.02, 0.98) * 255.0, np.full(len(level), 0.5)], axis=1)
            texture = _shadow_step(self.identity.contrast)
        # An animal's head ends in the fur around it, which has its own outline.
        if self.identity.outline and self.identity.animal == "none":
            self._draw_outline(surface, points)
        self.canvas.mesh(points, triangles, colours, texture, places)

    def _draw_outline(self, surface: Surface, points: np.ndarray) -> None:
        """A line where a surface turns away from the eye or ends; the surface then covers its inner half, and all lines
        inside."""
        pairs, owners = _edges(surface.triangles.tobytes(), surface.triangles.dtype.str)
        front = np.append(facing(points, surface.triangles), False)
        drawn = pairs[front[owners[:, 0]] != front[owners[:, 1]]]
        ink = toned(self.identity.hair, -0.35, 0.6)
        self.canvas.lines(points, drawn, ink, 2.0 * self.identity.outline * self.unit)

    def _sorted(self, surface: Surface, inside: bool = False) -> tuple[np.ndarray, np.ndarray]:
        points = self.see(surface.vertices)
        seen = surface.triangles[facing(points, surface.triangles) != inside]
        depth = turned(surface.vertices, self.pose)[:, 2]
        return points, seen[np.argsort(depth[seen].sum(axis=1), kind="stable")]


def facing(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Which triangles turn their outer side to the camera, ``(M,)`` bool."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    # Pixel rows run down, so counter-clockwise triangles have a negative area.
    return np.asarray(
        (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0]) < 0.0
    )


@lru_cache(maxsize=8)
def _shadow_step(contrast: float) -> np.ndarray:
    shade = np.clip(1.0 - 0.30 * contrast, 0.45, 0.9)
    weight = np.clip((np.arange(256) - 118.0) / 7.0, 0.0, 1.0)[:, None]
    tint = np.array([shade, 0.95 * shade, min(1.0, 1.05 * shade)])
    return np.repeat((255.0 * (tint + weight * (1.0 - tint))).astype(np.uint8)[None], 2, axis=0)


@lru_cache(maxsize=8)
def _edges(triangles: bytes, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """The edges of a mesh as pairs of vertices ``(E, 2)``, and the two triangles ``(E, 2)`` at each; -1 for none at a
    border."""
    listed = np.frombuffer(triangles, kind).reshape(-1, 3)
    halves = np.sort(np.concatenate([listed[:, [0, 1]], listed[:, [1, 2]], listed[:, [2, 0]]]), axis=1)
    owner = np.tile(np.arange(len(listed)), 3)
    pairs, place = np.unique(halves, axis=0, return_inverse=True)
    owners = np.full((len(pairs), 2), -1)
    for which, edge in enumerate(place.ravel()):
        slot = 0 if owners[edge, 0] < 0 else 1
        owners[edge, slot] = owner[which]
    return pairs, owners
