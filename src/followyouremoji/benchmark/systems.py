"""What is measured: each system makes the frames of a case. A system is named by a short text, so that any process can
build it.

=====================  ==============================================================================================
`WEIGHTS`              a model: "bundled", "released" or a checkpoint's folder, run as users run it
`copy`                 the portrait in every frame
`warp`                 the portrait warped by all landmarks (thin-plate spline), which this project's models start from
`mesh`                 the portrait warped triangle by triangle, the piecewise-affine warp
`videos:FOLDER`        results of any other animator, as clips named by pair, see `ResultVideos`
`truth`                the true result: what the metrics give at best
`autoencoder:WEIGHTS`  the true result through a model's autoencoder, which that model cannot surpass
=====================  ==============================================================================================

`LABEL=` before any of them gives it another name in the tables, and `?steps=30&speed=exact` after a model sets how it
animates: entries of `AnimationSettings`. Warps and models are driven by the same landmarks, those of the driving clip
aligned to the portrait as the animator aligns them (Sec. 3.1), see `alignment_of`.
"""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import parse_qsl

import numpy as np

from followyouremoji.benchmark.suite import Case
from followyouremoji.benchmark.warps import mesh_warp
from followyouremoji.errors import ClipError, DataError, SettingsError, WeightsError
from followyouremoji.face.alignment import align
from followyouremoji.face.blending import blend_face
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.face.warping import warp_portrait
from followyouremoji.face.window import face_window
from followyouremoji.files import checksum
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.pictures import read_picture, resize_picture
from followyouremoji.preparation import check_reach
from followyouremoji.settings import AnimationSettings

if TYPE_CHECKING:
    from followyouremoji.animator import PortraitAnimator
    from followyouremoji.prepared import Prepared

VIDEOS = "videos:"
AUTOENCODER = "autoencoder:"
VIDEO_ENDINGS = (".mp4", ".webm", ".mkv", ".mov", ".gif")
DECODED_AT_ONCE = 4  # frames
LABEL = re.compile(r"([^=:?/\\]+)=(.+)", re.DOTALL)
OWN = ("frame_rate", "loop", "paste_back", "driving_face")
"""Settings that a benchmark decides itself: T frames of the whole square, of the one face."""


class Remark(UserWarning):
    """Of a system, on what it did to a result that it has nevertheless."""


class System(Protocol):
    """One way to animate a portrait."""

    @property
    def name(self) -> str:
        """As the tables call it."""

    @property
    def fingerprint(self) -> str:
        """Changes with what beside the package's code decides the frames that it makes. Raises UserError where its
        files are missing or damaged."""

    @property
    def is_model(self) -> bool:
        """Whether networks run in it."""

    def load(self) -> None:
        """Have in memory what all cases need. Raises UserError where it cannot be used."""

    def animate(self, case: Case) -> np.ndarray:
        """The case's frames, uint8 (T, S, S, 3), S the case's size. Raises UserError where it has none for this case;
        warns of a `Remark`."""


def alignment_of(case: Case) -> AlignmentSettings:
    """What users get, but for what a suite knows better: in self-reenactment the portrait is the driving clip's first
    frame, from which all others are measured, so that it moves exactly as its clip does; and a clip's relaxed frame."""
    if case.mode == "self":
        return AlignmentSettings(neutral=0, portrait_expression="keep")
    return AlignmentSettings(neutral=case.clip.rest)


def prepare_case(animator: PortraitAnimator, case: Case, settings: AnimationSettings) -> Prepared:
    """A case as the animator takes it, with the landmarks that the suite has."""
    return animator.prepare(
        case.portrait,
        case.motion,
        alignment=alignment_of(case),
        settings=settings,
        portrait_landmarks=case.portrait_landmarks,
    )


def aligned_points(case: Case) -> np.ndarray:
    """The landmarks that drive: (T, 478, 2) pixels of the portrait. Raises MotionError where they leave it."""
    points = align(case.motion, case.portrait_landmarks, alignment_of(case)).points
    check_reach(points, (case.portrait.shape[1], case.portrait.shape[0]), case.clip.name)
    return points


def copied(case: Case) -> np.ndarray:
    return np.repeat(case.portrait[None], case.frames, axis=0)


def warped(case: Case) -> np.ndarray:
    own = case.portrait_landmarks.points
    return np.stack([warp_portrait(case.portrait, own, points) for points in aligned_points(case)])


def mesh_warped(case: Case) -> np.ndarray:
    own = case.portrait_landmarks.points
    return np.stack([mesh_warp(case.portrait, own, points) for points in aligned_points(case)])


def truth(case: Case) -> np.ndarray:
    """Raises DataError where it is not known."""
    if case.truth is None:
        raise DataError(f"The true result of {case.name} is not known.")
    return case.truth


@dataclass(frozen=True)
class Baseline:
    """A system without networks."""

    name: str
    fingerprint: str
    make: Callable[[Case], np.ndarray]

    is_model = False

    def load(self) -> None:
        pass

    def animate(self, case: Case) -> np.ndarray:
        return self.make(case)


BASELINES = {
    "copy": Baseline("portrait copied", "copy", copied),
    "warp": Baseline("thin-plate warp", "warp", warped),
    "mesh": Baseline("piecewise-affine warp", "mesh", mesh_warped),
    "truth": Baseline("truth", "truth", truth),
}


@dataclass(frozen=True)
class Model:
    """What systems with networks share: a checkpoint that is loaded once."""

    name: str
    source: str

    is_model = True

    @cached_property
    def animator(self) -> PortraitAnimator:
        from followyouremoji.animator import PortraitAnimator

        return PortraitAnimator.from_pretrained(self.source)


@dataclass(frozen=True)
class Checkpoint(Model):
    """A model, run by the real animator on the portrait, the motion and their landmarks as the suite has them.

    The whole picture comes back: where the model animates a square around the face, as it does for users, that is put
    back into the portrait.
    """

    settings: AnimationSettings

    @property
    def fingerprint(self) -> str:
        usual = AnimationSettings()
        settings = {field.name: getattr(self.settings, field.name) for field in fields(self.settings)}
        changed = [f"{name}={value}" for name, value in settings.items() if value != getattr(usual, name)]
        return " ".join([weights_hash(self.source), *changed])

    def load(self) -> None:
        self.animator.check(self.settings)

    def animate(self, case: Case) -> np.ndarray:
        prepared = prepare_case(self.animator, case, self.settings)
        with closing(self.animator.frames(prepared, self.settings)) as frames:
            return np.stack(list(frames))


@dataclass(frozen=True)
class AutoencoderAlone(Model):
    """The true result through a model's autoencoder at the model's own size; of a model that makes faces alone, their
    faces."""

    @property
    def fingerprint(self) -> str:
        return f"autoencoder {weights_hash(self.source)}"

    def load(self) -> None:
        self.animator.model  # noqa: B018 (loads it)

    def animate(self, case: Case) -> np.ndarray:
        import torch

        from followyouremoji.checkpoints.codec import to_pictures, to_tensor

        model, size = self.animator.model, (case.size,) * 2
        own, true, motion = (model.config.picture_size,) * 2, truth(case), case.truth_motion
        assert motion is not None
        frames: list[np.ndarray] = []
        for start in range(0, len(true), DECODED_AT_ONCE):
            part = slice(start, start + DECODED_AT_ONCE)
            points = motion.landmarks[part, :, :2] * case.size
            windows = [face_window(p, own[0]) for p in points] if model.config.framing == "window" else []
            if windows:
                pictures = [window.cut(p) for window, p in zip(windows, true[part], strict=True)]
            else:
                pictures = [resize_picture(p, own) for p in true[part]]
            with torch.inference_mode():
                coded = to_pictures(model.codec.decode(model.codec.encode(to_tensor(np.stack(pictures)))))
            if windows:
                laid = [w.lay_over(c.astype(np.float32), size) for w, c in zip(windows, coded, strict=True)]
                frames += [blend_face(*one) for one in zip(true[part], laid, points, strict=True)]
            else:
                frames += [resize_picture(picture, size) for picture in coded]
        return np.stack(frames)


def weights_hash(source: str) -> str:
    """SHA-256 of a checkpoint's config with the checksums of its files, which are read whole. Raises WeightsError where
    there is none, and for a file that is missing or not the one that was saved."""
    from followyouremoji.checkpoints.folder import CONFIG_FILE, read_config
    from followyouremoji.checkpoints.sources import find_checkpoint
    from followyouremoji.checkpoints.verification import check_record

    folder = find_checkpoint(source)
    _, records = read_config(folder)
    for name, record in records.items():
        if problem := check_record(folder / name, record):
            raise WeightsError(problem)
    return checksum(folder / CONFIG_FILE)


@dataclass(frozen=True)
class ResultVideos:
    """Clips that something else made of the suite's pairs: in `folder`, for each pair PAIR a clip PAIR.mp4 (or .webm,
    .mkv, .mov, .gif), or a folder PAIR of numbered PNGs.

    Frame n belongs to frame n of the driving clip, so a result has the frames that are measured, or all of its driving
    clip; more of them would be of another frame rate. Its pictures are squares; of another size than the suite's they
    are resized, with a remark. benchmarks/result_videos.py makes such a folder.
    """

    name: str
    folder: Path

    is_model = False

    @property
    def fingerprint(self) -> str:
        """Names and checksums of all files of results."""
        digest = hashlib.sha256()
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and path.suffix.lower() in (*VIDEO_ENDINGS, ".png"):
                digest.update(f"{path.relative_to(self.folder).as_posix()} {checksum(path)} ".encode())
        return f"videos {digest.hexdigest()}"

    def load(self) -> None:
        pass

    def animate(self, case: Case) -> np.ndarray:
        result = self._open(case.name)
        if result.frames > case.clip.footage.frames:
            raise DataError(
                f"{result.path} has {result.frames} frames, more than its driving clip's {case.clip.footage.frames}; "
                "frame n must belong to its frame n."
            )
        with closing(result.pictures) as pictures:
            frames = list(islice(pictures, case.frames))
        if len(frames) < case.frames:
            raise DataError(
                f"{result.path} has {len(frames)} frames that can be read; {case.frames} are measured."
            )
        height, width = frames[0].shape[:2]
        if any(frame.shape != (width, width, 3) for frame in frames):
            raise DataError(
                f"{result.path} has pictures of {width}x{height} pixels; a result is a square as the suite's portrait is."
            )
        if width != case.size:
            warnings.warn(
                f"results of {width}x{width} pixels are resized to {case.size}", Remark, stacklevel=2
            )
        return np.stack([resize_picture(frame, (case.size, case.size)) for frame in frames])

    def _open(self, pair: str) -> Result:
        """Raises DataError where there is not one result of the pair, and ClipError where it cannot be read."""
        there = [self.folder / f"{pair}{ending}" for ending in VIDEO_ENDINGS]
        there = [path for path in (*there, self.folder / pair) if path.exists()]
        if not there:
            raise DataError(f"{self.folder} has no result of {pair}: no {pair}.mp4 and no folder {pair}.")
        if len(there) > 1:
            raise DataError(
                f"{self.folder} has several results of {pair}: {there[0].name} and {there[1].name}."
            )
        (path,) = there
        if path.is_dir():
            files = sorted(path.glob("*.png"), key=_number)
            if not files:
                raise ClipError(f"{path} holds no PNG.")
            return Result(path, len(files), (read_picture(file) for file in files))
        reader = ClipReader(path)
        return Result(path, reader.info.frames, _pictures(reader))


class Result(NamedTuple):
    """A result that was made elsewhere: `frames` that it should have, and its pictures uint8 (height, width, 3)."""

    path: Path
    frames: int
    pictures: Any


def _pictures(reader: ClipReader) -> Iterator[np.ndarray]:
    with reader:
        yield from (picture for _, picture in reader)


def _number(file: Path) -> tuple[int, str]:
    """By the last number in its name, so that 10.png follows 9.png."""
    numbers = re.findall(r"\d+", file.stem)
    return (int(numbers[-1]) if numbers else -1, file.name)


def settings_of(entries: str) -> AnimationSettings:
    """What a text like `steps=4&seed=1` sets. Raises SettingsError for what cannot be used or is not for benchmarks."""
    values: dict[str, Any] = {}
    for name, value in parse_qsl(entries, keep_blank_values=True):
        if name in OWN:
            raise SettingsError(f"A benchmark decides `{name}` itself; leave it out of {entries!r}.")
        try:
            values[name] = json.loads(value)
        except ValueError:
            values[name] = value
    return AnimationSettings(**values, paste_back=True)


def make_system(described: str) -> System:
    """The system that a text names, see the top of this file.

    Raises
    ------
    WeightsError : there is no such checkpoint.
    SettingsError : the text names nothing, or a setting that cannot be used.
    """
    labelled = LABEL.fullmatch(described)
    label, what = labelled.groups() if labelled else ("", described)
    if what in BASELINES:
        baseline = BASELINES[what]
        return replace(baseline, name=label) if label else baseline
    if what.startswith(VIDEOS):
        folder = Path(what.removeprefix(VIDEOS)).resolve()
        if not folder.is_dir():
            raise SettingsError(f"There is no folder {folder} of result videos.")
        return ResultVideos(label or folder.name, folder)
    source, asks, entries = what.removeprefix(AUTOENCODER).partition("?")
    if not source:
        raise SettingsError(
            f"{described!r} names no system; give a model's weights, {', '.join(BASELINES)}, {VIDEOS}FOLDER or {AUTOENCODER}WEIGHTS."
        )

    from followyouremoji.checkpoints.sources import find_checkpoint

    place = find_checkpoint(source)
    short = Path(source).name
    if place == Path(source):
        source = str(place.resolve())  # for workers that run elsewhere
    if what.startswith(AUTOENCODER):
        if asks:
            raise SettingsError(f"{described!r}: an autoencoder alone has no settings; leave ?{entries} out.")
        return AutoencoderAlone(label or f"autoencoder of {short}, alone", source)
    shown = f"{short} ({', '.join(entries.split('&'))})" if entries else short
    return Checkpoint(label or shown, source, settings_of(entries))
