"""The released checkpoint's names and shapes against the networks at full size, without memory for a single weight."""

import json
import tracemalloc
import zipfile
from pathlib import Path

import pytest
import torch

from followyouremoji.checkpoints.model import empty_networks
from followyouremoji.checkpoints.released import CLIP_VIT_L14, released_config
from followyouremoji.checkpoints.tensors import (
    check_shapes,
    expected_shapes,
    not_finite,
    on_meta,
    read_network,
    read_tensors,
    recomputed_shapes,
    write_tensors,
)
from followyouremoji.errors import WeightsError
from tests.checkpoints.small_models import SHARED

MANIFEST = SHARED / "golden" / "released_checkpoint_manifest.json"
FILES = {"denoiser": "unet.pth", "appearance_net": "referencenet.pth", "landmark_encoder": "lmk_guider.pth"}
VALUES = {
    "denoiser": 1314.73,
    "appearance_net": 857.96,
    "landmark_encoder": 1.09,
}  # millions, counted on the released files


@pytest.fixture(scope="module")
def networks():
    return empty_networks(released_config())


def test_a_full_size_released_model_is_built_without_memory(networks) -> None:
    for name, network in networks.items():
        assert all(p.device.type == "meta" for p in [*network.parameters(), *network.buffers()])
        shapes = [*expected_shapes(network).values(), *recomputed_shapes(network).values()]
        assert sum(torch.Size(shape).numel() for shape in shapes) / 1e6 == pytest.approx(
            VALUES[name], abs=0.005
        )


@pytest.mark.skipif(
    not MANIFEST.is_file(), reason="the released checkpoint's manifest is not beside the checkout"
)
def test_every_released_tensor_has_its_place_and_every_place_its_tensor(networks) -> None:
    manifest = json.loads(MANIFEST.read_text())
    for name, network in networks.items():
        released = {key: tuple(shape) for key, (shape, _) in manifest[FILES[name]].items()}
        check_shapes(
            released, network, Path(FILES[name])
        )  # raises on anything missing, left over or of another shape
        expected, recomputed = expected_shapes(network), recomputed_shapes(network)
        assert expected | recomputed == released
        assert all(key.endswith(".pos_encoder.pe") for key in recomputed)
        assert len(recomputed) == (42 if name == "denoiser" else 0)  # 21 motion modules of two attentions

        for key in (next(iter(released)), list(released)[-1]):
            with pytest.raises(WeightsError, match="missing"):
                check_shapes({k: v for k, v in released.items() if k != key}, network, Path(FILES[name]))
            with pytest.raises(WeightsError, match=r"another (shape|layout)"):
                check_shapes({**released, key: (*released[key], 1)}, network, Path(FILES[name]))


@pytest.mark.skipif(not Path("/proc/self/maps").is_file(), reason="needs Linux's /proc to see mapped files")
def test_weights_in_their_own_type_stay_mapped_from_the_file(tmp_path) -> None:
    """Loading holds no second copy: neither of a checkpoint nor of the authors' files."""
    torch.save({"weight": torch.ones(64, 64), "bias": torch.ones(64)}, tmp_path / "linear.pth")
    tensors = read_tensors(tmp_path / "linear.pth")
    write_tensors(tensors, tmp_path / "linear.safetensors", torch.float16)
    linear = read_network(on_meta(lambda: torch.nn.Linear(64, 64)), tmp_path / "linear.safetensors")
    assert linear.weight.dtype == torch.float16
    maps = Path("/proc/self/maps").read_text()
    assert str(tmp_path / "linear.pth") in maps
    assert str(tmp_path / "linear.safetensors") in maps


def test_the_image_encoder_of_the_safetensors_conversion_is_clips_vit_l14() -> None:
    """303.18 M values: CLIP's ViT-L/14 image tower without its projection."""
    from transformers import CLIPVisionConfig, CLIPVisionModel

    clip = on_meta(lambda: CLIPVisionModel(CLIPVisionConfig(**CLIP_VIT_L14)))
    assert sum(p.numel() for p in clip.parameters()) == 303_179_776
    tokens = clip(pixel_values=torch.empty(1, 3, 224, 224, device="meta")).last_hidden_state
    assert tokens.shape == (1, 257, 1024)


def test_written_tensors_are_as_readable_as_any_other_file(tmp_path: Path) -> None:
    """safetensors alone lets nobody but their owner read them, which a folder on a shared disk is not for."""
    (tmp_path / "plain").touch()
    write_tensors({"a": torch.ones(2)}, tmp_path / "a.safetensors", metadata={"format": "pt"})
    assert (tmp_path / "a.safetensors").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_weights_that_are_not_finite_are_named(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    assert not_finite(network) == []
    with torch.no_grad():
        network[0].weight[0, 1] = torch.nan
        network[1].bias[0] = -torch.inf
    write_tensors(network.state_dict(), tmp_path / "broken.safetensors")
    assert not_finite(network) == not_finite(tmp_path / "broken.safetensors") == ["0.weight", "1.bias"]


def safetensors(header: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header


ENTRY = b'"%s": {"dtype": "F16", "shape": [%s], "data_offsets": [0, 0]}'


@pytest.mark.parametrize(
    "content",
    [
        safetensors(b"{" + b",".join(ENTRY % (b"%d" % name, b"0") for name in range(60_000)) + b"}"),
        (1 << 62).to_bytes(8, "little") + b"{}",
        safetensors(b'{"a":' * 10_000),
        safetensors(b"{" + ENTRY % (b"weight", b"0, 9223372036854775808") + b"}"),
        safetensors(b"{" + ENTRY % (b"x" * 5000, b"0") + b"}"),
        safetensors(b"{" + ENTRY % (rb"\u001b[2J", b"0") + b"}"),
    ],
    ids=[
        "many tensors",
        "a long header",
        "deep",
        "past 63 bits",
        "a long name",
        "a name with control characters",
    ],
)
def test_whatever_a_header_says_is_refused_in_short_words(tmp_path: Path, content: bytes) -> None:
    """Read by `safe_open`, a header of 100 MB takes 20 s and a gigabyte."""
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(WeightsError) as refused:
        read_network(on_meta(lambda: torch.nn.Linear(2, 2)), tmp_path / "a.safetensors")
    said = str(refused.value).replace(str(tmp_path), "")
    assert len(said) < 500
    assert said.isprintable()


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1).expand(1 << 40),
        torch.zeros(1 << 20, device="meta"),
        torch.zeros(2, 2).to_sparse(),
        torch.zeros(2, dtype=torch.complex64),
    ],
    ids=["larger than the file", "without values", "sparse", "complex"],
)
def test_a_pth_file_holds_plain_tensors_as_large_as_it_is(tmp_path: Path, tensor: torch.Tensor) -> None:
    torch.save({"weight": tensor}, tmp_path / "unet.pth")
    with pytest.raises(WeightsError, match=r"unet\.pth is"):
        read_tensors(tmp_path / "unet.pth")


def test_a_pth_file_that_is_packed_is_not_unpacked(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1 << 20)}, tmp_path / "plain.pth")
    with (
        zipfile.ZipFile(tmp_path / "plain.pth") as plain,
        zipfile.ZipFile(tmp_path / "unet.pth", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for member in plain.infolist():
            packed.writestr(member.filename, plain.read(member))
    with pytest.raises(WeightsError, match="cannot be read as a file of tensors"):
        read_tensors(tmp_path / "unet.pth")


def test_files_of_older_versions_of_torch_are_read(tmp_path: Path) -> None:
    weights = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(4, dtype=torch.float16)}
    torch.save(weights, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    found = read_tensors(tmp_path / "a.pth")
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[name], value) for name, value in weights.items())


def test_an_older_file_that_promises_gigabytes_takes_no_memory(tmp_path: Path) -> None:
    """A text of 4 GB where a few bytes are left."""
    torch.save({"a": torch.ones(2)}, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    content = (tmp_path / "a.pth").read_bytes()
    text = b"X\x10\0\0\0protocol_version"
    assert text in content
    (tmp_path / "a.pth").write_bytes(content.replace(text, text.replace(b"\x10\0\0\0", b"\xf0\xff\xff\xff")))
    tracemalloc.start()
    with pytest.raises(WeightsError, match="damaged or incomplete"):
        read_tensors(tmp_path / "a.pth")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1 << 24
