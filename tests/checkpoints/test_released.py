"""Published files to a checkpoint folder: every form, and every refusal."""

import json
import pickle
import re
import shutil
import socket
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from followyouremoji.checkpoints import convert_released, load_model, verify_checkpoint
from followyouremoji.checkpoints.encoders import load_clip_image_encoder
from followyouremoji.checkpoints.released import CLIP_VIT_L14
from followyouremoji.checkpoints.tensors import on_meta, read_tensors
from followyouremoji.errors import WeightsError
from followyouremoji.networks import Denoiser, NetworkConfig
from tests.checkpoints.small_models import (
    RELEASED_NETWORK,
    SHARED,
    published_networks,
    randomised,
    write_image_encoder,
    write_published,
    write_vae,
)

GOLDEN = SHARED / "golden" / "network_tiny"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return write_published(tmp_path_factory.mktemp("published") / "original")


@pytest.fixture
def copy(published, tmp_path):
    return Path(shutil.copytree(published, tmp_path / "copy"))


@pytest.mark.parametrize("half", [True, False])
@torch.inference_mode()
def test_the_authors_files_become_a_model_that_runs(published, tmp_path, half) -> None:
    folder = convert_released(published, tmp_path / "released", half=half, network=RELEASED_NETWORK)
    saved = load_file(folder / "denoiser.safetensors")
    assert {value.dtype for value in saved.values()} == {torch.float16 if half else torch.float32}
    assert any(name.endswith(".pos_encoder.pe") for name in published_networks()["unet"])
    assert not any(name.endswith(".pos_encoder.pe") for name in saved)

    model = load_model(folder, device="cpu")
    original = randomised(Denoiser(RELEASED_NETWORK)).state_dict()
    for name, value in model.networks.denoiser.state_dict().items():
        assert torch.equal(value, original[name].half().float() if half else original[name]), name

    pictures = torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8)
    portrait, landmarks = pictures[:1], pictures[1:].transpose(0, 1)[None]
    latents = model.codec.encode(portrait)
    assert latents.shape == (1, 4, 8, 8)
    assert model.codec.decode(latents).shape == portrait.shape
    tokens = model.codec.image_tokens(portrait, latents)
    assert tokens.shape == (1, 17, 32)  # 16 patches and the class token
    noisy = torch.randn(1, 4, 2, 8, 8)
    out = model.networks(latents, tokens, portrait, landmarks, None, noisy, torch.tensor([500]))
    assert out.shape == (1, 4, 2, 8, 8)
    assert out.isfinite().all()
    assert verify_checkpoint(folder).problems == []


def test_both_published_forms_give_the_same_model(published, tmp_path) -> None:
    other = write_published(tmp_path / "conversion", "safetensors")
    first = convert_released(published, tmp_path / "first", network=RELEASED_NETWORK)
    second = convert_released(other, tmp_path / "second", network=RELEASED_NETWORK)
    for file in (path for path in first.rglob("*") if path.is_file()):
        assert file.read_bytes() == (second / file.relative_to(first)).read_bytes(), file.name


def test_a_saved_released_model_holds_its_foreign_parts(published, tmp_path) -> None:
    from followyouremoji.checkpoints import save_model

    model = load_model(
        convert_released(published, tmp_path / "released", network=RELEASED_NETWORK), device="cpu"
    )
    again = load_model(save_model(model, tmp_path / "again"), device="cpu")
    for name in ("autoencoder", "image_encoder"):
        found = again.parts()[name].state_dict()
        for key, value in model.parts()[name].state_dict().items():
            assert torch.equal(found[key], value), key
    assert verify_checkpoint(tmp_path / "again").problems == []


@pytest.mark.skipif(not GOLDEN.is_dir(), reason="golden network files are not beside the checkout")
def test_the_golden_networks_convert(tmp_path) -> None:
    source = tmp_path / "golden"
    source.mkdir()
    names = {"unet": "FYE_unet-fp16", "referencenet": "FYE_referencenet-fp16", "lmk_guider": "FYE_lmk_guider"}
    for name, published_name in names.items():
        shutil.copyfile(GOLDEN / f"{name}.safetensors", source / f"{published_name}.safetensors")
    write_vae(source / "vae")
    write_image_encoder(source / "image_encoder")
    network = NetworkConfig(block_channels=(32, 64, 64, 64))  # image tokens of 1024 channels, as released
    folder = convert_released(source, tmp_path / "released", network=network)
    golden = load_file(GOLDEN / "unet.safetensors")
    saved = load_file(folder / "denoiser.safetensors")
    assert {name for name in golden if name not in saved} == {
        n for n in golden if n.endswith("pos_encoder.pe")
    }
    assert all(torch.equal(golden[name], value) for name, value in saved.items())


class Bomb:
    """A pickle of this would make a file when it is read by the ordinary reader."""

    def __init__(self, target: str) -> None:
        self.target = target

    def __reduce__(self):
        return (Path.touch, (Path(self.target),))


@pytest.mark.parametrize("protocol", ["torch", "plain pickle"])
def test_a_file_that_would_run_code_is_refused_and_does_not(copy, tmp_path, protocol) -> None:
    target = tmp_path / "ran"
    bomb = {"conv_in.weight": Bomb(str(target))}
    if protocol == "torch":
        torch.save(bomb, copy / "unet.pth")
    else:
        (copy / "unet.pth").write_bytes(pickle.dumps(bomb))
    with pytest.raises(WeightsError, match=r"unet\.pth") as caught:
        convert_released(copy, tmp_path / "released", network=RELEASED_NETWORK)
    assert "\n" not in str(caught.value)
    if protocol == "torch":
        assert "could run code" in str(caught.value)
    assert not target.exists()
    assert not (tmp_path / "released").exists()
    torch.load(copy / "unet.pth", weights_only=False) if protocol == "torch" else pickle.loads(
        (copy / "unet.pth").read_bytes()
    )
    assert target.exists()  # the file was armed


@torch.inference_mode()
def test_the_image_encoder_is_read_as_its_authors_have_it(published, copy, tmp_path) -> None:
    folder = convert_released(published, tmp_path / "released", half=False, network=RELEASED_NETWORK)
    pictures = torch.rand(1, 3, 64, 64) * 2 - 1
    tokens = [
        load_clip_image_encoder(one / "image_encoder", "cpu", torch.float32)(pictures)
        for one in (published, folder)
    ]
    assert torch.equal(*tokens)
    torch.save({"a": Bomb(str(tmp_path / "ran"))}, copy / "image_encoder" / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="could run code"):
        load_clip_image_encoder(copy / "image_encoder", "cpu", torch.float32)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "content",
    [[torch.zeros(1)], {"state_dict": {"a": torch.zeros(1)}}, {1: torch.zeros(1)}, torch.zeros(3)],
    ids=["list", "nested", "numbered", "tensor"],
)
def test_a_pth_of_anything_but_named_tensors_is_refused(tmp_path, content) -> None:
    torch.save(content, tmp_path / "unet.pth")
    with pytest.raises(WeightsError, match="named tensors"):
        read_tensors(tmp_path / "unet.pth")


def drop(file: Path, name: str) -> None:
    tensors = torch.load(file, weights_only=True)
    del tensors[name]
    torch.save(tensors, file)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda f: (f / "unet.pth").write_bytes((f / "unet.pth").read_bytes()[:-5000]),
            r"unet\.pth cannot be read",
        ),
        (lambda f: (f / "unet.pth").write_bytes(b""), r"unet\.pth cannot be read"),
        (lambda f: (f / "lmk_guider.pth").write_text("<html>not found</html>"), r"lmk_guider\.pth"),
        (
            lambda f: drop(f / "referencenet.pth", "clip_fc.bias"),
            r"referencenet\.pth .* clip_fc\.bias is missing",
        ),
        (lambda f: shutil.copyfile(f / "lmk_guider.pth", f / "unet.pth"), r"unet\.pth does not fit"),
        (
            lambda f: drop(f / "image_encoder/pytorch_model.bin", "vision_model.post_layernorm.bias"),
            "post_layernorm",
        ),
        (lambda f: (f / "vae/config.json").write_text('{"block_'), "config.json cannot be read as JSON"),
    ],
    ids=["truncated", "empty", "a web page", "missing tensor", "another network", "clip", "vae config"],
)
def test_damaged_files_are_named_and_nothing_is_left(copy, tmp_path, damage, message) -> None:
    damage(copy)
    with pytest.raises(WeightsError, match=message) as caught:
        convert_released(copy, tmp_path / "released", network=RELEASED_NETWORK)
    assert str(copy) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_missing_files_are_listed_with_where_to_get_them(copy, tmp_path) -> None:
    (copy / "unet.pth").unlink()
    shutil.rmtree(copy / "vae")
    with pytest.raises(WeightsError) as caught:
        convert_released(copy, tmp_path / "released", network=RELEASED_NETWORK)
    for part in (
        "unet.pth",
        "YueMafighting/FollowYourEmoji",
        "stabilityai/sd-vae-ft-mse",
        "huggingface.co",
        str(copy),
    ):
        assert part in str(caught.value)
    assert "referencenet" not in str(caught.value)


def test_weights_of_another_size_are_refused(published, tmp_path) -> None:
    with pytest.raises(WeightsError, match="does not fit"):
        convert_released(published, tmp_path / "released")  # the networks of full size


@pytest.mark.parametrize(
    ("part", "changes", "words"),
    [
        ("vae", {"layers_per_block": 65536}, "`layers_per_block` must be a whole number from 1 to 32"),
        ("vae", {"norm_num_groups": 0}, "`norm_num_groups` must be a whole number"),
        ("vae", {"down_block_types": ["DownEncoderBlock2D"] * 9}, "of one number"),
        ("vae", {"quantization_config": {"quant_method": "x"}}, "unknown entry `quantization_config`"),
        ("image_encoder", {"num_hidden_layers": 10**6}, "`num_hidden_layers` must be a whole number"),
        ("image_encoder", {"hidden_size": 0}, "`hidden_size` must be a whole number"),
        ("image_encoder", {"hidden_act": ["x"]}, "`hidden_act` must be 'quick_gelu' or 'gelu'"),
    ],
)
def test_foreign_parts_are_of_sizes_that_can_be_built(copy, tmp_path, part, changes, words) -> None:
    file = copy / part / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    with pytest.raises(WeightsError, match=re.escape(words)):
        convert_released(copy, tmp_path / "made", network=RELEASED_NETWORK)


def test_no_entry_of_a_folder_leads_to_another_or_to_the_network(copy, tmp_path, monkeypatch) -> None:
    """With peft, transformers loads the model that an adapter's config names in place of the folder's."""
    asked = list[object]()

    def ask(*address: object) -> None:
        asked.append(address)
        raise OSError("there is no network")

    monkeypatch.setattr(socket, "getaddrinfo", ask)
    encoder = copy / "image_encoder"
    entries = json.loads((encoder / "config.json").read_text())
    (encoder / "adapter_config.json").write_text('{"base_model_name_or_path": "somebody/else"}')
    (encoder / "config.json").write_text(
        json.dumps({**entries, "dtype": "x", "auto_map": {"AutoModel": "x--y.Z"}})
    )
    convert_released(copy, tmp_path / "made", network=RELEASED_NETWORK)
    assert asked == []


def test_clip_s_sizes_are_those_of_its_paper() -> None:
    """ViT-L/14 at 224 pixels (Radford et al. 2021, Table 20): 16 x 16 patches and one token for the whole picture."""
    from transformers import CLIPVisionConfig, CLIPVisionModel

    network = on_meta(lambda: CLIPVisionModel(CLIPVisionConfig(**CLIP_VIT_L14)))
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    (places,) = (shape for name, shape in shapes.items() if name.endswith("position_embedding.weight"))
    (patches,) = (shape for name, shape in shapes.items() if name.endswith("patch_embedding.weight"))
    assert (places, patches) == ((16 * 16 + 1, 1024), (1024, 3, 14, 14))
    assert sum(name.endswith("mlp.fc1.weight") for name in shapes) == 24
    assert {shape for name, shape in shapes.items() if name.endswith("mlp.fc1.weight")} == {(4096, 1024)}
    assert (network.config.num_attention_heads, network.config.hidden_act) == (16, "quick_gelu")
