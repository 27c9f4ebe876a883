"""Rows of results as figures: what is counted, compared, and refused."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyarrow", reason="results are Parquet files")

from followyouremoji.benchmark.metrics import Metric
from followyouremoji.benchmark.protocol import Protocol
from followyouremoji.benchmark.report.scores import Scores, is_reference
from followyouremoji.benchmark.statistics import mean_figure, paired_difference
from followyouremoji.errors import DataError
from tests.benchmark.report.sample import MISSING, written_results, written_run

L1 = Metric("l1", "L1", "less", 3, "Difference.", needs=("truth",), paper=True)
AED = Metric("aed", "AED", "less", 2, "Expression.")
LPIPS = Metric("lpips", "LPIPS", "less", 3, "Looks.", needs=("truth", "vgg16"), paper=True)
METRICS = (AED, LPIPS, L1)

FIGURES = {
    "ours": {
        "self-person": {"l1": 0.1, "aed": 1.0, "seconds": 0.5},
        "self-animal": {"l1": 0.3, "aed": math.nan},
        "cross-person": {"l1": math.nan, "aed": 4.0},
    },
    "theirs": {
        "self-person": {"l1": 0.2, "aed": 2.0},
        "self-animal": "no face was found",
        "cross-person": {"l1": math.nan, "aed": 3.0},
    },
    "copy": {"self-person": {"l1": 0.01, "aed": 9.0}},
}


@pytest.fixture
def scores(tmp_path: Path) -> Scores:
    return Scores.of([written_results(tmp_path / "r", FIGURES)], METRICS)


def test_figures_are_those_of_statistics(scores: Scores) -> None:
    assert scores.figures["ours", "self", "l1"] == mean_figure(np.array([0.3, 0.1]))
    assert scores.figures["ours", "self", "aed"].n == 1
    assert scores.difference("ours", "theirs", "self", L1) == paired_difference(
        np.array([0.1]), np.array([0.2])
    )


def test_the_papers_columns_come_first(scores: Scores) -> None:
    assert [metric.name for metric in scores.metrics] == ["l1", "lpips", "aed"]


def test_failures_are_counted_and_no_clip_of_the_figures(scores: Scores) -> None:
    assert (scores.made("theirs", "self"), scores.failed("theirs", "self")) == (1, 1)
    assert scores.failures[0].problem == "no face was found"
    assert scores.figures["theirs", "self", "l1"].n == 1


def test_points_of_reference_have_no_place(scores: Scores) -> None:
    assert scores.places("self", L1) == {"ours": 1, "theirs": 1, "copy": 0}
    assert scores.places("cross", AED) == {"ours": 2, "theirs": 1, "copy": 0}


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        ("copy", True),
        ("Still=copy", True),
        ("truth", True),
        ("autoencoder:models/a", True),
        ("bundled", False),
        ("copy=models/ours?steps=8", False),
        ("videos:copy", False),
    ],
)
def test_what_is_a_point_of_reference_is_told_by_its_description(described: str, expected: bool) -> None:
    assert is_reference(described) is expected


def test_empty_columns_say_why(scores: Scores) -> None:
    assert scores.empty("self") == {LPIPS: MISSING}
    assert "true result" in scores.empty("cross")[L1]


def test_a_system_without_any_row_is_there_with_nothing(tmp_path: Path) -> None:
    scores = Scores.of([written_results(tmp_path, {"ours": FIGURES["ours"], "none": {}})], METRICS)
    assert scores.figures["none", "self", "l1"].n == 0
    assert scores.difference("ours", "none", "self", L1).n == 0


def test_several_results_of_one_protocol_are_joined(tmp_path: Path) -> None:
    stores = [written_results(tmp_path / name, {name: FIGURES[name]}) for name in ("ours", "theirs")]
    assert Scores.of(stores, METRICS).systems == ("ours", "theirs")


def test_results_that_may_not_be_joined_are_refused(tmp_path: Path) -> None:
    ours = written_results(tmp_path / "ours", {"ours": FIGURES["ours"]})
    theirs = {"theirs": FIGURES["theirs"]}
    small = written_results(tmp_path / "small", theirs, written_run(["theirs"], Protocol(size=128)))
    with pytest.raises(DataError, match=r"small.*another protocol: size is 128 there and 256 here"):
        Scores.of([ours, small], METRICS)
    changed = replace(written_run(["theirs"]), fingerprint="0" * 64)
    with pytest.raises(DataError, match="another version"):
        Scores.of([ours, written_results(tmp_path / "changed", theirs, changed)], METRICS)
    with pytest.raises(DataError, match="a system called 'ours'"):
        Scores.of([ours, written_results(tmp_path / "again", {"ours": FIGURES["ours"]})], METRICS)


def test_results_without_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no result yet"):
        Scores.of([written_results(tmp_path, {"ours": {}})], METRICS)
