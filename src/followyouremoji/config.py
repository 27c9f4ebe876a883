"""What all configs share: strict pydantic dataclasses, read from JSON, and their mistakes in a user's words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import is_dataclass
from difflib import get_close_matches
from functools import wraps
from typing import Annotated, Any, TypeVar, dataclass_transform, get_args, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import ErrorDetails

from followyouremoji.errors import NAMED, SettingsError, UserError

Config = TypeVar("Config")
Share = Annotated[float, Field(ge=0, le=1)]

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)
SHOWN = 60  # characters of a wrong value that a message repeats
ALLOWED = {
    "bool_type": "true or false",
    "dataclass_exact_type": "a table",
    "dataclass_type": "a table",
    "finite_number": "a finite number",
    "float_type": "a number",
    "greater_than": "above {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "less_than": "below {lt:g}",
    "less_than_equal": "{le:g} or less",
    "literal_error": "{expected}",
    "multiple_of": "a multiple of {multiple_of}",
    "path_type": "a path",
    "string_type": "text",
    "too_long": "a list of {max_length}",
    "too_short": "a list of {min_length} or more",
    "tuple_type": "a list",
}
"""What an entry must be, by pydantic's type of error."""


@dataclass_transform(kw_only_default=True, frozen_default=True)
def validated(kind: type[Config]) -> type[Config]:
    """Make a class a frozen dataclass whose values are checked wherever it is made, by `dataclasses.replace` too.

    The text below a field is its description in the JSON schema. Raises SettingsError for what cannot be used.
    """
    made: Any = dataclass(frozen=True, kw_only=True, config=STRICT)(kind)
    make = made.__init__

    @wraps(make)
    def __init__(self: Any, **values: Any) -> None:
        try:
            make(self, **values)
        except ValidationError as error:
            entries = [str(part) for one in error.errors(include_url=False) for part in one["loc"]]
            raise SettingsError(_in_words(made, error), settings=entries) from None

    made.__init__ = __init__
    return made


def parse(
    kind: type[Config], text: bytes | str, origin: object, error: type[UserError] = SettingsError
) -> Config:
    """Read JSON text. Raises `error` naming `origin`, the wrong entries, and what is allowed there."""
    try:
        return TypeAdapter(kind).validate_json(text)
    except ValidationError as found:
        raise error(f"{origin}: {_in_words(kind, found)}") from None


def _in_words(kind: Any, error: ValidationError) -> str:
    mistakes = [_mistake(kind, one) for one in error.errors(include_url=False)]
    more = f"; and {len(mistakes) - NAMED} more mistakes" if len(mistakes) > NAMED else ""
    return "; ".join(mistakes[:NAMED]) + more


def _mistake(kind: Any, error: ErrorDetails) -> str:
    path, unknown = "", error["type"] == "unexpected_keyword_argument"
    table = next(_tables(kind), kind)
    for place, part in enumerate(error["loc"]):
        if isinstance(part, int):
            path += f"[{part}]"
            continue
        entries = get_type_hints(table) if is_dataclass(table) else {}
        if part in entries or (
            unknown and place == len(error["loc"]) - 1
        ):  # else the name of a union's member
            path += f".{part}" if path else part
            table = next(_tables(entries.get(part)), table)
    if unknown:
        known = list(get_type_hints(table))
        close = get_close_matches(str(error["loc"][-1]), known, 1)
        return f"unknown entry `{path}`; " + (
            f"did you mean `{close[0]}`?" if close else f"known are {', '.join(known)}"
        )
    if error["type"] in ("missing", "missing_keyword_only_argument"):
        return f"the entry `{path}` is missing"
    if error["type"] == "value_error":
        text = str(error["ctx"]["error"])
        return f"`{path}`: {text}" if path else text
    if error["type"] not in ALLOWED:
        return f"`{path}`: {error['msg']}" if path else error["msg"]
    allowed = ALLOWED[error["type"]].format(**error.get("ctx", {}))
    return f"{f'`{path}`' if path else 'it'} must be {allowed}, not {_shown(error['input'])}"


def _tables(annotation: Any) -> Iterator[Any]:
    """The configs that an annotation names."""
    if is_dataclass(annotation):
        yield annotation
    for inner in get_args(annotation):
        yield from _tables(inner)


def _shown(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
