"""All questions about a GPU, rehearsed by a CPU at tiny size; and what becomes of those that fail or take too long."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks.gpu import __main__ as command
from benchmarks.gpu.animating import apart, judged
from benchmarks.gpu.denoising import operations
from benchmarks.gpu.material import RandomClip, random_codec, random_networks
from benchmarks.gpu.questions import Case, Cases, Question, Row, ask, ask_all
from benchmarks.gpu.report import shown, table
from benchmarks.gpu.sizes import Sizes, full, tiny

from followyouremoji.checkpoints import load_model
from followyouremoji.sampling.presets import PRESETS
from followyouremoji.training.run import Run

CPU = torch.device("cpu")
MISSING = ("mediapipe", "skia", "av")  # on a machine that has little more than torch
RowOf = Callable[[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole run."""
    folder = tmp_path_factory.mktemp("gpu")
    with pytest.MonkeyPatch.context() as patch:
        for name in MISSING:
            patch.setitem(sys.modules, name, None)
        command.main(["--size", "tiny", "--device", "cpu", "--minutes", "30", "--output", str(folder)])
    return folder


@pytest.fixture(scope="module")
def answers(rehearsal: Path) -> dict[str, dict[str, Any]]:
    written = json.loads((rehearsal / "gpu.json").read_text())
    return {answer["name"]: answer for answer in written["answers"]}


@pytest.fixture(scope="module")
def row(answers: dict[str, dict[str, Any]]) -> RowOf:
    def found(question: str, beginning: str) -> dict[str, Any]:
        (one,) = (row for row in answers[question]["rows"] if row["name"].startswith(beginning))
        return one

    return found


@pytest.mark.slow
def test_every_question_is_answered_in_the_order_of_its_worth(answers: dict[str, dict[str, Any]]) -> None:
    assert list(answers) == [question.name for question in command.QUESTIONS]
    for name, answer in answers.items():
        if name == "camera" and "unfinished" in answer:  # unless an earlier test had loaded it
            assert "mediapipe" in answer["unfinished"]
            continue
        assert "unfinished" not in answer
        assert answer["rows"]
        assert not [row for row in answer["rows"] if "problem" in row]
        assert all(row["seconds"] > 0 for row in answer["rows"] if "seconds" in row)


def test_the_command_begins_without_what_a_bare_machine_lacks() -> None:
    begin = "import sys; sys.modules.update(dict.fromkeys({})); import benchmarks.gpu.__main__"
    subprocess.run([sys.executable, "-c", begin.format(MISSING)], check=True, cwd=Path(__file__).parents[2])


def test_a_camera_is_followed_where_faces_can_be_found() -> None:
    pytest.importorskip("mediapipe", reason="faces are found by mediapipe")
    answer = ask(command.before_a_camera, CPU, tiny(), 600)
    assert not answer.unfinished
    (row,) = answer.rows
    assert not row.problem
    assert list(row.figures) == ["frames a second", "latency, seconds", "95 % within", "dropped"]


@pytest.mark.slow
def test_page_and_json_show_the_same_rows(rehearsal: Path, answers: dict[str, dict[str, Any]]) -> None:
    lines = (rehearsal / "gpu.md").read_text().splitlines()
    for name, answer in answers.items():
        if not answer["rows"]:
            assert lines[lines.index(f"### {name}") + 4] == answer["unfinished"]
            continue
        below = lines[lines.index(f"### {name}") + 2 :]
        rows = [line.split(" | ")[0].removeprefix("| ") for line in below[2 : 2 + len(answer["rows"])]]
        assert rows == [row["name"] for row in answer["rows"]]


@pytest.mark.slow
def test_a_step_s_work_is_counted(row: RowOf) -> None:
    product, guided, plain = row("step", "product"), row("step", "step of 3"), row("step", "the same without")
    clip = row("step", "clip denoised")
    assert product["TFLOP"] == pytest.approx(2 * 256**3 / 1e12)
    # Both halves of guidance share the layers before the first attention, and one of them reads less.
    assert 1.5 < guided["TFLOP"] / plain["TFLOP"] < 2
    assert clip["TFLOP"] == pytest.approx(5 * guided["TFLOP"])
    for one in (guided, plain, clip):
        rate = one["TFLOP"] / one["seconds"]
        assert one["TFLOP/s"] == pytest.approx(rate)
        assert one["of the product's rate"] == pytest.approx(rate / product["TFLOP/s"])


@pytest.mark.slow
def test_a_device_equals_itself(answers: dict[str, dict[str, Any]]) -> None:
    *judged_rows, usual = answers["equal"]["rows"]
    assert [(row["at most"], row["within the bound"]) for row in judged_rows] == [(0, "yes")] * 3
    assert usual["name"] == "bundled model, 1 step in float32"  # a CPU's


@pytest.mark.slow
def test_presets_compute_their_passes(answers: dict[str, dict[str, Any]]) -> None:
    passes = {row["name"]: row["passes"] for row in answers["presets"]["rows"]}
    assert passes == {name: 5 if cache is None else cache.computed(5) for name, cache in PRESETS.items()}
    assert len(set(passes.values())) > 1


@pytest.mark.slow
def test_compiling_changes_nothing(row: RowOf) -> None:
    assert row("compile", "compiled, later")["away from uncompiled"] == pytest.approx(
        0, abs=1e-2
    )  # in bfloat16


@pytest.mark.slow
def test_a_training_step_is_its_parts_and_the_update(answers: dict[str, dict[str, Any]]) -> None:
    for stage, parts in ((1, 1), (2, 2)):
        part, update, step = answers[f"stage {stage}"]["rows"]
        assert step["seconds"] == pytest.approx(parts * part["seconds"] + update["seconds"])
        assert step["steps a second"] == pytest.approx(1 / step["seconds"])


def test_an_update_that_is_timed_has_gradients_to_learn_from(monkeypatch: pytest.MonkeyPatch) -> None:
    update, seen = Run.update, []

    def watched(run: Run) -> float:
        seen.append({parameter.grad is None for parameter in run.trained.values()})
        return update(run)

    monkeypatch.setattr(Run, "update", watched)
    answer = ask(command.first_stage, CPU, tiny(), 600)
    assert len(answer.rows) == 3
    assert seen == [{False}, {False}]


def test_full_size_is_stable_diffusion_s() -> None:
    """Counted without memory for a single weight."""
    sizes, meta = full(), torch.device("meta")
    codec = random_codec(sizes, meta)
    autoencoder, encoder = (
        sum(one.numel() for one in network.parameters())
        for network in (codec.autoencoder, codec.image_encoder)
    )
    assert autoencoder == 83_653_863  # of sd-vae-ft-mse
    assert encoder == 303_179_776  # of CLIP ViT-L/14's half for pictures
    step = operations(RandomClip(random_networks(sizes, meta), sizes, 1.0).velocity)
    # Stable Diffusion 1.5's UNet takes 0.8 TFLOP for 64x64 latents; portrait and temporal layers add half of it.
    assert step / sizes.frames == pytest.approx(1.2e12, rel=0.05)


def test_another_way_of_computing_is_within_rounding_and_other_weights_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reference = load_model("bundled", "cpu", torch.float32)
    with monkeypatch.context() as patch:
        patch.setattr("followyouremoji.checkpoints.model.use_cpu_kernels", lambda network: None)
        plain = load_model("bundled", "cpu", torch.float32)
    figures = judged(apart(plain, reference, 2, 1))
    assert float(figures["at most"]) > 0
    assert figures["within the bound"] == "yes"
    with torch.no_grad():
        plain.networks.denoiser.conv_out.weight.mul_(1.01)
    assert judged(apart(plain, reference, 2, 1))["within the bound"] == "no"


def row_of(name: str) -> Case:
    return Case(name, lambda: {"seconds": 1.0})


def asking(name: str, *cases: Case, seconds: float = 1.0) -> Question:
    def listed(device: torch.device, sizes: Sizes) -> Cases:
        yield from cases

    return Question(name, f"What {name} is.", seconds, listed)


def fail() -> dict[str, float | str]:
    raise ValueError("no such layer\nand more")


def run_out() -> dict[str, float | str]:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.00 GiB")


def sleep() -> dict[str, float | str]:
    for _ in range(1000):
        time.sleep(0.01)
    return {}


def test_a_row_that_fails_is_written_and_the_others_go_on() -> None:
    question = asking("hard", row_of("one"), Case("two", fail), Case("three", run_out), row_of("four"))
    answer = ask(question, CPU, tiny(), 10)
    assert answer.rows == [
        Row("one", {"seconds": 1.0}),
        Row("two", {}, "ValueError: no such layer"),
        Row("three", {}, "out of memory"),
        Row("four", {"seconds": 1.0}),
    ]
    shown_rows = [[cell.text for cell in row.cells] for row in table(answer).rows]
    assert shown_rows == [
        ["1.00", "–"],
        ["–", "ValueError: no such layer"],
        ["–", "out of memory"],
        ["1.00", "–"],
    ]


def test_a_question_that_cannot_begin_says_so_and_the_others_go_on() -> None:
    def broken(device: torch.device, sizes: Sizes) -> Cases:
        yield row_of("before")
        raise ModuleNotFoundError("No module named 'diffusers'")

    questions = [Question("broken", "", 1.0, broken), asking("whole", row_of("one"))]
    first, second = ask_all(questions, CPU, tiny(), 60)
    assert [row.name for row in first.rows] == ["before"]
    assert first.unfinished == "Failed: ModuleNotFoundError: No module named 'diffusers'"
    assert [row.name for row in second.rows] == ["one"]


def test_time_runs_out() -> None:
    """A question is stopped after twice its seconds where others need the rest; what does not fit into the rest is
    skipped, what does is asked."""
    questions = [
        asking("endless", row_of("one"), Case("two", sleep), row_of("three"), seconds=0.1),
        asking("long", row_of("one"), seconds=1000.0),
        asking("short", row_of("one"), seconds=0.1),
    ]
    begun = time.perf_counter()
    endless, long, short = ask_all(questions, CPU, tiny(), 60)
    assert time.perf_counter() - begun < 9  # the endless one would take ten seconds
    assert [row.name for row in endless.rows] == ["one"]
    assert endless.unfinished.startswith("Stopped after 0.2 s")
    assert not long.rows
    assert long.unfinished.startswith("Skipped: it takes 1000 s")
    assert [row.name for row in short.rows] == ["one"]
    assert not short.unfinished


def test_time_that_nobody_needs_is_granted() -> None:
    slow = Case("one", lambda: {"seconds": float(time.sleep(0.5) is None)})
    (answer,) = ask_all([asking("slow", slow, seconds=0.01)], CPU, tiny(), 60)
    assert not answer.unfinished


def test_what_is_answered_is_written_before_the_next_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> dict[str, float | str]:
        raise KeyboardInterrupt

    questions = (asking("first", row_of("one")), asking("second", Case("one", interrupted)))
    monkeypatch.setattr(command, "QUESTIONS", questions)
    with pytest.raises(KeyboardInterrupt):
        command.main(["--size", "tiny", "--device", "cpu", "--output", str(tmp_path / "gpu")])
    written = json.loads((tmp_path / "gpu/gpu.json").read_text())
    assert [answer["name"] for answer in written["answers"]] == ["first"]
    assert "### first" in (tmp_path / "gpu/gpu.md").read_text()


def test_questions_are_chosen_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "QUESTIONS", tuple(asking(name, row_of("one")) for name in "abc"))
    command.main(["--size", "tiny", "--device", "cpu", "--questions", "c", "a", "--output", str(tmp_path)])
    written = json.loads((tmp_path / "gpu.json").read_text())
    assert [answer["name"] for answer in written["answers"]] == ["a", "c"]


@pytest.mark.parametrize(
    "wrong",
    [
        ["--minutes", "0"],
        ["--minutes", "nan"],
        ["--device", "none"],
        ["--questions", "why"],
        ["--output", __file__],
    ],
)
def test_bad_arguments_end_the_command(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["--size", "tiny", "--device", "cpu", *wrong])
    assert ended.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_figures_have_three_digits() -> None:
    values = [0.0001234, 0.1234, 1.234, 12.34, 123.4, 1234.5, 7, 0.0, "yes", None]
    assert [shown(value) for value in values] == [
        "0.000123", "0.123", "1.23", "12.3", "123", "1234", "7", "0", "yes", "–",
    ]  # fmt: skip
