"""Suites by name: those that this project draws, on demand, and any folder."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from followyouremoji.benchmark.drawn import SLICES, draw_suite, drawing_code
from followyouremoji.benchmark.suite import MANIFEST, Suite
from followyouremoji.cache import cache_folder
from followyouremoji.errors import DataError, some_of
from followyouremoji.executors import Executor

DRAWN = {"drawn": SLICES["full"], "drawn-mini": SLICES["mini"]}
"""By the name of a suite, the slice of EmojiBench-Drawn that it is."""


@dataclass(frozen=True)
class DrawnSuite:
    """A suite by name: where its drawing lies, or will lie, and whether it is there."""

    name: str
    folder: Path

    @property
    def is_drawn(self) -> bool:
        return (self.folder / MANIFEST).is_file()


def suites_folder() -> Path:
    """Where drawn suites are kept."""
    return cache_folder() / "suites"


def drawn_suite(name: str) -> DrawnSuite:
    """The suite `name` of `DRAWN` as this version draws it."""
    return DrawnSuite(name, suites_folder() / f"{name}-{drawing_code()}")


def earlier_drawings() -> list[Path]:
    """Drawings by other versions of this program, which nothing reads any more."""
    current = {drawn_suite(name).folder.name for name in DRAWN}
    named = re.compile(rf"({'|'.join(DRAWN)})-[0-9a-f]{{12}}")
    there = suites_folder().iterdir() if suites_folder().is_dir() else ()
    return sorted(one for one in there if named.fullmatch(one.name) and one.name not in current)


def find_suite(
    text: str, executor: Executor, advance: Callable[[int, int], None] = lambda done, total: None
) -> Suite:
    """The suite that a user means: a name of `DRAWN`, which is drawn first where it is not yet, or a folder.

    `advance` is called with what is drawn, and all. Raises DataError where there is no such suite.
    """
    if text in DRAWN:
        drawn = drawn_suite(text)
        if not drawn.is_drawn:
            suites_folder().mkdir(parents=True, exist_ok=True)
            slice, done = DRAWN[text], count(1)
            draw_suite(drawn.folder, slice, executor, lambda: advance(next(done), len(slice.items)))
        return Suite.read(drawn.folder)
    if not Path(text).is_dir():
        raise DataError(
            f"There is no suite {text}: it is neither a folder nor one of {some_of(list(DRAWN))}."
        )
    return Suite.read(Path(text))
