"""A job's folder: what it keeps, what it refuses, and that a run which is killed gives the same video in the end."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partialmethod
from pathlib import Path

import numpy as np
import pytest
import torch
from followyouremoji.apps.animate import ModelChoice, asked_for
from followyouremoji.apps.driving import Driving
from followyouremoji.apps.jobs import Job, JobError, Recipe, differences, fingerprint

from followyouremoji.errors import SettingsError
from followyouremoji.face.alignment import AlignmentSettings
from followyouremoji.face.motion import Motion
from followyouremoji.files import AtomicOutput
from followyouremoji.media.pictures import write_picture
from followyouremoji.media.ranges import ClipRange
from followyouremoji.settings import AnimationSettings
from tests.apps.conftest import Run

RECIPE = {
    "portrait": "a1",
    "driving": "b2",
    "weights": [["config.json", "c3"]],
    "LoRA": [],
    "setting steps": 2,
}
LATENTS = torch.arange(24.0).reshape(1, 2, 3, 2, 2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "job"


def motion() -> Motion:
    rng = np.random.default_rng(0)
    landmarks = rng.uniform(size=(4, 478, 3)).astype(np.float32)
    return Motion(
        landmarks, np.arange(4) / 29.97, 29.97, (640, 480), "clip.mp4", np.array([True, False, True, True])
    )


def test_what_is_kept_comes_back_exactly(folder: Path) -> None:
    with Job(folder, RECIPE) as job:
        assert job.load(3) is None
        assert job.motion() is None
        job.save(3, LATENTS)
        kept = job.keep_motion(motion())
    with Job(folder, RECIPE) as job:
        again = job.load(3)
        assert again is not None
        assert torch.equal(again, LATENTS)
        read = job.motion()
        assert read is not None
        for one in (kept, read):
            np.testing.assert_array_equal(one.landmarks, motion().landmarks)
            np.testing.assert_array_equal(one.timestamps, motion().timestamps)
        assert job.finished is None
        job.finish({"output": "there.mp4", "sound": True})
    with Job(folder, RECIPE) as job:
        assert job.finished == {"output": "there.mp4", "sound": True}


def test_another_command_is_told_what_differs(folder: Path) -> None:
    with Job(folder, RECIPE) as job:
        job.save(0, LATENTS)
    other = {**RECIPE, "portrait": "a2", "setting steps": 4}
    with (
        pytest.raises(JobError, match="job of another command: another portrait; setting steps was 2, now 4"),
        Job(folder, other),
    ):
        pass
    assert differences({"loop": None}, {"loop": "blend", "new": 1}) == [
        "loop was not given, now blend",
        "new was not given, now 1",
    ]


def test_a_job_that_kept_nothing_yet_takes_a_corrected_command(folder: Path) -> None:
    """As after one whose size, say, was refused."""
    with Job(folder, RECIPE):
        pass
    other = {**RECIPE, "setting steps": 4}
    with Job(folder, other) as job:
        job.save(0, LATENTS)
    with pytest.raises(JobError, match="setting steps was 4, now 2"), Job(folder, RECIPE):
        pass


def test_a_folder_that_is_no_job_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "beach.jpg").write_bytes(b"sand")
    with pytest.raises(JobError, match=r"holds beach\.jpg and no job"), Job(tmp_path / "holiday", RECIPE):
        pass
    assert [path.name for path in (tmp_path / "holiday").iterdir()] == ["beach.jpg"]
    (tmp_path / "file").write_text("")
    for path, words in ((tmp_path / "file", "is a file"), (tmp_path / "no" / "job", "there is no folder")):
        with pytest.raises(JobError, match=words), Job(path, RECIPE):
            pass


def test_a_killed_beginning_is_begun_again(folder: Path) -> None:
    """Killed after the lock and half of the first file were written."""
    (folder / "latents").mkdir(parents=True)
    (folder / "lock").touch()
    for part in (".job.0a1b2c3d.part.json", "latents/.000000.0a1b2c3d.part.safetensors"):
        (folder / part).mkdir()
        (folder / part / "new").write_bytes(b"half")
    with Job(folder, RECIPE) as job:
        assert job.load(0) is None
    assert not list(folder.rglob(".*"))


def test_two_runs_cannot_work_in_one_folder(folder: Path) -> None:
    with (
        Job(folder, RECIPE),
        pytest.raises(JobError, match="another run works on the job"),
        Job(folder, RECIPE),
    ):
        pass
    with Job(folder, RECIPE):
        pass  # the lock ended with its run


@pytest.mark.parametrize("place", [0, 40, -1])
def test_damaged_latents_are_told_and_made_anew_when_they_are_gone(folder: Path, place: int) -> None:
    path = folder / "latents" / "000001.safetensors"
    with Job(folder, RECIPE) as job:
        job.save(1, LATENTS)
        data = bytearray(path.read_bytes())
        data[place] ^= 0x40
        path.write_bytes(data)
        with pytest.raises(JobError, match=r"000001\.safetensors is damaged; delete this file"):
            job.load(1)
        path.write_bytes(data[:-5])
        with pytest.raises(JobError, match="is damaged"):
            job.load(1)
        path.unlink()
        assert job.load(1) is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 1}', '{"format": 9, "recipe": {}, "finished": null}']
)
def test_a_damaged_job_is_told(folder: Path, text: str) -> None:
    with Job(folder, RECIPE):
        pass
    (folder / "job.json").write_text(text)
    with pytest.raises(JobError, match="begin anew"), Job(folder, RECIPE):
        pass


def test_a_damaged_motion_is_told(folder: Path) -> None:
    with Job(folder, RECIPE) as job:
        job.keep_motion(motion())
        (folder / "motion.fyemotion").write_bytes(b"PK")
        with pytest.raises(JobError, match=r"motion\.fyemotion is damaged, so the job cannot go on"):
            job.motion()


@pytest.fixture
def little_room() -> Iterator[None]:
    """Files of this process cannot grow beyond 64 KiB, as on a disc that is full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # zipfile's, of the file it could not end
def test_a_full_disc_is_told_and_leaves_no_half_of_a_file(folder: Path, little_room: None) -> None:
    with Job(folder, RECIPE) as job:
        job.save(0, LATENTS)
        with pytest.raises(
            JobError, match=r"cannot write .*000001\.safetensors: .*see that the disc has room"
        ):
            job.save(1, torch.zeros(1 << 16))
        with pytest.raises(JobError, match=r"cannot write .*fyemotion"):
            job.keep_motion(
                Motion(
                    **{
                        **vars(motion()),
                        "landmarks": np.random.default_rng(0).uniform(size=(40, 478, 3)).astype(np.float32),
                        "timestamps": np.arange(40.0),
                        "found": np.ones(40, bool),
                    }
                )
            )
    assert sorted(path.name for path in (folder / "latents").iterdir()) == ["000000.safetensors"]
    assert not (folder / "motion.fyemotion").exists()


def test_fingerprints_follow_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "b").write_bytes(b"x")
    assert fingerprint(tmp_path / "a") == fingerprint(tmp_path / "b")
    before = fingerprint(tmp_path)
    (tmp_path / "b").write_bytes(b"y")
    assert fingerprint(tmp_path) != before
    with pytest.raises(JobError, match="cannot read"):
        fingerprint(tmp_path / "c")


def command(model: Path, *more: object) -> list[str]:
    """A clip of 16 frames in several parts, by the small model of random weights."""
    options = ("--weights", model, "--steps", 2, "--stop", 16, "--job", "job", "-o", "out.mp4", *more)
    return ["animate", "bundled:ada", "bundled:hello", *(str(option) for option in options)]


def test_a_run_that_is_killed_gives_the_same_video_in_the_end(fye: Run, model: Path) -> None:
    """Killed after its first part, in the middle, and at the last part; the rest is then made by the same command."""
    assert fye(*command(model)).code == 0
    whole = Path("out.mp4").read_bytes()
    parts = len(list(Path("job/latents").iterdir()))
    assert parts >= 5
    for after in (1, 3, parts):
        Path("out.mp4").unlink()
        for path in sorted(Path("job").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        done = kill_after(command(model), after)
        assert not Path("out.mp4").exists()
        ended = fye(*command(model))
        assert ended.code == 0, ended.err
        assert Path("out.mp4").read_bytes() == whole, f"killed with {done} parts"
        assert [path.name for path in Path().iterdir() if path.name.startswith(".out")] == []


def kill_after(arguments: list[str], parts: int) -> int:
    """Run `fye`, and end it by SIGKILL as soon as so many parts lie in the job's folder; returns how many there are
    then."""
    program = "import sys; from followyouremoji.apps.cli import main; main(sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], env=os.environ, stderr=subprocess.DEVNULL
    )
    latents = Path("job/latents")
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
    assert "job is the job of another command: setting seed was 0, now 1." in refused.err


def test_a_kill_beside_the_last_rename_is_no_matter(fye: Run, model: Path) -> None:
    """Noted but not yet there: it is written again. There but not noted as ours: it may be anybody's, and stays."""
    assert fye(*command(model)).code == 0
    whole = Path("out.mp4").read_bytes()
    patched = "from followyouremoji.files import AtomicOutput as P; import os, signal; "
    for before in (True, False):
        Path("out.mp4").unlink()
        body = "os.kill(os.getpid(), signal.SIGKILL)"
        patch = f"commit = P.commit; P.commit = lambda one: ({body if before else 'commit(one)'}, {body}); "
        program = (
            patched + patch + "import sys; from followyouremoji.apps.cli import main; main(sys.argv[1:])"
        )
        ended = subprocess.run([sys.executable, "-c", program, *command(model)], capture_output=True)
        assert ended.returncode == -signal.SIGKILL
        assert Path("out.mp4").exists() is not before
        again = fye(*command(model))
        assert again.code == 0, again.err
        assert Path("out.mp4").read_bytes() == whole
    Path("out.mp4").write_bytes(b"mine")
    Path("job/job.json").write_text(Path("job/job.json").read_text().replace("out.mp4", "other.mp4"))
    assert fye(*command(model)).code == 2
    assert Path("out.mp4").read_bytes() == b"mine"


def test_an_empty_folder_that_was_filled_is_known_after_a_kill(
    fye: Run, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty folder may be filled unasked; killed as soon as it is, the run says that it is finished, and before, it
    goes on."""
    Path("frames").mkdir()
    shorter = ("-o", "frames", "--stop", 2, "--steps", 1)
    commit = AtomicOutput.commit

    def killed(output: AtomicOutput, before: bool) -> None:
        if not before:
            commit(output)
        raise SystemExit(137)

    for before in (True, False):
        with monkeypatch.context() as patched:
            patched.setattr(AtomicOutput, "commit", partialmethod(killed, before))
            assert fye(*command(model), *shorter).code == 137
        assert len(list(Path("frames").iterdir())) == (0 if before else 2)
    assert fye(*command(model), *shorter).out == "frames: the job in job is finished.\n"


def test_a_job_is_of_one_part_of_the_driving_at_one_rate(model: Path, tmp_path: Path) -> None:
    file = tmp_path / "file.png"
    write_picture(file, np.zeros((32, 32, 3), np.uint8))

    def asked(part: ClipRange, rate: float | None = None) -> Recipe:
        choice, settings = ModelChoice(str(model), "cpu"), AnimationSettings(frame_rate=rate)
        return asked_for(file, None, Driving(file, part), choice, 0.0, AlignmentSettings(), settings)

    before = asked(ClipRange(0))
    # forty seconds are not forty frames, though the numbers are equal
    assert differences(before, asked(ClipRange(0, 40))) == [
        "part of the driving was 0 to the end, now 0 to 40"
    ]
    assert differences(asked(ClipRange(0, 40)), asked(ClipRange(0, 40.0))) == [
        "part of the driving was 0 to 40, now 0 to 40s"
    ]
    assert differences(before, asked(ClipRange(0), 12.0)) == ["setting frame_rate was not given, now 12.0"]


def test_a_processor_is_known_by_its_threads() -> None:
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = ModelChoice(device="cpu,cpu").described()
        torch.set_num_threads(2)
        two = ModelChoice(device="cpu").described()
    finally:
        torch.set_num_threads(threads)
    (told,) = differences(one, two)
    assert "threads: 1" in told
    assert "threads: 2" in told


def test_devices_that_differ_cannot_keep_a_job_s_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    names = iter(["an H100", "cpu"])
    monkeypatch.setattr("followyouremoji.apps.animate.device_name", lambda device: next(names))
    with pytest.raises(SettingsError, match=r"an H100 and cpu differ.*leave out --job"):
        ModelChoice(device="cpu,cpu").described()


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
