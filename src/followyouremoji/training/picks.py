"""What a sample is made of: a portrait and frames of the same face, picked from a folder of drawings or from a clip
source."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from followyouremoji.data import ClipSource, Mixture, Shards
from followyouremoji.data.shards import epoch_order
from followyouremoji.errors import SettingsError
from followyouremoji.face.geometry import with_gaze_of
from followyouremoji.face.warping import warp_into_window, warp_portrait
from followyouremoji.face.window import face_window
from followyouremoji.training.drawings import Drawings
from followyouremoji.training.fingerprint import HALF, same_encoder
from followyouremoji.training.settings import DataPart


@dataclass(frozen=True)
class Pick:
    """A portrait and the frames it is animated to.

    `points` (1 + frames, 478, 2) pixels and `latents` (1 + frames, channels, h, w), where they are cached, begin with
    the portrait's.
    """

    key: str
    portrait: np.ndarray  # uint8 (size, size, 3)
    targets: np.ndarray  # uint8 (frames, size, size, 3)
    points: np.ndarray
    latents: np.ndarray | None
    warped: np.ndarray | None = (
        None  # uint8 as `targets`: the portrait, where it was warped before it was cut
    )

    def warped_portraits(self, points: np.ndarray) -> np.ndarray:
        """The portrait warped by landmarks (1 + frames, 478, 2), its own first: uint8 (frames, size, size, 3)."""
        if self.warped is not None:
            return self.warped
        return np.stack([warp_portrait(self.portrait, points[0], one) for one in points[1:]])


class PickSource(Protocol):
    """Picks by position in an endless, reproducible order."""

    @property
    def size(self) -> int:
        """Width and height of the pictures, in pixels."""

    def pick(self, position: int, rng: np.random.Generator, targets: int, successive: bool) -> Pick:
        """The pick at `position`: a portrait and `targets` frames, `successive` ones or any."""


class DrawingsPicks:
    """Picks from a folder of drawings: every identity once an epoch, in an order that the seed and the epoch give."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self.drawings = Drawings.open(folder)

    def __reduce__(self) -> tuple[Any, ...]:
        return DrawingsPicks, (self.folder, self.seed)  # worker processes map the files themselves

    @property
    def size(self) -> int:
        return int(self.drawings.pictures.shape[2])

    def check_size(self, references: int, targets: int) -> None:
        """Raise SettingsError where a step needs more people or pictures than there are."""
        people, pictures = self.drawings.pictures.shape[:2]
        if references > people or targets >= pictures:
            raise SettingsError(
                f"{self.folder} has {people} identities of {pictures} pictures: too few for {references} references with {targets} "
                "targets each."
            )

    def check_latents(self, latent_channels: int, encoder: str) -> None:
        """Raise SettingsError where cached latents are of another encoder than the one of this fingerprint."""
        latents = self.drawings.latents
        if latents is None:
            return
        if latents.shape[2] != latent_channels or not same_encoder(self.folder, encoder):
            raise SettingsError(
                f"{self.folder / 'latents.npy'} was encoded by another autoencoder than the run's: encode it anew with `fye train latents`, "
                f"or delete it to encode while training. {HALF}"
            )

    def identity(self, position: int) -> int:
        epoch, place = divmod(position, len(self.drawings))
        return int(epoch_order(self.seed, epoch, len(self.drawings))[place])

    def pick(self, position: int, rng: np.random.Generator, targets: int, successive: bool) -> Pick:
        identity = self.identity(position)
        pictures = self.drawings.pictures.shape[1]
        if successive:  # picture 0 is any performance, the others follow each other
            begin = int(rng.integers(1, pictures - targets + 1))
            frames = [0, *range(begin, begin + targets)]
        else:
            frames = rng.permutation(pictures)[: targets + 1].tolist()
        latents = self.drawings.latents
        return Pick(
            key=f"{self.folder}, identity {identity}",
            portrait=np.array(self.drawings.pictures[identity, frames[0]]),
            targets=self.drawings.pictures[identity, frames[1:]],
            points=np.array(self.drawings.points[identity, frames]),
            latents=None if latents is None else latents[identity, frames].astype(np.float32),
        )


class ClipPicks:
    """Picks from clips: any frame of a clip is the portrait (the I_0 of Sec. 3), the targets are among its other
    frames."""

    def __init__(self, source: ClipSource, frames: int) -> None:
        self.source, self.frames = source, frames

    @property
    def size(self) -> int:
        return self.source.size

    def pick(self, position: int, rng: np.random.Generator, targets: int, successive: bool) -> Pick:
        clip = self.source.clip(position, max(self.frames, targets + 1))
        if successive:
            begin = int(rng.integers(len(clip) - targets + 1))
            chosen = list(range(begin, begin + targets))
            others = [frame for frame in range(len(clip)) if not begin <= frame < begin + targets]
            frames = [int(rng.choice(others)) if others else int(rng.integers(len(clip))), *chosen]
        else:
            frames = rng.permutation(len(clip))[: targets + 1].tolist()
        return Pick(
            key=clip.key,
            portrait=clip.pictures[frames[0]],
            targets=clip.pictures[frames[1:]],
            points=clip.points[frames, :, :2].astype(np.float32),
            latents=None,
        )


@dataclass(frozen=True)
class FramedPicks:
    """Picks of another source as the networks of a run see them.

    `window` is the side in pixels of the windows that faces are cut to, None for whole pictures. Networks that are not
    shown the `pupils` must not learn them from the warped portrait either: every frame then looks as the portrait does.
    """

    source: PickSource
    window: int | None
    pupils: bool

    @property
    def size(self) -> int:
        return self.window or self.source.size

    def pick(self, position: int, rng: np.random.Generator, targets: int, successive: bool) -> Pick:
        pick = self.source.pick(position, rng, targets, successive)
        if not self.pupils:
            points = with_gaze_of(pick.points, pick.points[0])
            pick = replace(pick, points=points.astype(pick.points.dtype))
        return pick if self.window is None else in_windows(pick, self.window)


def in_windows(pick: Pick, size: int) -> Pick:
    """A pick in the windows of its faces, of `size` pixels a side; the portrait is warped in its whole picture."""
    own, *windows = [face_window(points, size) for points in pick.points]
    return Pick(
        key=pick.key,
        portrait=own.cut(pick.portrait),
        targets=np.stack([w.cut(picture) for w, picture in zip(windows, pick.targets, strict=True)]),
        points=np.stack([w.to_window(p) for w, p in zip((own, *windows), pick.points, strict=True)]),
        latents=None,
        warped=np.stack(
            [
                warp_into_window(pick.portrait, pick.points[0], points, window)
                for points, window in zip(pick.points[1:], windows, strict=True)
            ]
        ),
    )


def check_drawings(
    source: PickSource, references: int, targets: int, latent_channels: int, encoder: str
) -> None:
    """Check the folder of drawings that picks come from, if they do: see `DrawingsPicks`. Latents are not read where
    faces are in windows."""
    window = source.window if isinstance(source, FramedPicks) else None
    source = source.source if isinstance(source, FramedPicks) else source
    if isinstance(source, DrawingsPicks):
        source.check_size(references, targets)
        if window is None:
            source.check_latents(latent_channels, encoder)


def check_size(size: int, multiple: int, named: str) -> None:
    """Raise SettingsError where pictures, of what is `named` in a config, cannot be halved as often as the networks
    do."""
    if size % multiple:
        raise SettingsError(
            f"the pictures that {named} names are {size} pixels large: these networks need a multiple of {multiple}"
        )


def open_clips(parts: tuple[DataPart, ...], seed: int) -> ClipSource:
    """The clips that the entries of `data` name, mixed by their weights.

    Raises DataError or SettingsError where there are none, or of different sizes.
    """
    shards = {part: Shards(part.shards, seed, part.strides) for part in parts if part.shards is not None}
    size = next((source.size for source in shards.values()), None)
    sources: list[ClipSource] = [
        shards[part] if part.drawn is None else part.drawn.source(size, seed) for part in parts
    ]
    return Mixture(sources, [part.weight for part in parts], seed) if len(sources) > 1 else sources[0]


def open_picks(
    drawings: Path | None,
    data: tuple[DataPart, ...],
    frames: int,
    seed: int,
    window: int | None = None,
    pupils: bool = True,
) -> PickSource:
    """The source of picks that a config names.

    `frames` is the length of the clips to pick from, `window` the size of the faces' windows; without `pupils` no frame
    looks elsewhere than the portrait.
    """
    source: PickSource = (
        DrawingsPicks(drawings, seed) if drawings is not None else ClipPicks(open_clips(data, seed), frames)
    )
    return FramedPicks(source, window, pupils)
