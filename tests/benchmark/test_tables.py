"""What the benchmarks print and plot."""

from pathlib import Path

import numpy as np
from matplotlib.colors import to_rgb

from followyouremoji.benchmark.tables import plot_bars
from followyouremoji.media.pictures import read_picture


def coloured(picture: np.ndarray, name: str) -> int:
    """Pixels of one of matplotlib's colours."""
    return int((np.abs(picture - 255 * np.array(to_rgb(name))).max(axis=-1) < 2).sum())


def test_bars_are_as_long_as_their_numbers_and_those_that_are_marked_are_red(tmp_path: Path) -> None:
    plot_bars(tmp_path / "bars.png", {"s": {"ours": 1.0, "theirs": 3.0}, "GB": {"a": 1.0}}, marked=("ours",))
    picture = read_picture(tmp_path / "bars.png").astype(float)
    upper, lower = np.array_split(picture, 2)
    assert np.isclose(coloured(upper, "C0") / coloured(upper, "C3"), 3, rtol=0.05)
    assert coloured(lower, "C0") > coloured(lower, "C3") == 0
