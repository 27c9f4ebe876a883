"""Writes options.md beside this file from what the settings declare: `python docs/options.py`, in the checkout."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from followyouremoji.apps.choices import flags
from followyouremoji.options import bound, extra
from followyouremoji.requests.request import AnimationRequest

HEAD = """# Every option of an animation

Options of `fye animate`, and the names by which a request, or the settings of the Python API, hold the same. This page is
written by [options.py](options.py) from the declarations that also check the values.
"""


def page() -> str:
    """The page's text."""
    panels = defaultdict(list)
    for path, field in options(AnimationRequest):
        name = path.rpartition(".")[2]
        named = "/".join(f"`{flag.removeprefix(' /')}`" for flag in flags(name)[0].split("/") if flag.strip())
        default = extra(field, "otherwise") or f"`{str(field.default).lower()}`"
        cells = (named, f"`{path}`", allowed(field), default, field.description or "")
        panels[extra(field, "panel")].append(f"| {' | '.join(cells)} |\n")
    panels.pop(None)  # the portrait and the driving, which are no options
    head = "| Option | In a request | Values | Default | |\n|---|---|---|---|---|\n"
    return HEAD + "".join(f"\n## {panel}\n\n{head}{''.join(rows)}" for panel, rows in panels.items())


def options(settings: Any, path: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """All options with their places in a request."""
    for name, field in settings.__pydantic_fields__.items():
        if is_dataclass(field.annotation):
            yield from options(field.annotation, f"{path}{name}.")
        else:
            yield f"{path}{name}", field


def allowed(field: FieldInfo) -> str:
    """The values that a field takes: "1 to 1000", "`on`, `off`"; "" where anything of its type does."""
    least, above, most = bound(field, "ge"), bound(field, "gt"), bound(field, "le")
    if least is None and above is None:
        kinds = (field.annotation, *get_args(field.annotation))
        words = [word for kind in kinds if get_origin(kind) is Literal for word in get_args(kind)]
        if words and bool in kinds:
            words = ["true", "false", *words]
        return ", ".join(f"`{word}`" for word in words)
    begin = f"above {above:g}" if least is None else f"{least:g}"
    return f"{begin} or more" if most is None else f"{begin} to {most:g}"


if __name__ == "__main__":
    Path(__file__).with_suffix(".md").write_text(page(), encoding="utf-8")
