"""Networks that take turns in memory: what is held when, and that nothing else changes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from followyouremoji.checkpoints import Model, load_model, save_model
from followyouremoji.checkpoints.offloading import READING_NETWORKS, has_weights, turns_pay
from followyouremoji.checkpoints.released import convert_released
from followyouremoji.errors import WeightsError
from tests.checkpoints.small_models import RELEASED_NETWORK, small_paper_model, write_published


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(small_paper_model(), tmp_path_factory.mktemp("models") / "paper")


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With Stable Diffusion's autoencoder and CLIP, in small."""
    folder = tmp_path_factory.mktemp("models")
    return convert_released(
        write_published(folder / "published"), folder / "released", network=RELEASED_NETWORK
    )


def held(model: Model) -> set[str]:
    """Names of the networks whose weights are in memory."""
    names = (*READING_NETWORKS, "denoiser", "landmark_encoder", "autoencoder")
    parts = model.parts()
    return {name for name in names if name in parts and has_weights(parts[name])}


@pytest.mark.parametrize("layout", ["paper", "released"])
def test_the_readers_or_the_denoiser_are_held_never_both(layout: str, request: pytest.FixtureRequest) -> None:
    model = load_model(request.getfixturevalue(layout), "cpu", offload=True)
    readers = set(READING_NETWORKS) & set(model.parts())
    always = {"landmark_encoder", "autoencoder"}
    assert held(model) == always | readers
    with model.using(*READING_NETWORKS):
        assert held(model) == always | readers
    with model.using("denoiser"):
        assert held(model) == always | {"denoiser"}
    assert held(model) == always | {"denoiser"}  # the next clip of the same portrait reads nothing again
    with model.using(*READING_NETWORKS):
        assert held(model) == always | readers


@pytest.mark.parametrize("layout", ["paper", "released"])
def test_what_comes_again_is_the_same(layout: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(layout)
    turning, whole = (load_model(folder, "cpu", torch.float16, offload=offload) for offload in (True, False))
    for _ in range(2):
        for names in (READING_NETWORKS, ("denoiser",)):
            with turning.using(*names):
                for name in set(names) & set(whole.parts()):
                    network, expected = turning.parts()[name], whole.parts()[name]
                    assert network.training == expected.training
                    assert list(network.state_dict()) == list(tensors := expected.state_dict())
                    for key, value in network.state_dict(keep_vars=True).items():
                        assert torch.equal(value, tensors[key])
                        assert value.dtype == torch.float16
                        assert not value.requires_grad
    pictures = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    with torch.inference_mode(), turning.using(*READING_NETWORKS):
        latents = whole.codec.encode(pictures)
        read = [
            model.networks.read_portrait(latents, model.codec.image_tokens(pictures, latents))
            for model in (turning, whole)
        ]
        torch.testing.assert_close(*read, rtol=0, atol=0)


def test_weights_that_come_while_inferring_can_be_learnt_from(paper: Path) -> None:
    """`generate` asks for them in inference mode; they are ordinary tensors all the same."""
    model = load_model(paper, "cpu", offload=True)
    with torch.inference_mode(), model.using("denoiser"):
        assert not model.networks.denoiser.conv_in.weight.is_inference()


def test_networks_in_use_stay_whatever_comes(paper: Path) -> None:
    """One clip may be sampled while another's portrait is read, by another thread or in turns."""
    model = load_model(paper, "cpu", offload=True)
    with model.using("denoiser"):
        with model.using(*READING_NETWORKS), model.using("denoiser"):
            assert {"denoiser", "appearance_net", "qformer"} <= held(model)
        with model.using("denoiser"):
            assert "appearance_net" not in held(model)
    with model.using(*READING_NETWORKS):
        assert "denoiser" not in held(model)


def test_device_and_type_are_known_without_the_denoiser(paper: Path) -> None:
    model = load_model(paper, "cpu", torch.bfloat16, offload=True)
    assert "denoiser" not in held(model)
    assert (model.device, model.dtype) == (torch.device("cpu"), torch.bfloat16)


def test_a_model_that_takes_turns_is_saved_whole(paper: Path, tmp_path: Path) -> None:
    model = load_model(paper, "cpu", offload=True)
    again = save_model(model, tmp_path / "again")
    for name in ("denoiser", "appearance_net", "qformer", "landmark_encoder", "autoencoder"):
        assert (again / f"{name}.safetensors").read_bytes() == (paper / f"{name}.safetensors").read_bytes()


def test_a_damaged_denoiser_is_told_when_loading(paper: Path, tmp_path: Path) -> None:
    """Not only when its turn comes, after a clip was tracked."""
    folder = save_model(load_model(paper, "cpu"), tmp_path / "damaged")
    file = folder / "denoiser.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(WeightsError, match=r"denoiser\.safetensors is damaged"):
        load_model(folder, "cpu", offload=True)


def test_a_checkpoint_that_vanished_is_told(paper: Path, tmp_path: Path) -> None:
    folder = save_model(load_model(paper, "cpu"), tmp_path / "gone")
    model = load_model(folder, "cpu", offload=True)
    with model.using("denoiser"):
        pass
    (folder / "appearance_net.safetensors").unlink()
    with (
        pytest.raises(WeightsError, match=r"appearance_net\.safetensors is missing"),
        model.using("appearance_net"),
    ):
        pass
    with pytest.raises(WeightsError), model.using("denoiser", "appearance_net"):
        pass
    with model.using("qformer"):
        assert "denoiser" not in held(model)  # nobody uses it


def test_turns_are_for_large_models(tmp_path: Path) -> None:
    """Sparse files of the released model's size; the bundled model's networks are a hundredth of it."""
    files = {name: tmp_path / name for name in ("appearance_net", "image_encoder", "denoiser")}
    for file, size in zip(files.values(), (3.4e9, 1.2e9, 5.2e9), strict=True):
        with file.open("wb") as opened:
            opened.truncate(int(size))
    cpu = torch.device("cpu")
    assert turns_pay(files, cpu)
    assert not turns_pay({"denoiser": files["denoiser"]}, cpu)
    assert load_model("bundled", "cpu", offload=None).turns is None


@pytest.mark.parametrize(("memory", "take_turns"), [(8e9, True), (24e9, False)])
def test_on_a_gpu_networks_take_turns_where_they_fill_a_quarter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: float, take_turns: bool
) -> None:
    """Networks of 3 GB on cards of 8 and of 24."""
    with (tmp_path / "denoiser").open("wb") as opened:
        opened.truncate(int(3e9))
    card = SimpleNamespace(total_memory=int(memory))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: card)
    assert turns_pay({"denoiser": tmp_path / "denoiser"}, torch.device("cuda")) == take_turns
