"""How many cores a container may use: torch takes as many threads as the machine has cores, which then wait for each
other."""

from __future__ import annotations

import math
import os
from pathlib import Path

CONTROL_GROUPS = Path("/sys/fs/cgroup")


def limit_threads() -> None:
    """Give libraries that are imported from now on no more threads than a container's quota lets run at once; nothing
    where that is no limit, or where OMP_NUM_THREADS is set."""
    cores = quota()
    if cores is not None and cores < usable():
        os.environ.setdefault("OMP_NUM_THREADS", str(cores))


def usable() -> int:
    """Cores that this process may run on, which those libraries know themselves."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def quota(groups: Path = CONTROL_GROUPS) -> int | None:
    """Cores that the control group of this process may use at once, rounded up; None where it may use all.

    Reads what Linux writes for version 2 (`cpu.max`) and version 1 (`cpu.cfs_quota_us`), as seen inside a container.
    """
    try:
        time, _, period = (groups / "cpu.max").read_text().partition(" ")
    except OSError:
        try:
            time, period = (
                (groups / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period")
            )
        except OSError:
            return None
    try:
        cores = int(time) / int(period)
    except (ValueError, ZeroDivisionError):  # "max"
        return None
    return math.ceil(cores) if cores > 0 else None  # -1: no limit
