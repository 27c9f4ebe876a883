"""The same work on a real Ray, started on this machine: every item done, killed workers survived, errors passed on."""

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from followyouremoji.cluster import work_on_ray
from followyouremoji.errors import DataError, SettingsError

ray = pytest.importorskip("ray", reason="Ray, the optional extra `cluster`, is not installed")


def mark(name: str, folder: Path) -> None:
    """Leave a line each time, and behave as the name says."""
    with (folder / name).open("a") as file:
        file.write(f"{os.getpid()}\n")
    attempts = len((folder / name).read_text().splitlines())
    if name == "deadly" or (name == "unlucky" and attempts == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "wrong":
        raise DataError("wrong is wrong")


@pytest.fixture(scope="module", autouse=True)
def small_cluster() -> object:
    """One processor is enough, and the tests share what takes long to start."""
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, object_store_memory=80_000_000)
    yield
    ray.shutdown()


def test_every_item_is_done_in_other_processes(tmp_path: Path) -> None:
    names = ["first", "second", "last"]
    assert sorted(work_on_ray(partial(mark, folder=tmp_path), names)) == sorted(
        (name, None) for name in names
    )
    assert {(tmp_path / name).read_text() != f"{os.getpid()}\n" for name in names} == {True}


@pytest.mark.slow  # Ray takes its time to replace a worker
def test_killed_workers_are_survived(tmp_path: Path) -> None:
    names = ["first", "unlucky", "deadly", "last"]
    done = dict(work_on_ray(partial(mark, folder=tmp_path), names))
    assert {name for name, reason in done.items() if reason is None} == {"first", "unlucky", "last"}
    assert "WorkerCrashedError" in str(done["deadly"])
    tries = {name: len((tmp_path / name).read_text().split()) for name in names}
    assert tries == {"first": 1, "unlucky": 2, "deadly": 2, "last": 1}


def test_what_the_function_raises_is_raised_here(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="wrong is wrong"):
        list(work_on_ray(partial(mark, folder=tmp_path), ["wrong"]))


def test_no_cluster_at_an_address_is_told_in_words(tmp_path: Path) -> None:
    ray.shutdown()
    with pytest.raises(SettingsError, match=r"No Ray cluster was found at `127\.0\.0\.1:1`"):
        list(work_on_ray(partial(mark, folder=tmp_path), ["first"], "127.0.0.1:1"))
