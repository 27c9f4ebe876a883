"""The lines that years and expressions leave in a face, drawn through the landmarks so that they move with the skin."""

import numpy as np

from .canvas import Canvas, smooth_line
from .sight import Sight
from .styles import Identity

# Landmarks along a fold, its depth at full age, and the age from which it shows.
_FOLDS = (
    ((129, 203, 206, 216, 212), 0.75, 0.30),
    ((358, 423, 426, 436, 432), 0.75, 0.30),
    ((202, 204, 194), 0.35, 0.65),
    ((422, 424, 418), 0.35, 0.65),
    ((112, 232, 231, 230, 229), 0.55, 0.35),
    ((341, 452, 451, 450, 449), 0.55, 0.35),
    ((68, 104, 69, 108, 151, 337, 299, 333, 298), 0.55, 0.45),
    ((54, 103, 67, 109, 10, 338, 297, 332, 284), 0.35, 0.65),
    ((107, 9, 336), 0.30, 0.60),
    ((55, 193), 0.40, 0.60),
    ((285, 417), 0.40, 0.60),
)
# From the outer corner of an eye: crow's feet end between these landmarks.
_CROWS_FEET = ((33, (139, 34, 227)), (263, (368, 264, 447)))


def draw_wrinkles(canvas: Canvas, identity: Identity, sight: Sight) -> None:
    """Folds around nose and mouth, under the eyes, on the forehead, and crow's feet; none on the young."""
    scale = 0.75 if identity.style == "cartoon" else 1.0
    for indices, depth, start in _FOLDS:
        shown = scale * depth * np.clip((identity.age - start) / (1.0 - start), 0.0, 1.0)
        if shown > 0.03:
            _fold(canvas, sight, sight.points[list(indices)], sight.paint[list(indices)].mean(axis=0), shown)
    shown = 0.5 * scale * float(np.clip((identity.age - 0.5) / 0.5, 0.0, 1.0))
    if shown > 0.03:
        for corner, ends in _CROWS_FEET:
            for end in ends:
                line = sight.points[corner] + np.array([0.22, 0.42, 0.62])[:, None] * (
                    sight.points[end] - sight.points[corner]
                )
                _fold(canvas, sight, line, sight.paint[end], shown)


def _fold(canvas: Canvas, sight: Sight, line: np.ndarray, skin: np.ndarray, depth: float) -> None:
    """A dark line with a soft shadow and a light edge below."""
    path = (
        smooth_line(line) if len(line) > 2 else smooth_line(np.stack([line[0], line.mean(axis=0), line[-1]]))
    )
    canvas.stroke(path, skin * 0.62, 0.42 * sight.unit, alpha=0.40 * depth, blur=0.16 * sight.unit)
    canvas.stroke(path, skin * (0.55, 0.48, 0.46), 0.10 * sight.unit, alpha=0.75 * depth)
