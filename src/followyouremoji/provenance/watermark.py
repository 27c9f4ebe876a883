"""An invisible watermark in the pictures themselves, which stays when metadata are lost.

The networks are those of RivaGAN (Zhang et al. 2019, "Robust Invisible Video Watermarking with Attention"), which write
32 bits into a picture and read them again; the library invisible-watermark ships them. They work here at one size
whatever the picture's: the mark is the change that they would make to the picture of that size, scaled up. So scaling
costs nothing, and a cropped or framed picture is looked at in a few sizes.

All marks hold the same bits, which are no secret: a mark says that a picture went through a program like this one, and
whoever wants to can put it on a picture or take it off.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from followyouremoji.errors import SettingsError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

LIBRARY, INSTALL = "invisible-watermark", "pip install 'followyouremoji[watermark]'"
SIDE = 256  # pixels of a square of the area at which the networks work
SCALES = (1.0, 2**-0.25, 2**0.25, 2**-0.5, 2**0.5)
"""Of that side, which are searched: what is cropped shows less of the marked picture, what has a margin more."""
BITS = 32
MOST_FALSE_ALARM = 1e-6
"""A mark is found where unmarked pictures look so much like it with less than this probability."""
MOST_FRAMES = 4  # of a clip, which are asked together
_LEAST_SIDE = 32  # pixels, below which the networks see nothing


@dataclass(frozen=True)
class Detection:
    """What a search for the mark found.

    Attributes
    ----------
    found : whether `false_alarm` is below `MOST_FALSE_ALARM`.
    bits : how many of `BITS` are as in a mark, at the best of the `SCALES`.
    false_alarm : the probability of as much agreement by chance, see `false_alarm`.
    frames : that were asked.
    """

    found: bool
    bits: int
    false_alarm: float
    frames: int


class Watermark:
    """Puts the mark into pictures. Raises SettingsError where the library is missing."""

    def __init__(self) -> None:
        self._encoder = _session("encoder")

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """A picture uint8 (height, width, 3 or 4), marked: its colours differ by a few levels of 255."""
        import cv2

        height, width = picture.shape[:2]
        small = _network_input(picture, 1.0)
        marked = self._encoder.run(None, {"frame": small, "data": key()[None].astype(np.float32)})[0]
        change = (marked - small)[0, :, 0].transpose(1, 2, 0) * 127.5  # h w rgb, in levels
        enlarged = cv2.resize(change, (width, height), interpolation=cv2.INTER_CUBIC)
        result = picture.copy()
        result[..., :3] = np.rint(picture[..., :3] + enlarged).clip(0, 255)
        return result


def find_watermark(pictures: Iterable[np.ndarray]) -> Detection:
    """Look for the mark in pictures uint8 (height, width, 3 or 4) that would all bear it: a few frames of one clip.

    What the network says of a bit is summed over the frames. Raises SettingsError where the library is missing, and
    ValueError where there is no picture.
    """
    decoder = _session("decoder")
    inputs = [[_network_input(picture, scale) for scale in SCALES] for picture in pictures]
    if not inputs:
        raise ValueError("there is no picture to look at")
    best = Detection(False, 0, math.inf, len(inputs))
    for at_scale in zip(*inputs, strict=True):
        evidence = sum(decoder.run(None, {"frame": one})[0][0] for one in at_scale)
        chance, bits = false_alarm(evidence), int(((evidence > 0) == key()).sum())
        if chance < best.false_alarm:
            best = Detection(chance < MOST_FALSE_ALARM, bits, chance, len(inputs))
        if best.found:
            break
    return best


def false_alarm(evidence: np.ndarray) -> float:
    """The probability that bits of which the network is so sure, float (32,), agree with the key as well or better by
    chance, at one of the `SCALES` or more.

    Chance is that each bit falls like a coin, whatever the network's sureness: the exact tail of the sum of agreements,
    which is the binomial one where all are equally sure, times the number of scales. Its 2^32 cases are pairs of the
    2^16 of either half.
    """
    sure = np.abs(evidence).astype(float)
    agreement = np.where((evidence > 0) == key(), sure, -sure).sum()
    one, other = (_sums_of_signs(half) for half in np.split(sure, 2))
    needed = agreement - other - 1e-9 * sure.sum()
    as_well = len(one) - np.searchsorted(np.sort(one), needed)
    return min(1.0, len(SCALES) * float(as_well.mean()) / len(one))


def _sums_of_signs(values: np.ndarray) -> np.ndarray:
    """The sums of values (n,) with all choices of their signs, (2^n,)."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums - value, sums + value])
    return sums


def is_installed() -> bool:
    """Whether the library is there."""
    return find_spec("imwatermark") is not None and find_spec("onnxruntime") is not None


def key() -> np.ndarray:
    """The bits of the mark, bool (32,)."""
    digest = hashlib.sha256(b"Follow Your Emoji").digest()
    return np.unpackbits(np.frombuffer(digest[: BITS // 8], np.uint8)).astype(bool)


def _network_input(picture: np.ndarray, scale: float) -> np.ndarray:
    """A picture uint8 (height, width, 3 or 4) of the area that the networks work at, times a scale of its side: float32
    (1, 3, 1, h, w) in -1..1."""
    import cv2

    height, width = picture.shape[:2]
    factor = scale * SIDE / math.sqrt(height * width)
    size = (max(_LEAST_SIDE, round(width * factor)), max(_LEAST_SIDE, round(height * factor)))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    small = cv2.resize(np.ascontiguousarray(picture[..., :3]), size, interpolation=how)
    return (small.astype(np.float32) / 127.5 - 1.0).transpose(2, 0, 1)[None, :, None]


def _session(which: Literal["encoder", "decoder"]) -> InferenceSession:
    """One of the networks. The library itself is not imported: it would import PyWavelets and torch for nothing."""
    spec: Any = find_spec("imwatermark")
    if not is_installed():
        raise SettingsError(
            f"the watermark needs {LIBRARY}, which is missing: {INSTALL}", settings=("watermark",)
        )
    from onnxruntime import InferenceSession

    folder = Path(spec.submodule_search_locations[0])
    return InferenceSession(folder / f"rivagan_{which}.onnx", providers=["CPUExecutionProvider"])
