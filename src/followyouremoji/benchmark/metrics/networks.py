"""Metrics that need a published network: LPIPS, temporal LPIPS, FVD, FID, identity, image quality.

`published.py` says which file each needs. A metric whose file is not there has no column; `Networks.missing` says why.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from followyouremoji.benchmark.metrics.aligned_faces import aligned_face
from followyouremoji.benchmark.metrics.loading import load_network
from followyouremoji.benchmark.metrics.metric import Measured, Metric
from followyouremoji.benchmark.metrics.published import (
    NETWORKS,
    PublishedNetwork,
    checksum_of,
    lacking,
    networks_folder,
    read_checked,
)
from followyouremoji.errors import WeightsError, advice_on_memory, first_line

if TYPE_CHECKING:
    from followyouremoji.benchmark.observation import Observation

NETWORK_METRICS = (
    Metric(
        "lpips",
        "LPIPS (VGG)",
        "less",
        3,
        "Perceptual distance to the truth, frame by frame (Zhang et al. 2018).",
        needs=("truth", "vgg16"),
        paper=True,
    ),
    Metric(
        "tlpips",
        "temporal LPIPS (VGG)",
        "less",
        4,
        "How much less or more the look changes from frame to frame than in the truth: the absolute difference of the LPIPS of "
        "consecutive frames of the result and of the truth (tLP of Chu et al. 2020, there on AlexNet).",
        needs=("truth", "vgg16"),
    ),
    Metric(
        "fvd",
        "FVD (I3D)",
        "less",
        1,
        "Fréchet distance of the I3D features of all results and of all driving clips, which in self-reenactment are the truth "
        "(Unterthiner et al. 2018). One feature a clip: biased upwards by few clips.",
        needs=("i3d",),
        of_sets=True,
        paper=True,
    ),
    Metric(
        "fid",
        "FID (Inception v3)",
        "less",
        1,
        "Fréchet distance of the Inception features of all frames of results and truths (Heusel et al. 2017). Biased upwards by few "
        "frames; those of one clip are nearly one.",
        needs=("truth", "inception"),
        of_sets=True,
    ),
    Metric(
        "identity_sface",
        "identity (SFace)",
        "more",
        3,
        "Cosine between the SFace embeddings of each frame's face and of the portrait's. Not comparable with figures of ArcFace.",
        needs=("sface",),
    ),
    Metric(
        "identity_arcface",
        "identity (ArcFace)",
        "more",
        3,
        "Cosine between the ArcFace embeddings of each frame's face and of the portrait's (Deng et al. 2019).",
        needs=("arcface",),
        paper=True,
    ),
    Metric(
        "quality",
        "image quality (HyperIQA)",
        "more",
        2,
        "HyperIQA's opinion of each frame, about 0 to 100 (Su et al. 2020).",
        needs=("hyperiqa",),
        paper=True,
    ),
)

LPIPS_BATCH, FID_BATCH = 4 * 256**2, 16  # pixels, frames at once
I3D_SIZE = 224  # pixels a side
I3D_FRAMES = 10
"""I3D takes no fewer: it halves the number of frames three times, then takes means of two."""
FEATURES = {"inception": 2048, "i3d": 400, "sface": 128, "arcface": 512}
# What the face networks take, of levels from 0 to 255: (x - mean) / scale. SFace's file normalises by itself.
FACE_LEVELS = {"sface": (0.0, 1.0), "arcface": (127.5, 127.5)}
REMEMBERED = 256
"""Features of clips that are remembered: 0.5 MB each of FID and 64 frames."""
SMALLER = "compare at a smaller size, or measure on the CPU"


@dataclass(frozen=True)
class Networks:
    """The networks that are there to measure. `Networks()` has none.

    An instance goes to other processes as paths and checksums; each process loads what it needs when it first needs it,
    and checks the file again then. Every method raises WeightsError where a file is not what it should be.

    Attributes
    ----------
    files : by name of the network.
    checksums : SHA-256 of each, which belong to the protocol.
    missing : by metric, why its column is empty.
    notes : what a user should know of the files, a line each.
    device : of torch, where the networks run.
    """

    files: Mapping[str, Path] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(
        default_factory=lambda: {metric.name: "measured without networks" for metric in NETWORK_METRICS}
    )
    notes: Sequence[str] = ()
    device: str = "cpu"
    register: tuple[PublishedNetwork, ...] = NETWORKS
    _loaded: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    _known: OrderedDict[tuple[str, bytes], np.ndarray] = field(
        default_factory=OrderedDict, init=False, repr=False, compare=False
    )

    @classmethod
    def found(
        cls,
        folder: Path | None = None,
        *,
        device: str = "cpu",
        register: tuple[PublishedNetwork, ...] = NETWORKS,
    ) -> Self:
        """The networks of the register whose files lie in a folder, by default that of the downloads.

        Raises WeightsError where a file of a network's name is another file, by its checksum. Nothing is loaded.
        """
        folder = folder or networks_folder()
        files, checksums, missing, notes = {}, {}, {}, []
        for network in register:
            path = folder / network.file
            reason = lacking(network, path)
            if reason is not None:
                missing.update(dict.fromkeys(network.metrics, reason))
                continue
            files[network.name], checksums[network.name] = path, checksum_of(network, path)
            if network.sha256 is None:
                notes.append(
                    f"{path}: {network.title}, taken as it is, since no checksum is published; its SHA-256 is {checksums[network.name]}"
                )
        return cls(files, checksums, missing, tuple(notes), device, register)

    def check(self) -> None:
        """Load every network and let it see a little: one that cannot be used shows before a run and not in it."""
        grey = np.full((I3D_FRAMES, 64, 64, 3), 128, np.uint8)
        points = np.random.default_rng(0).uniform(8, 56, (478, 2))
        for name in self.files:
            match name:
                case "vgg16":
                    self.perceptual(grey[:2], grey[:2])
                case "inception":
                    self.fid_features(grey[:1])
                case "i3d":
                    self.fvd_features(grey)
                case "sface" | "arcface":
                    self.identity(grey[:1], points[None], grey[0], points, name)
                case "hyperiqa":
                    self.image_quality(grey[:1])

    def lpips(self, frames: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """Perceptual distance of each frame to its truth, (T,); both uint8 (T, S, S, 3)."""
        return self.perceptual(frames, truth)[0]

    @advice_on_memory(SMALLER)
    def perceptual(self, frames: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """LPIPS to the truth (T,), and temporal LPIPS (T - 1,): |LPIPS(f_t, f_t-1) - LPIPS(g_t, g_t-1)| of the frames f
        and the truth g (Chu et al. 2020). Pictures are compared at the size they have.

        The file's features are scaled such that LPIPS is the squared length of their difference.
        """
        import torch

        distances, changes = [], []
        last: list[torch.Tensor] = []
        at_once = max(1, LPIPS_BATCH // (frames.shape[1] * frames.shape[2]))
        for start in range(0, len(frames), at_once):
            both = []
            for index, pictures in enumerate((frames, truth)):
                batch = pictures[start : start + at_once]
                features = self._features(
                    "vgg16", len(batch), None, self._tensor(batch), resize_images=False, return_lpips=True
                )
                before = torch.cat([last[index], features[:-1]]) if last else features[:-1]
                after = features if last else features[1:]
                both.append((features, (after - before).square().sum(1)))
            last = [features[-1:] for features, _ in both]
            distances.append((both[0][0] - both[1][0]).square().sum(1))
            changes.append((both[0][1] - both[1][1]).abs())
        return _array(torch.cat(distances)), _array(torch.cat(changes))

    @advice_on_memory(SMALLER)
    def fid_features(self, frames: np.ndarray) -> np.ndarray:
        """Inception's last pooled features of each frame, float32 (T, 2048). The file scales pictures to 299x299 by
        itself, as the network of 2015 does."""
        import torch

        features = [
            self._features(
                "inception",
                len(batch := frames[start : start + FID_BATCH]),
                FEATURES["inception"],
                self._tensor(batch),
                return_features=True,
            )
            for start in range(0, len(frames), FID_BATCH)
        ]
        return _array(torch.cat(features))

    @advice_on_memory(SMALLER)
    def fvd_features(self, frames: np.ndarray) -> np.ndarray:
        """I3D's logits of a clip, their mean over time, float32 (1, 400); (0, 400) of fewer than 10 frames.

        Frames are scaled to 224x224, bilinear, and to levels from -1 to 1: the preprocessing of Unterthiner et al., up
        to where pixels have their centres.
        """
        import torch.nn.functional as F

        if len(frames) < I3D_FRAMES:
            return np.zeros((0, FEATURES["i3d"]), np.float32)
        size = (I3D_SIZE, I3D_SIZE)
        pictures = F.interpolate(self._tensor(frames), size=size, mode="bilinear", align_corners=False)
        clip = (pictures / 127.5 - 1).transpose(0, 1)[None]  # t c h w -> 1 c t h w
        options = {"rescale": False, "resize": False, "return_features": True}
        return _array(self._features("i3d", 1, FEATURES["i3d"], clip, **options))

    def identity(
        self,
        frames: np.ndarray,
        points: np.ndarray,
        portrait: np.ndarray,
        portrait_points: np.ndarray,
        network: str = "arcface",
    ) -> np.ndarray:
        """Cosine between the embeddings of each frame's face and of the portrait's, (T,), from -1 to 1.

        Parameters
        ----------
        frames, portrait : uint8 (T, S, S, 3), (height, width, 3).
        points, portrait_points : landmarks in pixels, (T, 478, 2), (478, 2). NaN where no face was found: so is the
            cosine then.
        network : "arcface" or "sface".
        """
        there = np.isfinite(points).all(axis=(1, 2))
        cosines = np.full(len(frames), math.nan)
        if not there.any() or not np.isfinite(portrait_points).all():
            return cosines
        faces = [aligned_face(frame, face) for frame, face in zip(frames[there], points[there], strict=True)]
        own = self._embeddings(network, [aligned_face(portrait, portrait_points)])
        cosines[there] = self._embeddings(network, faces) @ own[0]
        return cosines

    @advice_on_memory(SMALLER)
    def image_quality(self, frames: np.ndarray) -> np.ndarray:
        """HyperIQA's score of each frame, (T,), about 0 to 100: pyiqa's of 25 even crops of 224x224, times 100."""
        scores = [
            _array(self._features("hyperiqa", 1, None, self._tensor(frame[None]) / 255)).ravel()
            for frame in frames
        ]
        return 100 * np.concatenate(scores)

    def remembered(
        self, what: str, frames: np.ndarray, compute: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """What is computed of frames; of the same frames once, since the truth of a case is one for all systems."""
        key = what, hashlib.sha256(frames.tobytes()).digest()
        if key not in self._known:
            self._known[key] = compute(frames)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_loaded": {}, "_known": OrderedDict()}

    def _tensor(self, frames: np.ndarray) -> Any:
        """Frames (n, h, w, 3) as a float tensor (n, 3, h, w) of the same levels."""
        import torch

        return torch.from_numpy(np.ascontiguousarray(frames)).to(self.device).permute(0, 3, 1, 2).float()

    def _features(self, name: str, rows: int, width: int | None, *inputs: Any, **options: bool) -> Any:
        """What a torch network makes of its input: (rows, width), or of any width and shape, finite."""
        import torch

        network = self._network(name)
        try:
            with torch.no_grad():
                features = network(*inputs, **options)
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            raise self._unusable(name, first_line(error)) from error
        if not isinstance(features, torch.Tensor):
            raise self._unusable(name, f"it gives a {type(features).__name__} and no tensor")
        self._check_shape(name, tuple(features.shape), rows, width)
        if not bool(torch.isfinite(features).all()):
            raise self._unusable(name, "it gives values that are not finite")
        return features.float()

    def _check_shape(self, name: str, shape: tuple[int, ...], rows: int, width: int | None) -> None:
        if (width is None and shape[:1] != (rows,)) or (width is not None and shape != (rows, width)):
            wanted = f"({rows}, {'any' if width is None else width})"
            raise self._unusable(name, f"its output has the shape {shape}, not {wanted}")

    def _embeddings(self, name: str, faces: Sequence[np.ndarray]) -> np.ndarray:
        """Embeddings of length 1 of aligned faces, (n, d)."""
        session = self._network(name)
        mean, scale = FACE_LEVELS[name]
        found = []
        for face in faces:  # one at a time: a batch of one is written into SFace's file
            levels = (face.astype(np.float32).transpose(2, 0, 1)[None] - mean) / scale
            try:
                output = session.run(None, {session.get_inputs()[0].name: levels.astype(np.float32)})[0]
            except Exception as error:  # onnxruntime's errors have no class in common
                raise self._unusable(name, first_line(error)) from error
            self._check_shape(name, output.shape, 1, FEATURES[name])
            found.append(output.astype(np.float64))
        embeddings = np.concatenate(found)
        length = np.linalg.norm(embeddings, axis=1, keepdims=True)
        if not np.isfinite(length).all():
            raise self._unusable(name, "it gives values that are not finite")
        return embeddings / np.where(length > 0, length, math.nan)  # of length 0: no direction, no cosine

    def _network(self, name: str) -> Any:
        """A network, loaded when it is first asked for."""
        if name not in self._loaded:
            network = next(one for one in self.register if one.name == name)
            content = read_checked(network, self.files[name])
            try:
                self._loaded[name] = load_network(network, content, self.device)
            except ImportError as error:
                raise WeightsError(
                    f"{network.package} cannot be used ({first_line(error)}); pip install 'followyouremoji[{network.extra}]'"
                ) from error
            except Exception as error:  # whatever three libraries say of a damaged file
                raise self._unusable(name, first_line(error)) from error
        return self._loaded[name]

    def _unusable(self, name: str, why: str) -> WeightsError:
        network = next(one for one in self.register if one.name == name)
        return WeightsError(f"{self.files[name]} cannot be used as {network.title}: {why}")


def measure_networks(observation: Observation, networks: Networks) -> list[Measured]:
    """The metrics of `NETWORK_METRICS` whose networks are there; those that need a truth where there is one."""
    case, frames = observation.case, observation.frames
    truth, there = case.truth, networks.files
    measured = []
    if "vgg16" in there and truth is not None:
        distances, changes = networks.perceptual(frames, truth)
        measured += [Measured("lpips", _mean(distances)), Measured("tlpips", _mean(changes))]
    if "i3d" in there:
        measured.append(_of_sets("fvd", networks, networks.fvd_features, frames, case.driving))
    if "inception" in there and truth is not None:
        measured.append(_of_sets("fid", networks, networks.fid_features, frames, truth))
    for name in ("sface", "arcface"):
        if name in there:
            points = case.portrait_landmarks.points
            cosines = networks.identity(frames, observation.points, case.portrait, points, name)
            measured.append(Measured(f"identity_{name}", _mean(cosines)))
    if "hyperiqa" in there:
        measured.append(Measured("quality", _mean(networks.image_quality(frames))))
    return measured


def _of_sets(
    metric: str,
    networks: Networks,
    compute: Callable[[np.ndarray], np.ndarray],
    frames: np.ndarray,
    reference: np.ndarray,
) -> Measured:
    features = compute(frames)
    if not len(features):  # too short a clip
        return Measured(metric, math.nan)
    return Measured(metric, math.nan, features, networks.remembered(metric, reference, compute))


def _mean(values: np.ndarray) -> float:
    """Over the frames that have a value; NaN where none has."""
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else math.nan


def _array(features: Any) -> np.ndarray:
    return features.cpu().numpy()
