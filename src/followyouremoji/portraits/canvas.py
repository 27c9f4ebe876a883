"""Drawing with skia: smooth paths, paints and shaded meshes in pixels. The one place that imports skia."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np

from followyouremoji.errors import UserError

try:
    import skia
except ImportError as missing:
    raise UserError(
        "Drawing portraits needs skia, which is not installed: pip install 'followyouremoji[portraits]'"
    ) from missing

Colour = tuple[float, float, float] | np.ndarray


def packed(colour: Colour, alpha: float = 1.0) -> int:
    """sRGB in [0, 1] as skia's ARGB number."""
    red, green, blue = (min(255, max(0, int(255.0 * float(part) + 0.5))) for part in colour)
    return (int(255.0 * alpha + 0.5) << 24) | (red << 16) | (green << 8) | blue


def packed_all(colours: np.ndarray) -> list[int]:
    """``(N, 3)`` sRGB as opaque ARGB numbers."""
    parts = np.clip(255.0 * colours + 0.5, 0, 255).astype(np.int64)
    return (0xFF000000 | (parts[:, 0] << 16) | (parts[:, 1] << 8) | parts[:, 2]).tolist()


def smooth_loop(points: np.ndarray, tension: float = 1.0) -> "skia.Path":
    """A closed Catmull-Rom curve through ``(N, 2)`` points."""
    before, after = np.roll(points, 1, axis=0), np.roll(points, -1, axis=0)
    slope = (after - before) * (tension / 6.0)
    leaving, arriving = points + slope, np.roll(points - slope, -1, axis=0)
    path = skia.Path()
    path.moveTo(*points[0].tolist())
    for control in np.concatenate([leaving, arriving, after], axis=1).tolist():
        path.cubicTo(*control)
    path.close()
    return path


def smooth_line(points: np.ndarray) -> "skia.Path":
    """An open Catmull-Rom curve through ``(N, 2)`` points."""
    slope = np.gradient(points, axis=0) / 3.0
    controls = np.concatenate([points[:-1] + slope[:-1], points[1:] - slope[1:], points[1:]], axis=1)
    path = skia.Path()
    path.moveTo(*points[0].tolist())
    for control in controls.tolist():
        path.cubicTo(*control)
    return path


def polygon(points: np.ndarray) -> "skia.Path":
    """A closed polygon."""
    path = skia.Path()
    path.addPoly([skia.Point(x, y) for x, y in points.tolist()], True)
    return path


def tapered(line: np.ndarray, widths: np.ndarray) -> "skia.Path":
    """A stroke along ``(N, 2)`` points that is ``widths`` ``(N,)`` pixels wide."""
    along = np.gradient(line, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-6)
    half = 0.5 * widths[:, None] * across
    return smooth_loop(np.concatenate([line + half, (line - half)[::-1]]), tension=0.9)


class Canvas:
    """A square picture being drawn, ``side`` pixels."""

    def __init__(self, side: int) -> None:
        self.side = side
        self.pixels = np.zeros((side, side, 4), np.uint8)
        self.surface = skia.Surface(self.pixels, colorType=skia.kRGBA_8888_ColorType)
        self.skia = self.surface.getCanvas()

    def halved(self) -> np.ndarray:
        """The drawing so far at half its size, ``(side / 2, side / 2, 3)`` RGB."""
        self.surface.flushAndSubmit()
        half = (self.side // 2, self.side // 2)
        return np.ascontiguousarray(cv2.resize(self.pixels, half, interpolation=cv2.INTER_AREA)[..., :3])

    def fill(self, path: Any, colour: Colour, alpha: float = 1.0, blur: float = 0.0) -> None:
        """Fill a path; ``blur`` pixels soften its edge."""
        self.skia.drawPath(path, _paint(colour, alpha, blur))

    def stroke(self, path: Any, colour: Colour, width: float, alpha: float = 1.0, blur: float = 0.0) -> None:
        """Draw a path's line with round ends."""
        paint = _paint(colour, alpha, blur)
        paint.setStyle(skia.Paint.kStroke_Style)
        paint.setStrokeWidth(max(width, 0.1))
        paint.setStrokeCap(skia.Paint.kRound_Cap)
        paint.setStrokeJoin(skia.Paint.kRound_Join)
        self.skia.drawPath(path, paint)

    def fill_linear(
        self, path: Any, start: Iterable[float], stop: Iterable[float], colours: Sequence[Colour]
    ) -> None:
        """Fill a path with a gradient from ``start`` to ``stop``."""
        paint = skia.Paint(AntiAlias=True)
        ends = [skia.Point(*map(float, start)), skia.Point(*map(float, stop))]
        paint.setShader(skia.GradientShader.MakeLinear(ends, [packed(c) for c in colours]))
        self.skia.drawPath(path, paint)

    def ball(
        self,
        centre: Iterable[float],
        radius: float,
        colours: Sequence[Colour],
        bright: Iterable[float] = (-0.3, -0.35),
    ) -> None:
        """A disc with a gradient from a bright place, given in radii from the centre, to the rim."""
        x, y = map(float, centre)
        bx, by = bright
        focus = skia.Point(x + bx * radius, y + by * radius)
        paint = skia.Paint(AntiAlias=True)
        paint.setShader(skia.GradientShader.MakeRadial(focus, 1.42 * radius, [packed(c) for c in colours]))
        self.skia.drawCircle(x, y, radius, paint)

    def disc(
        self, centre: Iterable[float], radius: float, colour: Colour, alpha: float = 1.0, blur: float = 0.0
    ) -> None:
        """A disc of one colour."""
        x, y = map(float, centre)
        self.skia.drawCircle(x, y, radius, _paint(colour, alpha, blur))

    def backdrop(self, picture: np.ndarray) -> None:
        """Lay an opaque picture uint8 ``(side, side, 4)`` under what is drawn; to be called first."""
        self.pixels[...] = picture

    def mesh(
        self,
        points: np.ndarray,
        triangles: np.ndarray,
        colours: np.ndarray,
        texture: np.ndarray | None = None,
        places: np.ndarray | None = None,
    ) -> None:
        """Triangles with a colour at every vertex, drawn in the order given.

        ``texture`` uint8 ``(h, w, 3)``, repeated, multiplies them; ``places`` ``(N, 2)`` are the vertices' pixels on
        it.
        """
        if not len(triangles):
            return
        positions = [skia.Point(x, y) for x, y in points.tolist()]
        paint = skia.Paint(AntiAlias=True)
        # Without texture coordinates skia drops the vertex colours, so the positions stand in for them.
        on_texture, mode = positions, skia.BlendMode.kDst
        if texture is not None and places is not None:
            on_texture = [skia.Point(x, y) for x, y in places.tolist()]
            paint = _textured(texture, multiplies=False)
            mode = skia.BlendMode.kModulate
        vertices = skia.Vertices(
            skia.Vertices.kTriangles_VertexMode,
            positions,
            on_texture,
            packed_all(colours),
            triangles.ravel().tolist(),
        )
        self.skia.drawVertices(vertices, paint, mode)

    def multiply(self, path: Any, texture: np.ndarray, origin: Iterable[float], scale: float) -> None:
        """Darken the inside of a path by a texture uint8 ``(h, w, 3)``, repeated from ``origin``, ``scale`` pixels a
        texture pixel."""
        with self.clipped(path):
            self.skia.translate(*map(float, origin))
            self.skia.scale(scale, scale)
            self.skia.drawPaint(_textured(texture, multiplies=True))

    def lines(self, points: np.ndarray, segments: np.ndarray, colour: Colour, width: float) -> None:
        """Separate lines between pairs of points, ``(M, 2)`` indices, with round ends."""
        path = skia.Path()
        for (x0, y0), (x1, y1) in points[segments].tolist():
            path.moveTo(x0, y0)
            path.lineTo(x1, y1)
        self.stroke(path, colour, width)

    @contextmanager
    def clipped(self, path: Any) -> Iterator[None]:
        """Context in which only the inside of ``path`` is drawn."""
        self.skia.save()
        self.skia.clipPath(path, skia.ClipOp.kIntersect, True)
        try:
            yield
        finally:
            self.skia.restore()


def _paint(colour: Colour, alpha: float, blur: float) -> "skia.Paint":
    paint = skia.Paint(AntiAlias=True, Color=packed(colour, alpha))
    if blur > 0.0:
        paint.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, blur))
    return paint


_TEXTURED: OrderedDict[tuple[int, bool], tuple[np.ndarray, "skia.Paint"]] = OrderedDict()
_KEPT = 64


def _textured(texture: np.ndarray, multiplies: bool) -> "skia.Paint":
    """A paint with a texture. Kept, because making one costs more than drawing with it: skia's binding copies a paint's
    picture by encoding and decoding it. As a BMP that is a plain copy; from an array it would be compressed each
    time."""
    key = (id(texture), multiplies)
    if key not in _TEXTURED:
        encoded = cv2.imencode(".bmp", texture[..., ::-1])[1].tobytes()
        image = skia.Image.MakeFromEncoded(skia.Data(encoded))
        repeat, linear = skia.TileMode.kRepeat, skia.SamplingOptions(skia.FilterMode.kLinear)
        paint = skia.Paint(AntiAlias=True)
        paint.setShader(image.makeShader(repeat, repeat, linear, skia.Matrix()))
        if multiplies:
            paint.setBlendMode(skia.BlendMode.kMultiply)
        # The array stays alive with its paint, so that no other can get its id.
        _TEXTURED[key] = (texture, paint)
        if len(_TEXTURED) > _KEPT:
            _TEXTURED.popitem(last=False)
    _TEXTURED.move_to_end(key)
    return _TEXTURED[key][1]
