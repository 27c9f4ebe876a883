"""Files appear whole or not at all, and what a kill leaves is found again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from followyouremoji.files import (
    held,
    hidden_beside,
    locked,
    remove_unfinished,
    unfinished,
    whole,
    write_json,
)


def test_a_file_appears_when_its_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    path.write_text("before")
    with whole(path) as temporary:
        temporary.write_text("after")
        assert path.read_text() == "before"
        assert unfinished(tmp_path) == [temporary]
    assert path.read_text() == "after"
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    path.write_text("before")
    with (
        pytest.raises(UnicodeEncodeError),
        whole(path) as temporary,
        temporary.open("w", encoding="ascii") as file,
    ):
        file.writelines(["half of", "a caf\xe9"])
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    with pytest.raises(FileNotFoundError), whole(path):
        pass  # nothing was written
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_as_readable_as_any_other(tmp_path: Path) -> None:
    """A temporary file made by `tempfile` would be private."""
    (tmp_path / "plain").touch()
    write_json(tmp_path / "whole", {})
    assert (tmp_path / "whole").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_names_that_are_no_text_are_kept(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.mp4")
    write_json(tmp_path / "record.json", {"source": name})
    assert json.loads((tmp_path / "record.json").read_text()) == {"source": name}


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    others = [tmp_path / name for name in ("out.mp4", ".out.part.mp4", ".out.0a1b2c3d.old.mp4", ".hidden")]
    left = [hidden_beside(tmp_path / name) for name in ("out.json", "step.pt", "two.tar.gz")]
    for path in (*others, *left):
        path.touch()
    folder = hidden_beside(tmp_path / "frames")  # a workspace, in which somebody may be writing
    folder.mkdir()
    assert sorted(unfinished(tmp_path)) == sorted([*left, folder])
    assert unfinished(tmp_path, "two.tar.gz") == left[2:]
    remove_unfinished(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([*others, folder])


def test_a_folder_is_held_once_and_let_go(tmp_path: Path) -> None:
    with held(tmp_path) as alone, held(tmp_path) as again:
        assert alone
        assert not again
    with held(tmp_path) as alone:
        assert alone
    with held(tmp_path / "gone") as alone:
        assert not alone


def test_a_lock_is_held_once_and_let_go(tmp_path: Path) -> None:
    first = locked(tmp_path / "lock")
    assert first is not None
    assert locked(tmp_path / "lock") is None
    first.close()
    again = locked(tmp_path / "lock")
    assert again is not None
    again.close()
