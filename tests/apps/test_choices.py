"""Options are made of what the settings declare, on the command line and in the docs."""

import re
import runpy
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from followyouremoji.apps.choices import expanded, flags, with_flags
from followyouremoji.face.expressions import EXPRESSIONS, NAMED_EXPRESSIONS
from followyouremoji.face.keyframes import EASINGS
from followyouremoji.face.sliders import ALIASES
from followyouremoji.options import options
from followyouremoji.requests.request import AnimationRequest, Lora
from followyouremoji.settings import AnimationSettings
from tests.apps.conftest import Run
from tests.apps.test_bad_input import assert_refused

DOCS = Path(__file__).parents[2] / "docs"


def asked(*arguments: str) -> AnimationRequest:
    """The request that a command makes of its arguments."""
    requests = []

    @expanded
    def command(request: AnimationRequest) -> None:
        requests.append(request)

    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, ["me.jpg", "smile.mp4", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return requests[0]


def test_without_options_a_request_has_its_defaults() -> None:
    assert asked() == AnimationRequest(portrait="me.jpg", driving="smile.mp4")


def test_options_reach_their_settings() -> None:
    made = asked(
        "--no-crop",
        "--paste",
        "--no-sound",
        "--fps",
        "12.5",
        "--lora",
        "a.st:0.5",
        "--lora",
        "b.st",
        "--job",
        "kept",
    )
    assert (made.settings.crop, made.settings.paste_back, made.output.sound) == (False, True, False)
    assert made.settings.frame_rate == 12.5
    assert made.loras == (Lora(file=Path("a.st"), scale=0.5), Lora(file=Path("b.st")))
    assert made.resume == Path("kept")
    assert asked("--fps", "auto").settings.frame_rate is None


@pytest.mark.parametrize("text", ["0", "-5", "nan", "fast", "2000", "inf"])
def test_frame_rates_that_cannot_be_used(fye: Run, text: str) -> None:
    ended = fye("animate", "bundled:ada", "bundled:hello", "--fps", text)
    assert ended.code == 2
    assert "--fps" in ended.err


def test_some_settings_alone() -> None:
    @expanded
    def command(settings: Annotated[AnimationSettings, ("seed", "driving_face")], *, other: int = 3) -> None:
        print(settings.seed, settings.driving_face, other)

    app = typer.Typer()
    app.command()(command)
    assert CliRunner().invoke(app, ["--driving-face", "2", "--other", "4"]).output == "0 2 4\n"
    assert CliRunner().invoke(app, ["--steps", "2"]).exit_code == 2


def test_messages_name_flags(fye: Run) -> None:
    assert with_flags("It is so.", ["resume", "settings", "sound"]) == "It is so (--job, --no-sound)."
    assert with_flags("it is so", []) == "it is so"
    ended = fye("animate", "bundled:ada", "bundled:hello", "--stop", "2", "--duration", "3")
    assert_refused(ended, "not both")
    assert_refused(
        fye("animate", "bundled:ada", "bundled:hello", "--lora", "x:99"), "from -10 to 10", "(--lora)"
    )


def test_every_slider_and_expression_is_in_the_docs() -> None:
    table = runpy.run_path(str(DOCS / "options.py"))["sliders"]()
    page = (DOCS / "guides/poses.md").read_text(encoding="utf-8").replace("<!-- table: sliders -->", table)
    names = {*EXPRESSIONS, *NAMED_EXPRESSIONS, *ALIASES, *EASINGS} - {"neutral"}
    assert names <= set(re.findall(r"`(?:bundled:)?(\w+)`", page))


def test_every_option_is_in_the_docs() -> None:
    page = runpy.run_path(str(DOCS / "options.py"))["animation"]()
    assert all(
        flags(name)[0].removeprefix(" /").split("/")[0] in page
        for name, _ in options(AnimationRequest)
        if name not in ("portrait", "driving")
    )
