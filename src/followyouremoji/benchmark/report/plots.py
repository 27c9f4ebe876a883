"""Plots as numbers in percent of their width and height, which the page's template draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from followyouremoji.benchmark.metrics import Metric
from followyouremoji.benchmark.report.content import ordered_systems
from followyouremoji.benchmark.report.scores import Scores
from followyouremoji.benchmark.tables import heading, number

MARGIN = 3  # percent of the width on both sides of an axis
BINS, LAYER, LAYERS = (
    80,
    3,
    4,
)  # of a strip: bins along it; pixels between dots of a bin, and how many lie on a side
CURVE = "landmark_auc"
"""The metric whose rows have the curve of the landmark accuracy."""


@dataclass(frozen=True)
class Mark:
    """A system's line in a panel: its figure at `x`, with an interval or without, in percent of the width.

    `dots` are clips: percent, pixels from the middle, the pair's name and its value.
    """

    system: str
    text: str
    x: float | None
    low: float | None = None
    high: float | None = None
    dots: tuple[tuple[float, int, str], ...] = ()


@dataclass(frozen=True)
class Panel:
    """A metric's panel; `ends` are the axis's least and largest value."""

    metric: str
    title: str
    better: str
    meaning: str
    ends: tuple[str, str]
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Curve:
    """A system's curve, as points of a polyline, x and y from 0 to 100."""

    system: str
    points: str


@dataclass(frozen=True)
class Accuracy:
    """The curves of the landmark accuracy; thresholds as the axis shows them, `main` the one of the tables."""

    curves: tuple[Curve, ...]
    ticks: tuple[tuple[float, str], ...]
    main: float
    main_text: str


def axis(values: Sequence[float]) -> tuple[float, float]:
    """The least and the largest of the finite values, or something around a single one."""
    known = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(known), max(known)
    around = 0.0 if high > low else 0.05 * abs(high) or 1.0
    return low - around, high + around


def percent(value: float, ends: tuple[float, float]) -> float | None:
    """Where a value lies on an axis; None for those that lie nowhere."""
    if not math.isfinite(value):
        return None
    return round(MARGIN + (100 - 2 * MARGIN) * (value - ends[0]) / (ends[1] - ends[0]), 2)


def interval_panels(scores: Scores, mode: str) -> list[Panel]:
    """Of each metric: every system's figure with its interval."""
    panels = []
    for metric in scores.columns(mode):
        figures = {system: scores.figures[system, mode, metric.name] for system in ordered_systems(scores)}
        ends = axis([value for one in figures.values() for value in (one.value, one.low, one.high)])
        marks = tuple(
            Mark(
                system,
                number(one.value, metric.digits),
                percent(one.value, ends),
                percent(one.low, ends),
                percent(one.high, ends),
            )
            for system, one in figures.items()
        )
        panels.append(_panel(metric, ends, marks))
    return panels


def strip_panel(scores: Scores, mode: str, metric: Metric) -> Panel:
    """Every clip of every system as a dot."""
    systems = ordered_systems(scores)
    values = {system: scores.values(system, mode, metric.name) for system in systems}
    ends = axis(np.concatenate(list(values.values())).tolist())
    marks = []
    for system in systems:
        mean = scores.figures[system, mode, metric.name].value
        known = [
            (value, pair.name)
            for value, pair in zip(values[system].tolist(), scores.pairs[mode], strict=True)
            if math.isfinite(value)
        ]
        places = [percent(value, ends) or 0.0 for value, _ in known]
        dots = tuple(
            (x, y, f"{name}: {number(value, metric.digits)}")
            for x, y, (value, name) in zip(places, heaped(places), known, strict=True)
        )
        marks.append(Mark(system, number(mean, metric.digits), percent(mean, ends), dots=dots))
    return _panel(metric, ends, tuple(marks))


def heaped(places: Sequence[float]) -> list[int]:
    """How far above or below the middle each dot lies, so that those of nearly the same place lie side by side."""
    count: dict[int, int] = {}
    offsets = []
    for place in places:
        bin_ = int(place / 100 * BINS)
        layer = count[bin_] = count.get(bin_, -1) + 1
        offsets.append(LAYER * ((layer + 1) // 2 % (LAYERS + 1)) * (1 if layer % 2 else -1))
    return offsets


def accuracy_curves(scores: Scores, mode: str) -> Accuracy | None:
    """The landmark accuracy at every threshold, the mean over clips; None where nobody measured it."""
    from followyouremoji.benchmark.metrics.faces import MAIN_THRESHOLD, THRESHOLDS

    def across(threshold: float) -> float:
        return round(100 * threshold / float(THRESHOLDS[-1]), 2)

    curves = []
    for system in ordered_systems(scores):
        shares = scores.by_system[system, mode].curves.get(CURVE)
        if shares is None or np.isnan(shares).all():
            continue
        mean = np.nanmean(shares, axis=0)
        points = " ".join(
            f"{across(t)},{100 - 100 * share:.2f}" for t, share in zip(THRESHOLDS, mean, strict=True)
        )
        curves.append(Curve(system, points))
    if not curves:
        return None
    ticks = tuple((across(threshold), f"{threshold:g}") for threshold in (0.05, 0.1, 0.15, 0.2))
    return Accuracy(tuple(curves), ticks, across(MAIN_THRESHOLD), f"{MAIN_THRESHOLD:g}")


def _panel(metric: Metric, ends: tuple[float, float], marks: tuple[Mark, ...]) -> Panel:
    better = {"less": "less is better", "more": "more is better", "neither": ""}[metric.better]
    texts = number(ends[0], metric.digits), number(ends[1], metric.digits)
    return Panel(metric.name, heading(metric.title, metric.better), better, metric.meaning, texts, marks)
