"""What each control, expression and slider does to the mean face, measured.

`expressions.csv` holds what was looked at and kept. Where a change is meant, `python -m tests.face.test_expressions`
writes it anew; look at the expressions before you keep that.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from followyouremoji.face.controls import keep_lips_apart, linear_offsets, move_lids
from followyouremoji.face.expressions import CONTROLS, EXPRESSIONS, Expression, expression
from followyouremoji.face.sliders import EFFECTS, SLIDERS
from followyouremoji.face.topology import mean_face

TABLE = Path(__file__).with_name("expressions.csv")
MOVES: Mapping[str, Expression] = {
    **{f"control {name}": expression(**{name: 1.0}) for name in CONTROLS},
    **{f"expression {name}": shown for name, shown in EXPRESSIONS.items()},
    **{f"slider {slider.name}": EFFECTS[slider.name] for slider in SLIDERS},
}


def measured(shown: Expression) -> dict[str, float]:
    """How far an expression moves the parts of the mean face, in millimetres and the picture's directions: to its
    right, up, and towards who looks; and where the eyes look."""
    rest, face = mean_face(), mean_face() + linear_offsets(shown.vector())
    move_lids(face, shown.vector())
    keep_lips_apart(face)
    moved = 10.0 * (face - rest)
    sides = {
        "": (moved[152], "xy", "chin"),
        " left": (moved[291], "xyz", "corner"),
        " right": (moved[61], "xyz", "corner"),
    }
    found = {
        f"{part}{side} {axis}": move["xyz".index(axis)]
        for side, (move, axes, part) in sides.items()
        for axis in axes
    }
    for part, left, right in (
        ("brow inside", 336, 107),
        ("brow outside", 300, 70),
        ("upper lid", 386, 159),
        ("lower lid", 374, 145),
        ("crease", 257, 27),
        ("nostril", 327, 98),
    ):
        found |= {f"{part} left y": moved[left, 1], f"{part} right y": moved[right, 1]}
    found |= {"brow inside left x": moved[336, 0], "brow inside left z": moved[336, 2]}
    found |= {f"cheek left {axis}": moved[425, "xyz".index(axis)] for axis in "xyz"}
    found |= {
        f"{lip} lip {axis}": moved[point, "xyz".index(axis)]
        for lip, point in (("upper", 13), ("lower", 14))
        for axis in "xyz"
    }
    found["all points"] = float(np.sqrt((moved**2).sum(axis=1).mean()))
    for eye, (across, up) in zip(("right", "left"), shown.gaze, strict=True):
        found |= {f"{eye} eye looks x": across, f"{eye} eye looks y": up}
    return {name: round(float(value), 2) + 0.0 for name, value in found.items()}


def kept() -> dict[str, dict[str, float]]:
    with TABLE.open(newline="") as opened:
        return {
            row.pop("what"): {name: float(value) for name, value in row.items()}
            for row in csv.DictReader(opened)
        }


def test_nothing_came_or_went() -> None:
    assert kept().keys() == MOVES.keys()


@pytest.mark.parametrize("what", MOVES)
def test_a_face_moves_as_it_was_looked_at(what: str) -> None:
    assert measured(MOVES[what]) == pytest.approx(kept()[what], abs=0.02)


def write_table() -> None:
    with TABLE.open("w", newline="") as opened:
        rows = csv.DictWriter(opened, ["what", *measured(Expression())])
        rows.writeheader()
        rows.writerows({"what": what, **measured(shown)} for what, shown in MOVES.items())


if __name__ == "__main__":
    write_table()
