"""What a user can set, declared once: name, type, range, default, help, and the panel that shows it.

The checks of `config`, the options of the commands, the table in the docs and the JSON schema read these declarations.
Imports nothing heavy, so that a command's help comes at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any, Literal

from pydantic import Field
from pydantic.fields import FieldInfo

Panel = Literal["Result", "Motion", "Framing", "Page", "Server", "Limits", "Model", "Provenance", "Advanced"]
"""In the order in which a newcomer needs them, which is that of a command's help."""


def option(
    default: Any, help: str, *, panel: Panel | None = None, otherwise: str | None = None, **rules: Any
) -> Any:
    """A field of a `config.validated` class.

    Parameters
    ----------
    default : `...` where there is none.
    help : a sentence for users; what they may write stands in `backquotes`.
    panel : the group of settings that it is shown in.
    otherwise : in words, what happens where the default is None or "auto".
    rules : as of `pydantic.Field`: ge, gt, le, strict.
    """
    shown: Any = {name: text for name, text in (("panel", panel), ("otherwise", otherwise)) if text}
    return Field(default, description=help, json_schema_extra=shown, **rules)


def options(settings: Any) -> Iterator[tuple[str, FieldInfo]]:
    """All options of a `config.validated` class, by name, with those of the settings inside. Names are unique."""
    for name, field in settings.__pydantic_fields__.items():
        if is_dataclass(field.annotation):
            yield from options(field.annotation)
        else:
            yield name, field


def extra(field: FieldInfo, name: str) -> Any:
    """What `option` was given as `panel` or `otherwise`; None where it was not."""
    return field.json_schema_extra.get(name) if isinstance(field.json_schema_extra, dict) else None


def bound(field: FieldInfo, name: str) -> float | None:
    """A field's bound "ge", "gt" or "le"; None where it has none."""
    return next((getattr(rule, name) for rule in field.metadata if hasattr(rule, name)), None)
