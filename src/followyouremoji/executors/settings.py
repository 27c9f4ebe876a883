"""Where work is done, as a user chooses it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from followyouremoji.config import validated
from followyouremoji.executors.base import Executor
from followyouremoji.executors.ray_cluster import RayCluster
from followyouremoji.options import option


@validated
class ClusterChoice:
    """A cluster of machines, or this machine alone."""

    cluster: str | None = option(
        None,
        "Work on a Ray cluster: its address, `auto` for the one that this machine belongs to, or `local` to try it here. "
        "Files must lie on a file system that all its machines share.",
        panel="Advanced",
        otherwise="this machine alone",
        min_length=1,
    )
    gpus_each: float | None = option(
        None,
        "On a cluster, GPUs of each worker: 1, a part of one such as 0.25, or 0.",
        panel="Advanced",
        otherwise="1 where the cluster has GPUs",
        ge=0.0,
        le=1.0,
    )

    def workers(self) -> AbstractContextManager[Executor | None]:
        """The cluster's workers while a block lasts; None for this machine alone. Raises as `RayCluster`."""
        return nullcontext() if self.cluster is None else RayCluster(self.cluster, self.gpus_each)
