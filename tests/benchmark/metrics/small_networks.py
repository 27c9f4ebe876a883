"""Small files of the kinds that published networks have, whose answers are known: TorchScript made by torch, ONNX
written out by hand, since no package here writes it."""

import hashlib
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from followyouremoji.benchmark.metrics.published import NETWORKS, PublishedNetwork
from followyouremoji.face.topology import LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS


class Pixels(nn.Module):
    """Stands for VGG with LPIPS: features are levels from 0 to 1, so LPIPS is the sum of squared differences."""

    def forward(self, img: Tensor, resize_images: bool = False, return_lpips: bool = False) -> Tensor:
        if resize_images or not return_lpips:
            return img.mean()
        return (img / 255).flatten(1)


class Means(nn.Module):
    """Stands for Inception: mean and deviation of a picture, then zeros."""

    def forward(self, img: Tensor, return_features: bool = False) -> Tensor:
        if not return_features:
            return img.mean()
        known = torch.stack([img.flatten(1).mean(1), img.flatten(1).std(1)], dim=1)
        return torch.cat([known, torch.zeros(img.shape[0], 2046)], dim=1)


class Clips(nn.Module):
    """Stands for I3D: least and greatest level of a clip, number of frames, side, then zeros."""

    def forward(
        self, x: Tensor, rescale: bool = True, resize: bool = True, return_features: bool = False
    ) -> Tensor:
        if rescale or resize or not return_features:
            return x.mean()
        known = torch.stack(
            [x.min(), x.max(), torch.tensor(float(x.shape[2])), torch.tensor(float(x.shape[4]))]
        )
        return torch.cat([known, torch.zeros(396)])[None]


class Wide(nn.Module):
    """A network of another kind: classes and no features."""

    def forward(self, img: Tensor, return_features: bool = False) -> Tensor:
        return torch.zeros(img.shape[0], 1008)


class Unlike(nn.Module):
    """A network that knows none of the options."""

    def forward(self, img: Tensor) -> Tensor:
        return img


def write_torchscript(network: nn.Module, path: Path) -> None:
    torch.jit.script(network).save(str(path))


def write_face_network(path: Path, size: int) -> None:
    """Stands for SFace or ArcFace: the embedding is the mean of each channel, then zeros; (1, 3, 112, 112) to
    (1, size)."""
    weight = np.zeros((3, size), np.float32)
    weight[:, :3] = np.eye(3)
    nodes = [
        _node("GlobalAveragePool", ["data"], "pooled"),
        _node("Flatten", ["pooled"], "flat"),
        _node("MatMul", ["flat", "weight"], "fc1"),
    ]
    graph = b"".join(
        [
            *(_field(1, node) for node in nodes),
            _field(2, b"small"),
            _field(5, _tensor("weight", weight)),
            _field(11, _value("data", (1, 3, 112, 112))),
            _field(12, _value("fc1", (1, size))),
        ]
    )
    opset = _field(1, b"") + _field(2, 13)
    path.write_bytes(_field(1, 8) + _field(7, graph) + _field(8, opset))


def landmarks(five: np.ndarray) -> np.ndarray:
    """478 landmarks whose eyes, nose tip and corners of the mouth are these; an eye's corners lie 6 pixels apart."""
    points = np.zeros((478, 2))
    for corners, eye in zip((RIGHT_EYE_CORNERS, LEFT_EYE_CORNERS), five[:2], strict=True):
        points[list(corners)] = eye + np.array([[-3, 0], [3, 0]])
    points[[4, 61, 291]] = five[2:]
    return points


def small_register(folder: Path) -> tuple[PublishedNetwork, ...]:
    """The register with the checksums of the files in a folder instead of the published ones."""

    def with_checksum(network: PublishedNetwork) -> PublishedNetwork:
        path = folder / network.file
        if network.sha256 is None or not path.exists():
            return network
        return replace(network, sha256=hashlib.sha256(path.read_bytes()).hexdigest())

    return tuple(with_checksum(network) for network in NETWORKS)


def _field(number: int, value: int | bytes) -> bytes:
    """A field of a protocol buffer."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def _node(kind: str, inputs: list[str], output: str) -> bytes:
    names = b"".join(_field(1, name.encode()) for name in inputs)
    return names + _field(2, output.encode()) + _field(4, kind.encode())


def _tensor(name: str, values: np.ndarray) -> bytes:
    sizes = b"".join(_field(1, size) for size in values.shape)
    data = struct.pack(f"<{values.size}f", *values.ravel())
    return sizes + _field(2, 1) + _field(8, name.encode()) + _field(9, data)


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    sizes = b"".join(_field(1, _field(1, size)) for size in shape)
    return _field(1, name.encode()) + _field(2, _field(1, _field(1, 1) + _field(2, sizes)))
