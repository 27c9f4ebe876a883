"""The bundled model as it is shipped: small, whole, and able to do what its page says."""

from pathlib import Path

import numpy as np
import pytest

import followyouremoji
from followyouremoji.animator import AnimationSettings, PortraitAnimator
from followyouremoji.checkpoints import verify_checkpoint

PACKAGE = Path(followyouremoji.__file__).parent
ASSETS = (".safetensors", ".npz", ".png", ".fyemotion", ".json")


def test_all_assets_together_are_under_40_megabytes() -> None:
    assets = [file for file in PACKAGE.rglob("*") if file.suffix in ASSETS]
    assert any(file.name == "denoiser.safetensors" for file in assets)
    assert sum(file.stat().st_size for file in assets) < 40e6


def test_its_files_are_those_that_were_saved() -> None:
    verification = verify_checkpoint("bundled")
    assert verification.ok, verification.problems


def test_it_follows_landmarks_of_people_it_never_saw() -> None:
    """Inside the face the result is nearer to the truth than the copied portrait is: 0.45 of it over 64 identities, 0.75 asked here of 4."""
    pytest.importorskip("skia", reason="drawn portraits need skia-python")
    pytest.importorskip("scipy", reason="the benchmark needs scipy")
    from benchmarks.bundled_model import Case, animate

    from followyouremoji.portraits import Identity, Performance, draw_portrait

    animator = PortraitAnimator.from_pretrained("bundled", "cpu")
    size = animator.model.config.picture_size
    assert size >= 128
    errors = []
    for seed in range(4):
        rng = np.random.default_rng((800_000, seed))
        identity = Identity.random(rng, "person")
        reference, target = (draw_portrait(identity, Performance.random(rng), size) for _ in range(2))
        case = Case(
            identity,
            reference.picture,
            reference.points,
            target.points[None],
            [target.picture],
            target.points[None],
        )
        (result,) = animate(animator, case, AnimationSettings())
        face = target.face_mask.astype(bool)
        errors.append(
            [np.abs(p[face].astype(float) - target.picture[face]).mean() for p in (result, reference.picture)]
        )
    animated, copied = np.mean(errors, axis=0)
    assert animated < 0.75 * copied


def test_the_package_offers_its_animator() -> None:
    assert followyouremoji.PortraitAnimator is PortraitAnimator
    assert followyouremoji.AnimationSettings is AnimationSettings
