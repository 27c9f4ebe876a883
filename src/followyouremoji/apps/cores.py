"""How this process shares the machine's cores with others."""

from __future__ import annotations

import math
import os
from pathlib import Path

CONTROL_GROUPS = Path("/sys/fs/cgroup")


def share_cores() -> None:
    """Have the OpenMP of libraries that are imported from now on, torch's above all, wait without work for its threads,
    and start no more of them than a container's quota lets run at once: it takes as many as the machine has cores, and
    those that wait would take time from others. NumPy's matrices are small and solved beside torch's work; threads of
    their own would wait at full speed. Where the environment says otherwise, that stays."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
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
