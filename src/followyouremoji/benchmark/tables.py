"""Tables and bar charts of any figures; needs only matplotlib, and only for plots."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path


def number(value: float, digits: int) -> str:
    """A number as the tables print it; nothing for NaN."""
    if math.isnan(value):
        return ""
    return "∞" if math.isinf(value) else f"{value:.{digits}f}"


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A markdown table, its first row the heading."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def plot_bars(
    path: Path, panels: Mapping[str, Mapping[str, float]], digits: int = 2, marked: Collection[str] = ()
) -> None:
    """A panel a title, in it a bar a name with its number, the first name above, those `marked` in red."""
    from matplotlib.figure import Figure

    longest = [len(bars) for bars in panels.values()]
    figure = Figure(figsize=(9, sum(longest) * 0.27 + len(panels) * 0.6), layout="constrained")
    axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=longest)[:, 0]
    for axis, (title, bars) in zip(axes, panels.items(), strict=True):
        colours = ["C3" if name in marked else "C0" for name in bars]
        drawn = axis.barh(list(bars), list(bars.values()), color=colours)
        axis.bar_label(drawn, [number(value, digits) for value in bars.values()], padding=3, fontsize=8)
        axis.invert_yaxis()
        axis.margins(x=0.1)
        axis.tick_params(axis="y", labelsize=8)
        axis.set_title(title, fontsize=9)
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=140)
