"""Files and folders appear whole or not at all; what a kill leaves of them is cleared, what others write stays."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import filelock
import pytest

from followyouremoji import files
from followyouremoji.errors import ClipError
from followyouremoji.files import (
    AtomicOutput,
    atomic,
    atomic_output,
    clear_stale,
    is_taken,
    lock,
    workspaces,
    write_json,
)
from followyouremoji.media.kinds import is_frame

FRAME = "frame_000000.png"


def written(output: AtomicOutput, folder: bool) -> None:
    """The new result, as yet under its temporary name."""
    if folder:
        output.temporary.mkdir()
    (output.temporary / FRAME if folder else output.temporary).write_bytes(b"new")


def content(path: Path) -> bytes:
    return (path / FRAME if path.is_dir() else path).read_bytes()


@pytest.mark.parametrize("name", ["out.mp4", "frames"])
def test_what_another_process_is_writing_stays(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    folder = not path.suffix
    with AtomicOutput(path, False, ClipError, is_frame if folder else None) as output:
        written(output, folder)
        clear_stale(path.parent, path.name)
        output.commit()
    assert content(path) == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_cleared(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    program = (
        "import os, signal, sys; from pathlib import Path; from followyouremoji.errors import ClipError; "
        "from followyouremoji.files import atomic_output\n"
        "with atomic_output(Path(sys.argv[1]), False, ClipError) as temporary:\n"
        "    temporary.write_bytes(b'half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 1
    with AtomicOutput(path, False, ClipError):  # the next run on that output
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []
    clear_stale(tmp_path / "nowhere", "out.mp4")  # nothing can be left there


def test_of_one_output_only_its_own_remains_are_cleared(tmp_path: Path) -> None:
    mine = [tmp_path / ".out.0a1b2c3d.part.mp4", tmp_path / ".out.99999999.part.mp4"]
    others = [
        tmp_path / name
        for name in (".out.0a1b2c3d.part.gif", ".outer.0a1b2c3d.part.mp4", "out.mp4", ".out.part.mp4")
    ]
    for path in (*mine, *others):
        path.mkdir()
    clear_stale(tmp_path, "out.mp4")
    assert sorted(tmp_path.iterdir()) == sorted(others)


def test_long_names_that_begin_alike_are_not_each_other_s(tmp_path: Path) -> None:
    begin = "a name of more than forty characters that goes on: "
    parts = []
    for end in "ab":
        with atomic_output(tmp_path / f"{begin}{end}.mp4", False, ClipError) as temporary:
            temporary.touch()
            parts.append(temporary)
        (tmp_path / f"{begin}{end}.mp4").unlink()
        temporary.parent.mkdir()
    clear_stale(tmp_path, f"{begin}a.mp4")
    assert list(tmp_path.iterdir()) == [parts[1].parent]


@pytest.mark.parametrize("there", [False, True])
def test_frames_that_a_killed_process_was_replacing_come_back(tmp_path: Path, there: bool) -> None:
    """Killed before the new frames were in their place, or after."""
    path, workspace = tmp_path / "frames", tmp_path / ".frames.0a1b2c3d.part"
    for folder, data in (
        (workspace / files.REPLACED / "frames", b"old"),
        (path if there else workspace / "new", b"new"),
    ):
        folder.mkdir(parents=True)
        (folder / FRAME).write_bytes(data)
    workspace.mkdir(exist_ok=True)
    clear_stale(path.parent, path.name)
    assert content(path) == (b"new" if there else b"old")
    assert list(tmp_path.iterdir()) == [path]


def test_frames_that_could_not_be_replaced_stay(tmp_path: Path) -> None:
    path = tmp_path / "frames"
    path.mkdir()
    (path / FRAME).write_bytes(b"old")
    with (
        AtomicOutput(path, True, ClipError, is_frame) as output,
        pytest.raises(ClipError, match="cannot write"),
    ):
        output.commit()  # there is nothing that could take the place
    assert content(path) == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["out.mp4", "frames"])
def test_content_is_on_the_disk_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / name
    flushed = []

    def fsync(descriptor: int) -> None:
        assert not path.exists()
        flushed.append(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, "fsync", fsync)
    with AtomicOutput(path, False, ClipError, None if path.suffix else is_frame) as output:
        written(output, folder=not path.suffix)
        output.commit()
    assert flushed == [(path / FRAME if path.is_dir() else path).stat().st_ino]


def test_an_empty_folder_is_nothing(tmp_path: Path) -> None:
    assert not is_taken(tmp_path / "frames")
    assert not is_taken(tmp_path)
    with atomic_output(tmp_path / "out.json", False, ClipError) as temporary:
        temporary.write_text("{}")
        assert not is_taken(tmp_path / "out.json")
    assert is_taken(tmp_path / "out.json")
    assert is_taken(tmp_path)


def test_a_file_appears_when_its_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    path.write_text("before")
    with atomic(path) as temporary:
        temporary.write_text("after")
        assert path.read_text() == "before"
        assert workspaces(tmp_path) == [temporary.parent]
    assert path.read_text() == "after"
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    path.write_text("before")
    with (
        pytest.raises(UnicodeEncodeError),
        atomic(path) as temporary,
        temporary.open("w", encoding="ascii") as file,
    ):
        file.writelines(["half of", "a caf\xe9"])
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    with pytest.raises(FileNotFoundError), atomic(path):
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


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    others = [tmp_path / name for name in ("out.mp4", ".out.part.mp4", ".out.0a1b2c3d.old.mp4", ".hidden")]
    left = [
        tmp_path / f".{name}"
        for name in ("out.0a1b2c3d.part.json", "frames.0a1b2c3d.part", "two.tar.0a1b2c3d.part.gz")
    ]
    for path in (*others, *left):
        path.mkdir()
    assert workspaces(tmp_path, "two.tar.gz") == left[2:]
    with atomic(tmp_path / "held.json") as temporary:
        temporary.touch()
        clear_stale(tmp_path)
        assert sorted(tmp_path.iterdir()) == sorted([*others, temporary.parent])


def test_a_folder_replaces_an_earlier_one_with_all_that_it_holds(tmp_path: Path) -> None:
    for name in ("first", "second"):
        with atomic_output(
            tmp_path / "made", True, ClipError, entries=lambda entry: entry != "mine"
        ) as temporary:
            (temporary / "inner").mkdir(parents=True)
            (temporary / "inner" / name).touch()
    assert [path.name for path in (tmp_path / "made").rglob("*")] == ["inner", "second"]
    (tmp_path / "made" / "mine").touch()
    with pytest.raises(ClipError, match="holds mine"):
        AtomicOutput(tmp_path / "made", True, ClipError, lambda entry: entry != "mine")


def test_a_lock_is_held_once_and_let_go(tmp_path: Path) -> None:
    first = lock(tmp_path / "lock")
    assert first is not None
    assert lock(tmp_path / "lock") is None
    first.release()
    again = lock(tmp_path / "lock")
    assert again is not None
    again.release()


def test_a_workspace_whose_lock_cannot_be_had_is_not_written_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others could lock it, and would take it for a killed one's."""

    def full(self: filelock.FileLock) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(filelock.FileLock, "_acquire", full)
    with pytest.raises(ClipError, match="Too many open files"):
        AtomicOutput(tmp_path / "out.mp4", False, ClipError).__enter__()
    assert list(tmp_path.iterdir()) == []


def test_where_there_are_no_locks_it_is_said_once_and_nothing_is_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(self: filelock.FileLock) -> None:
        raise OSError(errno.ENOTSUP, "no locks")

    monkeypatch.setattr(filelock.FileLock, "_acquire", none)
    files._warn_of_no_locks.cache_clear()
    with pytest.warns(UserWarning, match="has no locks: see to it that no other run"):
        assert lock(tmp_path / "lock") is not None
    with warnings.catch_warnings(action="error"), atomic(tmp_path / "out.json") as temporary:
        temporary.write_text("{}")
        clear_stale(tmp_path)
        assert temporary.exists()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "lock") == ["out.json"]


@pytest.mark.parametrize("there", [True, False])
def test_an_output_takes_the_place_of_a_link_and_not_of_what_it_leads_to(tmp_path: Path, there: bool) -> None:
    target, link = tmp_path / "elsewhere.mp4", tmp_path / "a.mp4"
    if there:
        target.write_bytes(b"old")
    link.symlink_to(target)
    with pytest.raises(ClipError, match="exists already"):
        AtomicOutput(link, False, ClipError)
    with atomic_output(link, True, ClipError) as temporary:
        temporary.write_bytes(b"new")
    assert not link.is_symlink()
    assert link.read_bytes() == b"new"
    assert target.exists() == there
    assert not there or target.read_bytes() == b"old"
