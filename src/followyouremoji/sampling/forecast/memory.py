"""What is remembered of the computed passes, and told in the others."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from followyouremoji.networks.unet import Place
from followyouremoji.sampling.forecast.bases import Basis, passes_used, weights
from followyouremoji.sampling.forecast.settings import Forecast

EVERY_MODULE = ("resnet", "attention", "motion")
PROBE: tuple[Place, int] = ("resnet", 0)


def combine(values: Sequence[Tensor], shares: np.ndarray) -> Tensor:
    """The sum of tensors by their weights, in float32 where theirs has few digits; one of weight 1 alone is given as it
    is."""
    used = [(value, float(share)) for value, share in zip(values, shares, strict=True) if share != 0]
    if len(used) == 1 and used[0][1] == 1.0:
        return used[0][0]
    dtype = values[0].dtype
    total = used[0][0].to(torch.promote_types(dtype, torch.float32)) * used[0][1]
    for value, share in used[1:]:
        total.add_(value, alpha=share)
    return total.to(dtype)


class Series:
    """The values of one thing in the last passes, at most as many as a forecast reads."""

    def __init__(self, basis: Basis, order: int) -> None:
        self.basis, self.order = basis, order
        self.kept: deque[tuple[float, Tensor]] = deque(maxlen=passes_used(basis, order))

    @property
    def times(self) -> np.ndarray:
        return np.array([time for time, _ in self.kept])

    @property
    def values(self) -> list[Tensor]:
        return [value for _, value in self.kept]

    @property
    def bytes(self) -> int:
        return sum(value.numel() * value.element_size() for _, value in self.kept)

    def remember(self, time: float, value: Tensor) -> None:
        self.kept.append((time, value))

    def told(self, time: float) -> Tensor:
        """The forecast for a time, of at least one remembered value."""
        return combine(self.values, weights(self.basis, self.order, self.times, time))


class FeatureMemory:
    """A `networks.unet.Recall` for one window and one half of guidance: features of the chosen places are remembered in
    computed passes and told in the others.

    Call `begin` before each pass. With a threshold, a pass that is not due is decided in its middle: the outermost
    resnet always runs, and where the forecast of its features fails, so would that of what lies within, which is then
    computed.
    """

    def __init__(self, forecast: Forecast) -> None:
        self.forecast = forecast
        self.features: dict[tuple[Place, int], Series] = {}
        self.time = 0.0
        self.computing = True
        self.gated = False  # undecided until the probe has run
        self.told_passes = 0  # since the last computed one

    def begin(self, time: float, due: bool) -> None:
        """A pass at `time` on the forecast's clock comes next; `due`: it has to be computed."""
        self.told_passes = 0 if self.computing else self.told_passes + 1
        self.time = time
        self.computing = due or not self.features
        if self.forecast.threshold is not None:
            self.computing |= 1 < self.forecast.interval <= self.told_passes + 1
            self.gated = not self.computing

    def __call__(self, place: Place, index: int, compute: Callable[[], Tensor]) -> Tensor:
        if self.forecast.threshold is not None and (place, index) == PROBE:
            return self._probe(compute())
        if not self._covers(place, index):
            return compute()
        series = self._series((place, index))
        if not self.computing:
            return series.told(self.time)
        value = compute()
        series.remember(self.time, value)
        return value

    def _series(self, place: tuple[Place, int]) -> Series:
        return self.features.setdefault(place, Series(self.forecast.basis, self.forecast.order))

    def _covers(self, place: Place, index: int) -> bool:
        if self.forecast.what == "inside":
            return place == "inside" and index == self.forecast.depth
        return place in EVERY_MODULE

    def _probe(self, value: Tensor) -> Tensor:
        series = self._series(PROBE)
        if self.gated:
            missed = (series.told(self.time).float() - value.float()).flatten(1).norm(dim=1)
            share = missed / value.float().flatten(1).norm(dim=1)
            self.computing = bool(share.max() > self.forecast.threshold)
        if self.computing:
            series.remember(self.time, value)
        return value

    @property
    def bytes(self) -> int:
        """Of all features that are remembered now."""
        return sum(series.bytes for series in self.features.values())
