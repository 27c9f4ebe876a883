"""Tables of the reference, from the declarations that also check the values: all options of an animation, all entries
of a training config and of a model's, all sliders."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import is_dataclass
from typing import Any

from pydantic import TypeAdapter

from followyouremoji.apps.choices import flags
from followyouremoji.checkpoints.config import ModelConfig
from followyouremoji.config import allowed
from followyouremoji.data.drawn import DrawnPart
from followyouremoji.face.sliders import SLIDERS
from followyouremoji.networks import AutoencoderConfig, NetworkConfig, QFormerConfig
from followyouremoji.networks.decoder import DecoderConfig, ShuffleConfig, TaesdConfig
from followyouremoji.requests.request import AnimationRequest
from followyouremoji.stickers.services import SERVICES, StickerFormat
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

TABLES = {
    "Every run": TrainingRun,
    'A run with `kind = "denoiser"`': DenoiserRun,
    'A run with `kind = "autoencoder"`': AutoencoderRun,
    'A run with `kind = "decoder"`': DecoderRun,
    "`[optimisation]`": Optimisation,
    "An entry of `data`": DataPart,
    "`drawn`, in an entry of `data`": DrawnPart,
    "`initial`, as a table": Start,
    "`[landmarks]`": LandmarkOptions,
    "`[distillation]`": Distillation,
    "`[validation]`": Validation,
    "`[network]`": NetworkConfig,
    "`[network.qformer]`": QFormerConfig,
    "`[autoencoder]`": AutoencoderConfig,
    "`[decoder]`": DecoderConfig,
    "`[decoder.taesd]`": TaesdConfig,
    "`[decoder.shuffle]`": ShuffleConfig,
}


def tables() -> str:
    """The tables of all entries of a training config."""
    common = TypeAdapter(TrainingRun).json_schema()["properties"]
    parts = []
    for title, kind in TABLES.items():
        inherited = common if kind is not TrainingRun and issubclass(kind, TrainingRun) else ()
        leave_out = {"kind", *inherited} if issubclass(kind, TrainingRun) else ()
        parts.append(f"## {title}\n\n{entries(kind, leave_out)}")
    return "\n".join(parts)


def checkpoint() -> str:
    """The table of a model's settings in its `config.json`."""
    return entries(ModelConfig)


def entries(kind: Any, leave_out: Collection[str] = ()) -> str:
    """The table of a class of settings."""
    schema = TypeAdapter(kind).json_schema()
    rows = [
        f"| `{name}` | {meaning(entry)} | {allowed(entry, schema.get('$defs', {}))} | {default(entry)} |"
        for name, entry in schema["properties"].items()
        if name not in leave_out
    ]
    return "\n".join(["| entry | meaning | value | default |", "|---|---|---|---|", *rows]) + "\n"


def default(entry: dict[str, Any]) -> str:
    """The default of an entry; "-" for one that must be there, nothing where it may be left out or is a table."""
    if "default" not in entry:
        return "-"
    value = entry["default"]
    return "" if value is None or value == [] or isinstance(value, dict) else json.dumps(value)


def meaning(entry: dict[str, Any]) -> str:
    return " ".join(entry["description"].split())


def animation() -> str:
    """The tables of all options of an animation."""
    panels = defaultdict(list)
    for place, kind in places(AnimationRequest):
        schema = TypeAdapter(kind).json_schema()
        name = place.rpartition(".")[2]
        entry = schema["properties"][name]
        flag = " or ".join(f"`{one.strip()}`" for one in flags(name)[0].split("/") if one.strip())
        otherwise = entry.get("otherwise") or f"`{default(entry)}`"
        cells = flag, meaning(entry), allowed(entry, schema.get("$defs", {})), otherwise, f"`{place}`"
        panels[entry.get("panel")].append(f"| {' | '.join(cells)} |\n")
    panels.pop(None)  # the portrait and the driving, which are no options
    head = "| option | meaning | value | default | in a request |\n|---|---|---|---|---|\n"
    return "".join(f"\n## {panel}\n\n{head}{''.join(rows)}" for panel, rows in panels.items())


def sliders() -> str:
    """The table of all sliders."""
    rows = [
        f"| {slider.group} | `{slider.name}` | {slider.low:g} to {slider.high:g} | {slider.label} |"
        for slider in SLIDERS
    ]
    return "\n".join(["| | slider | amounts | what positive ones do |", "|---|---|---|---|", *rows]) + "\n"


def stickers() -> str:
    """The table of what services take, in Markdown."""
    return "\n".join(
        [
            "| `--for` | file | pixels | bytes | time | documented |",
            "|---|---|---|---|---|---|",
            *map(service, SERVICES.values()),
        ]
    )


def service(format: StickerFormat) -> str:
    size = "" if format.max_bytes is None else f"{format.max_bytes:,}"
    times = [] if format.max_seconds is None else [f"at most {format.max_seconds:g} s"]
    if format.whole_seconds:
        times.append("whole seconds")
    if format.max_rate is not None:
        times.append(f"{format.max_rate:g} frames a second")
    if format.max_frames is not None:
        times.append(f"{format.least_frames} to {format.max_frames} frames")
    sides = f"at most {format.size[0]} a side" if format.sides == "any" else format.sides_in_words()
    kind = f"{format.container.replace('webm', 'VP9 in webm')}, `{format.ending}`"
    source = f"[{format.checked}]({format.source})"
    return f"| `{format.name}` | {kind} | {sides} | {size} | {', '.join(times)} | {source} |"


def places(kind: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Where in a request each option is, with the class that declares it."""
    for name, field in kind.__pydantic_fields__.items():
        if is_dataclass(field.annotation):
            yield from places(field.annotation, f"{path}{name}.")
        else:
            yield path + name, kind
