"""Writes the tables of all entries of a training config into training.md, of all options of an animation into
options.md, and of all sliders into poses.md: python docs/options.py"""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from followyouremoji.apps.choices import flags
from followyouremoji.config import allowed
from followyouremoji.data.drawn import DrawnPart
from followyouremoji.face.sliders import SLIDERS
from followyouremoji.networks import AutoencoderConfig, NetworkConfig, QFormerConfig
from followyouremoji.networks.decoder import DecoderConfig, ShuffleConfig, TaesdConfig
from followyouremoji.requests.request import AnimationRequest
from followyouremoji.training.segments import Distillation
from followyouremoji.training.settings import (
    AutoencoderRun,
    DataPart,
    DecoderRun,
    DenoiserRun,
    LandmarkOptions,
    Optimisation,
    TrainingRun,
    Validation,
)
from followyouremoji.training.starts import Start

ANIMATION = Path(__file__).parent / "reference" / "options.md"
ANIMATION_HEAD = """# Every option of an animation

Options of `fye animate`, and the names by which a request, or the settings of the Python API, hold the same. `fye batch` has
all but `--job`, and `--format`; its `--output` is a folder. This page is written by [options.py](../options.py) from the
declarations that also check the values.
"""
PAGE = Path(__file__).parent / "guides" / "training.md"
BEGIN, END = "<!-- The tables are written by docs/options.py. -->\n", "<!-- End of the tables. -->\n"
POSES = Path(__file__).parent / "guides" / "poses.md"
POSES_BEGIN, POSES_END = "<!-- The table is written by docs/options.py. -->\n", "<!-- End of the table. -->\n"
TABLES = {
    "Of every run:": TrainingRun,
    'Of a run with `kind = "denoiser"`:': DenoiserRun,
    'Of a run with `kind = "autoencoder"`:': AutoencoderRun,
    'Of a run with `kind = "decoder"`:': DecoderRun,
    "`[optimisation]`:": Optimisation,
    "An entry of `data`:": DataPart,
    "`drawn`, in an entry of `data`:": DrawnPart,
    "`initial`, as a table:": Start,
    "`[landmarks]`:": LandmarkOptions,
    "`[distillation]`, see [distillation.md](../how/distillation.md):": Distillation,
    "`[validation]`:": Validation,
    "`[network]`, by default the released network:": NetworkConfig,
    "`[network.qformer]`:": QFormerConfig,
    "`[autoencoder]`:": AutoencoderConfig,
    "`[decoder]`:": DecoderConfig,
    "`[decoder.taesd]`:": TaesdConfig,
    "`[decoder.shuffle]`:": ShuffleConfig,
}


def tables() -> str:
    """All tables, in Markdown."""
    common = TypeAdapter(TrainingRun).json_schema()["properties"]
    parts = []
    for title, kind in TABLES.items():
        schema = TypeAdapter(kind).json_schema()
        leave_out = (
            {"kind", *(() if kind is TrainingRun else common)} if issubclass(kind, TrainingRun) else ()
        )
        rows = [
            f"| `{name}` | {allowed(entry, schema.get('$defs', {}))} | {default(entry)} | {meaning(entry)} |"
            for name, entry in schema["properties"].items()
            if name not in leave_out
        ]
        parts.append(
            "\n".join([title, "", "| entry | value | default | meaning |", "|---|---|---|---|", *rows])
        )
    return "\n\n".join(parts) + "\n"


def default(entry: dict[str, Any]) -> str:
    """The default of an entry; "-" for one that must be there, nothing where it may be left out or is a table."""
    if "default" not in entry:
        return "-"
    value = entry["default"]
    return "" if value is None or value == [] or isinstance(value, dict) else json.dumps(value)


def meaning(entry: dict[str, Any]) -> str:
    return " ".join(entry["description"].split())


def animation() -> str:
    """The page of all options of an animation."""
    panels = defaultdict(list)
    for place, kind in places(AnimationRequest):
        schema = TypeAdapter(kind).json_schema()
        name = place.rpartition(".")[2]
        entry = schema["properties"][name]
        flag = " or ".join(f"`{one.strip()}`" for one in flags(name)[0].split("/") if one.strip())
        otherwise = entry.get("otherwise") or f"`{default(entry)}`"
        cells = flag, f"`{place}`", allowed(entry, schema.get("$defs", {})), otherwise, meaning(entry)
        panels[entry.get("panel")].append(f"| {' | '.join(cells)} |\n")
    panels.pop(None)  # the portrait and the driving, which are no options
    head = "| option | in a request | value | default | meaning |\n|---|---|---|---|---|\n"
    return ANIMATION_HEAD + "".join(
        f"\n## {panel}\n\n{head}{''.join(rows)}" for panel, rows in panels.items()
    )


def sliders() -> str:
    """The table of all sliders, in Markdown."""
    rows = [
        f"| {slider.group} | `{slider.name}` | {slider.low:g} to {slider.high:g} | {slider.label} |"
        for slider in SLIDERS
    ]
    return "\n".join(["| | slider | amounts | what positive ones do |", "|---|---|---|---|", *rows]) + "\n"


def with_table(page: Path, begin: str, end: str, table: str) -> str:
    """The text of a page with another table between its marks."""
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    return f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}"


def places(kind: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Where in a request each option is, with the class that declares it."""
    for name, field in kind.__pydantic_fields__.items():
        if is_dataclass(field.annotation):
            yield from places(field.annotation, f"{path}{name}.")
        else:
            yield path + name, kind


if __name__ == "__main__":
    ANIMATION.write_text(animation(), encoding="utf-8")
    PAGE.write_text(with_table(PAGE, BEGIN, END, tables()), encoding="utf-8")
    POSES.write_text(with_table(POSES, POSES_BEGIN, POSES_END, sliders()), encoding="utf-8")
