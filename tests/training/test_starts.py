"""Pretrained starts from small files in the true layouts: diffusers writes the UNet and the motion adapter,
AnimateDiff's names are its own."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from followyouremoji.checkpoints import save_model
from followyouremoji.config import parse
from followyouremoji.errors import SettingsError, WeightsError
from followyouremoji.networks import NetworkConfig, QFormerConfig
from followyouremoji.training.networks import Networks
from followyouremoji.training.starts import Start, initial_weights
from followyouremoji.training.trainer import build_networks
from tests.checkpoints.small_models import small_paper_model

from .tiny import codec, run_of

SIZES = {
    "block_channels": (16, 32),
    "layers_per_block": 1,
    "norm_groups": 8,
    "heads": 2,
    "context_width": 12,
    "image_width": 10,
    "landmark_channels": (4, 4, 4, 4),
}


def networks(layout: str = "paper", **sizes: object) -> Networks:
    qformer = QFormerConfig(layers=1, queries=2, width=8, heads=2) if layout == "paper" else None
    torch.manual_seed(1)
    return Networks(NetworkConfig(**{"layout": layout, "qformer": qformer, **SIZES, **sizes}))


@pytest.fixture(scope="module")
def stable_diffusion(tmp_path_factory) -> Path:
    """A diffusers folder as sd-image-variations has it: `unet` and the projection of `image_encoder`."""
    from diffusers import UNet2DConditionModel

    folder = tmp_path_factory.mktemp("stable-diffusion")
    torch.manual_seed(2)
    unet = UNet2DConditionModel(
        block_out_channels=(16, 32),
        layers_per_block=1,
        cross_attention_dim=12,
        attention_head_dim=2,
        norm_num_groups=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )
    unet.save_pretrained(folder / "unet")
    (folder / "image_encoder").mkdir()
    torch.save(
        {"visual_projection.weight": torch.randn(12, 10)}, folder / "image_encoder" / "pytorch_model.bin"
    )
    return folder


@pytest.fixture(scope="module")
def adapter():
    from diffusers import MotionAdapter

    torch.manual_seed(3)
    return MotionAdapter(
        block_out_channels=(16, 32),
        motion_layers_per_block=1,
        motion_num_attention_heads=2,
        motion_norm_num_groups=8,
        motion_max_seq_length=32,
    )


def original_names(adapter) -> dict[str, torch.Tensor]:
    """The tensors of a motion adapter as AnimateDiff's own checkpoints name them (the reverse of diffusers' conversion
    script)."""
    pieces = {
        ".attn1.": ".attention_blocks.0.",
        ".attn2.": ".attention_blocks.1.",
        ".norm1.": ".norms.0.",
        ".norm2.": ".norms.1.",
        ".norm3.": ".ff_norm.",
    }
    tensors = {}
    for name, value in adapter.state_dict().items():
        for new, old in pieces.items():
            name = name.replace(new, old)
        head, number, rest = name.partition(".motion_modules.")
        index, _, tail = rest.partition(".")
        name = f"{head}{number}{index}.temporal_transformer.{tail}"
        if name.endswith("pos_embed.pe"):
            base = name.removesuffix("pos_embed.pe")
            for block in (0, 1):
                tensors[f"{base}attention_blocks.{block}.pos_encoder.pe"] = value
        else:
            tensors[name] = value
    return tensors


def denoise(nets: Networks, latents: torch.Tensor) -> torch.Tensor:
    """One frame without landmarks, appearance or motion: what the UNet itself says."""
    features = torch.zeros(1, 16, 1, *latents.shape[-2:])
    tokens = torch.randn(1, 3, 10, generator=torch.Generator().manual_seed(5))
    return nets.denoiser(latents, torch.tensor([500]), features, nets.denoiser.condition(tokens, None))


def test_a_started_denoiser_says_what_stable_diffusion_says(stable_diffusion) -> None:
    from diffusers import UNet2DConditionModel

    nets = networks(motion_modules=False).eval()
    report = initial_weights(nets, Start(unet=stable_diffusion))
    unet = UNet2DConditionModel.from_pretrained(stable_diffusion / "unet")
    latents = torch.randn(1, 4, 1, 8, 8)
    joined = torch.cat([latents, torch.randn(1, 5, 1, 8, 8)], dim=1)  # known frames and mask: not heeded yet
    tokens = torch.randn(1, 3, 10, generator=torch.Generator().manual_seed(5))
    projection = torch.load(stable_diffusion / "image_encoder" / "pytorch_model.bin", weights_only=True)
    context = tokens @ projection["visual_projection.weight"].T
    with torch.no_grad():
        expected = unet(latents[:, :, 0], 500, context).sample
        torch.testing.assert_close(denoise(nets, joined)[:, :, 0], expected, atol=1e-5, rtol=1e-4)

    denoiser = next(part for part in report.copied if part.network == "denoiser")
    assert denoiser.widened == ("conv_in.weight",)
    assert not report.fresh["denoiser"]
    assert not report.fresh["appearance_net"]
    appearance = next(part for part in report.copied if part.network == "appearance_net")
    assert "conv_out.weight" in appearance.unused
    assert "up_blocks.1.attentions.1.transformer_blocks.0.attn1.to_q.weight" in appearance.unused
    assert set(report.fresh["qformer"]) == set(nets.qformer.state_dict())
    assert any("conv_in.weight widened" in line for line in report.lines())


@pytest.mark.parametrize("form", ["safetensors", "ckpt", "training", "diffusers"])
def test_a_motion_module_in_each_published_form_is_the_same(adapter, tmp_path, form) -> None:
    tensors = original_names(adapter)
    if form == "safetensors":
        source = tmp_path / "mm.safetensors"
        save_file({name: value.clone() for name, value in tensors.items()}, source)
    elif form == "diffusers":
        source = tmp_path / "adapter"
        adapter.save_pretrained(source)
    else:
        source = tmp_path / "mm.ckpt"
        held = {"state_dict": {f"module.{name}": value for name, value in tensors.items()}, "global_step": 7}
        torch.save(tensors if form == "ckpt" else held, source)
    nets = networks("released")
    report = initial_weights(nets, Start(motion=source))
    own = nets.denoiser.state_dict()
    for name, value in tensors.items():
        if not name.endswith(".pe"):
            assert torch.equal(own[name], value), name
    assert not [name for name in report.fresh["denoiser"] if "motion_modules" in name]


def test_levels_without_motion_are_told_as_unused_and_lacking_ones_as_new(adapter, tmp_path) -> None:
    tensors = {
        name: value for name, value in original_names(adapter).items() if not name.startswith("mid_block.")
    }
    file = tmp_path / "v1.safetensors"
    save_file({name: value.clone() for name, value in tensors.items()}, file)
    report = initial_weights(networks("released"), Start(motion=file))
    new = [name for name in report.fresh["denoiser"] if "motion_modules" in name]
    assert new
    assert all(name.startswith("mid_block.") for name in new)
    report = initial_weights(networks("released", motion_levels=(0,)), Start(motion=file))
    assert all("blocks.1." in name or "blocks.0." in name for name in report.copied[0].unused)
    assert report.copied[0].unused


def test_a_saved_model_starts_a_run_with_more_inputs(tmp_path) -> None:
    model = small_paper_model()
    folder = save_model(model, tmp_path / "model")
    config = model.config.network
    nets = Networks(config)
    report = initial_weights(nets, Start(model=str(folder)))
    assert not any(report.fresh.values())
    for name, value in model.networks.denoiser.state_dict().items():
        assert torch.equal(nets.denoiser.state_dict()[name], value)

    nets = Networks(dataclasses.replace(config, warped_reference=True, motion_modules=False))
    report = initial_weights(nets, Start(model=str(folder)))
    assert report.fresh["landmark_encoder"] == ("conv_warped.weight", "conv_warped.bias")
    assert not nets.landmark_encoder.conv_warped.weight.any()


def test_a_saved_model_gives_its_temporal_layers_alone(tmp_path) -> None:
    model = small_paper_model()
    folder = save_model(model, tmp_path / "model")
    torch.manual_seed(5)
    nets = Networks(model.config.network)
    before = {name: value.clone() for name, value in nets.denoiser.state_dict().items()}
    report = initial_weights(nets, Start(motion=folder))
    theirs = model.networks.denoiser.state_dict()
    for name, value in nets.denoiser.state_dict().items():
        assert torch.equal(value, theirs[name] if "motion_modules" in name else before[name]), name
    assert any("motion_modules" in name for name in report.copied[0].loaded)


def test_stage_2_refuses_a_start_that_leaves_what_it_freezes_new(tmp_path) -> None:
    model = small_paper_model()
    folder = save_model(model, tmp_path / "model")

    def built(initial: Start, **changes: object) -> None:
        network = dataclasses.replace(model.config.network, **changes)
        run = run_of(tmp_path / "run", stage=2, network=network, initial=initial)
        build_networks(run, codec())

    built(Start(model=str(folder)))
    with pytest.raises(
        SettingsError, match=r"leaves layers new that stage 2 does not train: appearance_net\."
    ):
        built(Start(motion=folder))
    with pytest.raises(SettingsError, match=r"new .* landmark_encoder\.conv_warped\.weight"):
        built(Start(model=str(folder)), warped_reference=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"block_channels": (16, 64)}, "of another size"),
        ({"block_channels": (16, 32, 32)}, "it lacks"),
        ({"heads": 4}, "have 2 heads"),
        ({"norm_groups": 4}, "norm_num_groups is 8"),
    ],
)
def test_a_unet_of_other_sizes_is_refused_and_nothing_is_copied(stable_diffusion, change, message) -> None:
    nets = networks(motion_modules=False, **change)
    before = {name: value.clone() for name, value in nets.state_dict().items()}
    with pytest.raises(WeightsError, match=message):
        initial_weights(nets, Start(unet=stable_diffusion))
    for name, value in nets.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_what_is_not_what_it_is_said_to_be_is_refused(stable_diffusion, adapter, tmp_path) -> None:
    adapter.save_pretrained(tmp_path / "adapter")
    for start, message in [
        (Start(unet=tmp_path / "nowhere"), "there is no folder"),
        (Start(unet=tmp_path / "adapter"), "instead of 'UNet2DConditionModel'"),
        (Start(unet=tmp_path), "has no config.json"),
        (Start(motion=stable_diffusion / "unet"), "instead of 'MotionAdapter'"),
        (Start(motion=tmp_path / "mm.ckpt"), "there is no motion module"),
        (
            Start(motion=stable_diffusion / "unet" / "diffusion_pytorch_model.safetensors"),
            "holds no temporal layers",
        ),
        (Start(model=str(tmp_path / "nowhere")), "there is no checkpoint"),
    ]:
        with pytest.raises(WeightsError, match=message):
            initial_weights(networks(), start)
    file = tmp_path / "mm.safetensors"
    save_file({"a.motion_modules.0.b": torch.zeros(1)}, file)
    with pytest.raises(SettingsError, match="stage 2, not in stage 1"):
        initial_weights(networks(motion_modules=False), Start(motion=file))


def test_a_motion_module_that_would_run_code_is_refused(tmp_path) -> None:
    class Harm:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "harmed",))

    torch.save({"down_blocks.0.motion_modules.0.x": Harm()}, tmp_path / "mm.ckpt")
    with pytest.raises(WeightsError, match="could run code"):
        initial_weights(networks(), Start(motion=tmp_path / "mm.ckpt"))
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "nothing to start from"),
        ({"unett": "x"}, "unknown entry `unett`; did you mean `unet`"),
        ({"unet": 3}, "`unet` must be a path, not 3"),
        ({"unet": "a", "model": "b"}, "one of model, unet"),
    ],
)
def test_a_start_with_a_mistake_is_refused_in_words(table, message) -> None:
    with pytest.raises(SettingsError, match=message):
        parse(Start, json.dumps(table), "run.toml")
