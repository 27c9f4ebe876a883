"""The ablations of Table 2, trained at small scale on one budget, measured on the drawn suites and compared with the
paper's figures.

Only the direction can be compared: whether leaving something out makes a figure worse, as it did in the paper. The
paper's figures are of another network, trained on other data and measured on other clips.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic_core import to_json

from followyouremoji.benchmark.metrics import METRICS
from followyouremoji.benchmark.report.scores import Scores
from followyouremoji.benchmark.tables import markdown, number
from followyouremoji.checkpoints.sources import find_checkpoint
from followyouremoji.config import parse, validated
from followyouremoji.errors import SettingsError
from followyouremoji.executors import Executor
from followyouremoji.files import atomic
from followyouremoji.training.config import load_denoiser_run, read_toml
from followyouremoji.training.drawings import DrawingSettings, draw_folder
from followyouremoji.training.export import export_model
from followyouremoji.training.loop import Outcome
from followyouremoji.training.trainer import train_denoiser

FULL = "full"  # the ablation that leaves nothing out
PREFIX = "ablation_"
SHARED_NOISE = 0.9
SAMPLING_STEPS = 1
WINDOW = 8  # frames sampled at once, as in training: less than a suite's clip
PLACES = {"drawings", "output", "autoencoder", "initial"}  # entries of a run that say where its files are


class Interrupted(Exception):
    """A signal came while a model was trained. Its state is saved; `outcome` says how the run ended."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.summary())
        self.outcome = outcome


@dataclass(frozen=True)
class Column:
    """A figure that both tables have: the paper's name and decimals, and our kind of reenactment and metric."""

    name: str
    paper: str
    digits: int
    mode: str
    metric: str


COLUMNS = (
    Column("L1 ↓", "l1", 3, "self", "l1"),
    Column("SSIM ↑", "ssim", 3, "self", "ssim"),
    Column("identity (ours: appearance) ↑", "identity", 3, "cross", "appearance"),
    # Table 2 prints an arrow down, but the text calls the figure an accuracy, and the full method has the largest.
    Column("landmark accuracy ↑", "landmarks", 2, "cross", "landmark_accuracy"),
)
OWN_COLUMNS = (("self", "l1_face"), ("self", "iris"), ("self", "flicker"), ("cross", "l1_face"))
"""Our other figures: kind of reenactment and metric."""
BY_NAME = {metric.name: metric for metric in METRICS}


@validated
class Ablation:
    """One row of Table 2."""

    name: str
    """That of its file."""
    title: str
    """That of the paper's row."""
    paper: dict[str, float] = Field(default_factory=dict)
    """What the paper measured."""
    denoiser: dict[str, Any] = Field(default_factory=dict)
    """How the run differs from the full recipe."""
    sampling: str = ""
    """How its clips are sampled."""


@dataclass(frozen=True)
class Scale:
    """How much is drawn and trained.

    Attributes
    ----------
    budget : times the steps that the configs state.
    size : pixels a side of the drawings, a multiple of 8 times the denoiser's levels.
    singles, clips : identities drawn in 8 single pictures, and in clips of 16 frames.
    """

    budget: float = 1.0
    size: int = 128
    singles: int = 600
    clips: int = 60

    def __post_init__(self) -> None:
        if not self.budget > 0:
            raise SettingsError(f"The budget must be above 0, not {self.budget}.")


def read_ablation(path: Path) -> Ablation:
    """Raises SettingsError naming the file where it is no ablation."""
    return parse(Ablation, to_json({**read_toml(path), "name": path.stem.removeprefix(PREFIX)}), path)


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the entries of `over`; tables are merged, everything else is replaced."""
    both = dict(base)
    for name, value in over.items():
        known = both.get(name)
        both[name] = merged(known, value) if isinstance(known, dict) and isinstance(value, Mapping) else value
    return both


def scaled(run: Mapping[str, Any], budget: float) -> dict[str, Any]:
    """A run with the steps of its optimisation times `budget`, one of each kind at least."""
    optimisation = dict(run["optimisation"])
    for name in ("steps", "warmup", "decay"):
        if name in optimisation:
            optimisation[name] = max(1, round(optimisation[name] * budget))
    log_every = max(1, min(run["log_every"], optimisation["steps"]))
    return {**run, "optimisation": optimisation, "log_every": log_every}


def located(run: Mapping[str, Any], shared: Path, own: Path) -> dict[str, Any]:
    """A run with its folders: drawings are `shared` by all ablations, the autoencoder is a model's, the rest is its
    `own`."""
    places = {
        "drawings": shared / str(run["drawings"]),
        "output": own / str(run["output"]),
        "autoencoder": find_checkpoint(str(run["autoencoder"])),
        "initial": own / str(run["initial"]) if "initial" in run else None,
    }
    return {**run, **{name: str(path) for name, path in places.items() if path is not None}}


def keep_run(run: Mapping[str, Any], path: Path) -> None:
    """Write a run's TOML file. Raises SettingsError where that of another run is there: what it trained would be taken
    for this one's."""
    before = read_toml(path) if path.exists() else run
    different = sorted(name for name in {*before, *run} - PLACES if before.get(name) != run.get(name))
    if different:
        raise SettingsError(
            f"{path} is of another run (not the same: {', '.join(different)}). Choose another output folder, or delete {path.parent} to "
            "train it again."
        )
    write_toml(run, path)


def write_toml(values: Mapping[str, Any], path: Path) -> None:
    """Write numbers, texts, truth values, lists of them, which TOML and JSON spell alike, and tables."""
    with atomic(path) as temporary:
        temporary.write_text("\n".join(toml_lines(values, "")) + "\n", encoding="utf-8")


def toml_lines(values: Mapping[str, Any], table: str) -> list[str]:
    lines = [
        f"{name} = {json.dumps(value)}" for name, value in values.items() if not isinstance(value, Mapping)
    ]
    for name, value in values.items():
        if isinstance(value, Mapping):
            inner = f"{table}{name}"
            lines += ["", f"[{inner}]", *toml_lines(value, f"{inner}.")]
    return lines


def prepare_data(output: Path, scale: Scale, executor: Executor) -> Path:
    """Draw the training pictures, as far as that is not done. Returns the shared folder."""
    shared = output / "shared"
    shared.mkdir(parents=True, exist_ok=True)
    singles = DrawingSettings(identities=scale.singles, pictures=8, size=scale.size, seed=1)
    clips = DrawingSettings(identities=scale.clips, pictures=17, size=scale.size, seed=2, clips=True)
    draw_folder(shared / "singles", singles, executor)
    draw_folder(shared / "clips", clips, executor)
    return shared


def train_ablation(ablation: Ablation, configs: Path, shared: Path, output: Path, scale: Scale) -> Path:
    """Train both stages and export the model, as far as that is not done. Returns the model's folder.

    Raises
    ------
    Interrupted : a signal came; the same call goes on.
    SettingsError : a stage was trained there with other settings.
    """
    own = output / ablation.name
    own.mkdir(parents=True, exist_ok=True)
    model = own / "model"
    for stage in ("stage1", "stage2"):
        run = merged(read_toml(configs / f"{stage}.toml"), ablation.denoiser)
        keep_run(located(scaled(run, scale.budget), shared, own), own / f"{stage}.toml")
        if not model.exists():
            outcome = train_denoiser(load_denoiser_run(own / f"{stage}.toml"))
            if outcome.exit_code:
                raise Interrupted(outcome)
    if not model.exists():
        export_model(
            own / "stage2.toml",
            model,
            name=ablation.name,
            steps=SAMPLING_STEPS,
            shared_noise=SHARED_NOISE,
            overwrite=False,
        )
    return model


def system_of(ablation: Ablation, model: Path) -> str:
    """The model as a system of the benchmark."""
    entries = f"window={WINDOW}" + (f"&{ablation.sampling}" if ablation.sampling else "")
    return f"{label_of(ablation)}={model}?{entries}"


def label_of(ablation: Ablation) -> str:
    """Its title, without what would end a system's label."""
    return ablation.title.replace("w/o", "without")


def train_all(
    ablations: Sequence[Ablation],
    configs: Path,
    output: Path,
    scale: Scale,
    executor: Executor,
    say: Callable[[str], None],
) -> list[str]:
    """Train what is not trained yet; the models as systems, in the order of the ablations. Raises what `train_ablation`
    does."""
    say(f"drawing {scale.singles} + {scale.clips} identities")
    shared = prepare_data(output, scale, executor)
    systems = []
    for ablation in ablations:
        say(f"training: {ablation.title}")
        systems.append(system_of(ablation, train_ablation(ablation, configs, shared, output, scale)))
    return systems


def read_ablations(configs: Path, only: Sequence[str] = ()) -> list[Ablation]:
    """The ablations of a folder of configs, or those named, the full recipe last. Raises SettingsError where there are
    none, or the full recipe is not there."""
    ablations = [read_ablation(path) for path in sorted(configs.glob(f"{PREFIX}*.toml"))]
    names = [one.name for one in ablations]
    if FULL not in names:
        raise SettingsError(
            f"{configs} holds no {PREFIX}{FULL}.toml, the recipe that ablations are compared with; give a folder such as configs/ablations."
        )
    if unknown := [name for name in only if name not in names]:
        raise SettingsError(f"{configs} has no ablation {unknown[0]!r}; it has {', '.join(names)}.")
    chosen = [one for one in ablations if not only or one.name in (*only, FULL)]
    return sorted(chosen, key=lambda one: one.name == FULL)


def comparison(ablations: Sequence[Ablation], scores: Scores) -> str:
    """Our figures / the paper's of Table 2, and whether the change from the full recipe has the same direction.

    "agrees" and "differs" stand only where our pairs show a change with 95 % confidence; otherwise "open".
    """
    full = next(one for one in ablations if one.name == FULL)
    columns = [column for column in COLUMNS if column.mode in scores.modes]
    own = [(mode, BY_NAME[name]) for mode, name in OWN_COLUMNS if mode in scores.modes]
    heads = [f"{column.name}, ours / paper" for column in columns]
    rows = [["", *heads, *(f"{mode} {metric.title}" for mode, metric in own)]]
    for ablation in ablations:
        label = label_of(ablation)
        cells = []
        for column in columns:
            metric = BY_NAME[column.metric]
            ours = number(scores.value(label, column.mode, metric), metric.digits)
            paper = number(ablation.paper.get(column.paper, float("nan")), column.digits)
            cells.append(f"{ours} / {paper}" + verdict(ablation, full, column, scores))
        cells += [number(scores.value(label, mode, metric), metric.digits) for mode, metric in own]
        rows.append([ablation.title, *cells])
    return markdown(rows)


def verdict(ablation: Ablation, full: Ablation, column: Column, scores: Scores) -> str:
    """Whether the ablation harms where it harmed in the paper; nothing for the full recipe itself."""
    if ablation.name == full.name or column.paper not in ablation.paper or column.paper not in full.paper:
        return ""
    metric = BY_NAME[column.metric]
    more_is_better = metric.better == "more"
    harmed_there = (ablation.paper[column.paper] < full.paper[column.paper]) == more_is_better
    difference = scores.difference(label_of(ablation), label_of(full), column.mode, metric)
    shown = difference.verdict(metric.better)
    if shown not in ("better", "worse"):
        return " (open)"
    return " (agrees)" if (shown == "worse") == harmed_there else " (differs)"
