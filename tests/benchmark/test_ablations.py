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
    method_of,
    read_ablation,
    read_toml,
    scaled,
    train_ablation,
    write_toml,
)
from followyouremoji.benchmark.methods import Checkpoint, make_method
from followyouremoji.benchmark.scoring import METRICS, MethodScores
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


def scores(name: str, **means: float) -> MethodScores:
    rng = np.random.default_rng(0)
    values = {metric.name: 0.5 + 0.01 * rng.normal(size=20) for metric in METRICS}
    values |= {key: mean + 0.01 * rng.normal(size=20) for key, mean in means.items()}
    return MethodScores(name, np.arange(20), ("person",) * 20, values, 0.1)


def test_a_change_agrees_where_it_harms_as_in_the_paper() -> None:
    full = Ablation(
        name=FULL, title="full recipe", paper={"l1": 0.03, "ssim": 0.8, "identity": 0.7, "landmarks": 39.0}
    )
    without = Ablation(
        name="x", title="without x", paper={"l1": 0.04, "ssim": 0.7, "identity": 0.6, "landmarks": 30.0}
    )
    ours = [
        scores("full recipe", picture=0.05, ssim=0.8, landmarks=0.1),
        scores("without x", picture=0.08, ssim=0.9, landmarks=0.2),
    ]
    table = comparison([without, full], {"self": ours, "cross": ours})
    row = next(line for line in table.splitlines() if line.startswith("| without x"))
    cells = [cell.strip() for cell in row.split("|")[2:6]]
    assert [cell.rpartition("(")[2] for cell in cells] == ["agrees)", "differs)", "open)", "agrees)"]
    assert cells[0].startswith("0.08")
    assert "/ 0.040" in cells[0]
    with pytest.raises(SettingsError, match="full recipe"):
        comparison([without], {"self": ours, "cross": ours})


def test_the_sampling_of_an_ablation_reaches_its_method() -> None:
    ablation = read_ablation(CONFIGS / f"{PREFIX}without_progressive.toml")
    method = make_method(method_of(ablation, Path("bundled")))
    assert isinstance(method, Checkpoint)
    assert (method.name, method.sampling.long_clips, method.sampling.window) == (ablation.title, "tiles", 8)
