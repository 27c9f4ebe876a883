"""`fye batch` as a user runs it: what it prints, its exit code, and a run that is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from followyouremoji.media.clips import ClipReader
from followyouremoji.media.pictures import write_picture
from tests.apps.conftest import Run


def test_the_bundled_model_makes_what_can_be_made(fye: Run) -> None:
    Path("faces").mkdir()
    write_picture(Path("faces/wall.png"), np.full((96, 96, 3), 90, np.uint8))
    Path("faces.txt").write_text("bundled:ada\nfaces\n")
    ended = fye("batch", "faces.txt", "bundled:hello", "-o", "out", "--stop", 3)
    assert ended.code == 2
    assert "out: 1 made, 1 failed; " in ended.out
    assert "wall_hello" in ended.out
    assert "1/2 ada_hello: 3 frames in " in ended.err
    with ClipReader(Path("out/ada_hello.mp4")) as clip:
        assert len(list(clip)) == 3
    Path("faces/wall.png").unlink()
    assert "holds no portrait" in fye("batch", "faces", "bundled:hello", "-o", "out").err
    again = fye("batch", "bundled:ada", "bundled:hello", "-o", "out", "--stop", 3)
    assert (again.code, again.out.split(";")[0]) == (0, "out: 1 made before")
    other = fye("batch", "bundled:ada", "bundled:hello", "-o", "out", "--stop", 2)
    assert other.code == 2
    assert "stop was 3, now 2" in other.err
    assert "(--output, --overwrite)" in other.err


def test_a_killed_batch_leaves_no_half_file_and_goes_on(fye: Run, model: Path, clip: Path) -> None:
    arguments = ["batch", "people.txt", str(clip), "-o", "out", "--weights", str(model)]
    Path("people.txt").write_text("bundled:ada\nbundled:max\nbundled:emoji\nbundled:fox\n")
    program = "import sys; from followyouremoji.apps.main import main; main(sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], env=os.environ, stderr=subprocess.DEVNULL
    )
    while process.poll() is None and not Path("out/ada_smile.mp4").exists():
        time.sleep(0.005)
    while process.poll() is None and not list(Path("out").glob(".*.part.mp4/*")):
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    left = {path.name: path.stat().st_mtime_ns for path in Path("out").glob("*.mp4") if path.name[0] != "."}
    assert "ada_smile.mp4" in left
    assert len(left) < 4
    ended = fye(*arguments)
    assert ended.code == 0, ended.err
    assert f"out: {4 - len(left)} made, {len(left)} made before; " in ended.out
    assert {name: (Path("out") / name).stat().st_mtime_ns for name in left} == left
    assert sorted(path.name for path in Path("out").iterdir()) == [
        *(".batch", "ada_smile.mp4", "emoji_smile.mp4", "fox_smile.mp4", "max_smile.mp4"),
    ]
    for path in Path("out").glob("*.mp4"):
        with ClipReader(path) as made:
            assert len(list(made)) == 5
