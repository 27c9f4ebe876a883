"""`fye bench report` as a user runs it."""

from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="results are Parquet files")
pytest.importorskip("jinja2", reason="the page is made of a template")

from followyouremoji.benchmark.protocol import Protocol
from tests.apps.conftest import Run
from tests.benchmark.report.sample import written_results, written_run

FIGURES = {
    "ours": {"self-person": {"l1": 0.1}, "self-animal": {"l1": 0.2}},
    "theirs": {"self-person": {"l1": 0.3}, "self-animal": {"l1": 0.2}},
}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return written_results(tmp_path / "results", FIGURES).folder


def test_the_report_lies_in_the_results_and_is_made_again(fye: Run, results: Path) -> None:
    ended = fye("bench", "report", results)
    assert ended.code == 0, ended.err
    assert f"{results / 'report.html'}: " in ended.out
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "0.1500" in page
    assert "0.1500" in (results / "report.md").read_text(encoding="utf-8")
    assert "0.1500" in (results / "report.tex").read_text(encoding="utf-8")
    assert fye("bench", "report", results).code == 0
    assert (results / "report.html").read_text(encoding="utf-8") == page


def test_another_place_is_not_overwritten_unasked(fye: Run, results: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("mine")
    ended = fye("bench", "report", results, "-o", page)
    assert ended.code == 2
    assert "--overwrite" in ended.err
    assert page.read_text() == "mine"
    assert not page.with_suffix(".md").exists()
    assert fye("bench", "report", results, "-o", page, "--overwrite").code == 0
    assert page.read_text(encoding="utf-8").lstrip().startswith("<!DOCTYPE html>")


def test_what_cannot_be_used_is_told_in_a_line(fye: Run, results: Path, tmp_path: Path) -> None:
    small = written_results(
        tmp_path / "small", {"small": FIGURES["ours"]}, written_run(["small"], Protocol(size=128))
    )
    empty = written_results(tmp_path / "empty", {"ours": {}})
    for arguments, words in (
        ([tmp_path], "holds no results"),
        ([empty.folder], "holds no result yet"),
        ([results, small.folder], "another protocol: size"),
        ([results, results], "a system called 'ours'"),
        ([results, "--subject", "nobody"], "no system 'nobody'"),
        ([results, "-o", tmp_path / "page.pdf"], "ends in .html"),
        ([results, "-o", tmp_path / "nowhere" / "page.html"], "there is no folder"),
    ):
        ended = fye("bench", "report", *arguments)
        assert ended.code == 2, arguments
        assert words in ended.err
        assert len(ended.err.strip().splitlines()) == 1
    assert not (results / "report.html").exists()
