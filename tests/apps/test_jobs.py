"""`fye animate --job`: what a killed run left is gone on with. And what else decides how a clip is made."""

import os
import signal
import subprocess
import sys
import time
from functools import partialmethod
from pathlib import Path

import numpy as np
import pytest

from followyouremoji.files import AtomicOutput
from tests.apps.conftest import Run
from tests.programs import frames_of


def command(model: Path, *more: object) -> list[str]:
    """A clip of 16 frames in several parts, by the small model of random weights."""
    options = ("--weights", model, "--steps", 2, "--stop", 16, "--job", "job", "-o", "out.mp4", *more)
    return ["animate", "bundled:ada", "bundled:hello", *(str(option) for option in options)]


def test_a_killed_run_is_gone_on_with(fye: Run, model: Path) -> None:
    """What it had finished is not made again, and the frames are those of an unbroken run."""
    assert fye(*command(model)).code == 0
    whole, parts = frames_of(Path("out.mp4")), len(list(Path("job/latents").iterdir()))
    assert parts >= 5
    done = kill_after(command(model, "--job", "again", "-o", "again.mp4"), 3, Path("again/latents"))
    assert not Path("again.mp4").exists()
    times = {path: path.stat().st_mtime_ns for path in Path("again/latents").glob("[0-9]*")}
    ended = fye(*command(model, "--job", "again", "-o", "again.mp4"))
    assert ended.code == 0, ended.err
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert len(list(Path("again/latents").iterdir())) == parts
    assert np.abs(frames_of(Path("again.mp4")) - whole).max() <= 2, f"killed with {done} parts"
    assert [path.name for path in Path().iterdir() if path.name.startswith(".again")] == []


def kill_after(arguments: list[str], parts: int, latents: Path) -> int:
    """Run `fye`, and end it by SIGKILL as soon as so many parts lie in the job's folder; returns how many there are
    then."""
    program = "import sys; from followyouremoji.apps.main import main; main(sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], env=os.environ, stderr=subprocess.DEVNULL
    )
    while process.poll() is None and len(list(latents.glob("[0-9]*"))) < parts:
        time.sleep(0.001)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    return len(list(latents.glob("[0-9]*")))


def test_a_finished_job_says_so_and_writes_another_output_without_sampling(fye: Run, model: Path) -> None:
    assert fye(*command(model)).code == 0
    again = fye(*command(model))
    assert (again.code, again.out) == (0, "out.mp4: the job in job is finished.\n")
    times = {path: path.stat().st_mtime_ns for path in Path("job/latents").iterdir()}
    assert fye(*command(model), "-o", "other.mp4").code == 0
    assert Path("other.mp4").read_bytes() == Path("out.mp4").read_bytes()
    assert {path: path.stat().st_mtime_ns for path in Path("job/latents").iterdir()} == times
    refused = fye(*command(model, "--seed", 1))
    assert refused.code == 2
    assert "job keeps the work of another request: seed was 0, now 1." in refused.err
    assert "(--job)" in refused.err


@pytest.mark.parametrize("output", ["short.mp4", "frames"])
def test_a_kill_beside_the_last_rename_is_no_matter(
    fye: Run, model: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    """Killed before the result is in its place, the run goes on; after it, it says that it is finished."""
    if output == "frames":
        Path("frames").mkdir()  # an empty folder may be filled unasked
    shorter = ("-o", output, "--stop", 2, "--steps", 1)
    commit = AtomicOutput.commit

    def killed(written: AtomicOutput, before: bool) -> None:
        if not before:
            commit(written)
        raise SystemExit(137)

    for before in (True, False):
        with monkeypatch.context() as patched:
            patched.setattr(AtomicOutput, "commit", partialmethod(killed, before))
            assert fye(*command(model), *shorter).code == 137
        assert (Path(output).is_file() or any(Path().glob("frames/*"))) is not before
    assert fye(*command(model), *shorter).out == f"{output}: the job in job is finished.\n"


def test_a_result_that_the_job_did_not_write_stays(fye: Run, model: Path) -> None:
    assert fye(*command(model)).code == 0
    Path("other.mp4").write_bytes(b"mine")
    assert fye(*command(model), "-o", "other.mp4").code == 2
    assert Path("other.mp4").read_bytes() == b"mine"


def test_what_is_refused_does_not_bind_the_job(fye: Run, model: Path) -> None:
    assert "there is no folder" in fye(*command(model), "-o", "nowhere/out.mp4").err
    refused = fye(*command(model, "--size", 60))
    assert refused.code == 2, refused.out
    assert fye(*command(model)).code == 0


def test_two_devices_write_the_video_of_one(fye: Run, model: Path) -> None:
    fixed = ("animate", "bundled:ada", "bundled:hello", "--weights", model, "--steps", 1, "--stop", 16)
    assert fye(*fixed, "--device", "cpu", "-o", "one.mp4").code == 0
    assert fye(*fixed, "--device", "cpu,cpu", "-o", "two.mp4").code == 0
    assert Path("one.mp4").read_bytes() == Path("two.mp4").read_bytes()
    refused = fye(*fixed, "--device", "cpu,", "-o", "three.mp4")
    assert (refused.code, "names no device" in refused.err) == (2, True)


def test_loops_from_the_command_line(fye: Run, model: Path) -> None:
    fixed = (
        "animate",
        "bundled:ada",
        "bundled:hello",
        "--weights",
        model,
        "--steps",
        1,
        "--start",
        10,
        "--stop",
        16,
    )
    assert fye(*fixed, "--loop", "blend", "-o", "blend.webp").code == 0
    done = fye(*fixed, "--loop", "pingpong", "-o", "back")
    assert done.out.startswith("back: 10 frames")
    frames = [path.read_bytes() for path in sorted(Path("back").iterdir())]
    assert frames[6:] == frames[4:0:-1]
    assert len(set(frames)) == 6
    refused = fye(*fixed, "--loop", "pingpong", "--side-by-side", "-o", "row.gif")
    assert (refused.code, "cannot be shown beside a loop" in refused.err) == (2, True)
