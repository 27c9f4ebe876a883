"""Tables of any figures."""

from __future__ import annotations

import math
from collections.abc import Sequence


def number(value: float, digits: int) -> str:
    """A number as the tables print it; nothing for NaN."""
    if math.isnan(value):
        return ""
    return "∞" if math.isinf(value) else f"{value:.{digits}f}"


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A markdown table, its first row the heading."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])
