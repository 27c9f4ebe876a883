"""From latents to pictures: the denoised frames of a clip through the autoencoder, and what it makes of their warped
portraits."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing

import numpy as np
import torch

from followyouremoji.checkpoints.codec import to_pictures
from followyouremoji.checkpoints.model import Model
from followyouremoji.networks.finite import finite
from followyouremoji.sampling.residual import onto_warp
from followyouremoji.sampling.sampler import Sampled

DECODED_AT_ONCE = 4  # frames

Pose = tuple[int, np.ndarray, np.ndarray | None]
"""A pose's number, its picture, and where that is asked for its warped portrait once through the autoencoder."""


@torch.inference_mode()
def decoded(
    models: Sequence[Model],
    sampled: Generator[Sampled, None, None],
    *,
    back: bool = False,
    warped_picture: Callable[[int], np.ndarray] | None = None,
) -> Generator[Pose, None, None]:
    """The poses of `generate`, of latents as they come; `warped_picture` gives the warped portrait of a pose, which the
    autoencoder then shows too."""
    decoder = Decoder(models[0])
    kept: list[tuple[int, Sampled, list[np.ndarray | None]]] = []
    pose = 0
    with ExitStack() as stack:
        for one in models:
            stack.enter_context(one.using("denoiser"))
        pieces = stack.enter_context(closing(sampled))
        for part in in_groups(pieces, DECODED_AT_ONCE, whole=warped_picture is not None):
            poses = range(pose, pose + len(part))
            made = decoder(part, [warped_picture(one) for one in poses] if warped_picture else None)
            if back:
                kept.append((pose, part.to("cpu"), [coded for _, coded in made]))
            for number, pictures in enumerate(made, pose):
                yield number, *pictures
            pose += len(part)
    for first, part, coded in reversed(kept):
        for number, (picture, _) in reversed(list(enumerate(decoder(part)))):
            yield first + number, picture, coded[number]


def in_groups(pieces: Iterable[Sampled], size: int, *, whole: bool) -> Iterator[Sampled]:
    """The frames of all pieces, so many at a time at most.

    `whole` groups are the same whatever the pieces, and only the last is smaller; others wait for no later piece.
    """
    waiting: Sampled | None = None
    for piece in pieces:
        waiting = waiting.followed_by(piece) if waiting else piece
        while len(waiting) >= (size if whole else 1):
            yield waiting[:size]
            waiting = waiting[size:]
    if waiting:
        yield waiting


class CodedWarps:
    """Warped portraits as the autoencoder shows them, which is asked for few of them.

    Of `DECODED_AT_ONCE` warped portraits only the last is decoded. What the autoencoder loses of the others is taken to
    change evenly from one to the next, in a group that is still too small not at all: windows follow the face, so it
    hardly does. In a face, finished frames are 0.3 to 0.8 grey levels in the mean from those with every warp decoded,
    and decoding takes five eighths of the time.
    """

    def __init__(self) -> None:
        self._lost: np.ndarray | None = None  # of the warped portrait that was decoded last
        self._begun = False
        self._since = 0  # frames

    def read(self, count: int) -> list[int]:
        """Which frames of the next group, of so many, have to be decoded."""
        self._since += count
        places = [count - 1] * (self._since >= DECODED_AT_ONCE) if self._begun else sorted({0, count - 1})
        self._begun = True
        if places:
            self._since = 0
        return places

    def of(self, warps: Sequence[np.ndarray], decoded: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Those of a group, uint8 (size, size, 3), of its warped portraits and of the ones that `read` named as they
        were decoded."""
        count = len(warps)
        read = [count - 1] if len(decoded) == 1 else [0, count - 1][: len(decoded)]
        lost = [warps[one].astype(np.float32) - coded for one, coded in zip(read, decoded, strict=True)]
        places = np.arange(1, count + 1) / count
        if self._lost is None:
            self._lost, places = lost[0], np.linspace(0, 1, count)
        before, after = self._lost, lost[-1] if lost else self._lost
        self._lost = after
        return [
            to_levels(warp - (before + place * (after - before)))
            for warp, place in zip(warps, places, strict=True)
        ]


def coded_poses(count: int) -> set[int]:
    """The poses of a clip of so many, in groups of `DECODED_AT_ONCE`, whose warped portraits are decoded."""
    warps = CodedWarps()
    starts = range(0, count, DECODED_AT_ONCE)
    return {start + one for start in starts for one in warps.read(min(DECODED_AT_ONCE, count - start))}


class Decoder:
    """Sampled frames to pictures, groups of them in their order, each with its warped portrait once through the
    autoencoder where that is asked for."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._warps = CodedWarps()

    @torch.inference_mode()
    def __call__(
        self, group: Sampled, warps: Sequence[np.ndarray] | None = None
    ) -> list[tuple[np.ndarray, np.ndarray | None]]:
        """Pictures uint8 (size, size, 3), and where the `warps` of the group are given, uint8 (size, size, 3), these as
        the autoencoder shows them. Raises WeightsError where values are not finite."""
        codec, latents, count = self._model.codec, group.latents, len(group)
        if group.warped is not None:
            latents = onto_warp(latents, group.warped, self._model.networks.config.residual_scale)
        if warps is None or group.warped is None:
            return [(picture, None) for picture in to_pictures(finite(codec.decode(latents), "autoencoder"))]
        latents = torch.cat([latents, group.warped[self._warps.read(count)]])
        pictures = to_pictures(finite(codec.decode(latents), "autoencoder"))
        return list(zip(pictures[:count], self._warps.of(warps, list(pictures[count:])), strict=True))


def to_levels(picture: np.ndarray) -> np.ndarray:
    """Grey levels as uint8, rounded."""
    return np.rint(picture).clip(0, 255).astype(np.uint8)
