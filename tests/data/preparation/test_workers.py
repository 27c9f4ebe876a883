"""Processes that work on items: every item is done, and processes that are killed for real are survived."""

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from followyouremoji.data.preparation.workers import work_locally
from followyouremoji.errors import DataError


def mark(name: str, folder: Path) -> None:
    """Leave a line each time, and behave as the name says."""
    with (folder / name).open("a") as file:
        file.write(f"{os.getpid()}\n")
    attempts = len((folder / name).read_text().splitlines())
    if name == "deadly" or (name == "unlucky" and attempts == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "full":
        raise OSError(28, "No space left on device")
    if name == "wrong":
        raise DataError("wrong is wrong")


def test_every_item_is_done_once_in_processes_of_their_own(tmp_path: Path) -> None:
    names = [f"item-{k}" for k in range(7)]
    done = list(work_locally(partial(mark, folder=tmp_path), names, 2))
    assert sorted(done) == [(name, None) for name in names]
    pids = {(tmp_path / name).read_text() for name in names}
    assert len("".join(pids).split()) == len(pids) <= 2
    assert f"{os.getpid()}\n" not in pids


def test_a_killed_process_is_replaced_and_its_item_tried_again(tmp_path: Path) -> None:
    names = ["unlucky", "deadly", "last", "after"]
    done = dict(work_locally(partial(mark, folder=tmp_path), names, 1))
    assert {name for name, reason in done.items() if reason is None} == {"unlucky", "last", "after"}
    assert done["deadly"] is not None
    assert "killed by signal 9" in done["deadly"]
    tries = {name: len((tmp_path / name).read_text().split()) for name in names}
    assert tries == {"unlucky": 2, "deadly": 2, "last": 1, "after": 1}


@pytest.mark.parametrize(("name", "error"), [("wrong", DataError), ("full", OSError)])
def test_what_the_function_raises_is_raised_here(tmp_path: Path, name: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"wrong is wrong|No space"):
        list(work_locally(partial(mark, folder=tmp_path), [name], 1))


def test_nothing_to_do_starts_nothing(tmp_path: Path) -> None:
    assert list(work_locally(partial(mark, folder=tmp_path), [], 4)) == []
