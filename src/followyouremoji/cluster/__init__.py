"""The work of one machine spread over a Ray cluster."""

from followyouremoji.cluster.units import work_on_ray

__all__ = ["work_on_ray"]
