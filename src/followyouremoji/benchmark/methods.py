"""What is compared: each method makes the frames of a case. A method is named by a short text, so that any process can
build it.

=====================  ==============================================================================================
`copy`                 the portrait in every frame
`warp`                 the portrait warped by all landmarks (thin-plate spline), which this project's models start from
`mesh`                 the portrait warped triangle by triangle, the piecewise-affine warp
`truth`                the true drawings: what the metrics give at best
`autoencoder:WEIGHTS`  the true drawings through a model's autoencoder, which that model cannot surpass
`frames:FOLDER`        frames that something else made, see `Recorded`
`WEIGHTS`              a model: "bundled", "released" or a checkpoint's folder
=====================  ==============================================================================================

`LABEL=` before any of them gives it another name in the tables, and `?steps=4&seed=1` after a model sets its sampling:
any entry of `AnimationSettings`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl

import numpy as np
import torch

from followyouremoji.animator import PortraitAnimator
from followyouremoji.benchmark.fingerprints import text_hash
from followyouremoji.benchmark.suites import FRAMES, Case, drawn_motion
from followyouremoji.benchmark.warps import mesh_warp
from followyouremoji.checkpoints.codec import to_pictures, to_tensor
from followyouremoji.checkpoints.config import ModelConfig
from followyouremoji.checkpoints.folder import CONFIG_FILE
from followyouremoji.checkpoints.sources import find_checkpoint
from followyouremoji.errors import DataError, SettingsError
from followyouremoji.face.blending import blend_face
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.warping import warp_portrait
from followyouremoji.face.window import face_window
from followyouremoji.framing import ModelFraming, frame_portrait
from followyouremoji.media.cropping import Crop
from followyouremoji.media.pictures import resize_picture
from followyouremoji.preparation import Prepared
from followyouremoji.settings import AnimationSettings

FRAMES_FROM = "frames:"
AUTOENCODER = "autoencoder:"
DECODED_AT_ONCE = 4  # frames


class Method(Protocol):
    """One way to animate a portrait."""

    @property
    def name(self) -> str:
        """As the tables call it."""

    @property
    def fingerprint(self) -> str:
        """Changes with what beside the package's code decides the frames that it makes."""

    def animate(self, case: Case) -> np.ndarray:
        """The case's frames, uint8 (16, S, S, 3), S the case's size. A method that reads `case.truth` says so in its
        name."""


def settings_of(entries: str) -> AnimationSettings:
    """What a text like `steps=4&seed=1` sets, or none. Raises SettingsError for what cannot be used."""
    values: dict[str, Any] = {}
    for name, value in parse_qsl(entries, keep_blank_values=True):
        try:
            values[name] = json.loads(value)
        except ValueError:
            values[name] = value
    return AnimationSettings(**values)


@dataclass(frozen=True)
class Copy:
    name: str = "portrait copied"
    fingerprint: str = "copy"

    def animate(self, case: Case) -> np.ndarray:
        return np.repeat(case.portrait[None], FRAMES, axis=0)


@dataclass(frozen=True)
class Truth:
    name: str = "truth"
    fingerprint: str = "truth"

    def animate(self, case: Case) -> np.ndarray:
        return case.truth


@dataclass(frozen=True)
class ThinPlateWarp:
    name: str = "thin-plate warp"
    fingerprint: str = "warp"

    def animate(self, case: Case) -> np.ndarray:
        return np.stack([warp_portrait(case.portrait, case.portrait_points, p) for p in case.points])


@dataclass(frozen=True)
class MeshWarp:
    name: str = "piecewise-affine warp"
    fingerprint: str = "mesh"

    def animate(self, case: Case) -> np.ndarray:
        return np.stack([mesh_warp(case.portrait, case.portrait_points, p) for p in case.points])


@dataclass(frozen=True)
class Recorded:
    """Frames that something else made of the suite's cases, as files: another tool, or an earlier release of this one.

    `case_0000.npy` and so on hold uint8 (16, size, size, 3); other sizes than the suite's are resized. Raises DataError
    for a file that is missing or holds something else.
    """

    name: str
    folder: Path

    @property
    def fingerprint(self) -> str:
        files = sorted(self.folder.glob("case_*.npy"))
        return text_hash(" ".join(f"{f.name} {f.stat().st_size} {f.stat().st_mtime_ns}" for f in files))

    def animate(self, case: Case) -> np.ndarray:
        path = self.folder / f"case_{case.index:04d}.npy"
        try:
            frames = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as reason:
            raise DataError(f"{path} cannot be read as the frames of a case: {reason}") from None
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[0] != FRAMES or frames.shape[3] != 3:
            raise DataError(
                f"{path} must hold bytes of shape ({FRAMES}, size, size, 3), not {frames.dtype} {frames.shape}."
            )
        return np.stack([resize_picture(picture, (case.size, case.size)) for picture in frames])


@dataclass(frozen=True)
class Checkpoint:
    """A model, given the drawings as they are framed: nothing is detected or cropped, so that what is compared is the
    animation.

    Pictures are resized to the model's own size, and its frames back to the suite's. A model of the ablation "2D
    landmarks" is driven by landmarks that are aligned in the picture alone.
    """

    name: str
    source: str
    sampling: AnimationSettings

    @cached_property
    def animator(self) -> PortraitAnimator:
        return PortraitAnimator.from_pretrained(self.source)

    @property
    def fingerprint(self) -> str:
        return f"{weights_hash(self.source)} {self.sampling}"

    def animate(self, case: Case) -> np.ndarray:
        prepared = framed(case, self.animator.model.config)
        return np.stack(list(self.animator.frames(prepared, self.sampling)))


@dataclass(frozen=True)
class AutoencoderAlone:
    """The true drawings through a model's autoencoder at the model's own size; of a model that makes faces alone, their
    faces."""

    name: str
    source: str

    @cached_property
    def animator(self) -> PortraitAnimator:
        return PortraitAnimator.from_pretrained(self.source)

    @property
    def fingerprint(self) -> str:
        return f"autoencoder {weights_hash(self.source)}"

    @torch.inference_mode()
    def animate(self, case: Case) -> np.ndarray:
        model = self.animator.model
        codec = model.codec
        own, size = (model.config.picture_size,) * 2, (case.size,) * 2
        frames: list[np.ndarray] = []
        for start in range(0, len(case.truth), DECODED_AT_ONCE):
            truth = case.truth[start : start + DECODED_AT_ONCE]
            points = case.truth_points[start : start + DECODED_AT_ONCE]
            windows = [face_window(p, own[0]) for p in points] if model.config.framing == "window" else []
            pictures = [resize_picture(p, own) for p in truth]
            if windows:
                pictures = [window.cut(p) for window, p in zip(windows, truth, strict=True)]
            coded = to_pictures(codec.decode(codec.encode(to_tensor(np.stack(pictures)))))
            if windows:
                laid = [w.lay_over(c.astype(np.float32), size) for w, c in zip(windows, coded, strict=True)]
                frames += [blend_face(*one) for one in zip(truth, laid, points, strict=True)]
            else:
                frames += [resize_picture(picture, size) for picture in coded]
        return np.stack(frames)


def framed(case: Case, config: ModelConfig) -> Prepared:
    """A case as the animator takes it: the whole drawing is the square to animate, or the square in which faces
    move."""
    crop = Crop(0.0, 0.0, float(case.size))
    model = ModelFraming.of(config)
    points = case.points if config.landmark_points == "metric" else case.image_points
    normalised = np.concatenate([points / case.size, np.zeros((len(points), 478, 1))], axis=-1)
    return Prepared(
        portrait=case.portrait,
        landmarks=Landmarks(normalised[0].astype(np.float32), (case.size, case.size)),
        framing=frame_portrait(case.portrait, case.portrait_points, points, crop, model),
        style=model.style,
        paste_back=True,
        motion=drawn_motion(normalised, case.size),
    )


def weights_hash(source: str) -> str:
    """A checkpoint's identity: its config holds the checksums of its files. Raises WeightsError where there is none."""
    config = find_checkpoint(source) / CONFIG_FILE
    return text_hash(config.read_text()) if config.is_file() else str(config.resolve())


BASELINES: dict[str, type[Copy | ThinPlateWarp | MeshWarp | Truth]] = {
    "copy": Copy,
    "warp": ThinPlateWarp,
    "mesh": MeshWarp,
    "truth": Truth,
}


def make_method(described: str) -> Method:
    """The method that a text names, see the top of this file.

    Raises
    ------
    WeightsError : there is no such checkpoint.
    SettingsError : the text names nothing, or a setting that cannot be used.
    """
    what, _, entries = described.partition("?")
    label, _, what = what.rpartition("=")
    sampling = settings_of(entries)
    if not what:
        raise SettingsError(
            f"{described!r} names no method; give {', '.join(BASELINES)} or a model's weights."
        )
    if what in BASELINES:
        baseline = BASELINES[what]()
        return replace(baseline, name=label) if label else baseline
    if what.startswith(AUTOENCODER):
        source = what.removeprefix(AUTOENCODER)
        find_checkpoint(source)
        return AutoencoderAlone(label or f"autoencoder of {Path(source).name}, alone", source)
    if what.startswith(FRAMES_FROM):
        folder = Path(what.removeprefix(FRAMES_FROM))
        if not folder.is_dir():
            raise SettingsError(f"There is no folder {folder} of frames to measure.")
        return Recorded(label or folder.name, folder)
    find_checkpoint(what)
    return Checkpoint(label or Path(what).name, what, sampling)
