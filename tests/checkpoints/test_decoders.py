"""Small decoders: TAESD's file as published, by its shapes, and those of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from followyouremoji.checkpoints import load_model, save_model
from followyouremoji.checkpoints.decoders import find_decoder, load_decoder, write_decoder
from followyouremoji.checkpoints.encoders import LATENT_SCALE
from followyouremoji.checkpoints.hub import TAESD_SIZE
from followyouremoji.checkpoints.offloading import READING_NETWORKS, has_weights
from followyouremoji.checkpoints.released import convert_released
from followyouremoji.errors import WeightsError
from followyouremoji.networks.decoder import DecoderConfig, ShuffleConfig, TaesdConfig, build_decoder
from tests.checkpoints.small_models import (
    PAPER,
    RELEASED_NETWORK,
    randomised,
    small_paper_model,
    write_published,
)

CPU = torch.device("cpu")
OWN = {
    "taesd": DecoderConfig(latent_channels=8, taesd=TaesdConfig(width=4, blocks=(1, 1, 1, 1))),
    "shuffle": DecoderConfig(latent_channels=8, shuffle=ShuffleConfig(channels=(4, 8), blocks=1)),
}


@pytest.fixture(scope="module")
def taesd() -> nn.Module:
    """TAESD with the sizes of diffusers, which are the published ones, and random weights."""
    from diffusers import AutoencoderTiny

    torch.manual_seed(0)
    return AutoencoderTiny().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def file(taesd: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("taesd")
    taesd.save_pretrained(folder)  # type: ignore[operator]
    return folder / "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With Stable Diffusion's autoencoder, in small."""
    folder = tmp_path_factory.mktemp("models")
    return convert_released(
        write_published(folder / "published"), folder / "released", network=RELEASED_NETWORK
    )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FYE_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def changed(file: Path, to: Path, **tensors: torch.Tensor | None) -> Path:
    """A copy of a file with other tensors in their places; None leaves one out."""
    kept = {**load_file(file), **tensors}
    save_file({name: value for name, value in kept.items() if value is not None}, to)
    return to


def test_the_structure_is_the_published_file_s_to_the_byte(file: Path) -> None:
    """The size that the hub states; no network is needed to compare it."""
    assert file.stat().st_size == TAESD_SIZE


def test_pictures_are_those_of_diffusers_which_takes_normalised_latents(
    taesd: nn.Module, file: Path, released: Path
) -> None:
    """The pipelines of diffusers divide latents by `scaling_factor`: TAESD's is 1, Stable Diffusion's 0.18215."""
    full, small = load_model(released, "cpu"), load_model(released, "cpu", decoder=file)
    vae = full.codec.autoencoder.vae  # type: ignore[union-attr]
    assert (taesd.config.scaling_factor, vae.config.scaling_factor) == (1.0, LATENT_SCALE)  # type: ignore[union-attr]
    pictures = torch.randint(0, 256, (3, 3, 32, 48), dtype=torch.uint8)
    latents = small.codec.encode(pictures)
    torch.testing.assert_close(latents, full.codec.encode(pictures), rtol=0, atol=0)
    with torch.no_grad():
        expected = taesd.decode(latents).sample.clamp(-1, 1)  # type: ignore[operator]
        own = vae.decode(latents / LATENT_SCALE).sample.clamp(-1, 1)  # type: ignore[operator, union-attr]
    assert small.codec.decode(latents).shape == (3, 3, 32, 48)
    torch.testing.assert_close(small.codec.decode(latents), expected, rtol=0, atol=0)
    torch.testing.assert_close(full.codec.decode(latents), own, rtol=0, atol=0)


@pytest.mark.parametrize(("level", "pixel"), [(0.0, -1.0), (0.5, 0.0), (1.0, 1.0)])
def test_levels_from_0_to_1_are_pixels_from_minus_1_to_1(
    file: Path, tmp_path: Path, level: float, pixel: float
) -> None:
    last = {
        "decoder.layers.18.weight": torch.zeros(3, 64, 3, 3),
        "decoder.layers.18.bias": torch.full((3,), level),
    }
    decoder = load_decoder(changed(file, tmp_path / "level", **last), 4, CPU)
    pictures = decoder(torch.randn(1, 4, 2, 2))
    assert torch.equal(pictures, torch.full((1, 3, 16, 16), pixel))


def test_files_of_other_networks_are_refused_by_name(file: Path, tmp_path: Path) -> None:
    name = "decoder.layers.3.conv.0.weight"
    with pytest.raises(WeightsError, match=rf"lacking does not fit its network: {name} is missing"):
        load_decoder(changed(file, tmp_path / "lacking", **{name: None}), 4, CPU)
    with pytest.raises(WeightsError, match=rf"{name} is \(64, 32, 3, 3\), expected \(64, 64, 3, 3\)"):
        load_decoder(changed(file, tmp_path / "narrow", **{name: torch.zeros(64, 32, 3, 3)}), 4, CPU)
    with pytest.raises(WeightsError, match=r"more is of no use to this network"):
        load_decoder(changed(file, tmp_path / "more", more=torch.zeros(1)), 4, CPU)
    (tmp_path / "cut").write_bytes(file.read_bytes()[:-1])
    with pytest.raises(WeightsError, match=r"cut is damaged or not a whole safetensors file"):
        load_decoder(tmp_path / "cut", 4, CPU)


def test_a_decoder_that_is_not_there_is_told_with_what_to_do(home: Path, file: Path, tmp_path: Path) -> None:
    assert find_decoder("full") is None
    with pytest.raises(WeightsError, match="fye weights download --small-decoder"):
        find_decoder("small")
    with pytest.raises(WeightsError, match=r"there is no decoder '.*absent'.*'full', 'small'"):
        find_decoder(tmp_path / "absent")
    (home / "taesd.safetensors").write_bytes(file.read_bytes())
    assert find_decoder("small") == home / "taesd.safetensors"
    with pytest.raises(WeightsError, match=r"for latents of 4 channels, and the model's have 32.* 'full'"):
        load_model("bundled", "cpu", decoder="small")


@pytest.mark.parametrize("structure", OWN)
def test_one_s_own_is_read_as_it_was_written(structure: str, tmp_path: Path) -> None:
    config = OWN[structure]
    decoder = randomised(build_decoder(config)).eval()
    file = write_decoder(decoder, config, tmp_path / "own.safetensors")
    read = load_decoder(file, 8, CPU)
    for name, value in decoder.state_dict().items():
        assert torch.equal(read.state_dict()[name], value.half().float())
    assert not read.training
    assert not any(parameter.requires_grad for parameter in read.parameters())
    assert read(torch.randn(2, 8, 3, 5)).shape == (2, 3, 24, 40)
    with pytest.raises(WeightsError, match="exists"):
        write_decoder(decoder, config, file)
    with pytest.raises(WeightsError, match=r"for latents of 8 channels, and the model's have 4"):
        load_decoder(file, 4, CPU)


@pytest.mark.parametrize(
    ("version", "sizes", "words"),
    [
        (2, "{}", r"its format is 'followyouremoji-decoder-2'.* needs a newer followyouremoji"),
        (1, "{", "it is no JSON text"),
        (1, "{}", "either the structure `taesd` or `shuffle`"),
        (1, '{"shuffle": {"blocks": 0}}', r"`shuffle\.blocks` must be a whole number from 1 to 32, not 0"),
    ],
)
def test_headers_that_say_no_sizes_are_refused(version: int, sizes: str, words: str, tmp_path: Path) -> None:
    header = {"format": f"followyouremoji-decoder-{version}", "decoder": sizes}
    save_file({"weight": torch.zeros(1)}, tmp_path / "file", header)
    with pytest.raises(WeightsError, match=words):
        load_decoder(tmp_path / "file", 4, CPU)


def test_a_model_with_a_small_decoder_is_saved_with_its_own(tmp_path: Path) -> None:
    folder = save_model(small_paper_model(), tmp_path / "model")
    file = write_decoder(build_decoder(OWN["shuffle"]), OWN["shuffle"], tmp_path / "own.safetensors")
    again = save_model(load_model(folder, "cpu", decoder=file), tmp_path / "again")
    assert sorted(path.name for path in again.iterdir()) == sorted(path.name for path in folder.iterdir())
    for path in folder.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes()


def test_a_small_decoder_stays_where_networks_take_turns(tmp_path: Path) -> None:
    folder = save_model(small_paper_model(), tmp_path / "model")
    file = write_decoder(randomised(build_decoder(OWN["taesd"])), OWN["taesd"], tmp_path / "own.safetensors")
    turning, whole = (load_model(folder, "cpu", offload=offload, decoder=file) for offload in (True, False))
    latents = torch.randn(2, PAPER.network.latent_channels, 4, 4)
    for names in (READING_NETWORKS, ("denoiser",)):
        with turning.using(*names):
            assert has_weights(turning.parts()["small_decoder"])
            assert torch.equal(turning.codec.decode(latents), whole.codec.decode(latents))
