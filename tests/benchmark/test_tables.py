"""Tables as Markdown, LaTeX and text, with names of any letters."""

import math
import re

import pytest

from followyouremoji.benchmark.statistics import Figure
from followyouremoji.benchmark.tables import (
    Cell,
    Column,
    Table,
    TableRow,
    as_latex,
    as_markdown,
    as_text,
    figure_cell,
    latex_escaped,
    markdown,
    number,
)

HOSTILE = r"a_b & 50% #1 {x} \y ~z ^ $ <script>|*`[]"
TABLE = Table(
    "Figures",
    (Column("L1", "less"), Column("SSIM", "more")),
    (
        TableRow("ours", (Cell("0.10", "0.05–0.15", 1), Cell("0.90", place=2))),
        TableRow(HOSTILE, (Cell("+0.20", tone="worse"), Cell("–"))),
        TableRow("copy", (Cell("0.30"), Cell("0.80")), apart=True),
    ),
    "system",
    ("A note of 95 %.",),
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.12345, "0.123"),
        (math.nan, ""),
        (math.inf, "∞"),
        (-math.inf, "-∞"),
        (-0.0001, "0.000"),
        (-0.1, "-0.100"),
    ],
)
def test_numbers(value: float, text: str) -> None:
    assert number(value, 3) == text


def test_a_figure_without_clips_is_a_dash() -> None:
    assert figure_cell(Figure(math.nan, math.nan, math.nan, 0), 3).text == "–"
    cell = figure_cell(Figure(0.5, 0.4, 0.6, 7), 2, 1)
    assert (cell.text, cell.interval, cell.place, cell.note) == ("0.50", "0.40–0.60", 1, "7 clips")


def test_markdown_marks_the_best_and_escapes_names() -> None:
    text = as_markdown(TABLE)
    assert "| system | L1 ↓ | SSIM ↑ |" in text
    assert "| ours | **0.10** [0.05–0.15] | <u>0.90</u> |" in text
    assert r"\<script\>\|\*\`\[\]" in text
    assert "worse (+0.20)" in text
    assert "| *copy* |" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {4}


def test_latex_escapes_every_special_letter() -> None:
    text = as_latex(TABLE)
    assert r"a\_b \& 50\% \#1 \{x\} \textbackslash{}y \textasciitilde{}z \textasciicircum{} \$" in text
    assert r"\textbf{0.10}" in text
    assert r"\underline{0.90}" in text
    assert r"L1 $\downarrow$" in text
    body = text.replace("\\\\", "")
    assert body.count("{") - body.count(r"\{") == body.count("}") - body.count(r"\}")
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {2}
    assert text.count(r"\midrule") == 2  # one below the heading, one before the points of reference


def test_latex_of_one_letter_each() -> None:
    assert latex_escaped("%") == r"\%"
    assert latex_escaped("\\") == r"\textbackslash{}"
    assert latex_escaped("two\nlines") == "two lines"


def test_text_is_aligned() -> None:
    lines = as_text([["", "ours", "x"], ["L1", "0.1", "0.25"]]).splitlines()
    assert lines == ["    ours     x", "──  ────  ────", "L1   0.1  0.25"]


def test_plain_markdown_rows() -> None:
    assert markdown([["a", "b"], ["1", "2"]]) == "| a | b |\n|---|---|\n| 1 | 2 |"
