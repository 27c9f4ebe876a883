"""Tables of any figures: as plain text, Markdown and LaTeX. A page of HTML has them from its template."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from followyouremoji.benchmark.statistics import Better, Figure

ARROWS: dict[str, str] = {"less": "↓", "more": "↑", "neither": ""}
NOTHING = "–"
"""A cell without a figure."""
_LATEX = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "↓": r"$\downarrow$",
    "↑": r"$\uparrow$",
    "–": "--",
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "∞": r"$\infty$",
    "°": r"$^\circ$",
    "²": r"$^2$",
    "…": r"\dots{}",
}


@dataclass(frozen=True)
class Cell:
    """What stands in a table's cell.

    Attributes
    ----------
    interval : its 95 % interval; "" for none.
    place : 1 for the best of the column, 2 for the second best; 0 for those that have no place.
    tone : "better", "worse" or "same" for a difference.
    note : more of it, for whoever points at it.
    """

    text: str
    interval: str = ""
    place: int = 0
    tone: Literal["", "better", "worse", "same"] = ""
    note: str = ""


def heading(title: str, better: Better) -> str:
    """A metric's title with an arrow to where it is better."""
    return f"{title} {ARROWS[better]}".rstrip()


@dataclass(frozen=True)
class Column:
    """`better`: which of two values is the better one; `note`: what it means, for whoever points at it; `apart`: of a
    point of reference, without places."""

    title: str
    better: Better = "neither"
    note: str = ""
    apart: bool = False

    @property
    def heading(self) -> str:
        return heading(self.title, self.better)


@dataclass(frozen=True)
class TableRow:
    """`apart`: a point of reference below the others, without places; `note`: what it means."""

    name: str
    cells: tuple[Cell, ...]
    apart: bool = False
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A table: rows by name, columns by title; `corner` stands above the names, `notes` below the table."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]
    corner: str = ""
    notes: tuple[str, ...] = ()


def number(value: float, digits: int) -> str:
    """A number as the tables print it; nothing for NaN."""
    if math.isnan(value):
        return ""
    if math.isinf(value):
        return "-∞" if value < 0 else "∞"
    text = f"{value:.{digits}f}"
    return text if float(text) else text.lstrip("-")  # no negative zero


def interval_text(low: float, high: float, digits: int) -> str:
    """An interval as the tables print it; nothing where there is none."""
    return "" if math.isnan(low) else f"{number(low, digits)}–{number(high, digits)}".replace("–-", "–−")


def figure_cell(figure: Figure, digits: int, place: int = 0) -> Cell:
    """A figure as a cell."""
    if not figure.n:
        return Cell(NOTHING, note="no clip has a value")
    clips = f"{figure.n} clip{'s' if figure.n > 1 else ''}"
    interval = interval_text(figure.low, figure.high, digits)
    return Cell(number(figure.value, digits), interval, place, note=clips)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A markdown table, its first row the heading."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def as_markdown(table: Table) -> str:
    """The table in Markdown, the best in bold, the second best underlined, intervals in brackets."""

    def cell_text(cell: Cell) -> str:
        text = markdown_escaped(cell.text)
        text = {1: f"**{text}**", 2: f"<u>{text}</u>"}.get(cell.place, text)
        told = f"{cell.tone} ({text})" if cell.tone else text
        return f"{told} [{cell.interval}]" if cell.interval else told

    titles = [
        markdown_escaped(title) for title in (table.corner, *(column.heading for column in table.columns))
    ]
    rows = [[_markdown_name(row), *map(cell_text, row.cells)] for row in table.rows]
    notes = "".join(f"\n\n{markdown_escaped(note)}" for note in table.notes)
    return f"### {markdown_escaped(table.title)}\n\n{markdown([titles, *rows])}{notes}\n"


def as_latex(table: Table) -> str:
    """The table in LaTeX, of the package booktabs, the best in bold, the second best underlined, intervals below."""

    def cell_text(cell: Cell) -> str:
        text = latex_escaped(cell.text)
        text = {1: rf"\textbf{{{text}}}", 2: rf"\underline{{{text}}}"}.get(cell.place, text)
        if cell.tone:
            text = f"{cell.tone} {text}"
        small = latex_escaped(cell.interval)
        return rf"\shortstack{{{text}\\{{\tiny {small}}}}}" if small else text

    titles = [latex_escaped(title) for title in (table.corner, *(column.heading for column in table.columns))]
    lines = []
    for index, row in enumerate(table.rows):
        if row.apart and index and not table.rows[index - 1].apart:
            lines.append(r"\midrule")
        lines.append(" & ".join([latex_escaped(row.name), *map(cell_text, row.cells)]) + r" \\")
    caption = " ".join([table.title + ".", *table.notes])
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering\small",
            rf"\caption{{{latex_escaped(caption)}}}",
            rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
            r"\toprule",
            " & ".join(titles) + r" \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def as_text(rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns for a terminal, the first to the left, its first row the heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
        ).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "  ".join("─" * width for width in widths), *lines[1:]])


def markdown_escaped(text: str) -> str:
    """Any text, so that Markdown shows it as it is."""
    return re.sub(r"([\\`*_\[\]<>|#~])", r"\\\1", " ".join(text.split()))


def latex_escaped(text: str) -> str:
    """Any text, so that LaTeX shows it as it is."""
    return "".join(_LATEX.get(letter, letter) for letter in " ".join(text.split()))


def _markdown_name(row: TableRow) -> str:
    name = markdown_escaped(row.name)
    return f"*{name}*" if row.apart else name
