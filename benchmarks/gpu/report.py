"""Answers as a page of tables and as JSON, written anew after each question."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.questions import GIB, Answer
from followyouremoji.benchmark.fingerprints import code_hash
from followyouremoji.benchmark.tables import NOTHING, Cell, Column, Table, TableRow, as_markdown, number
from followyouremoji.files import atomic, write_json
from followyouremoji.version import __version__

REMARK = "remark"


def described(device: torch.device) -> dict[str, str]:
    """What the figures are of."""
    about = {"version": __version__, "code": code_hash(), "torch": torch.__version__}
    if device.type != "cuda":
        return {
            "device": f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads",
            **about,
        }
    card = torch.cuda.get_device_properties(device)
    return {
        "device": f"{card.name}, {card.total_memory / GIB:.0f} GiB",
        **about,
        "CUDA": str(torch.version.cuda),
        "cuDNN": str(torch.backends.cudnn.version()),
    }


def write(folder: Path, about: Mapping[str, str], answers: Sequence[Answer]) -> None:
    """Write `gpu.md` and `gpu.json`, each whole or not at all."""
    with atomic(folder / "gpu.md") as temporary:
        temporary.write_text(page(about, answers), encoding="utf-8")
    write_json(
        folder / "gpu.json", {"about": dict(about), "answers": [as_json(answer) for answer in answers]}
    )


def page(about: Mapping[str, str], answers: Sequence[Answer]) -> str:
    facts = "; ".join(f"{name} {value}" for name, value in about.items())
    return "\n".join([f"# Figures of a GPU\n\n{facts}.\n", *map(section, answers)])


def section(answer: Answer) -> str:
    """A question's table and what is to be said about it."""
    if answer.rows:
        return as_markdown(table(answer))
    return f"### {answer.question.name}\n\n{answer.question.answers}\n\n{answer.unfinished}\n"


def table(answer: Answer) -> Table:
    """A question's rows; a remark says why a row has no figures, a note below why rows are missing."""
    titles = list(dict.fromkeys(title for row in answer.rows for title in row.figures))
    if any(row.problem for row in answer.rows):
        titles.append(REMARK)
    rows = []
    for row in answer.rows:
        figures = {**row.figures, REMARK: row.problem}
        rows.append(TableRow(row.name, tuple(Cell(shown(figures.get(title))) for title in titles)))
    notes = (answer.question.answers, f"Took {answer.seconds:.0f} s.", answer.unfinished)
    columns = tuple(Column(title) for title in titles)
    return Table(answer.question.name, columns, tuple(rows), notes=tuple(note for note in notes if note))


def shown(value: float | str | None) -> str:
    """A figure with three significant digits, whole numbers as they are."""
    if value is None or isinstance(value, str):
        return value or NOTHING
    if isinstance(value, int) or not math.isfinite(value) or value == 0:
        return number(value, 0)
    return number(value, max(0, 2 - math.floor(math.log10(abs(value)))))


def as_json(answer: Answer) -> dict[str, Any]:
    return {
        "name": answer.question.name,
        "answers": answer.question.answers,
        "seconds": answer.seconds,
        "rows": [
            {"name": row.name, **row.figures, **({"problem": row.problem} if row.problem else {})}
            for row in answer.rows
        ],
        **({"unfinished": answer.unfinished} if answer.unfinished else {}),
    }
