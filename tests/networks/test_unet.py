"""Properties of the networks in both layouts."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from followyouremoji.config import parse
from followyouremoji.errors import SettingsError
from followyouremoji.networks import (
    AppearanceNet,
    AutoencoderConfig,
    Denoiser,
    LandmarkEncoder,
    NetworkConfig,
    QFormer,
    QFormerConfig,
    SmallAutoencoder,
    latent_tokens,
)
from followyouremoji.networks.layers import Attention
from tests.tiny import tiny_network

PAPER = tiny_network(
    context_width=16,
    qformer=QFormerConfig(layers=4, queries=3, width=16, heads=2),
    landmark_channels=(4, 8, 8, 8),
    reference_landmarks=True,
)


def randomised(module: torch.nn.Module) -> torch.nn.Module:
    """Give every parameter a random value, also those that start at zero."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return module.eval()


def test_the_released_size_has_the_released_number_of_values() -> None:
    """857.96 M, 1314.73 M and 1.09 M values, as counted on the authors' files (position tables, 0.64 M, are a formula
    here)."""
    config = NetworkConfig()
    with torch.device("meta"):
        counts = [
            sum(p.numel() for p in net(config).parameters())
            for net in (AppearanceNet, Denoiser, LandmarkEncoder)
        ]
    tables = 2 * 32 * (5 * 320 + 5 * 640 + 10 * 1280 + 1280)
    assert counts[0] == pytest.approx(857.96e6, abs=1e4)
    assert counts[1] + tables == pytest.approx(1314.73e6, abs=1e4)
    assert counts[2] == pytest.approx(1.09e6, abs=1e4)


@torch.inference_mode()
def test_paper_layout_reads_known_frames_and_image_prompt() -> None:
    denoiser, appearance_net, qformer = (randomised(net(PAPER)) for net in (Denoiser, AppearanceNet, QFormer))
    portrait = torch.randn(1, 4, 8, 8)
    features = torch.randn(1, 16, 3, 8, 8)
    tokens = qformer(latent_tokens(portrait))
    assert tokens.shape == (1, 3, 6)
    conditioning = denoiser.condition(tokens, appearance_net(portrait, tokens, torch.randn(1, 16, 8, 8)))
    latents = torch.randn(1, 9, 3, 8, 8)
    out = denoiser(latents, torch.tensor([500]), features, conditioning)
    assert out.shape == (1, 4, 3, 8, 8)
    known = latents.clone()
    known[:, 4:, 0] += 1  # what is known of the first frame must reach the last through the motion modules
    assert (denoiser(known, torch.tensor([500]), features, conditioning) - out)[:, :, 2].abs().max() > 1e-4


@torch.inference_mode()
def test_a_shared_conditioning_serves_every_sample_of_its_portrait() -> None:
    denoiser, appearance_net, qformer = (randomised(net(PAPER)) for net in (Denoiser, AppearanceNet, QFormer))
    portraits = torch.randn(2, 4, 8, 8)
    tokens = qformer(latent_tokens(portraits))
    appearance = appearance_net(portraits, tokens)
    latents, features = torch.randn(6, 9, 1, 8, 8), torch.randn(6, 16, 1, 8, 8)
    together = denoiser(latents, torch.full((6,), 100), features, denoiser.condition(tokens, appearance))
    second = denoiser.condition(tokens[1:], [t[1:] for t in appearance])
    alone = denoiser(latents[4:5], torch.tensor([100]), features[4:5], second)
    torch.testing.assert_close(together[4:5], alone, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_attention_over_more_rows_than_a_gpu_takes_at_once_is_the_same(monkeypatch) -> None:
    torch.manual_seed(0)
    attention = Attention(8, 2)
    tokens = torch.randn(12, 5, 8)
    whole = attention(tokens, attention.keys_values(tokens))
    rows = []
    plain = torch.nn.functional.scaled_dot_product_attention

    def counted(query: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        rows.append(len(query))
        return plain(query, *others)

    monkeypatch.setattr("followyouremoji.networks.layers.MOST_ROWS", 5)
    monkeypatch.setattr("torch.nn.functional.scaled_dot_product_attention", counted)
    assert torch.allclose(attention(tokens, attention.keys_values(tokens)), whole, atol=1e-6)
    assert rows == [5, 5, 2]


def test_a_new_motion_module_changes_nothing() -> None:
    torch.manual_seed(0)
    moving = Denoiser(PAPER).eval()
    still = Denoiser(NetworkConfig(**{**vars(PAPER), "motion_modules": False})).eval()
    missing, unexpected = still.load_state_dict(moving.state_dict(), strict=False)
    assert not missing
    assert all("motion_modules" in name for name in unexpected)
    tokens, latents, features = torch.randn(1, 3, 6), torch.randn(1, 9, 5, 8, 8), torch.randn(1, 16, 5, 8, 8)
    step = torch.tensor([10])
    results = [net(latents, step, features, net.condition(tokens, None)) for net in (moving, still)]
    torch.testing.assert_close(*results)


@torch.inference_mode()
def test_the_autoencoder_keeps_shapes_and_its_latents_scale() -> None:
    config = AutoencoderConfig(latent_channels=4, channels=(8, 16), blocks=1, shift=0.5, scale=2.0)
    module = SmallAutoencoder(config).eval()
    pictures = torch.rand(2, 3, 32, 48) * 2 - 1
    latents = module.encode(pictures)
    assert latents.shape == (2, 4, 4, 6)
    assert module.decode(latents).shape == pictures.shape
    torch.testing.assert_close(latents / 2 + 0.5, module.encoder(pictures))


def test_configs_survive_json_and_refuse_what_they_do_not_know() -> None:
    saved = asdict(PAPER)
    assert parse(NetworkConfig, json.dumps(saved), "it") == PAPER
    with pytest.raises(SettingsError, match="unknown entry `depth`"):
        parse(NetworkConfig, json.dumps({**saved, "depth": 3}), "it")
    with pytest.raises(SettingsError, match="needs `qformer`"):
        NetworkConfig(layout="paper")
    with pytest.raises(SettingsError, match="divisible"):
        NetworkConfig(block_channels=(320, 100))


def test_networks_see_no_files_and_no_landmarks() -> None:
    room = Path(__file__).parents[2] / "src" / "followyouremoji"
    for path in [*(room / "networks").glob("*.py"), *(room / "sampling").glob("*.py")]:
        text = path.read_text()
        for other in ("face", "media", "animator", "apps", "portraits"):
            assert f"followyouremoji.{other}" not in text, path


@pytest.mark.parametrize("sizes", [{}, {"block_channels": (16, 16, 32), "layers_per_block": 2}])
@torch.inference_mode()
def test_cuts_lie_in_each_other_and_hold_what_they_say(sizes: dict[str, object]) -> None:
    """Cut 0 comes first and ends last; a cut that is given its features leaves out what is deeper, and nothing else."""
    denoiser = randomised(Denoiser(tiny_network(**sizes)))
    latents, features = torch.randn(1, 9, 2, 8, 8), torch.randn(1, 16, 2, 8, 8)
    conditioning = denoiser.condition(torch.randn(1, 2, 6), None)
    begun: list[int] = []
    kept: dict[int, torch.Tensor] = {}

    def keep(cut, compute):
        begun.append(cut)
        kept[cut] = compute()
        return kept[cut]

    expected = denoiser(latents, torch.tensor([500]), features, conditioning, keep)
    assert begun == list(range(denoiser.config.skips + 1))
    assert list(kept) == begun[::-1]
    for given in list(begun):
        begun.clear()

        def give(cut, compute, given=given):
            begun.append(cut)
            return kept[cut] if cut == given else compute()

        assert torch.equal(denoiser(latents, torch.tensor([500]), features, conditioning, give), expected)
        assert begun == list(range(given + 1))
