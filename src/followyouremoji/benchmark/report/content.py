"""The tables of a report, whatever they are printed as."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

import numpy as np

from followyouremoji.benchmark.metrics import Metric
from followyouremoji.benchmark.report.scores import Pair, Scores
from followyouremoji.benchmark.statistics import places
from followyouremoji.benchmark.store import SECONDS
from followyouremoji.benchmark.tables import (
    NOTHING,
    Cell,
    Column,
    Table,
    TableRow,
    as_text,
    figure_cell,
    number,
)

MODE_TITLES = {"self": "Self-reenactment", "cross": "Cross-reenactment"}
APART = "Points of reference stand below the line and have no place."
INTERVALS = "Small figures: 95 % bootstrap intervals over clips."
PLACES = "Bold: the best; underlined: the second best."
HEADLINES = ("l1_face", "aed", "apd", "gaze", "identity_sface", "tlpips", "face_flicker")
"""Of our metrics those that stand for their kind."""
Split = Literal["style", "expression"]
SPLITS: tuple[Split, ...] = ("style", "expression")


@dataclass(frozen=True)
class Missing:
    """A metric that no system has, and why."""

    metric: Metric
    modes: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class ModeTables:
    """A mode's tables: its figures, each system's paired tests, and those by style and expression, by metric."""

    mode: str
    figures: list[Table]
    paired: dict[str, Table]
    splits: dict[str, dict[str, Table]]


@dataclass(frozen=True)
class Tables:
    """All tables of our figures."""

    modes: tuple[ModeTables, ...]
    timing: Table | None

    def listed(self) -> list[Table]:
        """One after another, those of the papers last."""
        ours: list[Table] = []
        for one in self.modes:
            ours += [*one.figures, *one.paired.values()]
            ours += [table for by_metric in one.splits.values() for table in by_metric.values()]
        return [*ours, *([self.timing] if self.timing else []), *papers_tables()]


def column_of(metric: Metric) -> Column:
    return Column(metric.title, metric.better, metric.meaning)


def ordered_systems(scores: Scores) -> tuple[str, ...]:
    """Points of reference last."""
    return (*scores.judged, *(system for system in scores.systems if system in scores.references))


def figures_tables(scores: Scores, mode: str) -> list[Table]:
    """A mode's figures: the papers' columns, even those that are empty, a row a system as in the papers; then ours, of
    which there are many, a row a metric."""
    there, empty = scores.columns(mode), scores.empty(mode)
    expected = [metric for metric in empty if mode == "self" or "truth" not in metric.needs]
    papers = tuple(m for m in scores.metrics if m.paper and (m in there or m in expected))
    ours = tuple(metric for metric in there if not metric.paper)
    tables = []
    if papers:
        tables.append(_papers_columns(scores, mode, papers))
    if ours:
        rows = tuple(
            TableRow(column_of(m).heading, tuple(_figure_cells(scores, mode, m)), note=m.meaning)
            for m in ours
        )
        title = f"{MODE_TITLES[mode]}: more metrics"
        tables.append(Table(title, system_columns(scores), rows, "metric", (f"{PLACES} {INTERVALS}",)))
    return tables


def _papers_columns(scores: Scores, mode: str, metrics: tuple[Metric, ...]) -> Table:
    empty = scores.empty(mode)
    systems = ordered_systems(scores)
    columns = [
        [Cell(NOTHING, note=empty[metric])] * len(systems)
        if metric in empty
        else _figure_cells(scores, mode, metric)
        for metric in metrics
    ]
    rows = []
    for place, system in enumerate(systems):
        counts = Cell(str(scores.made(system, mode))), Cell(str(scores.failed(system, mode)))
        rows.append(
            TableRow(system, (*counts, *(column[place] for column in columns)), system in scores.references)
        )
    notes = [f"{PLACES} {INTERVALS}"]
    if any(row.apart for row in rows) and not all(row.apart for row in rows):
        notes.append(APART)
    if len({scores.made(system, mode) for system in scores.systems}) > 1:
        notes.append(
            "Not all systems have all clips, so these means are of different clips; the paired tests are of common ones."
        )
    if any(metric in empty for metric in metrics):
        notes.append("Empty columns were not measured; why, is listed with the problems.")
    titles = (Column("clips"), Column("failed"), *map(column_of, metrics))
    return Table(f"{MODE_TITLES[mode]}: the papers' metrics", titles, tuple(rows), "system", tuple(notes))


def _figure_cells(scores: Scores, mode: str, metric: Metric) -> list[Cell]:
    """Of all systems in their order."""
    place = scores.places(mode, metric)
    return [
        figure_cell(scores.figures[system, mode, metric.name], metric.digits, place[system])
        for system in ordered_systems(scores)
    ]


def system_columns(scores: Scores, but: str | None = None) -> tuple[Column, ...]:
    """A column a system, points of reference last."""
    return tuple(
        Column(system, apart=system in scores.references)
        for system in ordered_systems(scores)
        if system != but
    )


def headlines(scores: Scores, mode: str) -> tuple[Metric, ...]:
    """The metrics that are split, shown clip by clip and choose the clips to look at: the papers' and `HEADLINES`, or
    all where there are none of these. Metrics of sets are not."""
    single = [metric for metric in scores.columns(mode) if not metric.of_sets and metric.better != "neither"]
    return tuple(m for m in single if m.paper or m.name in HEADLINES) or tuple(single)


def splits(scores: Scores, mode: str, split: Split) -> dict[str, np.ndarray]:
    """The pairs of a mode by style or by expression: bool (n,) each, in the order of their names."""
    labels = np.array([getattr(pair, split) for pair in scores.pairs[mode]])
    return {str(label): labels == label for label in sorted(set(labels.tolist()))}


def split_table(scores: Scores, mode: str, metric: Metric, split: Split) -> Table:
    """A metric by style or by expression. Not for metrics of sets, which a few clips do not make."""
    groups = splits(scores, mode, split)
    figures = {
        (system, label): scores.figure(system, mode, metric, among)
        for label, among in groups.items()
        for system in scores.systems
    }
    rows = []
    for system in ordered_systems(scores):
        cells = []
        for label in groups:
            place = _places_among(metric, {one: figures[one, label].value for one in scores.judged})
            cells.append(figure_cell(figures[system, label], metric.digits, place.get(system, 0)))
        rows.append(TableRow(system, tuple(cells), system in scores.references))
    columns = tuple(Column(f"{label} ({int(among.sum())})") for label, among in groups.items())
    title = f"{MODE_TITLES[mode]}: {column_of(metric).heading} by {split}"
    return Table(title, columns, tuple(rows), "system", (f"In brackets: clips of the {split}. {INTERVALS}",))


def _places_among(metric: Metric, values: dict[str, float]) -> dict[str, int]:
    return dict(zip(values, places(list(values.values()), metric.better, metric.digits), strict=True))


def paired_table(scores: Scores, mode: str, system: str) -> Table:
    """`system` against each other one, clip by clip: a row a metric, a column for each of the others."""
    others = [other for other in ordered_systems(scores) if other != system]
    made = {one: scores.by_system[one, mode].made for one in scores.systems}
    rows = [
        TableRow("common clips", tuple(Cell(str(int((made[system] & made[one]).sum()))) for one in others))
    ]
    for metric in scores.columns(mode):
        cells = tuple(_difference_cell(scores, mode, metric, system, other) for other in others)
        rows.append(TableRow(column_of(metric).heading, cells, note=metric.meaning))
    note = (
        f"Differences are {system} less the other, over the clips that both have. Better or worse: the 95 % bootstrap "
        "interval leaves out 0 and a sign-flip permutation test gives p < 0.05 (metrics of sets: the interval alone); "
        "else the same, as far as these clips show. Of many such tests one in twenty errs by chance."
    )
    title = f"{MODE_TITLES[mode]}: {system} against the others"
    return Table(title, system_columns(scores, system), tuple(rows), f"{system} against", (note,))


def _difference_cell(scores: Scores, mode: str, metric: Metric, system: str, other: str) -> Cell:
    found = scores.difference(system, other, mode, metric)
    if not found.n or math.isnan(found.value):
        return Cell(NOTHING, note="no common clip has a value")
    p = "" if math.isnan(found.p) else f", p = {found.p:.4f}" if found.p >= 1e-4 else ", p < 0.0001"
    text, verdict = signed(found.value, metric.digits), found.verdict(metric.better)
    low, high = signed(found.low, metric.digits), signed(found.high, metric.digits)
    return Cell(
        text,
        f"{low} to {high}" if low else "",
        tone=verdict
        if verdict in ("", "same") or text[0] in "+−"
        else "same",  # a difference that shows as 0 is none
        note=f"{found.n} common clips{p}",
    )


def signed(value: float, digits: int) -> str:
    """A difference with its sign; nothing for NaN."""
    if math.isnan(value):
        return ""
    shown = number(abs(value), digits)
    sign = "" if not float(shown.replace("∞", "inf")) else "−" if value < 0 else "+"
    return sign + shown


def timing_table(scores: Scores) -> Table | None:
    """Seconds a frame, but for points of reference, which make nothing; None where nobody measured them."""
    rows = []
    for system in scores.judged:
        values = np.concatenate([scores.values(system, mode, SECONDS) for mode in scores.modes])
        known = values[np.isfinite(values)]
        if not len(known):
            continue
        median, low, high = np.quantile(known, [0.5, 0.05, 0.95])
        speed = number(1 / median, 1) if median else "∞"
        cells = (
            Cell(str(len(known))),
            Cell(_three_digits(median), f"{_three_digits(low)}–{_three_digits(high)}"),
            Cell(speed),
        )
        rows.append(TableRow(system, cells))
    if not rows:
        return None
    note = "Of the machine that ran them, and different from run to run. Small figures: from the 5th to the 95th of 100 clips."
    columns = (Column("clips"), Column("seconds a frame, median"), Column("frames a second"))
    return Table("Time", columns, tuple(rows), "system", (note,))


def _three_digits(value: float) -> str:
    return f"{value:#.3g}".rstrip(".") if value >= 1e-3 else f"{value:.4f}"


def missing_metrics(scores: Scores) -> list[Missing]:
    """The metrics that no system has, with the reason; one entry for a metric that lacks in both modes for one
    reason."""
    found: dict[tuple[Metric, str], tuple[str, ...]] = {}
    for mode in scores.modes:
        for metric, reason in scores.empty(mode).items():
            found[metric, reason] = (*found.get((metric, reason), ()), mode)
    return [Missing(metric, modes, reason) for (metric, reason), modes in found.items()]


def papers() -> dict[str, Any]:
    """The papers' own tables, with their origin."""
    text = (files(__package__) / "papers.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


def papers_tables() -> list[Table]:
    """Tables 1 and 2 of the first paper, as printed there."""
    tables = []
    for one in papers()["tables"]:
        columns = tuple(Column(column["title"], column["better"]) for column in one["columns"])
        rows = tuple(TableRow(name, tuple(map(Cell, cells))) for name, cells in one["rows"].items())
        tables.append(Table(one["title"], columns, rows, one["corner"], (one["note"],)))
    return tables


def tables_of(scores: Scores) -> Tables:
    """All tables of our figures; with many clips it takes a minute."""
    modes = []
    for mode in scores.modes:
        against = scores.systems if len(scores.systems) > 1 else ()
        by_split: dict[str, dict[str, Table]] = {
            split: {
                metric.name: split_table(scores, mode, metric, split) for metric in headlines(scores, mode)
            }
            for split in SPLITS
            if len(splits(scores, mode, split)) > 1
        }
        paired = {
            system: paired_table(scores, mode, system)
            for system in ordered_systems(scores)
            if system in against
        }
        modes.append(ModeTables(mode, figures_tables(scores, mode), paired, by_split))
    return Tables(tuple(modes), timing_table(scores))


def compact_table(scores: Scores) -> str:
    """For a terminal: a line a metric, a column a system; the best marked with a star. Of metrics of sets, too, the
    values alone."""
    systems = ordered_systems(scores)
    parts = []
    for mode in scores.modes:
        rows = [[MODE_TITLES[mode], *systems]]
        rows.append(["clips", *(_made_and_failed(scores, system, mode) for system in systems)])
        for metric in scores.columns(mode):
            values = [scores.value(system, mode, metric) for system in systems]
            place = _places_among(
                metric,
                {one: value for one, value in zip(systems, values, strict=True) if one in scores.judged},
            )
            cells = [
                (number(value, metric.digits) or NOTHING)
                + ("*" if place.get(system) == 1 and len(place) > 1 else " ")
                for system, value in zip(systems, values, strict=True)
            ]
            rows.append([column_of(metric).heading, *cells])
        parts.append(as_text(rows))
    return "\n\n".join(parts)


def _made_and_failed(scores: Scores, system: str, mode: str) -> str:
    failed = scores.failed(system, mode)
    return f"{scores.made(system, mode)} " if not failed else f"{scores.made(system, mode)}, {failed} failed "


def pair_values(scores: Scores, system: str, mode: str, metric: Metric) -> list[tuple[Pair, float]]:
    """A system's clips with their values, the best first; those without a finite one are left out."""
    values = scores.values(system, mode, metric.name)
    found = [(pair, float(v)) for pair, v in zip(scores.pairs[mode], values, strict=True) if math.isfinite(v)]
    return sorted(found, key=lambda one: (one[1] if metric.better == "less" else -one[1], one[0].name))
