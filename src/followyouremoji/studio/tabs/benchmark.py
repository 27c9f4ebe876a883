"""The tab Benchmark: reports, studies and training runs that lie in a folder beside the studio."""

from __future__ import annotations

from followyouremoji.studio.widget import widget


def benchmark_tab() -> None:
    """Lay the tab out."""
    widget("benchmark.js", "", "fye-benchmark")
