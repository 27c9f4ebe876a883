"""Inputs of nodes made from the declarations of the project's settings, and settings from what they give."""

from __future__ import annotations

from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin

from comfy_api.latest import io

from followyouremoji.options import bound, extra
from followyouremoji.settings import Switch

Settings = TypeVar("Settings")

SWITCH = {"auto": "auto", "on": True, "off": False}
LARGEST = 2**32 - 1
"""Of whole numbers that have no bound of their own."""


def widgets(settings: Any, *names: str) -> list[io.Input]:
    """An input for each of these settings, with its declared type, range, default and help.

    Where a setting may be None, 0 stands for that; a switch is on, off or auto.
    """
    return [widget(settings, name) for name in names]


def widget(settings: Any, name: str) -> io.Input:
    field = settings.__pydantic_fields__[name]
    kind, help = field.annotation, (field.description or "").replace("`", "")
    if kind == Switch:
        return io.Combo.Input(name, options=list(SWITCH), default=field.default, tooltip=help)
    if get_origin(kind) is Literal:
        return io.Combo.Input(name, options=list(get_args(kind)), default=field.default, tooltip=help)
    optional = NoneType in get_args(kind)
    number = next(one for one in get_args(kind) or (kind,) if one is not NoneType)
    low = 0 if optional else bound(field, "ge")
    high = bound(field, "le")
    shown: dict[str, Any] = {"default": field.default or 0, "min": low}
    if optional:
        help = f"{help} 0: {extra(field, 'otherwise')}."
    if number is int:
        shown |= {"max": high or LARGEST, "control_after_generate": True if name == "seed" else None}
        return io.Int.Input(name, tooltip=help, **shown)
    shown |= {"max": high or 100.0, "step": 0.05}
    return io.Float.Input(name, tooltip=help, **{key: float(value) for key, value in shown.items()})


def settings_of(settings: type[Settings], given: dict[str, Any], **more: Any) -> Settings:
    """The settings that inputs made by `widgets` mean. Raises SettingsError for values that cannot be used."""
    meant = {}
    for name, value in given.items():
        kind = settings.__pydantic_fields__[name].annotation  # type: ignore[attr-defined]
        if kind == Switch:
            value = SWITCH[value]
        elif value == 0 and NoneType in get_args(kind):
            value = None
        meant[name] = value
    return settings(**meant, **more)
