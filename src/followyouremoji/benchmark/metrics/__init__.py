"""The metrics of portrait animation, each usable alone: pure functions in the modules below, and `measure`, which takes
all of them of one result. docs/metrics.md defines them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from followyouremoji.benchmark.metrics import faces, gaze, identity, pictures, video
from followyouremoji.benchmark.metrics.metric import Measured, Metric

if TYPE_CHECKING:
    from followyouremoji.benchmark.observation import Observation

__all__ = ["METRICS", "Measured", "Metric", "measure"]

_MODULES = (pictures, faces, gaze, identity, video)
METRICS: tuple[Metric, ...] = tuple(metric for module in _MODULES for metric in module.METRICS)
"""The columns of all tables, in their order."""


def measure(observation: Observation) -> list[Measured]:
    """All metrics of a result, in the order of `METRICS`. NaN where the clip has no value; a metric whose network or
    bundle is missing is left out."""
    measured = {one.metric: one for module in _MODULES for one in module.measure(observation)}
    mode = observation.mode
    return [measured[one.name] for one in METRICS if one.name in measured and mode in one.modes]
