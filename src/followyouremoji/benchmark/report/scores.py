"""Rows of results as arrays, aligned by pair, and the figures that tables are made of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np

from followyouremoji.benchmark import statistics
from followyouremoji.benchmark.metrics import Metric
from followyouremoji.benchmark.metrics.frechet import frechet_distance
from followyouremoji.benchmark.statistics import NO_DIFFERENCE, NO_FIGURE, Difference, Figure
from followyouremoji.benchmark.store import FAILED, SECONDS, Results, Row, Run
from followyouremoji.errors import DataError, shown

MODES = ("self", "cross")
REFERENCES = ("copy", "truth", "autoencoder")
"""Kinds of systems that only show where the scale begins and ends: they have no places among the others."""
PAPER_ORDER = (
    *("l1", "ssim", "lpips", "fvd"),
    *("identity_arcface", "quality", "landmark_accuracy"),
)
"""Of the papers' columns in their Table 1."""


@dataclass(frozen=True)
class Pair:
    """A pair that has rows."""

    name: str
    mode: str
    style: str
    expression: str


@dataclass(frozen=True)
class Failure:
    """A pair of which a system made no result, and why."""

    system: str
    pair: Pair
    problem: str


@dataclass(frozen=True)
class Measurements:
    """What a system got in a mode, over all of the mode's n pairs in their order.

    Attributes
    ----------
    values : by metric (n,), NaN where a pair has none.
    sets : by metric of sets, features and references by the pair's index.
    curves : by metric with a curve (n, points), NaN where a pair has none; see `metrics.faces.THRESHOLDS`.
    made : bool (n,), whether there is a result.
    """

    values: dict[str, np.ndarray]
    sets: dict[str, dict[int, tuple[np.ndarray, np.ndarray]]]
    curves: dict[str, np.ndarray]
    made: np.ndarray


@dataclass(frozen=True)
class Scores:
    """All figures of one or several results of the same suite and protocol.

    Attributes
    ----------
    systems : their names, in the order in which they were named.
    references : those among them that are points of reference, see `REFERENCES`.
    pairs : by mode, by name.
    """

    run: Run
    metrics: tuple[Metric, ...]
    systems: tuple[str, ...]
    references: frozenset[str]
    pairs: dict[str, tuple[Pair, ...]]
    failures: tuple[Failure, ...]
    by_system: dict[tuple[str, str], Measurements] = field(repr=False)
    _differences: dict[tuple[str, str, str, str], Difference] = field(default_factory=dict, repr=False)
    _distances: dict[tuple[str, str, str, tuple[int, ...]], np.ndarray] = field(
        default_factory=dict, repr=False
    )

    @classmethod
    def of(cls, results: Sequence[Results], metrics: Sequence[Metric]) -> Self:
        """The scores of results. Raises DataError where they are of different protocols or suites, name two systems
        alike, or hold no row at all."""
        run = joined_run(results)
        rows = [row for one in results for row in one.rows()]
        if not rows:
            folders = ", ".join(str(one.folder) for one in results)
            raise DataError(f"{folders} holds no result yet; measure with fye bench run.")
        return cls.of_rows(run, rows, metrics)

    @classmethod
    def of_rows(cls, run: Run, rows: Sequence[Row], metrics: Sequence[Metric]) -> Self:
        """Of rows as they lie in the store. Rows of metrics that are not among `metrics` are left out."""
        known = {(row.mode, row.pair): Pair(row.pair, row.mode, row.style, row.expression) for row in rows}
        pairs = {
            mode: tuple(sorted((p for p in known.values() if p.mode == mode), key=lambda pair: pair.name))
            for mode in MODES
        }
        index = {(mode, pair.name): place for mode in MODES for place, pair in enumerate(pairs[mode])}
        names = tuple(system.name for system in run.systems)
        by_system = {
            (system, mode): Measurements({}, {}, {}, np.zeros(len(pairs[mode]), bool))
            for system in names
            for mode in MODES
        }
        wanted = {metric.name: metric for metric in metrics}
        failures = []
        for row in rows:
            mine, place = by_system[row.system, row.mode], index[row.mode, row.pair]
            if row.metric == FAILED:
                failures.append(
                    Failure(row.system, known[row.mode, row.pair], row.problem or "no reason given")
                )
                continue
            mine.made[place] = True
            if row.features is not None and row.reference is not None:
                mine.sets.setdefault(row.metric, {})[place] = (row.features, row.reference)
            elif row.features is not None:
                shape = (len(pairs[row.mode]), row.features.size)
                mine.curves.setdefault(row.metric, np.full(shape, np.nan))[place] = row.features.ravel()
            if row.metric in wanted or row.metric == SECONDS:
                column = mine.values.setdefault(row.metric, np.full(len(pairs[row.mode]), np.nan))
                column[place] = row.value
        references = frozenset(system.name for system in run.systems if is_reference(system.described))
        ordered = sorted(metrics, key=_place_of_column)
        return cls(run, tuple(ordered), names, references, pairs, tuple(failures), by_system)

    @property
    def modes(self) -> tuple[str, ...]:
        """Those that have pairs."""
        return tuple(mode for mode in MODES if self.pairs[mode])

    @property
    def judged(self) -> tuple[str, ...]:
        """The systems that have places."""
        return tuple(system for system in self.systems if system not in self.references)

    def columns(self, mode: str) -> tuple[Metric, ...]:
        """The metrics of a mode that some system has, the papers' first."""
        return tuple(
            metric
            for metric in self.metrics
            if any(self._has(system, mode, metric.name) for system in self.systems)
        )

    def _has(self, system: str, mode: str, metric: str) -> bool:
        sets = self.by_system[system, mode].sets.get(metric)
        return bool(sets) or not np.isnan(self.values(system, mode, metric)).all()

    def empty(self, mode: str) -> dict[Metric, str]:
        """The metrics of a mode that no system has, and why."""
        there = self.columns(mode)
        reasons = {}
        for metric in self.metrics:
            if mode in metric.modes and metric not in there:
                reasons[metric] = self.run.missing.get(metric.name) or _why_empty(metric, mode)
        return reasons

    def values(self, system: str, mode: str, metric: str) -> np.ndarray:
        """Over all pairs of the mode (n,); NaN where there is none."""
        mine = self.by_system[system, mode].values.get(metric)
        return np.full(len(self.pairs[mode]), np.nan) if mine is None else mine

    def figure(self, system: str, mode: str, metric: Metric, among: np.ndarray | None = None) -> Figure:
        """A metric's mean, or its distance of sets, with an interval; `among`: bool (n,), of some pairs alone."""
        if metric.of_sets:
            there = self._clips_of_sets(system, mode, metric)
            chosen = [place for place in there if among is None or among[place]]
            if not chosen:
                return NO_FIGURE
            return statistics.set_figure(self._set_distances(system, mode, metric, chosen), len(chosen))
        values = self.values(system, mode, metric.name)
        return statistics.mean_figure(values if among is None else values[among])

    def value(self, system: str, mode: str, metric: Metric) -> float:
        """A figure without its interval, which costs most."""
        if metric.of_sets:
            mine = self.by_system[system, mode].sets.get(metric.name, {})
            return statistics.set_distance([mine[place] for place in sorted(mine)], frechet_distance)
        return statistics.mean(self.values(system, mode, metric.name))

    @cached_property
    def figures(self) -> dict[tuple[str, str, str], Figure]:
        """Every figure by (system, mode, metric); of metrics of sets each costs a second or more."""
        return {
            (system, mode, metric.name): self.figure(system, mode, metric)
            for mode in self.modes
            for metric in self.metrics
            for system in self.systems
        }

    def places(self, mode: str, metric: Metric) -> dict[str, int]:
        """By system, 1 the best; 0 for points of reference."""
        values = [self.figures[system, mode, metric.name].value for system in self.judged]
        found = statistics.places(values, metric.better, metric.digits)
        return {**dict.fromkeys(self.systems, 0), **dict(zip(self.judged, found, strict=True))}

    def difference(self, system: str, other: str, mode: str, metric: Metric) -> Difference:
        """`system` less `other` over the pairs that both have."""
        if self.systems.index(system) > self.systems.index(other):
            return self.difference(other, system, mode, metric).mirrored()
        key = (system, other, mode, metric.name)
        if key not in self._differences:
            self._differences[key] = self._difference(*key[:3], metric)
        return self._differences[key]

    def _difference(self, system: str, other: str, mode: str, metric: Metric) -> Difference:
        if not metric.of_sets:
            return statistics.paired_difference(
                self.values(system, mode, metric.name), self.values(other, mode, metric.name)
            )
        others = self._clips_of_sets(other, mode, metric)
        common = [place for place in self._clips_of_sets(system, mode, metric) if place in others]
        if not common:
            return NO_DIFFERENCE
        mine, theirs = (self._set_distances(one, mode, metric, common) for one in (system, other))
        return statistics.set_difference(mine, theirs, len(common))

    def _clips_of_sets(self, system: str, mode: str, metric: Metric) -> list[int]:
        return sorted(self.by_system[system, mode].sets.get(metric.name, {}))

    def _set_distances(self, system: str, mode: str, metric: Metric, clips: list[int]) -> np.ndarray:
        """Remembered, as each costs a second or more."""
        key = (system, mode, metric.name, tuple(clips))
        if key not in self._distances:
            sets = self.by_system[system, mode].sets[metric.name]
            self._distances[key] = statistics.set_distances(
                [sets[place] for place in clips], frechet_distance
            )
        return self._distances[key]

    def failed(self, system: str, mode: str) -> int:
        return sum(one.system == system and one.pair.mode == mode for one in self.failures)

    def made(self, system: str, mode: str) -> int:
        """Pairs with a result."""
        return int(self.by_system[system, mode].made.sum())


def joined_run(results: Sequence[Results]) -> Run:
    """One run of the systems of all. Raises DataError where they are of different protocols or suites, or two systems
    have one name."""
    first = results[0]
    systems = list(first.run.systems)
    missing = dict(first.run.missing)
    for other in results[1:]:
        if other.run.fingerprint != first.run.fingerprint:
            raise DataError(
                f"{other.folder} is of the suite {shown(repr(other.run.suite))}, {first.folder} of another or in another version; make "
                "a report of each."
            )
        first.run.protocol.check_same(other.run.protocol, str(other.folder))
        names = {system.name for system in systems}
        if double := [system.name for system in other.run.systems if system.name in names]:
            raise DataError(
                f"{other.folder} and another of the results have a system called {shown(repr(double[0]))}; give one of them another "
                "name, NAME=SYSTEM, and measure it again."
            )
        systems += other.run.systems
        missing = {**other.run.missing, **missing}
    return replace(first.run, systems=systems, missing=missing)


def is_reference(described: str) -> bool:
    """Whether a system, as the command line describes it, is a point of reference; see `REFERENCES`."""
    without_label = re.sub(r"^[^=?/:]*=", "", described)
    return without_label.split(":")[0] in REFERENCES


def _place_of_column(metric: Metric) -> tuple[bool, int]:
    known = metric.name in PAPER_ORDER
    return not metric.paper, PAPER_ORDER.index(metric.name) if known else len(PAPER_ORDER)


def _why_empty(metric: Metric, mode: str) -> str:
    things = [need for need in metric.needs if need != "truth"]
    if things:
        return f"it was not measured; it needs {' and '.join(things)}"
    if metric.needs and mode == "cross":
        return "it needs the true result, which this suite does not have"
    return "no clip has a value"
