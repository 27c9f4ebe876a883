"""The store of results: rows come back as they went in, and nothing half-written or foreign is taken for them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.dataset
import pytest

from followyouremoji.benchmark.metrics import Measured
from followyouremoji.benchmark.protocol import Protocol
from followyouremoji.benchmark.store import FAILED, SCHEMA, Results, Run, SystemItem, folder_name, locked
from followyouremoji.benchmark.suite import Case, ClipItem, Footage, PairItem, SuiteFile
from followyouremoji.errors import DataError, SettingsError

FILE = SuiteFile(path="a", sha256="0" * 64)
CLIP = ClipItem(
    name="talk", expression="talk", licence="CC0", source="nowhere",
    footage=Footage(clip=FILE, motion=FILE, frames=9, frame_rate=25.0),
)  # fmt: skip
RUN = Run(
    suite="small",
    suite_folder="/somewhere",
    fingerprint="1",
    protocol=Protocol(),
    systems=[SystemItem(name="ours, exact", described="bundled", fingerprint="2")],
)


def case(name: str) -> Case:
    return Case(Path("nowhere"), Protocol(), PairItem(name=name, clip="talk"), CLIP, None)


def test_rows_come_back_as_they_went_in(tmp_path: Path) -> None:
    results = Results.begin(tmp_path, RUN)
    features = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    third = 1 / 3
    results.add("ours, exact", case("b"), [Measured("l1", third), Measured("ssim", math.nan)], clip=b"a clip")
    results.add("ours, exact", case("a"), [Measured("fid", math.nan, features, features[:1])])
    results.add("ours, exact", case("c"), [], problem="no face")
    fid, l1, ssim, failed = Results.read(tmp_path).rows()
    assert (fid.pair, fid.metric, fid.mode, fid.style, fid.expression) == (
        "a",
        "fid",
        "self",
        "person",
        "talk",
    )
    np.testing.assert_array_equal(fid.features, features)
    np.testing.assert_array_equal(fid.reference, features[:1])
    assert (l1.value, l1.features, l1.problem) == (third, None, None)
    assert math.isnan(ssim.value)
    assert (failed.metric, failed.problem) == (FAILED, "no face")
    assert results.failed() == {("ours, exact", "c")}
    assert results.clip_path("ours, exact", "b").read_bytes() == b"a clip"
    table = pyarrow.dataset.dataset(tmp_path / "rows", format="parquet").to_table()
    assert len(table) == 4, "any tool reads them as one table"


def test_of_a_pair_that_fails_now_no_clip_is_left(tmp_path: Path) -> None:
    results = Results.begin(tmp_path, RUN)
    results.add("ours, exact", case("a"), [], clip=b"a clip")
    results.add("ours, exact", case("a"), [], problem="no face")
    assert not results.clip_path("ours, exact", "a").exists()


def test_what_a_killed_run_left_is_no_row_and_goes(tmp_path: Path) -> None:
    results = Results.begin(tmp_path, RUN)
    results.add("ours, exact", case("a"), [Measured("l1", 0.5)])
    left = results.path("ours, exact", "a").with_name(".b.0123abcd.part.parquet")
    left.mkdir()
    (left / "new.parquet").write_bytes(b"half")
    assert [row.pair for row in results.rows()] == ["a"]
    again = Results.begin(tmp_path, RUN)
    assert not left.exists()
    assert [row.pair for row in again.rows()] == ["a"]


def test_damaged_and_foreign_files_are_named(tmp_path: Path) -> None:
    results = Results.begin(tmp_path, RUN)
    results.add("ours, exact", case("a"), [Measured("l1", 0.5)])
    path = results.path("ours, exact", "a")
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with pytest.raises(DataError, match=r"a\.parquet is damaged .*delete it"):
        list(results.rows())
    pyarrow.parquet.write_table(pyarrow.table({"metric": ["l1"]}), path)
    with pytest.raises(DataError, match="columns are not those of results"):
        list(results.rows())
    row = {"system": "x", "pair": "a", "mode": "self", "style": "", "expression": "", "metric": "l1"}
    for rows, words in (
        ([row | {"metric": None}], "a text is missing"),
        ([row | {"features": [[1.0], [2.0, 3.0]]}], "no matrix"),
        ([row] * 2000, "too many rows"),
    ):
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, SCHEMA), path)
        with pytest.raises(DataError, match=words):
            list(results.rows())
    with pytest.raises(DataError, match="holds no results"):
        Results.read(tmp_path / "rows")
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(DataError, match=r"run\.json: "):
        Results.begin(tmp_path, RUN)


def test_results_of_something_else_are_refused_and_stay(tmp_path: Path) -> None:
    Results.begin(tmp_path, RUN)
    before = (tmp_path / "run.json").read_bytes()
    (system,) = RUN.systems
    for other, words in (
        (replace(RUN, fingerprint="9"), "suite 'small' in another version"),
        (replace(RUN, protocol=Protocol(frames=32)), "frames is 64 there and 32 here"),
        (replace(RUN, protocol=Protocol(versions={"numpy": "9"})), "versions is without it there and numpy 9 here"),
        (replace(RUN, systems=[replace(system, fingerprint="9")]), "another 'ours, exact': bundled"),
        (replace(RUN, systems=[replace(system, name="Ours (exact)")]), "would share a folder"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=words.replace("(", r"\(")):
            Results.begin(tmp_path, other)
    assert (tmp_path / "run.json").read_bytes() == before


def test_systems_join_those_that_are_there(tmp_path: Path) -> None:
    Results.begin(tmp_path, RUN)
    copy = SystemItem(name="copy", described="copy", fingerprint="copy")
    Results.begin(tmp_path, replace(RUN, systems=[copy]))
    assert [system.name for system in Results.read(tmp_path).run.systems] == ["ours, exact", "copy"]


def test_one_run_at_a_time(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "new"),
        pytest.raises(DataError, match="Another run writes"),
        locked(tmp_path / "new"),
    ):
        pass
    with locked(tmp_path / "new"):
        pass


def test_names_make_folders() -> None:
    assert folder_name("bundled (steps=30, speed=exact)") == "bundled_steps_30_speed_exact"
    assert folder_name("../..") == "system"
    with pytest.raises(SettingsError, match="name"):
        SystemItem(name="n" * 101, described="copy", fingerprint="copy")
