"""The register of the published networks that measure: which file, of what checksum and licence, from where.

None comes with this package. A file is fetched on the user's demand (`fye bench weights --download NAME`) or put into
the folder by hand, and nothing of it is used before its SHA-256 agreed. The checksums were copied from public projects
that pin them, of each file from two at least, which agree; no file was at hand when this was written.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from followyouremoji.cache import cache_folder
from followyouremoji.errors import WeightsError
from followyouremoji.files import checksum


@dataclass(frozen=True)
class PublishedNetwork:
    """A file of weights that others published.

    Attributes
    ----------
    file : its name in the folder of networks.
    url : of the file itself, or of the page that leads to it where there is no `sha256`.
    sha256 : None where no public text states it in full. Such a file is not fetched; one that the user puts into the
        folder is taken, and its checksum noted.
    size : bytes; None where not known.
    commercial : whether its licence allows commercial use.
    source : whose network it is, and the paper.
    measures : what it sees, in a sentence.
    metrics : names of the columns that need it.
    package : what runs it, and `extra`, of this package, that brings it.
    """

    name: str
    title: str
    file: str
    url: str
    sha256: str | None
    size: int | None
    licence: str
    commercial: Literal["yes", "no", "unclear"]
    source: str
    measures: str
    metrics: tuple[str, ...]
    package: str = "torch"
    extra: str = "bench"

    @property
    def about(self) -> str:
        """Size and licence, in a bracket's worth of words."""
        size = "" if self.size is None else f"{self.size / 1e6:.0f} MB, "
        return f"{size}{self.licence}; commercial use: {self.commercial}"

    @property
    def how_to_get(self) -> str:
        if self.sha256 is None:
            return f"fetch it by hand from {self.url}: its checksum is not published in full, so it is not fetched for you"
        return f"fetch it with `fye bench weights --download {self.name}` ({self.about})"

    def state(self, folder: Path) -> Literal["no", "yes", "yes, unchecked"]:
        """Whether its file is there. Raises WeightsError where another file has its name."""
        path = folder / self.file
        if not path.is_file():
            return "no"
        checksum_of(self, path)
        return "yes, unchecked" if self.sha256 is None else "yes"


NETWORKS = (
    PublishedNetwork(
        name="vgg16",
        title="LPIPS on VGG-16",
        file="vgg16.pt",
        url="https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/vgg16.pt",
        sha256="b437eb095feaeb0b83eb3fa11200ebca4548ee39a07fb944a417ddc516cc07c3",
        size=553_469_545,
        licence="NVIDIA Source Code License, of weights under CC BY 4.0 (VGG) and BSD-2-Clause (LPIPS)",
        commercial="no",
        source="StyleGAN2-ADA's TorchScript file of Simonyan and Zisserman (2015) and Zhang et al. (2018)",
        measures="how different two pictures look",
        metrics=("lpips", "tlpips"),
    ),
    PublishedNetwork(
        name="i3d",
        title="I3D of Kinetics-400",
        file="i3d_torchscript.pt",
        url="https://huggingface.co/flateon/FVD-I3D-torchscript/resolve/1c2d61711c52571ad617a1063e6fa691b212e184/i3d_torchscript.pt",
        sha256="bec6519f66ea534e953026b4ae2c65553c17bf105611c746d904657e5860a5e2",
        size=51_235_320,
        licence="Apache-2.0 (DeepMind's weights); the TorchScript file's author states none, this copy says MIT",
        commercial="unclear",
        source="StyleGAN-V's TorchScript file (Skorokhodov et al. 2022) of Carreira and Zisserman (2017)",
        measures="what happens in a clip",
        metrics=("fvd",),
    ),
    PublishedNetwork(
        name="inception",
        title="Inception v3 of 2015-12-05",
        file="inception-2015-12-05.pt",
        url="https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/inception-2015-12-05.pt",
        sha256="f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4",
        size=95_607_719,
        licence="NVIDIA Source Code License, of weights under Apache-2.0 (TensorFlow)",
        commercial="no",
        source="StyleGAN2-ADA's TorchScript file of Szegedy et al. (2016), the network of FID (Heusel et al. 2017)",
        measures="what pictures show, and how natural they are",
        metrics=("fid",),
    ),
    PublishedNetwork(
        name="sface",
        title="SFace",
        file="face_recognition_sface_2021dec.onnx",
        url="https://github.com/opencv/opencv_zoo/raw/47534e27c9851bb1128ccc0102f1145e27f23f98/models/face_recognition_sface/face_recognition_sface_2021dec.onnx",
        sha256="0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
        size=38_696_353,
        licence="Apache-2.0",
        commercial="yes",
        source="OpenCV's model zoo; Zhong et al. (2021)",
        measures="whose face it is",
        metrics=("identity_sface",),
        package="onnxruntime",
    ),
    PublishedNetwork(
        name="arcface",
        title="ArcFace, ResNet-50 of WebFace600K",
        file="w600k_r50.onnx",
        url="https://huggingface.co/deepghs/insightface/resolve/main/buffalo_l/w600k_r50.onnx",
        sha256="4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43",
        size=174_383_860,
        licence="InsightFace's terms for its models: non-commercial research only",
        commercial="no",
        source="InsightFace's pack buffalo_l; Deng et al. (2019)",
        measures="whose face it is, as papers do",
        metrics=("identity_arcface",),
        package="onnxruntime",
    ),
    PublishedNetwork(
        name="hyperiqa",
        title="HyperIQA of KonIQ-10k",
        file="HyperIQA-resnet50-koniq10k-c96c41b1.pth",
        url="https://huggingface.co/chaofengc/IQA-PyTorch-Weights/resolve/main/HyperIQA-resnet50-koniq10k-c96c41b1.pth",
        sha256=None,
        size=None,
        licence="none stated for the weights; pyiqa, which runs them, is under PolyForm Noncommercial 1.0.0",
        commercial="no",
        source="pyiqa's file; Su et al. (2020)",
        measures="how good a picture looks by itself",
        metrics=("quality",),
        package="pyiqa",
        extra="iqa",
    ),
)


def networks_folder() -> Path:
    """Where the networks lie that measure."""
    return cache_folder() / "metrics"


def lacking(network: PublishedNetwork, path: Path) -> str | None:
    """Why a network cannot measure, in words, or None."""
    if not path.is_file():
        return f"{network.file} is not there; {network.how_to_get}"
    if find_spec(network.package) is None:
        return f"{network.package} is not installed; pip install 'followyouremoji[{network.extra}]'"
    return None


def fetch_network(network: PublishedNetwork, folder: Path) -> Path:
    """Fetch a network whose checksum is known; goes on where an earlier download stopped. Returns its file.

    Raises WeightsError where there is no network or the file is another one, by its checksum.
    """
    from followyouremoji.checkpoints.hub import fetch  # which needs torch

    path = folder / network.file
    assert network.sha256 is not None
    assert network.size is not None
    otherwise = f"Or fetch it by hand and put it at {path}"
    fetch(network.url, path, network.size, network.sha256, otherwise)
    return path


def read_checked(network: PublishedNetwork, path: Path) -> bytes:
    """A file's content, whose checksum is that of the register, if it has one.

    What is loaded is what was checked: nothing can come between. Raises WeightsError.
    """
    try:
        content = path.read_bytes()
    except OSError as reason:
        raise WeightsError(f"{path} cannot be read: {reason.strerror}") from None
    _compare(network, path, hashlib.sha256(content).hexdigest())
    return content


def checksum_of(network: PublishedNetwork, path: Path) -> str:
    """A file's SHA-256. Raises WeightsError where it is not that of the register."""
    try:
        found = checksum(path)
    except OSError as reason:
        raise WeightsError(f"{path} cannot be read: {reason.strerror}") from None
    _compare(network, path, found)
    return found


def _compare(network: PublishedNetwork, path: Path, found: str) -> None:
    if network.sha256 is not None and found != network.sha256:
        raise WeightsError(
            f"{path} is damaged or not the published file of {network.title}: its SHA-256 is {found}, not {network.sha256}. It is not "
            f"used. Delete it, then {network.how_to_get}"
        )
