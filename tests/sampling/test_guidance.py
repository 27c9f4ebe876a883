"""Guidance: both halves as one batch or one after the other, and what the unconditional half need not compute."""

from dataclasses import replace

import pytest
import torch

from followyouremoji.networks import AppearanceNet, Denoiser, NetworkConfig
from followyouremoji.networks.unet import Cache
from followyouremoji.sampling import guidance
from followyouremoji.sampling.guidance import ClipConditioning, condition_clip, pass_bytes, predict_velocity

CONFIG = NetworkConfig(
    block_channels=(64, 64), layers_per_block=1, heads=2, norm_groups=8, context_width=16, image_width=6
)


def randomised(network: torch.nn.Module, seed: int) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        width = parameter[0].numel() if parameter.dim() > 1 else 16
        parameter.data = torch.randn(parameter.shape, generator=generator) / width**0.5
    return network.eval()


class Clip:
    """Two clips of three frames and a portrait each reads."""

    def __init__(self, config: NetworkConfig = CONFIG) -> None:
        generator = torch.Generator().manual_seed(0)
        self.denoiser = randomised(Denoiser(config), 0)
        self.appearance_net = randomised(AppearanceNet(config), 1)
        self.reference = torch.randn(1, 4, 8, 8, generator=generator)
        self.tokens = torch.randn(1, 5, 6, generator=generator)
        self.latents = torch.randn(2, 4, 3, 8, 8, generator=generator)
        self.features = torch.randn(2, 64, 3, 8, 8, generator=generator)

    def condition(self, scale: float = 3.5) -> ClipConditioning:
        appearance = self.appearance_net(self.reference, self.tokens)
        return condition_clip(self.denoiser, self.tokens, appearance, scale)

    def predict(self, conditioning: ClipConditioning, *caches: tuple[Cache, Cache]) -> torch.Tensor:
        return predict_velocity(
            self.denoiser,
            self.latents,
            torch.zeros_like(self.latents),
            torch.zeros(2, 1, 3, 1, 1),
            torch.tensor(500),
            self.features,
            conditioning,
            *caches,
        )


@pytest.fixture(scope="module")
def clip() -> Clip:
    return Clip()


@torch.inference_mode()
def test_both_halves_as_one_batch_equal_one_after_the_other(
    clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    conditioning = clip.condition()
    passes: list[int] = []
    clip.denoiser.register_forward_pre_hook(lambda *_: passes.append(1))
    together = clip.predict(conditioning)
    assert len(passes) == 1
    monkeypatch.setattr(guidance, "TOGETHER_ON_PROCESSORS", 0)
    apart = clip.predict(conditioning)
    assert len(passes) == 3
    torch.testing.assert_close(together, apart, atol=1e-4, rtol=0)


@torch.inference_mode()
def test_halves_that_are_cached_are_passes_of_their_own(clip: Clip) -> None:
    """A cache belongs to one half: its features must not hold the other's."""
    shapes: list[int] = []

    def watch(site, compute):
        features = compute()
        shapes.append(len(features))
        return features

    conditioning = clip.condition()
    expected = clip.predict(conditioning)
    result = clip.predict(conditioning, (watch, watch))
    assert set(shapes) == {6}
    torch.testing.assert_close(result, expected, atol=1e-4, rtol=0)


@torch.inference_mode()
def test_one_zero_token_is_as_many_zero_tokens(clip: Clip) -> None:
    """Equal keys share attention equally, and the mean of equal values is each of them: the reason of
    `condition_clip`'s single token."""
    step, one = torch.full((2,), 500), clip.condition().nothing
    assert one is not None
    assert one.context[0][0].shape[1] == 1
    many = clip.denoiser.condition(torch.zeros(1, 5, 6), None)
    results = [clip.denoiser(clip.latents, step, clip.features, read) for read in (one, many)]
    torch.testing.assert_close(*results, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_without_guidance_nothing_is_computed_twice(clip: Clip) -> None:
    conditioning = clip.condition(scale=1.0)
    assert conditioning.nothing is None
    alone = clip.denoiser(clip.latents, torch.full((2,), 500), clip.features, conditioning.portrait)
    torch.testing.assert_close(clip.predict(conditioning), alone)


def test_a_learning_pass_gives_what_an_inferring_one_gives(clip: Clip) -> None:
    """Different ways of computing, one function; and the learning one has gradients."""
    conditioning = clip.condition()
    learning = clip.predict(conditioning)
    learning.square().mean().backward()
    gradients = [p.grad for name, p in clip.denoiser.named_parameters() if "attn2" not in name]
    assert all(gradient is not None for gradient in gradients)
    clip.denoiser.zero_grad(set_to_none=True)
    with torch.inference_mode():
        torch.testing.assert_close(clip.predict(clip.condition()), learning, atol=1e-4, rtol=0)


@pytest.mark.filterwarnings("ignore:Dynamo detected")  # the position table's cache, traced through
@torch.inference_mode()
def test_a_compiled_denoiser_gives_the_same() -> None:
    clip = Clip(replace(CONFIG, block_channels=(64,)))
    conditioning = clip.condition()
    expected = clip.predict(conditioning)
    clip.denoiser.compile(dynamic=False, backend="eager")
    torch.testing.assert_close(clip.predict(conditioning), expected, atol=1e-4, rtol=0)


def test_what_a_pass_holds_grows_with_each_of_its_sides() -> None:
    once = pass_bytes(CONFIG, 3, 8, 16, 4)
    assert once == 32 * 3 * 8 * 16 * 64 * 4  # features of as many channels as the first block, 32 times
    for twice in ((6, 8, 16, 4), (3, 16, 16, 4), (3, 8, 32, 4), (3, 8, 16, 8)):
        assert pass_bytes(CONFIG, *twice) == 2 * once
