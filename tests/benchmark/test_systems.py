"""Systems on a small drawn suite: baselines, the real animator, and results that something else made."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("skia", reason="the suite is drawn with skia-python")

from followyouremoji.benchmark.lossless import write_lossless
from followyouremoji.benchmark.protocol import Protocol
from followyouremoji.benchmark.suite import Case, Suite
from followyouremoji.benchmark.systems import Remark, aligned_points, make_system, settings_of
from followyouremoji.errors import ClipError, DataError, SettingsError, UserError, WeightsError
from followyouremoji.fidelity import ssim
from followyouremoji.media.pictures import resize_picture, write_picture
from followyouremoji.settings import AnimationSettings
from tests.benchmark.small_suite import FRAMES, SIZE, write_small_suite

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "result_videos.py"


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    return write_small_suite(tmp_path_factory.mktemp("suites") / "small")


@pytest.fixture(scope="module")
def cases(suite: Suite) -> dict[str, Case]:
    return {case.name: case for case in suite.cases(Protocol(size=SIZE))}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from followyouremoji.checkpoints import save_model
    from tests.small_model import small_model

    return save_model(small_model(), tmp_path_factory.mktemp("models") / "small")


def l1(frames: np.ndarray, truth: np.ndarray) -> float:
    return float(np.abs(frames.astype(float) - truth).mean())


def test_baselines_make_the_frames_of_a_case(cases: dict[str, Case]) -> None:
    for case in cases.values():
        for described in ("copy", "warp", "mesh"):
            frames = make_system(described).animate(case)
            assert frames.shape == (FRAMES, SIZE, SIZE, 3)
            assert frames.dtype == np.uint8
    case = cases["ada_self"]
    copied, warped, meshed, true = (make_system(d).animate(case) for d in ("copy", "warp", "mesh", "truth"))
    assert (copied == case.portrait).all()
    assert l1(true, case.truth) == 0
    assert max(l1(warped, case.truth), l1(meshed, case.truth)) < l1(copied, case.truth), (
        "they follow the clip"
    )
    with pytest.raises(DataError, match="bob_ada is not known"):
        make_system("truth").animate(cases["bob_ada"])


def test_a_protocol_bounds_frames_and_size(suite: Suite) -> None:
    case = suite.cases(Protocol(size=64, frames=4), ["ada_self"])[0]
    assert make_system("warp").animate(case).shape == (4, 64, 64, 3)


def test_driven_by_its_own_clip_a_portrait_s_landmarks_follow_it(cases: dict[str, Case]) -> None:
    case = cases["ada_self"]
    aligned = aligned_points(case)
    still = np.broadcast_to(case.portrait_landmarks.points, aligned.shape)
    true = case.motion.landmarks[..., :2] * SIZE
    assert np.abs(aligned - true).mean() < 0.5 * np.abs(still - true).mean()


@pytest.mark.parametrize("described", ["bundled?steps=1", "bundled?steps=1&size=128&crop=false"])
def test_a_model_gives_the_whole_square_back(cases: dict[str, Case], described: str) -> None:
    case = cases["ada_self"]
    frames = make_system(described).animate(case)
    assert frames.shape == case.driving.shape
    corner = (slice(None), slice(0, 8), slice(0, 8))
    assert l1(frames[corner], case.portrait[corner[1:]]) < 12, "the backdrop stays"
    assert l1(frames, case.truth) < l1(np.repeat(case.portrait[None], FRAMES, axis=0), case.truth)


def test_a_model_s_result_depends_on_its_settings_alone(cases: dict[str, Case], weights: Path) -> None:
    case = cases["ada_self"]
    first, second = make_system(f"{weights}?seed=1"), make_system(f"{weights}?seed=2")
    frames = first.animate(case)
    assert (frames == make_system(f"{weights}?seed=1").animate(replace(case))).all()
    assert (frames != second.animate(case)).any()


def test_the_autoencoder_alone_is_nearly_the_truth(cases: dict[str, Case]) -> None:
    case = cases["bob_true"]
    coded = make_system("autoencoder:bundled").animate(case)
    assert coded.shape == case.truth.shape
    assert min(map(ssim, coded, case.truth)) > 0.9
    with pytest.raises(DataError, match="not known"):
        make_system("autoencoder:bundled").animate(cases["bob_ada"])


def test_systems_are_named_by_texts(tmp_path: Path) -> None:
    (tmp_path / "a=b").mkdir()
    (tmp_path / "rival").mkdir()
    names = {
        "copy": "portrait copied",
        "still=copy": "still",
        "bundled": "bundled",
        "bundled?steps=30&speed=exact": "bundled (steps=30, speed=exact)",
        "ours=bundled?steps=2": "ours",
        "autoencoder:bundled": "autoencoder of bundled, alone",
        f"videos:{tmp_path}/rival": "rival",
        f"videos:{tmp_path}/a=b": "a=b",
        f"other=videos:{tmp_path}/a=b": "other",
    }
    assert {described: make_system(described).name for described in names} == names
    settings = make_system("bundled?steps=2&speed=fast").settings  # type: ignore[attr-defined]
    assert settings == AnimationSettings(steps=2, speed="fast", paste_back=True)


@pytest.mark.parametrize(
    ("described", "error", "words"),
    [
        ("nowhere/at/all", WeightsError, "no checkpoint"),
        ("videos:nowhere", SettingsError, "no folder"),
        ("", SettingsError, "names no system"),
        ("bundled?step=3", SettingsError, "did you mean `steps`"),
        ("bundled?steps=0", SettingsError, "from 1 to 1000"),
        ("bundled?loop=pingpong", SettingsError, "decides `loop` itself"),
        ("copy?steps=3", WeightsError, "no checkpoint 'copy'"),
        ("autoencoder:bundled?steps=3", SettingsError, "has no settings"),
    ],
)
def test_texts_that_name_nothing_are_refused(described: str, error: type[UserError], words: str) -> None:
    with pytest.raises(error, match=words):
        make_system(described)


def test_a_model_s_fingerprint_is_of_its_weights_and_settings(weights: Path, tmp_path: Path) -> None:
    seen = {
        make_system(f"{weights}{settings}").fingerprint
        for settings in ("", "?steps=1", "?seed=1", "?steps=1&seed=1")
    }
    assert len(seen) == 4
    assert make_system(f"{weights}?seed=0").fingerprint in seen, "said or not, it is the same"
    damaged = tmp_path / "damaged"
    shutil.copytree(weights, damaged)
    system = make_system(str(damaged))
    assert system.fingerprint == make_system(str(weights)).fingerprint
    content = bytearray((damaged / "denoiser.safetensors").read_bytes())
    content[-1] ^= 1
    (damaged / "denoiser.safetensors").write_bytes(content)
    with pytest.raises(WeightsError, match=r"denoiser\.safetensors .*checksum"):
        assert system.fingerprint
    (damaged / "denoiser.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"denoiser\.safetensors"):
        assert system.fingerprint


def test_a_system_goes_to_other_processes(cases: dict[str, Case], weights: Path) -> None:
    for described in ("warp", str(weights)):
        system = make_system(described)
        assert pickle.loads(pickle.dumps(system)) == system


def test_settings_are_texts_numbers_and_switches() -> None:
    assert settings_of("guidance_scale=1.5&crop=true&long_clips=tiles") == AnimationSettings(
        guidance_scale=1.5, crop=True, long_clips="tiles", paste_back=True
    )


def test_results_of_others_are_measured_as_they_are(cases: dict[str, Case], tmp_path: Path) -> None:
    case = cases["bob_true"]
    system = make_system(f"videos:{tmp_path}")
    write_lossless(tmp_path / "bob_true.mkv", case.truth, 25.0)
    np.testing.assert_array_equal(system.animate(case), case.truth)
    (tmp_path / "ada_self").mkdir()
    for number, frame in enumerate(case.truth):
        write_picture(tmp_path / "ada_self" / f"{number + 8}.png", frame)  # 10.png comes after 9.png
    np.testing.assert_array_equal(system.animate(cases["ada_self"]), case.truth)
    larger = [resize_picture(frame, (192, 192)) for frame in case.truth]
    write_lossless(tmp_path / "bob_ada.mkv", np.stack(larger), 25.0)
    with pytest.warns(Remark, match="192x192 pixels are resized to 96"):
        frames = system.animate(cases["bob_ada"])
    assert l1(frames, case.truth) < 0.3 * l1(case.portrait, case.truth)


def test_the_script_for_results_of_others_makes_what_is_measured(suite: Suite, tmp_path: Path) -> None:
    subprocess.run([sys.executable, SCRIPT, suite.folder, tmp_path / "made"], check=True)
    for case in suite.cases(Protocol()):
        frames = make_system(f"videos:{tmp_path / 'made'}").animate(case)
        np.testing.assert_array_equal(frames, make_system("copy").animate(case))


def test_results_of_others_that_cannot_be_measured_are_refused(
    cases: dict[str, Case], tmp_path: Path
) -> None:
    case = cases["bob_true"]
    system = make_system(f"videos:{tmp_path}")
    path = tmp_path / "bob_true.mkv"

    def refused(error: type[UserError], words: str) -> None:
        with pytest.raises(error, match=words):
            system.animate(case)

    refused(DataError, "no result of bob_true")
    write_lossless(path, case.truth[:-1], 25.0)
    refused(DataError, "has 5 frames that can be read; 6 are measured")
    write_lossless(path, case.truth[[0, *range(FRAMES)]], 25.0)
    refused(DataError, "has 7 frames, more than its driving clip's 6")
    write_lossless(path, case.truth[:, :64], 25.0)
    refused(DataError, "96x64 pixels")
    path.write_bytes(b"no clip at all" * 100)
    refused(ClipError, r"bob_true\.mkv")
    (tmp_path / "bob_true").mkdir()
    refused(DataError, r"several results of bob_true: bob_true\.mkv and bob_true")
    path.unlink()
    refused(ClipError, "holds no PNG")
    (tmp_path / "bob_true").rmdir()
    write_lossless(path, case.truth, 25.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused(DataError, "frames that can be read")


def test_the_fingerprint_of_results_is_of_their_content(cases: dict[str, Case], tmp_path: Path) -> None:
    system = make_system(f"videos:{tmp_path}")
    seen = [system.fingerprint]
    write_lossless(tmp_path / "bob_true.mkv", cases["bob_true"].truth, 25.0)
    seen.append(system.fingerprint)
    (tmp_path / "bob_true.mkv").rename(tmp_path / "bob_ada.mkv")
    seen.append(system.fingerprint)
    (tmp_path / "notes.txt").write_text("nothing to measure")
    assert len(set(seen)) == 3
    assert system.fingerprint == seen[-1]
