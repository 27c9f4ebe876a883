"""Networks whose answers are known, in real files, are found, checked, loaded and run as the published ones are."""

import math
import pickle
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from followyouremoji.benchmark.metrics.aligned_faces import aligned_face
from followyouremoji.benchmark.metrics.networks import NETWORK_METRICS, Networks, measure_networks
from followyouremoji.benchmark.metrics.published import NETWORKS
from followyouremoji.errors import WeightsError
from tests.benchmark.metrics.small_networks import (
    Clips,
    Means,
    Pixels,
    Unlike,
    Wide,
    landmarks,
    small_register,
    write_face_network,
    write_torchscript,
)

FILES = {network.name: network.file for network in NETWORKS}
METRICS = {metric.name for metric in NETWORK_METRICS}
FACE = np.array([[24, 22], [40, 22], [32, 32], [26, 42], [38, 42]])  # in a picture of 64x64


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("networks")
    write_torchscript(Pixels(), folder / FILES["vgg16"])
    write_torchscript(Means(), folder / FILES["inception"])
    write_torchscript(Clips(), folder / FILES["i3d"])
    write_face_network(folder / FILES["sface"], 128)
    write_face_network(folder / FILES["arcface"], 512)
    return folder


@pytest.fixture(scope="module")
def networks(folder) -> Networks:
    networks = Networks.found(folder, register=small_register(folder))
    networks.check()
    return networks


def noise(seed: int, frames: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (frames, 64, 64, 3), dtype=np.uint8)


@dataclass
class Case:
    portrait: np.ndarray
    driving: np.ndarray
    truth: np.ndarray | None

    @property
    def portrait_landmarks(self) -> SimpleNamespace:
        return SimpleNamespace(points=landmarks(FACE))


@dataclass
class Observation:
    case: Case
    frames: np.ndarray
    points: np.ndarray


def observation(truth: bool = True, frames: int = 12) -> Observation:
    driving = noise(2, frames)
    points = np.repeat(landmarks(FACE)[None], frames, axis=0)
    points[0] = math.nan
    return Observation(Case(noise(3, 1)[0], driving, driving if truth else None), noise(1, frames), points)


def test_files_of_the_register_are_found_with_their_checksums(networks, folder) -> None:
    assert set(networks.checksums) == set(networks.files) == set(FILES) - {"hyperiqa"}
    assert networks.checksums["vgg16"] == small_register(folder)[0].sha256
    assert set(networks.missing) == {"quality"}


def test_without_files_every_metric_says_what_it_lacks(tmp_path) -> None:
    networks = Networks.found(tmp_path)
    assert set(networks.missing) == METRICS
    assert not networks.checksums
    assert networks.missing["lpips"].startswith("vgg16.pt is not there; ")
    assert str(tmp_path) not in "".join(networks.missing.values()), "others read them, in reports"
    assert "`fye bench weights --download vgg16`" in networks.missing["tlpips"]
    assert "commercial use: no" in networks.missing["identity_arcface"]
    assert "by hand" in networks.missing["quality"]
    assert set(Networks().missing) == METRICS
    assert measure_networks(observation(), Networks()) == []


def test_the_folder_of_downloads_is_looked_through_by_default(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("FYE_HOME", str(tmp_path))
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "vgg16.pt").write_bytes(b"another file")
    with pytest.raises(WeightsError, match=re.escape(str(tmp_path / "metrics" / "vgg16.pt"))):
        Networks.found()


def test_lpips_is_the_squared_length_of_the_difference_of_features(networks) -> None:
    frames, truth = noise(1, 11), noise(2, 11)
    difference = (frames.astype(float) - truth) / 255
    assert networks.lpips(frames, truth) == pytest.approx((difference**2).sum(axis=(1, 2, 3)), rel=1e-5)


def test_lpips_is_the_same_in_batches(networks, monkeypatch) -> None:
    frames, truth = noise(1, 11), noise(2, 11)
    at_once = networks.perceptual(frames, truth)
    monkeypatch.setattr("followyouremoji.benchmark.metrics.networks.LPIPS_BATCH", 4 * 64**2)
    for parts, whole in zip(networks.perceptual(frames, truth), at_once, strict=True):
        assert parts == pytest.approx(whole, rel=1e-4)


def test_temporal_lpips_compares_the_changes_of_result_and_truth(networks) -> None:
    frames, truth = noise(1, 11), noise(2, 11)

    def changes(clip: np.ndarray) -> np.ndarray:
        return ((np.diff(clip.astype(float), axis=0) / 255) ** 2).sum(axis=(1, 2, 3))

    _, temporal = networks.perceptual(frames, truth)
    assert temporal == pytest.approx(np.abs(changes(frames) - changes(truth)), rel=1e-2)
    frozen = np.repeat(frames[:1], 11, axis=0)
    assert networks.perceptual(frozen, truth)[1] == pytest.approx(changes(truth), rel=1e-4)
    assert networks.perceptual(truth[::-1], truth[::-1])[1] == pytest.approx(0)


def test_inception_sees_levels_from_0_to_255_of_every_frame(networks) -> None:
    frames = noise(1, 20)
    features = networks.fid_features(frames)
    assert features.shape == (20, 2048)
    assert features[:, 0] == pytest.approx(frames.reshape(20, -1).mean(axis=1), rel=1e-5)


def test_i3d_sees_a_clip_of_224_pixels_and_levels_from_minus_1_to_1(networks) -> None:
    frames = np.zeros((12, 64, 64, 3), np.uint8)
    frames[:, :32] = 255
    features = networks.fvd_features(frames)
    assert features.shape == (1, 400)
    assert features[0, :4] == pytest.approx([-1, 1, 12, 224])


def test_a_clip_too_short_for_i3d_has_no_features(networks) -> None:
    assert networks.fvd_features(noise(1, 9)).shape == (0, 400)
    (fvd,) = [one for one in measure_networks(observation(frames=9), networks) if one.metric == "fvd"]
    assert fvd.features is fvd.reference is None


@pytest.mark.parametrize(("network", "middle"), [("sface", 0.0), ("arcface", 127.5)])
def test_identity_is_the_cosine_of_what_the_network_makes_of_aligned_faces(networks, network, middle) -> None:
    colours = np.array([[200, 60, 90], [90, 60, 200], [30, 30, 30], [200, 60, 90]])
    frames = np.ones((4, 64, 64, 3), np.uint8) * colours[:, None, None].astype(np.uint8)
    points = np.repeat(landmarks(FACE)[None], 4, axis=0)
    points[3] = math.nan
    cosines = networks.identity(frames, points, frames[0], landmarks(FACE), network)
    # The crop is of one colour, but for what is black beyond the frame.
    inside = (aligned_face(frames[0], landmarks(FACE)) > 0).mean(axis=(0, 1))
    seen = colours * inside - middle
    expected = seen @ seen[0] / np.linalg.norm(seen, axis=1) / np.linalg.norm(seen[0])
    assert cosines[:3] == pytest.approx(expected[:3], abs=0.02)
    assert cosines[0] == pytest.approx(1)
    assert math.isnan(cosines[3])


def test_without_a_face_in_the_portrait_nothing_can_be_like_it(networks) -> None:
    points = landmarks(FACE)[None]
    cosines = networks.identity(noise(1, 1), points, noise(2, 1)[0], np.full((478, 2), math.nan), "sface")
    assert np.isnan(cosines).all()


def test_a_case_gives_a_row_for_every_network_that_is_there(networks) -> None:
    measured = {one.metric: one for one in measure_networks(observation(), networks)}
    assert set(measured) == METRICS - {"quality"}
    assert measured["fvd"].features.shape == measured["fvd"].reference.shape == (1, 400)
    assert measured["fid"].features.shape == measured["fid"].reference.shape == (12, 2048)
    assert all(
        math.isfinite(measured[name].value)
        for name in ("lpips", "tlpips", "identity_sface", "identity_arcface")
    )


def test_where_no_truth_is_known_nothing_is_compared_with_one(networks) -> None:
    measured = {one.metric for one in measure_networks(observation(truth=False), networks)}
    assert measured == {"fvd", "identity_sface", "identity_arcface"}
    assert measured == {metric.name for metric in NETWORK_METRICS if "truth" not in metric.needs} - {
        "quality"
    }


def test_networks_go_to_another_process_and_measure_the_same(networks) -> None:
    frames, truth = noise(1), noise(2)
    copy = pickle.loads(pickle.dumps(networks))
    assert np.array_equal(copy.lpips(frames, truth), networks.lpips(frames, truth))


def test_a_truth_is_seen_once_for_all_systems(networks) -> None:
    calls = []

    def compute(frames: np.ndarray) -> np.ndarray:
        calls.append(len(frames))
        return frames

    for _ in range(2):
        networks.remembered("test", noise(1), compute)
    networks.remembered("test", noise(2), compute)
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("network", "words"),
    [(Wide(), r"its output has the shape \(1, 1008\), not \(1, 2048\)"), (Unlike(), "expected at most 2")],
)
def test_a_torch_network_of_another_kind_is_told_of_before_a_run(tmp_path, network, words) -> None:
    write_torchscript(network, tmp_path / FILES["inception"])
    networks = Networks.found(tmp_path, register=small_register(tmp_path))
    with pytest.raises(WeightsError, match=words) as caught:
        networks.check()
    assert str(tmp_path / FILES["inception"]) in str(caught.value)


def test_a_face_network_of_another_width_is_told_of_before_a_run(tmp_path) -> None:
    write_face_network(tmp_path / FILES["arcface"], 128)
    networks = Networks.found(tmp_path, register=small_register(tmp_path))
    with pytest.raises(WeightsError, match=r"ArcFace.*\(1, 128\), not \(1, 512\)"):
        networks.check()


def test_a_file_of_another_checksum_is_refused(folder) -> None:
    with pytest.raises(WeightsError, match="SHA-256") as caught:
        Networks.found(folder)  # the small files under the published names
    assert "It is not used" in str(caught.value)


def test_a_file_that_is_exchanged_after_it_was_found_is_not_loaded(folder, tmp_path) -> None:
    path = tmp_path / FILES["inception"]
    path.write_bytes((folder / path.name).read_bytes())
    networks = Networks.found(tmp_path, register=small_register(tmp_path))
    write_torchscript(Wide(), path)
    with pytest.raises(WeightsError, match="damaged or not the published file"):
        networks.fid_features(noise(1))


@pytest.mark.parametrize("name", ["vgg16", "sface"])
def test_a_file_that_was_cut_off_is_told_of(folder, tmp_path, name) -> None:
    register = small_register(folder)
    whole = (folder / FILES[name]).read_bytes()
    (tmp_path / FILES[name]).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match="damaged"):
        Networks.found(tmp_path, register=register)
    # Even where somebody pinned the part's checksum it is an error in words.
    with pytest.raises(WeightsError, match="cannot be used as"):
        Networks.found(tmp_path, register=small_register(tmp_path)).check()


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.write_text, (self.path, "sprung"))


@pytest.mark.parametrize("name", ["vgg16", "i3d", "arcface"])
def test_a_pickle_that_poses_as_a_network_is_not_unpickled(tmp_path, name) -> None:
    (tmp_path / FILES[name]).write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(WeightsError, match="cannot be used as"):
        Networks.found(tmp_path, register=small_register(tmp_path)).check()
    assert not (tmp_path / "sprung").exists()


def test_a_saved_module_of_torch_is_not_unpickled_either(tmp_path) -> None:
    torch.save(
        Trap(tmp_path / "sprung"), tmp_path / FILES["inception"]
    )  # a zip with a pickle, as TorchScript is
    with pytest.raises(WeightsError, match="cannot be used as"):
        Networks.found(tmp_path, register=small_register(tmp_path)).check()
    assert not (tmp_path / "sprung").exists()


def test_values_that_are_not_finite_are_no_features(tmp_path) -> None:
    class Broken(nn.Module):
        def forward(self, img: torch.Tensor, return_features: bool = False) -> torch.Tensor:
            return torch.full((img.shape[0], 2048), math.nan)

    write_torchscript(Broken(), tmp_path / FILES["inception"])
    with pytest.raises(WeightsError, match="not finite"):
        Networks.found(tmp_path, register=small_register(tmp_path)).check()


class SmallHyperNet(nn.Module):
    """In pyiqa's place, which needs torchvision: (n, 3, h, w) of levels from 0 to 1 to scores (n, 1, 1)."""

    def __init__(self, pretrained: bool = True) -> None:
        super().__init__()
        assert not pretrained
        self.backbone = sys.modules["pyiqa.archs.hypernet_arch"].timm.create_model(
            "resnet50", pretrained=True
        )
        self.scale = nn.Parameter(torch.zeros(1))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures.mean(dim=(1, 2, 3))[:, None, None] * self.scale


@pytest.fixture
def pyiqa(monkeypatch) -> None:
    """A package of pyiqa's layout; what its backbone would be fetched with says so."""

    def create_model(name: str, pretrained: bool) -> nn.Module:
        assert not pretrained, "the backbone would be fetched"
        return nn.Identity()

    package, archs, module = (
        ModuleType(name) for name in ("pyiqa", "pyiqa.archs", "pyiqa.archs.hypernet_arch")
    )
    package.__spec__ = SimpleNamespace(name="pyiqa")  # type: ignore[assignment]
    module.timm, module.HyperNet = SimpleNamespace(create_model=create_model), SmallHyperNet  # type: ignore[attr-defined]
    archs.hypernet_arch = module  # type: ignore[attr-defined]
    for one in (package, archs, module):
        monkeypatch.setitem(sys.modules, one.__name__, one)


def test_quality_is_out_of_100_and_its_file_is_taken_with_a_note(tmp_path, pyiqa) -> None:
    torch.save({"params": {"scale": torch.ones(1)}}, tmp_path / FILES["hyperiqa"])
    networks = Networks.found(tmp_path)
    assert networks.checksums["hyperiqa"] in networks.notes[0]
    networks.check()
    frames = np.full((3, 64, 64, 3), 51, np.uint8)
    assert networks.image_quality(frames) == pytest.approx([20, 20, 20])
    assert "quality" in {one.metric for one in measure_networks(observation(), networks)}


def test_a_file_for_pyiqa_is_read_as_tensors_alone(tmp_path, pyiqa) -> None:
    torch.save({"params": Trap(tmp_path / "sprung")}, tmp_path / FILES["hyperiqa"])
    with pytest.raises(WeightsError, match="cannot be used as HyperIQA"):
        Networks.found(tmp_path).check()
    assert not (tmp_path / "sprung").exists()


def test_without_pyiqa_the_column_says_so(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("followyouremoji.benchmark.metrics.published.find_spec", lambda name: None)
    (tmp_path / FILES["hyperiqa"]).write_bytes(b"")
    networks = Networks.found(tmp_path)
    assert "pyiqa is not installed; pip install 'followyouremoji[iqa]'" in networks.missing["quality"]
    assert not networks.files


def test_a_pyiqa_that_cannot_be_imported_is_an_error_in_words(tmp_path, pyiqa, monkeypatch) -> None:
    torch.save({"params": {}}, tmp_path / FILES["hyperiqa"])
    monkeypatch.setitem(sys.modules, "pyiqa.archs", None)
    with pytest.raises(WeightsError, match="pyiqa cannot be used"):
        Networks.found(tmp_path).check()


def test_the_register_is_whole() -> None:
    assert {metric for network in NETWORKS for metric in network.metrics} == METRICS
    by_name = {network.name: network for network in NETWORKS}
    for metric in NETWORK_METRICS:
        (needed,) = set(metric.needs) - {"truth"}
        assert metric.name in by_name[needed].metrics
    for network in NETWORKS:
        assert network.url.startswith("https://")
        assert (network.sha256 is None) == (network.size is None)
    assert replace(NETWORKS[0], sha256=None).how_to_get.startswith("fetch it by hand")
