"""`fye train lora` and what `fye animate --lora` reads, on a drawn person and a small model."""

import json
import os
import signal
import threading
import time

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

pytest.importorskip("skia", reason="drawn portraits need skia")
pytest.importorskip("peft", reason="training a LoRA needs peft")


from followyouremoji.apps.lora import lora
from followyouremoji.errors import WeightsError
from followyouremoji.media.pictures import read_picture, write_picture
from followyouremoji.personal.settings import LoraSettings
from followyouremoji.portraits import Performance, draw_portrait, random_identity
from followyouremoji.requests.animation import load_animator, ready_animator
from followyouremoji.requests.events import ignore
from followyouremoji.requests.memory import FittingModel
from followyouremoji.requests.request import AnimationRequest, ModelChoice

app = typer.Typer()
app.command()(lora)


def check_lora(weights: str, given: str) -> None:
    """As an animation does before its work."""
    choice = ModelChoice(weights=weights, device="cpu")
    request = AnimationRequest(portrait="a.png", driving="b.mp4", model=choice, loras=(given,))  # type: ignore[arg-type]
    ready_animator(request, FittingModel(choice, load_animator), ignore)


def test_a_picture_becomes_a_lora_that_animate_loads(model, tmp_path) -> None:
    who = random_identity(np.random.default_rng(17), "person")
    write_picture(tmp_path / "ada.png", draw_portrait(who, Performance.neutral(), 192).picture)
    out = tmp_path / "ada.safetensors"
    arguments = [tmp_path / "ada.png", out, "--weights", model, "--steps", 2, "--rank", 2]
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert f"{out}: learning in 2 steps from 1 frame ..." in result.output
    assert "learnt from 1 frame" in result.output
    record = json.loads((tmp_path / "ada_lora.json").read_text())
    assert record["steps"] == 2
    assert record["held_out_before"]["face_l1"] > 0
    assert read_picture(tmp_path / "ada_views.png").shape[0] >= 64

    check_lora(str(model), f"{out}:0.5")
    with pytest.raises(WeightsError, match="does not fit the model 'bundled'"):
        check_lora("bundled", str(out))
    again = CliRunner().invoke(app, [str(a) for a in arguments])
    assert isinstance(again.exception, WeightsError)
    assert "exists already" in str(again.exception)


@pytest.mark.slow
def test_sigterm_leaves_what_is_learnt_so_far(model, tmp_path) -> None:
    who = random_identity(np.random.default_rng(17), "person")
    write_picture(tmp_path / "ada.png", draw_portrait(who, Performance.neutral(), 192).picture)
    out, unfinished = tmp_path / "ada.safetensors", tmp_path / "ada_unfinished.safetensors"
    arguments = [tmp_path / "ada.png", out, "--weights", model, "--steps", 100_000, "--drawn-share", 0]

    def terminate() -> None:
        while not unfinished.exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=terminate, daemon=True).start()
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 143
    assert "of 100000 steps (SIGTERM)" in result.output
    assert not out.exists()
    check_lora(str(model), str(unfinished))


def test_the_command_s_defaults_are_the_settings_defaults() -> None:
    defaults = {p.name: p.default for p in typer.main.get_command(app).params}
    for name in ("steps", "rank", "convolutions", "learning_rate", "seed"):
        assert defaults[name] == getattr(LoraSettings(), name)


def test_one_path_is_too_few(tmp_path) -> None:
    result = CliRunner().invoke(app, [str(tmp_path / "ada.png")])
    assert result.exit_code == 2
    assert "PORTRAIT_OR_CLIP" in result.output
