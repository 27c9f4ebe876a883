"""Writes the tables of all entries of a training config into training.md: python docs/options.py"""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from followyouremoji.config import allowed
from followyouremoji.data.drawn import DrawnPart
from followyouremoji.networks import AutoencoderConfig, NetworkConfig, QFormerConfig
from followyouremoji.training.settings import (
    AutoencoderRun,
    DataPart,
    DenoiserRun,
    LandmarkOptions,
    Optimisation,
    TrainingRun,
    Validation,
)
from followyouremoji.training.starts import Start

PAGE = Path(__file__).with_name("training.md")
BEGIN, END = "<!-- The tables are written by docs/options.py. -->\n", "<!-- End of the tables. -->\n"
TABLES = {
    "Of every run:": TrainingRun,
    'Of a run with `kind = "denoiser"`:': DenoiserRun,
    'Of a run with `kind = "autoencoder"`:': AutoencoderRun,
    "`[optimisation]`:": Optimisation,
    "An entry of `data`:": DataPart,
    "`drawn`, in an entry of `data`:": DrawnPart,
    "`initial`, as a table:": Start,
    "`[landmarks]`:": LandmarkOptions,
    "`[validation]`:": Validation,
    "`[network]`, by default the released network:": NetworkConfig,
    "`[network.qformer]`:": QFormerConfig,
    "`[autoencoder]`:": AutoencoderConfig,
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


if __name__ == "__main__":
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + "\n" + tables() + "\n" + END + rest.partition(END)[2], encoding="utf-8")
