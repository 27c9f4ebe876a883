"""Loading and saving models: exact, strict, whole or not at all, and light."""

import json
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from followyouremoji.checkpoints import ModelConfig, load_model, save_model
from followyouremoji.checkpoints.codec import to_pictures, to_pixels, to_tensor
from followyouremoji.checkpoints.encoders import CLIP_MEAN, CLIP_STD, clip_pixels
from followyouremoji.checkpoints.model import empty_networks, split_devices
from followyouremoji.config import parse
from followyouremoji.errors import SettingsError, WeightsError
from followyouremoji.networks.cpu_kernels import CpuConvolution, CpuLinear
from tests.checkpoints.small_models import PAPER, small_paper_model


@pytest.fixture
def folder(tmp_path):
    return save_model(small_paper_model(), tmp_path / "small", dtype=torch.float16)


def random_pictures(count: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, 64, 64), dtype=torch.uint8)


def test_a_saved_model_is_loaded_exactly(folder) -> None:
    saved, loaded = small_paper_model(), load_model(folder, device="cpu")
    assert loaded.config == PAPER
    assert loaded.dtype == torch.float32
    for name in empty_networks(PAPER):
        expected, found = saved.parts()[name].state_dict(), loaded.parts()[name].state_dict()
        assert expected.keys() == found.keys()
        for key, value in expected.items():
            assert torch.equal(value.half().float(), found[key]), (name, key)
    again = save_model(
        load_model(folder, device="cpu", dtype=torch.float16), folder.with_name("again"), dtype=torch.float16
    )
    for file in folder.iterdir():
        assert file.read_bytes() == (again / file.name).read_bytes(), file.name


def test_a_loaded_model_is_ready_to_run_in_the_type_asked_for(folder) -> None:
    model = load_model(folder, device="cpu", dtype=torch.bfloat16)
    for holder in (model.networks, model.codec):
        assert not any(module.training for module in holder.modules())
        assert not any(p.requires_grad for p in holder.parameters())
    assert (model.dtype, model.device.type) == (torch.bfloat16, "cpu")
    pictures = random_pictures(2)
    latents = model.codec.encode(pictures)
    assert latents.shape == (2, 8, 8, 8)
    assert latents.dtype == torch.float32  # pictures need more than bfloat16's levels
    assert model.codec.decode(latents).shape == (2, 3, 64, 64)
    tokens = model.codec.image_tokens(pictures, latents)
    prompt, appearance = model.networks.read_portrait(latents, tokens, pictures)
    assert prompt.shape == (2, 4, 10)
    features = model.networks.features(pictures[:, :, None])
    assert {value.dtype for value in (prompt, features, *appearance)} == {torch.bfloat16}


@pytest.mark.parametrize("offload", [False, True])
def test_large_networks_compute_by_the_processors_kernels(folder, offload: bool) -> None:
    model = load_model(folder, "cpu", offload=offload)
    for network in (model.networks.denoiser, model.networks.appearance_net):
        assert isinstance(network.conv_in, CpuConvolution)
        assert isinstance(network.clip_fc, CpuLinear)


def test_pictures_through_the_autoencoder_in_slices_are_the_same(folder, monkeypatch) -> None:
    model = load_model(folder, device="cpu")
    pictures, codec = random_pictures(5), model.codec
    latents, decoded = codec.encode(pictures), codec.decode(codec.encode(pictures))
    monkeypatch.setattr("followyouremoji.checkpoints.codec.PIXELS_AT_ONCE", 2 * 64 * 64)
    parts: list[int] = []
    for name in ("encode", "decode"):
        whole = getattr(codec.autoencoder, name)
        noted = lambda part, whole=whole: parts.append(len(part)) or whole(part)  # noqa: E731
        monkeypatch.setattr(codec.autoencoder, name, noted)
    torch.testing.assert_close(codec.encode(pictures), latents)
    torch.testing.assert_close(codec.decode(latents), decoded)
    assert parts == [2, 2, 1, 2, 2, 1]
    assert decoded.abs().max() <= 1


def test_loading_a_model_of_the_projects_own_imports_neither_diffusers_nor_transformers(folder) -> None:
    code = (
        "import sys; from followyouremoji.checkpoints import load_model; load_model(sys.argv[1], 'cpu'); "
        "print([name for name in ('diffusers', 'transformers', 'huggingface_hub', 'mediapipe', 'av') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_folder_is_never_replaced_unasked_and_never_half_written(folder, monkeypatch) -> None:
    before = (folder / "config.json").read_bytes()
    with pytest.raises(WeightsError, match="exists already"):
        save_model(small_paper_model(), folder)

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("followyouremoji.checkpoints.model.write_config", full_disk)
        for place in (folder, folder.with_name("new")):
            with pytest.raises(WeightsError, match="No space left"):
                save_model(small_paper_model(), place, overwrite=True)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert (folder / "config.json").read_bytes() == before

    save_model(replace(small_paper_model(), config=replace(PAPER, name="newer")), folder, overwrite=True)
    assert load_model(folder).config.name == "newer"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_folder_with_a_users_own_files_is_not_replaced(folder) -> None:
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(WeightsError, match=r"thesis\.txt"):
        save_model(small_paper_model(), folder, overwrite=True)
    assert (folder / "thesis.txt").read_text() == "years of work"


def edit_config(folder, change) -> None:
    values = json.loads((folder / "config.json").read_text())
    change(values)
    (folder / "config.json").write_text(json.dumps(values))


def edit_tensors(folder, change) -> None:
    tensors = load_file(folder / "denoiser.safetensors")
    change(tensors)
    save_file(tensors, folder / "denoiser.safetensors")


def truncate(file) -> None:
    file.write_bytes(file.read_bytes()[:-1000])


DAMAGE = {
    "no config": (lambda f: (f / "config.json").unlink(), "no config.json"),
    "half a config": (
        lambda f: (f / "config.json").write_text('{"format": 1, "na'),
        "config.json cannot be read",
    ),
    "a list": (lambda f: (f / "config.json").write_text("[]"), "JSON object"),
    "binary": (lambda f: (f / "config.json").write_bytes(b"\xff\xfe\x00"), "config.json cannot be read"),
    "deep": (lambda f: (f / "config.json").write_text("[" * 100_000), "config.json cannot be read"),
    "newer": (lambda f: edit_config(f, lambda c: c.update(format=2)), "format is 2"),
    "unknown entry": (lambda f: edit_config(f, lambda c: c.update(colour="red")), "unknown entry `colour`"),
    "unknown size": (
        lambda f: edit_config(f, lambda c: c["network"].update(depth=3)),
        "unknown entry `network.depth`",
    ),
    "no network": (lambda f: edit_config(f, lambda c: c.pop("network")), "entry `network` is missing"),
    "null network": (
        lambda f: edit_config(f, lambda c: c.update(network=None)),
        "`network` must be a table, not null",
    ),
    "text for a size": (lambda f: edit_config(f, lambda c: c["network"].update(heads="8")), "network.heads"),
    "no heads": (lambda f: edit_config(f, lambda c: c["network"].update(heads=0)), "network.heads"),
    "huge": (
        lambda f: edit_config(f, lambda c: c["network"].update(layers_per_block=10**9)),
        "layers_per_block",
    ),
    "text for files": (
        lambda f: edit_config(f, lambda c: c.update(files="all")),
        "`files`: it must be a table, not 'all'",
    ),
    "odd size": (lambda f: edit_config(f, lambda c: c.update(picture_size=100)), "picture_size"),
    "size for fewer levels": (
        lambda f: edit_config(f, lambda c: c.update(picture_size=72)),
        "`picture_size` must be a multiple of 16.*not 72",
    ),
    "one width": (
        lambda f: edit_config(f, lambda c: c["autoencoder"].update(channels=[8])),
        "`autoencoder.channels",
    ),
    "no scale": (
        lambda f: edit_config(f, lambda c: c["autoencoder"].update(scale=0.0)),
        r"autoencoder\.scale",
    ),
    "odd heads": (
        lambda f: edit_config(f, lambda c: c["network"]["qformer"].update(heads=3)),
        "`network.qformer`: `width`",
    ),
    "few widths": (
        lambda f: edit_config(f, lambda c: c["network"].update(landmark_channels=[4, 4])),
        "a list of 4 whole numbers",
    ),
    "groups": (lambda f: edit_config(f, lambda c: c["network"].update(norm_groups=5)), "divisible by 5"),
    "missing file": (lambda f: (f / "qformer.safetensors").unlink(), r"qformer\.safetensors is missing"),
    "truncated": (
        lambda f: truncate(f / "appearance_net.safetensors"),
        r"appearance_net\.safetensors is damaged",
    ),
    "empty": (lambda f: (f / "denoiser.safetensors").write_bytes(b""), r"denoiser\.safetensors is damaged"),
    "missing tensor": (
        lambda f: edit_tensors(f, lambda t: t.pop("conv_out.bias")),
        r"conv_out\.bias is missing",
    ),
    "extra tensor": (lambda f: edit_tensors(f, lambda t: t.update(more=torch.zeros(1))), "more is of no use"),
    "wrong shape": (
        lambda f: edit_tensors(f, lambda t: t.update({"conv_out.bias": torch.zeros(3)})),
        r"conv_out\.bias is \(3,\), expected \(8,\)",
    ),
    "whole numbers": (
        lambda f: edit_tensors(f, lambda t: t.update({"conv_out.bias": torch.zeros(8, dtype=torch.int32)})),
        "not floating-point",
    ),
    "other layout": (
        lambda f: edit_tensors(f, lambda t: t.update({"conv_in.weight": torch.zeros(16, 4, 3, 3)})),
        "another layout: its network reads 4 input channels, the config beside it says 17",
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_one_clear_line_that_names_the_file(folder, case) -> None:
    damage, message = DAMAGE[case]
    damage(folder)
    with pytest.raises(WeightsError, match=message) as caught:
        load_model(folder, device="cpu")
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_config_survives_json_and_refuses_contradictions() -> None:
    saved = asdict(PAPER)
    assert parse(ModelConfig, json.dumps(saved), "it") == PAPER
    for wrong in (
        {"shared_noise": 1.5},
        {"window": 33},
        {"steps": 0},
        {"name": " "},
        {"guidance_scale": float("nan")},
        {"guidance_scale": 2.5, "guided": False},
        {"guided": 1},
    ):
        with pytest.raises(SettingsError, match=next(iter(wrong))):
            replace(PAPER, **wrong)
    with pytest.raises(SettingsError, match="latent_channels"):
        replace(PAPER, autoencoder=None)
    with pytest.raises(SettingsError, match="image_width"):
        replace(PAPER, network=replace(PAPER.network, image_width=1024))
    del saved["guided"]  # as versions before this entry wrote it
    assert parse(ModelConfig, json.dumps(saved), "it") == PAPER


def test_a_device_that_is_not_there_is_named(folder) -> None:
    with pytest.raises(SettingsError, match="toaster"):
        load_model(folder, device="toaster")


def test_clips_pictures_are_prepared_as_pillow_does() -> None:
    """CLIP's own preparation is Pillow's bicubic resize; ours differs by its two roundings to whole levels (one a
    direction) only."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
    picture = coarse.resize((512, 512), Image.Resampling.BICUBIC)
    expected = np.asarray(picture.resize((224, 224), Image.Resampling.BICUBIC), dtype=np.float32) / 255
    expected = (expected - np.float32(CLIP_MEAN)) / np.float32(CLIP_STD)
    tensor = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 127.5 - 1
    found = clip_pixels(tensor)[0].permute(1, 2, 0).numpy()
    assert np.abs(found - expected).max() < 1.5 / 255 / min(CLIP_STD)


def test_pictures_to_tensors_and_back() -> None:
    pictures = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    assert np.array_equal(to_pictures(to_pixels(to_tensor(pictures))), pictures)


def test_pictures_are_coded_in_float32_whatever_a_run_computes_in() -> None:
    codec = small_paper_model().codec
    pictures = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    latents = codec.encode(pictures)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(codec.encode(pictures), latents)
        decoded = codec.decode(latents)
    assert torch.equal(decoded, codec.decode(latents))


@pytest.mark.parametrize(
    ("given", "devices"),
    [
        (None, [None]),
        ("cuda:1", ["cuda:1"]),
        ("cuda:0, cuda:1", ["cuda:0", "cuda:1"]),
        (("cpu", "cpu"), ["cpu", "cpu"]),
        (torch.device("cpu"), [torch.device("cpu")]),
    ],
)
def test_devices_by_name(given: object, devices: list) -> None:
    assert split_devices(given) == devices


@pytest.mark.parametrize("given", ["", "cpu,", ()])
def test_no_devices(given: object) -> None:
    with pytest.raises(SettingsError, match="names no device"):
        split_devices(given)
