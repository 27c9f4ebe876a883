"""Requests that a page would never make, for every web application of the project."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

TEXTS = (
    *(
        "",
        " ",
        "..",
        "../../etc/passwd",
        "/etc/passwd",
        "..\\..\\x",
        "%2e%2e%2f",
        "a\0b",
        "a\r\nX-A: b",
        "\u202e",
        "é" * 300,
    ),
    *(
        "bundled:",
        "bundled:../ada",
        "bundled:/etc/passwd",
        "0" * 32,
        "f" * 5000,
        "-",
        "--help",
        "$(id)",
        "<script>",
    ),
)
VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        -1,
        0,
        1,
        2**31,
        2**63,
        10**40,
        0.5,
        -0.0,
        1e308,
        -1e308,
        1e-320,
        float("nan"),
        float("inf"),
    ),
    *([], [[]], {}, {"": None}, [None] * 1000, {"__proto__": {}}, *TEXTS),
)
DEEP = ("[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000)
TYPES = (
    "application/json",
    "text/plain",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded",
    "a",
    "",
)

texts = st.sampled_from(TEXTS) | st.text(max_size=40)
json_values = st.recursive(
    st.sampled_from(VALUES) | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to all parts of a JSON value, the whole one's first."""
    yield way
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from places(part, (*way, key))


def replaced(value: Any, way: tuple[Any, ...], by: Any) -> Any:
    """A JSON value of which the part at the end of a way is another."""
    if not way:
        return by
    changed = copy.copy(value)
    changed[way[0]] = replaced(value[way[0]], way[1:], by)
    return changed


@st.composite
def bodies_like(draw: st.DrawFn, usual: Any) -> bytes:
    """Bodies of requests: the usual one with a part that is another, text that nests deeply, is cut off, or is none."""
    kind = draw(st.sampled_from("nnnnndcb"))
    if kind == "d":
        return draw(st.sampled_from(DEEP)).encode()
    if kind == "b":
        return draw(st.binary(max_size=200))
    way = draw(st.sampled_from(list(places(usual))))
    by = draw(json_values)
    if draw(st.booleans()) and isinstance(usual, dict):  # an entry that there is not
        usual = {**usual, draw(texts): draw(json_values)}
    written = json.dumps(replaced(usual, way, by)).encode()
    return written[: draw(st.integers(0, len(written)))] if kind == "c" else written


@st.composite
def paths_like(draw: st.DrawFn, path: str) -> str:
    """A route's path with something for each `{name}`, as a client would write it."""
    begin, *others = path.split("{")
    for other in others:
        begin += quote(draw(texts), safe=draw(st.sampled_from(("", "/%")))) + other.partition("}")[2]
    return begin


@st.composite
def queries(draw: st.DrawFn, names: tuple[str, ...]) -> dict[str, str]:
    return {name: draw(texts) for name in names if draw(st.booleans())}
