"""The commands as a user runs them, with a small model of random weights."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from followyouremoji.face.motion import Motion
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.pictures import read_picture
from tests.apps.conftest import Run
from tests.programs import frames_of

pytest.importorskip("skia", reason="drawn portraits need skia")


def test_help_imports_nothing_heavy() -> None:
    heavy = {"torch", "mediapipe", "cv2", "av", "numpy", "diffusers", "PIL"}
    program = f"import sys, followyouremoji.apps.cli; print(sorted({heavy} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ((), ("animate", "doctor", "motion", "weights", "portraits", "train", "bundled:hello")),
        (
            ("animate",),
            ("PORTRAIT", "DRIVING", "--weights", "--side-by-side", "--no-crop", "--head-strength"),
        ),
        (("motion",), ("extract", "preview", "info")),
        (("weights",), ("list", "download", "convert", "verify")),
        (("portraits",), ("sheet",)),
        (("train",), ("run", "draw", "latents")),
    ],
)
def test_help_names_what_there_is(fye: Run, command: tuple[str, ...], words: tuple[str, ...]) -> None:
    shown = fye(*command, "--help")
    assert shown.code == 0
    for word in words:
        assert word in shown.out


def test_animate_a_clip_with_its_sound(fye: Run, model: Path, clip: Path) -> None:
    done = fye("animate", "bundled:ada", clip, "--weights", model, "--steps", 1)
    assert done.code == 0, done.err
    assert done.out.startswith("ada_smile.mp4: 5 frames, 0.2 s at 25 frames a second, with sound; made in ")
    with ClipReader("ada_smile.mp4") as result:
        assert (result.info.size, result.info.frame_rate, result.info.has_sound) == ((512, 512), 25.0, True)
    assert len(frames_of(Path("ada_smile.mp4"))) == 5

    refused = fye("animate", "bundled:ada", clip, "--weights", model, "--steps", 1)
    assert (refused.code, "ada_smile.mp4 exists already" in refused.err) == (2, True)
    again = fye(
        "animate",
        "bundled:ada",
        clip,
        "--weights",
        model,
        "--steps",
        1,
        "--overwrite",
        "--no-sound",
        "--start",
        3,
    )
    assert again.out.startswith("ada_smile.mp4: 2 frames, 0.1 s at 25 frames a second; made in ")


def test_animate_side_by_side(fye: Run, model: Path, clip: Path) -> None:
    """Driving 192x192, landmarks 64x64, crop 64x64, result 64x64: four squares of the result's height."""
    options = ("--weights", model, "--steps", 1, "--no-paste", "--side-by-side", "--stop", 2)
    assert fye("animate", "bundled:max", clip, "-o", "row.gif", *options).code == 0
    assert [picture.shape for picture in frames_of(Path("row.gif"))] == [(64, 256, 3)] * 2
    assert fye("animate", "bundled:max", "bundled:talk", "-o", "row", *options).code == 0
    assert sorted(path.name for path in Path("row").iterdir()) == ["frame_000000.png", "frame_000001.png"]
    assert read_picture("row/frame_000000.png").shape == (64, 256, 3)


def test_a_picture_drives_a_picture(fye: Run, model: Path) -> None:
    from followyouremoji.requests.bundled import EXAMPLES, portrait_path

    done = fye("animate", "bundled:fox", portrait_path("bundled:ada"), "--weights", model, "--steps", 1)
    assert done.out.startswith("fox_ada.png: 1 frame; made in ")
    assert read_picture("fox_ada.png").shape == (512, 512, 3)
    options = ("--weights", model, "--steps", 1, "--start", 20, "--stop", 21, "-o", "one.jpg")
    assert fye("animate", "bundled:fox", EXAMPLES / "hello.fyemotion", *options).code == 0
    assert read_picture("one.jpg").shape == (512, 512, 3)


def test_options_reach_the_model(fye: Run, model: Path) -> None:
    """The seed and the strengths change the picture; the same ones give it again."""

    def picture(*options: object) -> np.ndarray:
        fixed = (
            "--weights",
            model,
            "--steps",
            2,
            "--start",
            15,
            "--stop",
            16,
            "-o",
            "one.png",
            "--overwrite",
        )
        assert fye("animate", "bundled:ada", "bundled:hello", *fixed, *options).code == 0
        return read_picture("one.png")

    plain = picture()
    assert np.array_equal(plain, picture())
    assert not np.array_equal(plain, picture("--seed", 1))
    assert not np.array_equal(plain, picture("--expression", 2))
    assert picture("--no-paste", "--size", 80).shape == (80, 80, 3)


def test_extract_info_preview(fye: Run, clip: Path) -> None:
    done = fye("motion", "extract", clip, "smile.fyemotion")
    assert done.out.startswith("smile.fyemotion: 5 frames, 0.2 s, ")
    motion = Motion.load(Path("smile.fyemotion"))
    assert (len(motion), motion.frame_rate, motion.size) == (5, 25.0, (192, 192))
    assert fye("motion", "extract", clip, "smile.fyemotion").code == 2

    shown = fye("motion", "info", "smile.fyemotion")
    assert "5, 0.20 s at 25 frames a second" in shown.out
    assert "found in every frame" in shown.out

    assert fye("motion", "preview", "bundled:ada", "smile.fyemotion", "look.gif", "--size", 128).code == 0
    assert [picture.shape for picture in frames_of(Path("look.gif"))] == [(128, 128, 3)] * 5


def test_a_motion_of_keyframes_and_an_expression(fye: Run) -> None:
    keyframes = '{"format": "followyouremoji-keyframes", "version": 1, "frame_rate": 10, "keyframes": [%s]}'
    poses = '{"seconds": 0, "pose": {"smile": 1}}, {"seconds": 0.4, "pose": {"gaze_left": 1}}'
    Path("k.json").write_text(keyframes % poses)
    assert fye("motion", "make", "k.json", "k.fyemotion").out == "k.fyemotion: 5 frames, 0.5 s.\n"
    again = fye("motion", "make", "k.json", "k.fyemotion")
    assert (again.code, "k.fyemotion exists already" in again.err) == (2, True)
    assert "rest         known" in fye("motion", "info", "k.fyemotion").out
    assert "50, 2.00 s" in fye("motion", "info", "bundled:wink_left").out

    for driving in ("k.fyemotion", "bundled:wink_left"):
        options = ("look.gif", "--size", 64, "--stop", 5, "--overwrite", "--pose", "smile=0.4,gaze_right=0.2")
        assert fye("motion", "preview", "bundled:ada", driving, *options).code == 0
        assert [picture.shape for picture in frames_of(Path("look.gif"))] == [(64, 64, 3)] * 5
    extracted = fye("motion", "extract", "bundled:smile", "smile.fyemotion")
    assert extracted.out.startswith("smile.fyemotion: 50 frames")


def test_a_pose_changes_the_picture(fye: Run, model: Path) -> None:
    def picture(*options: object) -> np.ndarray:
        fixed = ("--weights", model, "--steps", 1, "--stop", 1, "-o", "one.png", "--overwrite")
        assert fye("animate", "bundled:ada", "bundled:smile", *fixed, *options).code == 0
        return read_picture("one.png")

    plain = picture()
    assert np.array_equal(plain, picture("--pose", "smile=0,yaw=0"))
    assert not np.array_equal(plain, picture("--pose", "surprised=0.7"))


def test_a_preview_needs_no_torch(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom followyouremoji.apps.main import main\n"
        "try: main(['motion', 'preview', 'bundled:ada', 'bundled:hello', 'one.png', '--stop', '1'])\n"
        "except SystemExit as ended: print(ended.code, 'torch' in sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ended.stdout.endswith("0 False\n")
    assert read_picture(tmp_path / "one.png").shape == (512, 512, 3)


def test_gaps_of_the_face_are_told(fye: Run, clip: Path) -> None:
    from followyouremoji.media.writing import ClipWriter

    pictures = frames_of(clip).astype(np.uint8)
    with ClipWriter("gap.mp4", 25.0, (192, 192)) as writer:
        for picture in (*pictures[:2], np.zeros_like(pictures[0]), *pictures[2:]):
            writer.write(picture)
    done = fye("motion", "extract", "gap.mp4", "gap.fyemotion")
    assert done.code == 0
    assert "No face from 0.08 s for 0.04 s (frames 2 to 2): filled by interpolation." in done.err
    assert Motion.load(Path("gap.fyemotion")).found.tolist() == [True, True, False, True, True, True]


def test_weights_list_and_verify(fye: Run, model: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(exist_ok=True)
    (tmp_path / "home" / "mine").symlink_to(model)
    listed = fye("weights", "list")
    assert listed.code == 0
    for name in ("bundled", "released", "mine", "paper", "fye weights download --small-decoder"):
        assert name in listed.out
    (tmp_path / "home" / "taesd.safetensors").touch()
    assert "taesd.safetensors" in fye("weights", "list").out.replace("\n", "")
    verified = fye("weights", "verify", "mine")
    assert verified.code == 0
    assert "PROBLEM" not in verified.out
    assert verified.out.count("ok ") == 5  # denoiser, appearance net, landmark encoder, Q-Former, autoencoder


def test_doctor(fye: Run) -> None:
    told = fye("doctor")
    assert told.code in (0, 1)
    for word in ("torch", "mediapipe", "precision", "released", "ada, emoji, fox, max, stone", "hello, talk"):
        assert word in told.out
    assert "not there (optional, for --decoder small)" in told.out


def test_a_sheet_of_portraits(fye: Run) -> None:
    options = ("--identities", 2, "--performances", 3, "--size", 32)
    assert fye("portraits", "sheet", "sheet.png", *options).code == 0
    with Image.open("sheet.png") as sheet:
        assert sheet.size == (96, 64)
    assert fye("portraits", "sheet", "sheet.png", *options).code == 2


def test_draw_train_encode(fye: Run) -> None:
    assert fye("train", "draw", "drawings", "--identities", 2, "--pictures", 2, "--size", 32).code == 0
    Path("run.toml").write_text(
        'kind = "autoencoder"\ndrawings = "drawings"\noutput = "run"\nbatch = 2\n'
        "[optimisation]\nsteps = 1\n[autoencoder]\nlatent_channels = 4\nchannels = [8, 8]\nblocks = 1\n"
    )
    done = fye("train", "run", "run.toml")
    assert done.code == 0, done.err
    assert fye("train", "latents", "drawings", "--autoencoder", "run.toml").code == 0
    assert np.load("drawings/latents.npy", allow_pickle=False).shape == (2, 2, 4, 4, 4)


def test_train_export_and_use_a_small_decoder(fye: Run, model: Path) -> None:
    assert fye("train", "draw", "drawings", "--identities", 2, "--pictures", 2, "--size", 32).code == 0
    Path("run.toml").write_text(
        f'kind = "decoder"\ndrawings = "drawings"\noutput = "run"\nautoencoder = "{model.as_posix()}"\nbatch = 2\n'
        "[optimisation]\nsteps = 1\n[decoder]\nshuffle = { channels = [8, 8], blocks = 1 }\n"
    )
    done = fye("train", "run", "run.toml")
    assert done.code == 0, done.err
    done = fye("train", "export-decoder", "run.toml", "decoder.safetensors")
    assert done.code == 0, done.err
    options = ("--weights", model, "--steps", 1, "--stop", 1, "--max-side", 64)
    written = []
    for decoder in ("full", "decoder.safetensors"):
        done = fye("animate", "bundled:ada", "bundled:smile", "-o", "out.png", *options, "--decoder", decoder)
        assert done.code == 0, done.err
        written.append(Path("out.png").read_bytes())
        Path("out.png").unlink()
    assert written[0] != written[1]
