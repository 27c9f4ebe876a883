"""What a container's quota says of threads."""

import os
from pathlib import Path

import pytest

from followyouremoji.apps import cores


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("20000 100000\n", 1),
        ("max 100000\n", None),
        ("\n", None),
    ],
)
def test_version_2_is_read(tmp_path: Path, written: str, expected: int | None) -> None:
    (tmp_path / "cpu.max").write_text(written)
    assert cores.quota(tmp_path) == expected


@pytest.mark.parametrize(("time", "expected"), [("400000", 4), ("-1", None), ("50000", 1)])
def test_version_1_is_read(tmp_path: Path, time: str, expected: int | None) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(f"{time}\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert cores.quota(tmp_path) == expected


def test_without_control_groups_there_is_no_quota(tmp_path: Path) -> None:
    assert cores.quota(tmp_path) is None


@pytest.mark.parametrize(
    ("allowed", "own", "expected"),
    [(3, None, "3"), (3, "5", "5"), (None, None, None), (64, None, None), (16, None, None)],
)
def test_threads_are_limited_unless_the_user_said_how_many(
    monkeypatch: pytest.MonkeyPatch, allowed: int | None, own: str | None, expected: str | None
) -> None:
    monkeypatch.setattr(cores, "quota", lambda: allowed)
    monkeypatch.setattr(cores, "usable", lambda: 16)
    monkeypatch.setenv("OMP_NUM_THREADS", own or "")
    if own is None:
        monkeypatch.delenv("OMP_NUM_THREADS")
    cores.share_cores()
    assert os.environ.get("OMP_NUM_THREADS") == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux alone ties processes to cores")
def test_a_process_that_is_tied_to_one_core_may_use_one() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, [min(before)])
    try:
        assert cores.usable() == 1
    finally:
        os.sched_setaffinity(0, before)
