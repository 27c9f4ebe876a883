"""Outputs are asked for by name: what a kill leaves of them is cleared, and what others write or have written stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from followyouremoji.errors import ClipError
from followyouremoji.media import outputs
from followyouremoji.media.outputs import PendingOutput, clear_remains, occupied, written_whole

FRAME = "frame_000000.png"


def written(output: PendingOutput, folder: bool) -> None:
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
    with PendingOutput(path, False, ClipError, folder) as output:
        written(output, folder)
        clear_remains(path)
        output.commit()
    assert content(path) == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_cleared(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    program = (
        "import os, signal, sys; from pathlib import Path; from followyouremoji.errors import ClipError; "
        "from followyouremoji.media.outputs import written_whole\n"
        "with written_whole(Path(sys.argv[1]), False, ClipError) as temporary:\n"
        "    temporary.write_bytes(b'half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 1
    clear_remains(path)
    assert list(tmp_path.iterdir()) == []
    clear_remains(tmp_path / "nowhere" / "out.mp4")  # nothing can be left there


def test_of_one_output_only_its_own_remains_are_cleared(tmp_path: Path) -> None:
    mine = [tmp_path / ".out.0a1b2c3d.part.mp4", tmp_path / ".out.99999999.part.mp4"]
    others = [
        tmp_path / name
        for name in (".out.0a1b2c3d.part.gif", ".outer.0a1b2c3d.part.mp4", "out.mp4", ".out.part.mp4")
    ]
    for path in (*mine, *others):
        path.mkdir()
    clear_remains(tmp_path / "out.mp4")
    assert sorted(tmp_path.iterdir()) == sorted(others)


def test_long_names_that_begin_alike_are_not_each_other_s(tmp_path: Path) -> None:
    begin = "a name of more than forty characters that goes on: "
    parts = [PendingOutput(tmp_path / f"{begin}{end}.mp4", False, ClipError).temporary for end in "ab"]
    for part in parts:
        part.parent.mkdir()
    clear_remains(tmp_path / f"{begin}a.mp4")
    assert list(tmp_path.iterdir()) == [parts[1].parent]


@pytest.mark.parametrize("there", [False, True])
def test_frames_that_a_killed_process_was_replacing_come_back(tmp_path: Path, there: bool) -> None:
    """Killed before the new frames were in their place, or after."""
    path, workspace = tmp_path / "frames", tmp_path / ".frames.0a1b2c3d.part"
    for folder, data in (
        (workspace / outputs.REPLACED, b"old"),
        (path if there else workspace / "new", b"new"),
    ):
        folder.mkdir(parents=True)
        (folder / FRAME).write_bytes(data)
    workspace.mkdir(exist_ok=True)
    clear_remains(path)
    assert content(path) == (b"new" if there else b"old")
    assert list(tmp_path.iterdir()) == [path]


def test_frames_that_could_not_be_replaced_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "frames"
    path.mkdir()
    (path / FRAME).write_bytes(b"old")
    monkeypatch.setattr(outputs, "flush_to_disk", lambda new: (new / FRAME).unlink() or new.rmdir())
    with PendingOutput(path, True, ClipError, folder=True) as output:
        written(output, folder=True)
        with pytest.raises(ClipError, match="cannot write"):
            output.commit()  # there is nothing any more that could take the place
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
    with PendingOutput(path, False, ClipError, folder=not path.suffix) as output:
        written(output, folder=not path.suffix)
        output.commit()
    assert flushed == [(path / FRAME if path.is_dir() else path).stat().st_ino]


def test_an_empty_folder_is_nothing(tmp_path: Path) -> None:
    assert not occupied(tmp_path / "frames")
    assert not occupied(tmp_path)
    with written_whole(tmp_path / "out.json", False, ClipError) as temporary:
        temporary.write_text("{}")
        assert not occupied(tmp_path / "out.json")
    assert occupied(tmp_path / "out.json")
    assert occupied(tmp_path)
