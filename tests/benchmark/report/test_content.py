"""The tables of a report have the numbers of statistics, and everything that there is."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyarrow", reason="results are Parquet files")

from followyouremoji.benchmark.report.content import (
    compact_table,
    figures_tables,
    paired_table,
    papers_tables,
    signed,
    split_table,
    tables_of,
    timing_table,
)
from followyouremoji.benchmark.report.plots import axis, heaped, interval_panels, percent, strip_panel
from followyouremoji.benchmark.report.scores import Scores
from followyouremoji.benchmark.statistics import mean_figure, paired_difference
from followyouremoji.benchmark.store import Results
from followyouremoji.benchmark.tables import Cell, Table, figure_cell
from tests.benchmark.report.sample import MISSING, written_results
from tests.benchmark.report.test_scores import AED, L1, METRICS

PAIRS = [f"self-{style}-{place}" for style in ("person", "animal") for place in range(8)]
OURS = np.random.default_rng(1).normal(0.10, 0.01, 16)
THEIRS = OURS + np.random.default_rng(2).normal(0.05, 0.01, 16)


@pytest.fixture
def scores(tmp_path: Path) -> Scores:
    figures = {
        system: {
            pair: {"l1": value, "aed": 1.0, "seconds": 0.25}
            for pair, value in zip(PAIRS, values, strict=True)
        }
        for system, values in (("ours", OURS), ("theirs", THEIRS), ("copy", 2 * THEIRS))
    }
    return Scores.of([written_results(tmp_path, figures)], METRICS)


def cell(table: Table, row: str, column: str) -> Cell:
    place = [one.title for one in table.columns].index(column)
    return next(one for one in table.rows if one.name == row).cells[place]


def in_order(values: np.ndarray) -> np.ndarray:
    return values[np.argsort(PAIRS)]


def test_figures_have_the_numbers_of_statistics_and_the_best_is_marked(scores: Scores) -> None:
    papers, ours = figures_tables(scores, "self")
    assert cell(papers, "ours", "L1") == figure_cell(mean_figure(in_order(OURS)), 3, 1)
    assert cell(papers, "theirs", "L1") == figure_cell(mean_figure(in_order(THEIRS)), 3, 2)
    assert cell(papers, "copy", "L1").place == 0
    assert cell(papers, "ours", "clips").text == "16"
    assert cell(papers, "ours", "LPIPS").text == "–"
    assert cell(papers, "ours", "LPIPS").note == MISSING
    assert any("not measured" in note for note in papers.notes)
    assert cell(ours, "AED ↓", "ours").place == cell(ours, "AED ↓", "theirs").place == 1


def test_by_style_has_the_numbers_of_statistics(scores: Scores) -> None:
    table = split_table(scores, "self", L1, "style")
    assert cell(table, "ours", "animal (8)").text == f"{OURS[8:].mean():.3f}"
    assert cell(table, "ours", "person (8)").text == f"{OURS[:8].mean():.3f}"


def test_paired_tests_have_the_numbers_of_statistics(scores: Scores) -> None:
    table = paired_table(scores, "self", "ours")
    expected = paired_difference(in_order(OURS), in_order(THEIRS))
    found = cell(table, "L1 ↓", "theirs")
    assert found.text == signed(expected.value, 3)
    assert found.text.startswith("−0.05")
    assert found.tone == "better"
    other_way = cell(paired_table(scores, "self", "theirs"), "L1 ↓", "ours")
    assert other_way.tone == "worse"
    assert other_way.text == found.text.replace("−", "+")
    assert cell(table, "AED ↓", "theirs").tone == "same"
    assert cell(table, "common clips", "theirs").text == "16"


def test_a_difference_that_shows_as_nothing_is_none(tmp_path: Path) -> None:
    figures = {
        system: {pair: {"l1": 0.1 + add} for pair in PAIRS}
        for system, add in (("ours", 0.0), ("theirs", 1e-6))
    }
    scores = Scores.of([written_results(tmp_path, figures)], METRICS)
    assert cell(paired_table(scores, "self", "ours"), "L1 ↓", "theirs") == Cell(
        "0.000", "0.000 to 0.000", tone="same", note="16 common clips, p < 0.0001"
    )


def test_time_stands_apart(scores: Scores) -> None:
    table = timing_table(scores)
    assert table is not None
    assert cell(table, "ours", "seconds a frame, median").text == "0.250"
    assert cell(table, "ours", "frames a second").text == "4.0"
    others = [one for one in tables_of(scores).listed() if one.title != "Time"]
    assert not any("seconds" in column.title for one in others for column in one.columns)


def test_the_same_results_give_the_same_tables(scores: Scores, tmp_path: Path) -> None:
    again = Scores.of([Results.read(tmp_path)], METRICS)
    assert tables_of(scores).listed() == tables_of(again).listed()


def test_the_compact_table_marks_the_best(scores: Scores) -> None:
    lines = compact_table(scores).splitlines()
    line = next(one for one in lines if one.startswith("L1"))
    assert f"{OURS.mean():.3f}*" in line
    assert line.count("*") == 1


def test_the_papers_tables_are_as_printed() -> None:
    first, second = papers_tables()
    assert cell(first, "Follow-Your-Emoji", "FVD").text == "96.8"
    assert cell(first, "AniPortrait", "LPIPS").text == ".132"
    assert cell(second, "2D landmarks", "landmark accuracy, %").text == "17.45"
    assert [len(first.rows), len(second.rows)] == [8, 6]
    assert all(len(row.cells) == len(one.columns) for one in (first, second) for row in one.rows)
    assert not any(one.place for table in (first, second) for row in table.rows for one in row.cells)


def test_panels_place_figures_in_percent(scores: Scores) -> None:
    panel = next(one for one in interval_panels(scores, "self") if one.metric == "l1")
    for mark in panel.marks:
        assert mark.x is not None
        assert mark.low is not None
        assert mark.high is not None
        assert 0 < mark.low < mark.x < mark.high < 100
    strip = strip_panel(scores, "self", L1)
    assert [len(mark.dots) for mark in strip.marks] == [16, 16, 16]
    assert strip_panel(scores, "self", AED).ends == ("0.95", "1.05")


def test_an_axis_reaches_from_the_least_to_the_largest_finite_value() -> None:
    ends = axis([1.0, 3.0, float("inf"), float("nan")])
    assert ends == (1.0, 3.0)
    assert percent(2.0, ends) == 50
    assert percent(float("inf"), ends) is None


def test_dots_of_one_place_lie_side_by_side() -> None:
    assert heaped([10.0, 10.0, 50.0, 10.0]) == [0, 3, 0, -3]
