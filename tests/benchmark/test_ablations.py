"""The ablations of Table 2: their configs, and the comparison with the paper's figures. Training itself is tested where
it is."""

import signal
import tomllib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("skia", reason="training pictures are drawn with skia-python")

from followyouremoji.benchmark.ablations import (
    FULL,
    PREFIX,
    Ablation,
    Interrupted,
    Scale,
    comparison,
    located,
    merged,
    read_ablation,
    read_ablations,
    read_toml,
    scaled,
    system_of,
    train_ablation,
    write_toml,
)
from followyouremoji.benchmark.metrics import METRICS
from followyouremoji.benchmark.protocol import Protocol
from followyouremoji.benchmark.report.scores import Scores
from followyouremoji.benchmark.store import Row, Run, SystemItem
from followyouremoji.benchmark.systems import Checkpoint, make_system
from followyouremoji.errors import SettingsError
from followyouremoji.training.config import load_denoiser_run
from followyouremoji.training.loop import Outcome
from followyouremoji.training.settings import DenoiserRun

CONFIGS = Path(__file__).parents[2] / "configs" / "ablations"
ABLATIONS = sorted(CONFIGS.glob(f"{PREFIX}*.toml"))


def run_of(path: Path, stage: int, folder: Path) -> DenoiserRun:
    """The run that an ablation makes of a stage, read back as the trainer reads it."""
    ablation = read_ablation(path)
    values = merged(read_toml(CONFIGS / f"stage{stage}.toml"), ablation.denoiser)
    write_toml(located(scaled(values, 1.0), folder / "shared", folder / ablation.name), folder / "run.toml")
    return load_denoiser_run(folder / "run.toml")


@pytest.mark.parametrize("path", ABLATIONS, ids=lambda path: path.stem)
@pytest.mark.parametrize("stage", [1, 2])
def test_an_ablation_differs_from_the_full_recipe_in_one_switch(path, stage, tmp_path) -> None:
    run = run_of(path, stage, tmp_path)
    full = run_of(CONFIGS / f"{PREFIX}{FULL}.toml", stage, tmp_path)
    different = {name for name in vars(run) if getattr(run, name) != getattr(full, name)}
    switches = {
        "full": set(),
        "without_expression_mask": {"expression_mask"},
        "without_face_mask": {"face_mask"},
        "without_progressive": {"progressive"},
        "landmarks_2d": {"landmarks"},
        "with_contour": {"landmarks"},
        "without_pupils": {"landmarks"},
    }
    name = path.stem.removeprefix(PREFIX)
    assert different - {"output", "initial"} == switches[name]


def test_all_rows_of_the_table_are_there() -> None:
    assert len(ABLATIONS) == 7
    figures = [read_ablation(path).paper for path in ABLATIONS]
    assert all(set(row) == {"l1", "ssim", "identity", "landmarks"} for row in figures)
    full = read_ablation(CONFIGS / f"{PREFIX}{FULL}.toml").paper
    assert all(row["l1"] >= full["l1"] and row["identity"] <= full["identity"] for row in figures)


def test_what_is_written_is_read_back(tmp_path) -> None:
    values = {
        "text": 'a "quoted" \\ path',
        "on": True,
        "number": 1e-3,
        "list": [1, 2],
        "table": {"inner": {"deep": 4}, "x": "y"},
    }
    write_toml(values, tmp_path / "x.toml")
    assert tomllib.loads((tmp_path / "x.toml").read_text()) == values


def test_a_file_that_is_no_ablation_is_refused(tmp_path) -> None:
    (tmp_path / "a.toml").write_text('title = "x"\nmask = 1\n')
    with pytest.raises(SettingsError, match=r"a\.toml.*mask"):
        read_ablation(tmp_path / "a.toml")
    with pytest.raises(SettingsError, match="no such file"):
        read_ablation(tmp_path / "b.toml")


def train_full(folder: Path, budget: float = 1.0) -> Path:
    full = read_ablation(CONFIGS / f"{PREFIX}{FULL}.toml")
    return train_ablation(full, CONFIGS, folder / "shared", folder, Scale(budget))


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> dict[int, str | signal.Signals]:
    """How runs end, by stage, in place of training; an exported model is a folder."""
    reasons: dict[int, str | signal.Signals] = {1: "finished", 2: "finished"}
    ablations = "followyouremoji.benchmark.ablations"
    monkeypatch.setattr(f"{ablations}.train_denoiser", lambda run: Outcome(3, reasons[run.stage], True))
    monkeypatch.setattr(f"{ablations}.export_model", lambda run, model, **options: model.mkdir())
    return reasons


@pytest.mark.parametrize("stage", [1, 2])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_makes_no_model_of_what_is_half_trained(stage, sent, tmp_path, trained) -> None:
    trained[stage] = sent
    with pytest.raises(Interrupted, match="saved at step 3") as left:
        train_full(tmp_path)
    assert left.value.outcome.exit_code == 128 + sent
    assert (tmp_path / FULL / "stage2.toml").exists() == (stage == 2)
    assert not (tmp_path / FULL / "model").exists()
    trained[stage] = "finished"
    assert train_full(tmp_path).is_dir()


def test_models_of_another_budget_are_not_taken_for_this_ones(tmp_path, trained, monkeypatch) -> None:
    train_full(tmp_path, budget=0.5)
    kept = (tmp_path / FULL / "stage1.toml").read_text()
    with pytest.raises(SettingsError, match=r"stage1\.toml.*optimisation"):
        train_full(tmp_path, budget=1.0)
    assert (tmp_path / FULL / "stage1.toml").read_text() == kept
    monkeypatch.chdir(tmp_path)
    assert train_full(Path(), budget=0.5).is_dir()  # the same folder by another name


def rows_of(system: str, **means: float) -> list[Row]:
    """Twenty pairs of both kinds, whose figures vary a little around the means."""
    rng = np.random.default_rng(0)
    return [
        Row(system, f"pair{pair}", mode, "person", "smile", name, mean + 0.001 * rng.normal())
        for name, mean in means.items()
        for mode in ("self", "cross")
        for pair in range(20)
    ]


def test_a_change_agrees_where_it_harms_as_in_the_paper() -> None:
    full = Ablation(
        name=FULL, title="full recipe", paper={"l1": 0.03, "ssim": 0.8, "identity": 0.7, "landmarks": 39.0}
    )
    without = Ablation(
        name="x", title="w/o x", paper={"l1": 0.04, "ssim": 0.7, "identity": 0.6, "landmarks": 30.0}
    )
    rows = rows_of("full recipe", l1=0.05, ssim=0.8, appearance=0.9, landmark_accuracy=40.0)
    rows += rows_of("without x", l1=0.08, ssim=0.9, appearance=0.9, landmark_accuracy=30.0)
    systems = [
        SystemItem(name=name, described=name, fingerprint=name) for name in ("full recipe", "without x")
    ]
    run = Run(suite="s", suite_folder="s", fingerprint="f", protocol=Protocol(), systems=systems)
    table = comparison([without, full], Scores.of_rows(run, rows, METRICS))
    row = next(line for line in table.splitlines() if line.startswith("| w/o x"))
    cells = [cell.strip() for cell in row.split("|")[2:6]]
    assert [cell.rpartition("(")[2] for cell in cells] == ["agrees)", "differs)", "open)", "agrees)"]
    assert cells[0].startswith("0.0798 / 0.040")


def test_the_full_recipe_is_always_among_them_and_last(tmp_path) -> None:
    assert [one.name for one in read_ablations(CONFIGS, ["without_pupils"])] == ["without_pupils", FULL]
    with pytest.raises(SettingsError, match="no ablation 'pupils'"):
        read_ablations(CONFIGS, ["pupils"])
    with pytest.raises(SettingsError, match=r"ablation_full\.toml"):
        read_ablations(tmp_path)


def test_the_sampling_of_an_ablation_reaches_its_system() -> None:
    ablation = read_ablation(CONFIGS / f"{PREFIX}without_progressive.toml")
    system = make_system(system_of(ablation, Path("bundled")))
    assert isinstance(system, Checkpoint)
    assert (system.name, system.settings.long_clips, system.settings.window) == (
        "without progressive strategy", "tiles", 8,
    )  # fmt: skip
