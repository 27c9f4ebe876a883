"""The metrics of portrait animation, each usable alone: pure functions in the modules below, and `measure`, which takes
all of them of one result. docs/how/metrics.md defines them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from followyouremoji.benchmark.metrics import faces, gaze, identity, pictures, video
from followyouremoji.benchmark.metrics.metric import Measured, Metric
from followyouremoji.benchmark.metrics.networks import NETWORK_METRICS, Networks, measure_networks

if TYPE_CHECKING:
    from followyouremoji.benchmark.observation import Observation

__all__ = ["METRICS", "Measured", "Metric", "measure"]

_MODULES = (pictures, faces, gaze, identity, video)
METRICS: tuple[Metric, ...] = (
    *(metric for module in _MODULES for metric in module.METRICS),
    *NETWORK_METRICS,
)
"""The columns of all tables, in their order."""


def measure(observation: Observation, networks: Networks | None = None) -> list[Measured]:
    """All metrics of a result's mode, in the order of `METRICS`. NaN where the clip has no value; a metric whose
    network or bundle is missing is left out."""
    measured = [one for module in _MODULES for one in module.measure(observation)]
    if networks is not None:
        measured += measure_networks(observation, networks)
    by_name = {one.metric: one for one in measured}
    mode = observation.mode
    return [by_name[one.name] for one in METRICS if one.name in by_name and mode in one.modes]
