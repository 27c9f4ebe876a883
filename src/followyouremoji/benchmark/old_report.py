"""The figures as markdown tables, JSON and a contact sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from followyouremoji.benchmark.metrics.regions import bootstrap_interval
from followyouremoji.benchmark.scoring import (
    MAIN,
    METRICS,
    PICTURES_FILE,
    SHOWN_FRAMES,
    MethodScores,
    Metric,
)
from followyouremoji.benchmark.suites import COMPARED, Suite
from followyouremoji.benchmark.tables import markdown, number
from followyouremoji.face.drawing import LandmarkStyle, draw_landmarks
from followyouremoji.media.pictures import contact_sheet, write_picture

SHEET_ROWS = 10


def heading(metric: Metric) -> str:
    return f"{metric.title} {'↓' if metric.better == 'less' else '↑'}"


def score_table(methods: Sequence[MethodScores]) -> str:
    """Means over cases of all columns, those of `MAIN` with a 95 % bootstrap interval."""
    rows = [["", *(heading(metric) for metric in METRICS), "s a frame"]]
    for scores in methods:
        cells = []
        for metric in METRICS:
            cell = number(scores.mean(metric.name), metric.digits)
            if metric.name in MAIN and cell:
                low, high = scores.interval(metric.name)
                cell += f" [{number(low, metric.digits)}, {number(high, metric.digits)}]"
            cells.append(cell)
        rows.append([scores.name, *cells, number(scores.seconds_per_frame, 3)])
    return markdown(rows)


def style_table(methods: Sequence[MethodScores]) -> str:
    """Means of face L1 by style."""
    styles = list(dict.fromkeys(methods[0].styles))
    digits = next(m.digits for m in METRICS if m.name == "face")
    rows = [["", *styles]]
    for scores in methods:
        of = np.array(scores.styles)
        cells = [number(float(np.nanmean(scores.values["face"][of == style])), digits) for style in styles]
        rows.append([scores.name, *cells])
    return markdown(rows)


def versus(scores: MethodScores, other: MethodScores) -> dict[str, tuple[float, float, float]]:
    """Mean difference `scores` less `other`, case by case, with its 95 % interval, by metric.

    Both are measured on the same cases, so the difference is surer than either.
    """
    compared = {}
    for metric in METRICS:
        with np.errstate(invalid="ignore"):
            difference = scores.values[metric.name] - other.values[metric.name]
        known = difference[np.isfinite(difference)]
        if len(known):
            compared[metric.name] = (float(known.mean()), *bootstrap_interval(known))
    return compared


def versus_table(scores: MethodScores, others: Sequence[MethodScores]) -> str:
    """`scores` against each other method: better, worse, or no difference that the cases show, with the difference."""
    rows = [[f"{scores.name} against", *(heading(metric) for metric in METRICS)]]
    for other in others:
        compared, cells = versus(scores, other), []
        for metric in METRICS:
            if metric.name not in compared:
                cells.append("")
                continue
            difference, low, high = compared[metric.name]
            gain = difference if metric.better == "more" else -difference
            verdict = "same" if low <= 0 <= high else "better" if gain > 0 else "worse"
            cells.append(f"{verdict} ({difference:+.{metric.digits}f})")
        rows.append([other.name, *cells])
    return markdown(rows)


def legend() -> str:
    return "\n".join(f"- **{metric.title}**: {metric.meaning}." for metric in METRICS)


def as_json(methods: Sequence[MethodScores]) -> dict[str, Any]:
    """Means, intervals and means by style of every metric; None stands for what is not a finite number."""

    def finite(value: float) -> float | None:
        return value if math.isfinite(value) else None

    described = {}
    for scores in methods:
        of = np.array(scores.styles)
        figures: dict[str, Any] = {"seconds_per_frame": scores.seconds_per_frame}
        for metric in METRICS:
            values = scores.values[metric.name]
            by_style = {style: values[of == style] for style in dict.fromkeys(scores.styles)}
            figures[metric.name] = {
                "mean": finite(scores.mean(metric.name)),
                "interval": [finite(end) for end in scores.interval(metric.name)],
                "by_style": {
                    style: finite(float(some[~np.isnan(some)].mean())) if (~np.isnan(some)).any() else None
                    for style, some in by_style.items()
                },
            }
        described[scores.name] = figures
    return described


def write_sheet(path: Path, suite: Suite, folders: Sequence[Path], shown: Sequence[int]) -> None:
    """A row a case: the portrait, then for each shown frame the driving landmarks, the truth and every method's
    result."""
    pictures: list[np.ndarray] = []
    style = LandmarkStyle(antialiased=True)
    for index in shown:
        case = suite.case(index)
        made = []
        for folder in folders:
            with np.load(folder / PICTURES_FILE, allow_pickle=False) as stored:
                made.append(stored[f"case_{index}"])
        pictures.append(case.portrait)
        for place, shown_frame in enumerate(SHOWN_FRAMES):
            frame = COMPARED[shown_frame]
            pictures += [
                draw_landmarks(case.points[frame], (case.size, case.size), style),
                case.truth[frame],
            ]
            pictures += [frames[place] for frames in made]
    write_picture(path, contact_sheet(pictures, 1 + len(SHOWN_FRAMES) * (2 + len(folders))), overwrite=True)


def shown_cases(suite: Suite) -> tuple[int, ...]:
    """The cases of the contact sheet: the first ones, in which all styles come in turn."""
    return tuple(range(min(SHEET_ROWS, len(suite))))
