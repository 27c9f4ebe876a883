"""One way to map a function over many items: in this process, in processes of this machine, or on a Ray cluster."""

from followyouremoji.executors.base import Executor, Local, Outcome, WorkerLost
from followyouremoji.executors.processes import Processes
from followyouremoji.executors.ray_cluster import RayCluster

__all__ = ["Executor", "Local", "Outcome", "Processes", "RayCluster", "WorkerLost"]
