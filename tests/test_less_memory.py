"""An animator whose networks take turns in memory makes the same frames, to the bit, as one that holds them all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from followyouremoji.animator import AnimationSettings, PortraitAnimator
from followyouremoji.checkpoints import Model, save_model
from followyouremoji.checkpoints.lora import DOWN, UP, Lora, write_lora
from followyouremoji.prepared import Prepared

pytest.importorskip("skia", reason="drawn portraits need skia")
from followyouremoji.portraits import Performance, draw_portrait, random_identity
from tests.small_model import frames, small_model
from tests.test_preparation import drawn_motion, landmarks_of

TARGETS = (
    "denoiser.mid_block.attentions.0.transformer_blocks.0.attn1.to_q",
    "appearance_net.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_v",
)


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(small_model(), tmp_path_factory.mktemp("models") / "paper")


def prepared_by(animator: PortraitAnimator, seed: int, number: int = 5) -> Prepared:
    portrait = draw_portrait(random_identity(np.random.default_rng(seed), "person"), Performance(), 96)
    return animator.prepare(portrait.picture, drawn_motion(number), portrait_landmarks=landmarks_of(portrait))


def weights_held(model: Model) -> int:
    """Bytes of all networks' parameters that are in memory."""
    parameters = [one for network in model.parts().values() for one in network.parameters()]
    return sum(one.nbytes for one in parameters if not one.is_meta)


def small_lora(model: Model, file: Path) -> Path:
    tensors: dict[str, torch.Tensor] = {}
    for target in TARGETS:
        network, _, path = target.partition(".")
        wide, deep = model.parts()[network].get_submodule(path).weight.shape
        tensors[target + DOWN], tensors[target + UP] = torch.eye(2, deep), 3 * torch.eye(wide, 2)
    return write_lora(Lora(tensors, rank=2, alpha=2.0, base="small"), file)


@pytest.mark.parametrize("devices", ["cpu", pytest.param("cpu,cpu", marks=pytest.mark.slow)])
def test_two_portraits_with_loras_between(paper: Path, tmp_path: Path, devices: str) -> None:
    whole, turning = (
        PortraitAnimator.from_pretrained(paper, devices, offload=offload) for offload in (False, True)
    )
    first, second = (prepared_by(whole, seed) for seed in (3, 4))
    plain = frames(whole, first, steps=2, window=3)
    assert np.array_equal(plain, frames(turning, first, steps=2, window=3))
    for model in turning.models:
        assert weights_held(model) < 0.7 * weights_held(whole.model)
    assert np.array_equal(frames(whole, second, steps=2), frames(turning, second, steps=2))

    lora = small_lora(whole.model, tmp_path / "one.safetensors")
    changed = frames(whole, first, loras=[(lora, 1.0)], steps=2, window=3)
    assert not np.array_equal(changed, plain)
    assert np.array_equal(changed, frames(turning, first, loras=[(lora, 1.0)], steps=2, window=3))
    assert np.array_equal(plain, frames(turning, first, steps=2, window=3))
    for model in turning.models:
        assert weights_held(model) < 0.7 * weights_held(whole.model)


def test_a_lora_before_the_first_portrait(paper: Path, tmp_path: Path) -> None:
    whole, turning = (
        PortraitAnimator.from_pretrained(paper, "cpu", offload=offload) for offload in (False, True)
    )
    lora = small_lora(whole.model, tmp_path / "one.safetensors")
    prepared = prepared_by(whole, 3, 2)
    expected = frames(whole, prepared, loras=[(lora, 0.5)], steps=1)
    assert np.array_equal(expected, frames(turning, prepared, loras=[(lora, 0.5)], steps=1))


def test_clips_of_two_portraits_in_turns(paper: Path) -> None:
    """The second portrait is read while the first clip is being made: both have what they need."""
    whole, turning = (
        PortraitAnimator.from_pretrained(paper, "cpu", offload=offload) for offload in (False, True)
    )
    clips = [prepared_by(whole, seed, 7) for seed in (3, 4)]
    settings = AnimationSettings(steps=1, window=3)
    streams = [turning.frames(clip, settings) for clip in clips]
    pairs = list(zip(*streams, strict=True))
    for clip, made in zip(clips, zip(*pairs, strict=True), strict=True):
        assert np.array_equal(np.stack(made), frames(whole, clip, steps=1, window=3))


def test_the_bundled_model_gives_the_same_frames() -> None:
    whole, turning = (
        PortraitAnimator.from_pretrained("bundled", "cpu", offload=offload) for offload in (False, True)
    )
    prepared = prepared_by(whole, 3, 3)
    assert np.array_equal(frames(whole, prepared), frames(turning, prepared))
    assert weights_held(turning.model) < 0.7 * weights_held(whole.model)
