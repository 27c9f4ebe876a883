"""Readers of suites, results and studies: `followyouremoji.benchmark`."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from followyouremoji.benchmark.gathering import LABELS, read_labels
from followyouremoji.benchmark.metrics import Measured
from followyouremoji.benchmark.protocol import Protocol
from followyouremoji.benchmark.store import RUN, Results, Run, SystemItem
from followyouremoji.benchmark.study.answers import Answers
from followyouremoji.benchmark.suite import (
    MANIFEST,
    Case,
    ClipItem,
    Footage,
    Manifest,
    PairItem,
    PortraitItem,
    Suite,
    SuiteFile,
)

from .motion import written
from .reader import Reader, from_file

FILE = SuiteFile(path="clips/a.mkv", sha256="0" * 64)
FOOTAGE = Footage(clip=FILE, motion=FILE, gaze=FILE, frames=5, frame_rate=25.0)
TERMS = {"licence": "CC0", "source": "nowhere"}
PAIR = PairItem(name="pair", clip="talk", portrait="ada", truth=FOOTAGE)
CLIP = ClipItem(name="talk", expression="talk", footage=FOOTAGE, **TERMS)
SYSTEM = "ours"
SUITE = Manifest(
    name="small",
    about="Made for tests.",
    size=64,
    portraits=[PortraitItem(name="ada", style="person", picture=FILE, landmarks=FILE, **TERMS)],
    clips=[CLIP],
    pairs=[PAIR],
)
BENCHMARK = Run(
    suite="small",
    suite_folder="/somewhere",
    fingerprint="1",
    protocol=Protocol(),
    systems=[SystemItem(name=SYSTEM, described="bundled", fingerprint="2")],
)
STUDY, SYSTEMS, PAIRS = "a study", ("heron", "kestrel"), ("a", "b", "c")


def rows() -> Iterable[bytes]:
    """What was measured of a result."""
    features = np.zeros((2, 3), np.float32)
    with tempfile.TemporaryDirectory() as folder:
        results = Results(Path(folder), BENCHMARK)
        case = Case(Path("nowhere"), Protocol(), PAIR, CLIP, None)
        results.add(SYSTEM, case, [Measured("l1", 0.5), Measured("fid", float("nan"), features, features)])
        yield results.path(SYSTEM, PAIR.name).read_bytes()


def use_rows(content: bytes) -> None:
    results = Results(Path(tempfile.gettempdir()), BENCHMARK)
    path = results.path(SYSTEM, PAIR.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    list(results.rows())
    results.failed()


def write_answers(path: Path) -> None:
    """A study's file, of a visitor who has answered once."""
    with Answers(path, STUDY, SYSTEMS) as answers:
        answers.save(answers.begin(PAIRS, 3), 1, "expression", [1, 0], PAIRS)
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode = DELETE")  # all in one file
    database.close()


def use_answers(path: Path) -> None:
    """Read all answers, and have another visitor begin."""
    for other in path.parent.glob(f"{path.name}-*"):  # of the input before
        other.unlink()
    with Answers(path, STUDY, SYSTEMS) as answers:
        answers.questions()
        answers.begin(PAIRS, 3)


def use_labels(path: Path) -> None:
    (path.parent / "b.webp").touch()
    read_labels(path.parent, "portrait")


READERS = (
    Reader(
        "suites/manifest",
        lambda: [SUITE.to_json().encode()],
        from_file(lambda path: Suite.read(path.parent), MANIFEST),
    ),
    Reader(
        "suites/run",
        lambda: [TypeAdapter(Run).dump_json(BENCHMARK, indent=1)],
        from_file(lambda path: Results.read(path.parent), RUN),
    ),
    Reader("suites/rows", rows, use_rows),
    Reader(
        "suites/answers",
        lambda: [written(write_answers, "study.db")],
        from_file(use_answers, "study.db"),
    ),
    Reader(
        "suites/labels",
        lambda: [b"file,style,licence,source\nb.webp,cartoon,CC0,a drawing\n"],
        from_file(use_labels, LABELS),
    ),
)
