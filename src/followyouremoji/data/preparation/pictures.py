"""The pictures of a report: a sheet of training clips with what is known about them, and histograms of all frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from followyouremoji.data.preparation.records import UnitRecord
from followyouremoji.data.preparation.settings import Filters
from followyouremoji.data.preparation.statistics import QUANTITIES, Quantity, summed
from followyouremoji.data.shards import Shards
from followyouremoji.face.drawing import LandmarkStyle, draw_landmarks, expression_mask, face_mask
from followyouremoji.face.geometry import project, solve_metric_faces
from followyouremoji.face.topology import TRIANGLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CELL = 144  # pixels
ROWS = 24
MOMENTS = 5
TITLE = 16  # pixels above a row
DIMMED = 0.45  # of a picture's brightness, under what is drawn over it
EXPRESSION_TINT, FACE_TINT = (255, 120, 40), (60, 130, 255)
MESH_COLOUR = (90, 230, 160)


def clip_sheet(shards: Shards, rows: int = ROWS) -> np.ndarray:
    """Clips evenly chosen from all, one a row: moments from its beginning to its end, then of the middle one the
    landmarks, the metric face projected back, and the expression mask (orange) in the face mask (blue). ``uint8
    (height, width, 3)`` RGB."""
    chosen = np.unique(np.linspace(0, len(shards) - 1, min(rows, len(shards))).round().astype(int))
    return np.concatenate([_row(shards, int(number)) for number in chosen])


def _row(shards: Shards, number: int) -> np.ndarray:
    frames = np.linspace(0, shards.lengths[number] - 1, MOMENTS).round().astype(int)
    clip, facts = shards.stored(number, frames.tolist()), shards.facts(number)
    cells = [cv2.resize(picture, (CELL, CELL), interpolation=cv2.INTER_AREA) for picture in clip.pictures]
    middle, points = cells[MOMENTS // 2], clip.points[MOMENTS // 2] * (CELL / shards.size)
    dimmed = (middle * DIMMED).astype(np.uint8)
    landmarks = draw_landmarks(points[:, :2], (CELL, CELL), LandmarkStyle(antialiased=True))
    cells += [np.maximum(dimmed, landmarks), _with_mesh(dimmed, points), _with_masks(middle, points)]
    row = np.concatenate(cells, axis=1)
    title = np.full((TITLE, row.shape[1], 3), 255, np.uint8)
    said = (
        f"{clip.key}   {shards.lengths[number]} frames   face {facts.get('face_size', 0):.0f} px   "
        f"sharpness {facts.get('sharpness', 0):.2f}   yaw {facts.get('yaw', 0):.0f}"
    )
    cv2.putText(title, said, (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (20, 20, 20), 1, cv2.LINE_AA)
    return np.concatenate([title, row])


def _with_mesh(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    faces = solve_metric_faces(points[None] / CELL, (CELL, CELL))
    corners = np.round(project(faces.vertices, faces.poses, (CELL, CELL))[0][TRIANGLES] * 16).astype(np.int32)
    return cv2.polylines(picture.copy(), list(corners), True, MESH_COLOUR, 1, cv2.LINE_AA, 4)


def _with_masks(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    tinted = picture.astype(np.float32)
    for mask, tint in ((face_mask, FACE_TINT), (expression_mask, EXPRESSION_TINT)):
        masked = mask(points[:, :2], (CELL, CELL))
        tinted[masked] = 0.45 * tinted[masked] + 0.55 * np.array(tint)
    return tinted.astype(np.uint8)


def histogram_plots(records: Sequence[UnitRecord], filters: Filters) -> np.ndarray | None:
    """All quantities of all frames with a face and of those kept, with the filters' limits: ``uint8 (height, width,
    3)`` RGB; None without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        return None
    counts = summed([record.histograms for record in records])
    figure = Figure(figsize=(13, 7.5), dpi=110, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(2, 4).ravel()
    for axis, (name, quantity) in zip(axes, QUANTITIES.items(), strict=False):
        _plot(axis, quantity, counts[name], quantity.limits(filters))
    seconds = np.array([clip.seconds for record in records for clip in record.clips])
    edges = np.linspace(0, max(float(seconds.max(initial=0.0)), 1.0) * 1.001, 31)
    axes[-1].hist(seconds, edges, color="#2f7f78")
    axes[-1].set_xlabel("length of the training clips, seconds")
    axes[-1].set_ylabel("clips")
    axes[0].legend(frameon=False, fontsize=8)
    figure.suptitle(
        f"{sum(record.frames for record in records)} frames of {len(records)} clips, {len(seconds)} training clips"
    )
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def _plot(axis: Axes, quantity: Quantity, counts: Mapping[str, np.ndarray], lines: Sequence[float]) -> None:
    edges = quantity.edges
    axis.stairs(counts["all"], edges, fill=True, color="#c9cfd6", label="with a face")
    axis.stairs(counts["kept"], edges, fill=True, color="#2f7f78", alpha=0.85, label="kept")
    for line in lines:
        axis.axvline(line, color="#c0392b", linewidth=1, linestyle="--")
    filled = np.flatnonzero(counts["all"])
    if len(filled):  # the part of the scale that is used, and the limits
        low, high = edges[filled[0]], edges[filled[-1] + 1]
        span = max(high - low, (edges[-1] - edges[0]) / 20)
        axis.set_xlim(min((low, *lines)) - 0.03 * span, max((high, *lines)) + 0.03 * span)
    axis.set_xlabel(quantity.label)
    axis.set_ylabel("frames")
