"""The bundled model as it is shipped: small, whole, and able to do what its page says."""

from pathlib import Path

import numpy as np
import pytest

import followyouremoji
from followyouremoji.animator import AnimationSettings, PortraitAnimator
from followyouremoji.checkpoints import verify_checkpoint
from followyouremoji.checkpoints.folder import read_config

PACKAGE = Path(followyouremoji.__file__).parent
ASSETS = (".safetensors", ".npz", ".png", ".fyemotion", ".json")


def test_all_assets_together_are_under_40_megabytes() -> None:
    assets = [file for file in PACKAGE.rglob("*") if file.suffix in ASSETS]
    assert any(file.name == "denoiser.safetensors" for file in assets)
    assert sum(file.stat().st_size for file in assets) < 40e6


def test_its_files_are_those_that_were_saved() -> None:
    verification = verify_checkpoint("bundled")
    assert verification.ok, verification.problems


def test_it_never_learnt_guidance_and_says_so() -> None:
    config, _ = read_config(PACKAGE / "checkpoints" / "bundled")
    assert not config.guided


def test_it_follows_landmarks_of_people_it_never_saw() -> None:
    """Inside the face the result is nearer to the truth than the copied portrait is: see docs/bundled_model.md; 0.7 of
    it asked here of 2."""
    pytest.importorskip("skia", reason="drawn portraits need skia-python")
    from followyouremoji.benchmark.methods import Checkpoint, Copy
    from followyouremoji.benchmark.metrics.regions import l1_by_region
    from followyouremoji.benchmark.suites import COMPARED, SuiteSettings, draw_case
    from followyouremoji.face.detection import FaceDetector

    settings = SuiteSettings(styles=("person",), size=128, seed=800_000)
    errors: tuple[list[float], list[float]] = ([], [])
    with FaceDetector() as detector:
        for index in range(2):
            case = draw_case(settings, index, detector)
            methods = (Checkpoint("model", "bundled", AnimationSettings()), Copy())
            for method, found in zip(methods, errors, strict=True):
                frames = method.animate(case)
                found += [
                    l1_by_region(frames[i], case.truth[i], case.truth_points[i])["face"] for i in COMPARED
                ]
    animated, copied = (np.mean(found) for found in errors)
    assert animated < 0.7 * copied


def test_the_package_offers_its_animator() -> None:
    assert followyouremoji.PortraitAnimator is PortraitAnimator
    assert followyouremoji.AnimationSettings is AnimationSettings
