"""Whatever a user gives wrong ends in one line that says what is wrong, exit code 2, and nothing written."""

import errno
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

from followyouremoji.checkpoints.folder import NETWORK_FILES
from tests.apps.conftest import Ended, Run
from tests.media.synthetic import write_clip

TEXT = "not a picture, not a clip\n" * 20


def assert_refused(ended: Ended, *words: str) -> None:
    assert ended.code == 2, ended
    assert ended.out == ""
    errors = [line for line in ended.err.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, ended.err
    assert ended.err.endswith(f"{errors[0]}\n")
    assert "Traceback" not in ended.err
    for word in words:
        assert word in errors[0]


def assert_nothing_written() -> None:
    """The folder that commands run in holds nothing, no temporary file either."""
    assert [path.name for path in Path().iterdir() if path.suffix in (".mp4", ".part", ".fyemotion")] == []
    assert [path.name for path in Path().iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("portrait", "driving", "words"),
    [
        ("nowhere.png", "bundled:hello", ("there is no file nowhere.png",)),
        ("bundled:ada", "nowhere.mp4", ("there is no file nowhere.mp4",)),
        ("bundled:ada", "nowhere.fyemotion", ("nowhere.fyemotion",)),
        ("bundled:nobody", "bundled:hello", ("'nobody'", "bundled:ada", "bundled:fox")),
        ("bundled:ada", "bundled:dance", ("'dance'", "bundled:hello", "bundled:talk")),
        ("text.png", "bundled:hello", ("text.png is not a picture",)),
        ("bundled:ada", "text.mp4", ("text.mp4",)),
        ("empty.png", "bundled:hello", ("empty.png is empty",)),
        ("bundled:ada", "empty.mp4", ("empty.mp4 is empty",)),
        ("bundled:ada", "text.fyemotion", ("text.fyemotion is not a motion file",)),
        ("dot.png", "bundled:hello", ("dot.png is too small: 1x1",)),
        (".", "bundled:hello", ("is a folder",)),
    ],
)
def test_files_that_cannot_be_used(fye: Run, portrait: str, driving: str, words: tuple[str, ...]) -> None:
    for name in ("text.png", "text.mp4", "text.fyemotion"):
        Path(name).write_text(TEXT)
    for name in ("empty.png", "empty.mp4"):
        Path(name).touch()
    Image.new("RGB", (1, 1)).save("dot.png")
    assert_refused(fye("animate", portrait, driving, "-o", "result.mp4"), *words)
    assert not Path("result.mp4").exists()


def test_a_picture_of_400_megapixels(fye: Run) -> None:
    """A PNG whose header says 20000x20000, which is all that may be read of it."""
    header = struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0)
    chunks = [
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in ((b"IHDR", header), (b"IDAT", b""))
    ]
    Path("huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    assert_refused(fye("animate", "huge.png", "bundled:hello"), "huge.png is too large", "100 megapixels")


def test_a_clip_cut_off_before_its_index(fye: Run) -> None:
    write_clip(Path("whole.mp4"), frames=20)
    content = Path("whole.mp4").read_bytes()
    Path("cut.mp4").write_bytes(content[: len(content) // 2])
    assert_refused(fye("animate", "bundled:ada", "cut.mp4", "-o", "result.mp4"), "cut.mp4")


@pytest.mark.parametrize("driving", ["bundled:hello", "clip.mp4"])
def test_no_frame_asked_for(fye: Run, driving: str) -> None:
    write_clip(Path("clip.mp4"), frames=5)
    assert_refused(fye("animate", "bundled:ada", driving, "--start", 5, "--stop", 5), "from 5 to 5")
    assert_refused(fye("animate", "bundled:ada", driving, "--start", 100), "none from 100 on")


def test_nothing_with_a_face(fye: Run, model: Path) -> None:
    Image.new("RGB", (256, 256), (90, 120, 90)).save("meadow.png")
    write_clip(Path("square.mp4"), frames=4)
    assert_refused(fye("animate", "meadow.png", "bundled:hello"), "meadow.png", "No face was found")
    refused = fye("animate", "bundled:ada", "square.mp4", "--weights", model, "-o", "result.mp4")
    assert_refused(refused, "square.mp4", "No face was found", "4 frames")
    assert_refused(fye("motion", "extract", "square.mp4", "square.fyemotion"), "square.mp4")
    assert sorted(path.name for path in Path().iterdir()) == ["meadow.png", "square.mp4"]


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("result.avi", ("result.avi", ".mp4, .webm, .gif, .webp, .apng")),
        ("result.png", ("result.png is a picture's name", "many frames")),
        ("no/such/result.mp4", ("there is no folder no/such",)),
        ("there.mp4", ("there.mp4 exists already", "--overwrite")),
        ("full", ("full holds notes.txt, which is of no earlier result",)),
    ],
)
def test_outputs_are_checked_before_any_work(fye: Run, output: str, words: tuple[str, ...]) -> None:
    """The weights do not exist, and the output is what is told of."""
    Path("there.mp4").write_text("precious")
    Path("full").mkdir()
    Path("full", "notes.txt").write_text("precious")
    assert_refused(fye("animate", "bundled:ada", "bundled:hello", "-o", output, "--weights", "x/y"), *words)
    assert Path("there.mp4").read_text() == Path("full", "notes.txt").read_text() == "precious"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder that not even root can write to")
def test_a_folder_that_cannot_be_written_to(fye: Run) -> None:
    assert_refused(
        fye("animate", "bundled:ada", "bundled:hello", "-o", "/proc/result.mp4"), "/proc/result.mp4"
    )
    assert_refused(fye("motion", "extract", "bundled:hello", "/proc/a.fyemotion"), "/proc/a.fyemotion")
    assert_refused(fye("portraits", "sheet", "/proc/sheet.png"), "/proc/sheet.png")


def test_weights_that_do_not_fit(fye: Run, model: Path) -> None:
    def animate(weights: object) -> Ended:
        return fye("animate", "bundled:ada", "bundled:hello", "-o", "result.mp4", "--weights", weights)

    assert_refused(animate("nowhere"), "there is no checkpoint 'nowhere'", "fye weights list")
    shutil.copytree(model, "other")
    config = json.loads(Path("other", "config.json").read_text())
    config["network"]["layout"] = "released"
    Path("other", "config.json").write_text(json.dumps(config))
    assert_refused(animate("other"), "other")
    shutil.copytree(model, "partial")
    file = Path("partial", NETWORK_FILES["denoiser"])
    tensors = load_file(file)
    name = sorted(tensors)[0]
    del tensors[name]
    save_file(tensors, file)
    assert_refused(animate("partial"), str(file), f"{name} is missing")

    verified = fye("weights", "verify", "partial")
    assert verified.code == 2
    assert f"{name} is missing" in verified.out
    assert not Path("result.mp4").exists()


def test_decoders_that_do_not_fit(fye: Run, model: Path, tmp_path: Path) -> None:
    def animate(decoder: object, weights: object = model) -> Ended:
        options = ("-o", "result.mp4", "--weights", weights, "--decoder", decoder)
        return fye("animate", "bundled:ada", "bundled:hello", *options)

    assert_refused(animate("small"), "the small decoder is not at", "fye weights download --small-decoder")
    assert_refused(animate("nowhere"), "there is no decoder 'nowhere'", "'full', 'small'")
    (tmp_path / "home").mkdir(exist_ok=True)
    save_file({"weight": np.zeros(1, np.float32)}, tmp_path / "home" / "taesd.safetensors")
    assert_refused(animate("small"), "taesd.safetensors does not fit its network")
    assert_refused(
        animate("small", "bundled"), "for latents of 4 channels, and the model's have 32", "'full'"
    )
    assert_nothing_written()


class _Code:
    def __reduce__(self) -> tuple:
        return os.mkdir, ("was_run",)


def test_a_motion_file_with_code_in_it(fye: Run) -> None:
    np.save("evil.npy", np.array([{"lmks": _Code()}], object), allow_pickle=True)
    assert_refused(fye("animate", "bundled:ada", "evil.npy"), "evil.npy", "nothing in it was run")
    assert_refused(fye("motion", "info", "evil.npy"), "evil.npy", "nothing in it was run")
    assert not Path("was_run").exists()


def test_training_files_that_cannot_be_used(fye: Run) -> None:
    Path("run.toml").write_text("kind = 'poetry'\n")
    assert_refused(fye("train", "run", "run.toml"), "run.toml", "'autoencoder', 'decoder' or 'denoiser'")
    assert_refused(fye("train", "run", "nowhere.toml"), "nowhere.toml")
    assert_refused(fye("train", "draw", "drawings", "--identities", 1, "--size", 100), "multiple of 8")


def test_a_full_disk_is_told_in_a_line(fye: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As some file systems tell of it: when a file is brought to the disk, without its name."""
    pytest.importorskip("skia", reason="drawn portraits need skia")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    ended = fye("train", "draw", "drawings", "--identities", 1, "--pictures", 2, "--size", 32)
    assert ended.code == 2
    assert ended.err == (
        "Error: a file could not be written: No space left on device. Make room on the disk, then give the same command again.\n"
    )
    assert not list(Path("drawings").glob("*.json")), "drawings that were not finished look so"


def test_values_out_of_range_are_usage_errors(fye: Run) -> None:
    for option in (
        ("--steps", 0),
        ("--guidance", 0.5),
        ("--start", -1),
        ("--expression", 9),
        ("--head", "off"),
    ):
        ended = fye("animate", "bundled:ada", "bundled:hello", *option)
        assert ended.code == 2
        assert option[0] in ended.err
    assert_nothing_written()


def test_poses_and_keyframes_that_cannot_be_used(fye: Run) -> None:
    for pose, words in {
        "smil=1": "did you mean smile",
        "smile=2": "from 0 to 1",
        "smile": "NAME=AMOUNT",
    }.items():
        refused = fye("animate", "bundled:ada", "bundled:hello", "--pose", pose)
        assert_refused(refused, words, "(--pose)")
    turned = ("--pose", "yaw=5", "--head", "absolute")
    assert_refused(fye("animate", "bundled:ada", "bundled:hello", *turned), "(--pose, --head)")
    Path("k.json").write_text('{"format": "followyouremoji-keyframes", "version": 1, "keyframes": [{}]}')
    assert_refused(
        fye("motion", "make", "k.json", "k.fyemotion"), "k.json", "`keyframes[0].seconds` is missing"
    )
    assert_refused(fye("motion", "make", "absent.json", "k.fyemotion"), "absent.json cannot be read")
    assert_refused(fye("motion", "make", "k.json", "k.mp4"), "must end in .fyemotion")
    assert_nothing_written()


def test_ctrl_c_leaves_nothing_behind(model: Path, tmp_path: Path) -> None:
    """Interrupted while frames are generated and the clip lies under its temporary name."""
    # A shell may have started the tests with SIGINT ignored, which a child inherits.
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from followyouremoji.apps.main import main; main()"
    )
    arguments = [
        "bundled:ada",
        "bundled:hello",
        "-o",
        "result.gif",
        "--weights",
        str(model),
        "--steps",
        "1000",
    ]
    process = subprocess.Popen(
        [sys.executable, "-c", program, "animate", *arguments],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        seen: list[set[str]] = []
        while process.poll() is None:
            seen.append({path.name for path in tmp_path.iterdir()})
            if (
                set.intersection(*seen[-4:]) and len(seen) > 4
            ):  # the check of the output leaves its file for a moment only
                break
            time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


def test_the_installed_program_refuses_in_one_line(tmp_path: Path) -> None:
    ended = subprocess.run(
        [
            sys.executable,
            "-c",
            "from followyouremoji.apps.main import main; main()",
            "animate",
            "no.png",
            "no.mp4",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", "Error: there is no file no.png\n")
