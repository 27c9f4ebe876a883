"""Where older modules look for `metrics.identity`."""

from followyouremoji.benchmark.metrics.identity import IdentityScale, describe, measured_scale, separation

__all__ = ["IdentityScale", "describe", "measured_scale", "separation"]
