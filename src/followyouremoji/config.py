"""What all configs share: strict pydantic dataclasses, read from JSON, and their mistakes in a user's words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from difflib import get_close_matches
from functools import wraps
from typing import Annotated, Any, TypeVar, dataclass_transform

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import ErrorDetails

from followyouremoji.errors import NAMED, SettingsError, UserError, shown

Config = TypeVar("Config")
JsonSchema = Mapping[str, Any]
Share = Annotated[float, Field(ge=0, le=1)]

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)
KINDS = {"integer": "whole number", "number": "number", "string": "text", "object": "table"}
RANGE = {
    "minimum": " from {:g}",
    "exclusiveMinimum": " above {:g}",
    "maximum": " to {:g}",
    "exclusiveMaximum": " to below {:g}",
    "multipleOf": ", a multiple of {:g}",
}


@dataclass_transform(kw_only_default=True, frozen_default=True)
def validated(kind: type[Config]) -> type[Config]:
    """Make a class a frozen dataclass whose values are checked wherever it is made, by `dataclasses.replace` too.

    The text below a field is its description in the JSON schema. Raises SettingsError for what cannot be used.
    """
    made: Any = dataclass(frozen=True, kw_only=True, config=STRICT)(kind)
    for field in fields(made):  # pydantic reads the texts of a class's own fields: heirs find them here
        field.metadata = {"description": made.__pydantic_fields__[field.name].description}  # type: ignore[assignment]
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
    kind: type[Config], text: bytes | str, origin: object, error: Callable[[str], UserError] = SettingsError
) -> Config:
    """Read JSON text. Raises `error` naming `origin`, the wrong entries, and what is allowed there."""
    try:
        return TypeAdapter(kind).validate_json(text)
    except ValidationError as found:
        raise error(f"{origin}: {_in_words(kind, found)}") from None


def allowed(schema: JsonSchema, definitions: JsonSchema) -> str:
    """The values of an entry in words, such as "a whole number from 1 to 100"; that it may be left out goes without
    saying."""
    return " or ".join(_described(one) for one in _alternatives(schema, definitions))


def _described(schema: JsonSchema) -> str:
    if choices := schema.get("enum", [schema["const"]] if "const" in schema else []):
        *others, last = map(repr, choices)
        return f"{', '.join(others)} or {last}" if others else last
    kind = schema["type"]
    if kind == "boolean":
        return "true or false"
    if kind == "array":
        items, least = KINDS[_items(schema).get("type", "object")] + "s", schema.get("minItems", 0)
        return f"a list of {f'{least} ' if least == schema.get('maxItems') else ''}{items}"
    if schema.get("format") == "path":
        return "a path"
    words = "text" if kind == "string" else f"a {KINDS[kind]}"
    for name, text in RANGE.items():
        if name in schema:
            words += text.format(schema[name])
    return words if {"maximum", "exclusiveMaximum"} & schema.keys() else words.replace("from", "of at least")


def _alternatives(schema: JsonSchema, definitions: JsonSchema) -> Iterator[JsonSchema]:
    """The schemas one of which a value follows, without references and null."""
    if "$ref" in schema:
        yield from _alternatives(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    elif options := schema.get("anyOf", schema.get("oneOf")):
        for option in options:
            yield from _alternatives(option, definitions)
    elif schema.get("type") != "null":
        yield schema


def _items(schema: JsonSchema) -> JsonSchema:
    return schema.get("items") or schema["prefixItems"][0]


def _in_words(kind: Any, error: ValidationError) -> str:
    schema = TypeAdapter(kind).json_schema()
    found = error.errors(include_url=False)
    within = {one["loc"][:end] for one in found for end in range(len(one["loc"]))}
    # A list is called too short, too, where an entry of it is wrong.
    mistakes = [one for one in found if one["type"] != "too_short" or one["loc"] not in within]
    more = f"; and {len(mistakes) - NAMED} more mistakes" if len(mistakes) > NAMED else ""
    clauses = dict.fromkeys(clause for one in mistakes[:NAMED] for clause in _mistake(schema, one))
    return "; ".join(clauses) + more


def _mistake(schema: JsonSchema, error: ErrorDetails) -> Iterator[str]:
    """What is wrong, and what may help, which is the same for several mistakes in one table."""
    definitions, path, at = schema.get("$defs", {}), "", schema
    known: dict[str, JsonSchema] = {}
    for part in error["loc"]:
        options = list(_alternatives(at, definitions))
        if isinstance(part, int):
            path, at = f"{path}[{part}]", next(_items(one) for one in options if one["type"] == "array")
            continue
        known = {name: one for table in options for name, one in table.get("properties", {}).items()}
        any_name = [more for one in options if isinstance(more := one.get("additionalProperties"), dict)]
        if part in known or any_name:  # else it is unknown, or the name of a union's member
            at = known.get(part) or any_name[0]
            path = f"{path}.{shown(part)}" if path else shown(part)
    match error["type"]:
        case "unexpected_keyword_argument":
            name = shown(str(error["loc"][-1]))
            close = get_close_matches(name, known, 1)
            yield f"unknown entry `{f'{path}.{name}' if path else name}`"
            yield f"did you mean `{close[0]}`?" if close else f"known are {', '.join(known)}"
        case "missing" | "missing_keyword_only_argument":
            yield f"the entry `{path}` is missing"
        case "value_error":
            yield (f"`{path}`: " if path else "") + str(error["ctx"]["error"])
        case "too_short" if at.get("minItems") != at.get("maxItems"):
            least, length = error["ctx"]["min_length"], error["ctx"]["actual_length"]
            yield f"`{path}` must have at least {least} entr{'y' if least == 1 else 'ies'}, not {length}"
        case "json_invalid":
            yield f"it is no JSON text ({error['ctx']['error']})"
        case _:
            value = error["input"]
            text = json.dumps(value) if value is None or isinstance(value, bool) else repr(value)
            yield f"{f'`{path}`' if path else 'it'} must be {allowed(at, definitions)}, not {shown(text)}"
