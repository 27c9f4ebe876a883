"""Configs are checked wherever they are made, and say in words what is wrong."""

from __future__ import annotations

import pickle
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, PositiveInt

from followyouremoji.config import Share, parse, validated
from followyouremoji.errors import DataError, SettingsError


@validated
class Brush:
    width: PositiveInt = 3
    """In pixels."""
    angle: Annotated[float, Field(ge=0, lt=360)] = 0.0
    """In degrees."""
    opacity: Share = 1.0
    """1 is opaque."""


@validated
class Painting(Brush):
    output: Path
    """The file."""
    brushes: tuple[Brush, ...] = ()
    """More of them."""
    style: Literal["oil", "ink"] = "oil"
    """The medium."""
    layers: Annotated[tuple[Brush, ...], Field(min_length=2)] = (Brush(), Brush())
    """Each in one."""


def test_a_config_survives_json_pickling_and_changes() -> None:
    painting = parse(Painting, '{"output": "a.png", "brushes": [{"width": 5}], "opacity": 1}', "it")
    assert painting == Painting(output=Path("a.png"), brushes=(Brush(width=5),))
    assert pickle.loads(pickle.dumps(painting)) == painting
    assert replace(painting, style="ink").style == "ink"
    assert asdict(painting)["brushes"] == ({"width": 5, "angle": 0.0, "opacity": 1.0},)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "the entry `output` is missing"),
        ("[]", "it must be a table, not []"),
        ("{", "it is no JSON text"),
        ('{"output": 3}', "`output` must be a path, not 3"),
        ('{"output": "a", "syle": "ink"}', "unknown entry `syle`; did you mean `style`?"),
        (
            '{"output": "a", "frame": 1}',
            "unknown entry `frame`; known are width, angle, opacity, output, brushes",
        ),
        (
            '{"output": "a", "frame": 1, "wall": 2, "brushes": [{"nails": 3}]}',
            "unknown entry `brushes[0].nails`; known are width, angle, opacity; unknown entry `frame`; known are width, angle, "
            "opacity, output, brushes, style, layers; unknown entry `wall`",
        ),
        ('{"output": "a", "style": "wax"}', "`style` must be 'oil' or 'ink', not 'wax'"),
        (
            '{"output": "a", "brushes": [{}, {"width": 0}]}',
            "`brushes[1].width` must be a whole number above 0",
        ),
        ('{"output": "a", "opacity": true}', "`opacity` must be a number from 0 to 1, not true"),
        ('{"output": "a", "opacity": NaN}', "`opacity` must be a number from 0 to 1, not nan"),
        ('{"output": "a", "angle": 360}', "`angle` must be a number from 0 to below 360, not 360"),
        ('{"output": "a", "layers": [{}]}', "`layers` must have at least 2 entries, not 1"),
        ('{"output": "a", "brushes": null}', "`brushes` must be a list of tables, not null"),
    ],
)
def test_a_mistake_is_told_with_file_path_and_what_is_allowed(text: str, words: str) -> None:
    with pytest.raises(DataError) as error:
        parse(Painting, text, "a.json", DataError)
    assert str(error.value).startswith(f"a.json: {words}")


def test_a_list_with_a_wrong_entry_is_not_called_too_short() -> None:
    with pytest.raises(DataError) as error:
        parse(Painting, '{"output": "a", "layers": [{"width": 0}, {}]}', "a.json", DataError)
    assert str(error.value) == "a.json: `layers[0].width` must be a whole number above 0, not 0"


def test_values_are_checked_without_a_file_too() -> None:
    with pytest.raises(SettingsError, match=r"^`width` must be a whole number above 0, not 0$"):
        Brush(width=0)
    with pytest.raises(SettingsError, match="`opacity`"):
        replace(Brush(), opacity=2.0)
