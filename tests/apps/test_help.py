"""The help of every command, as a newcomer reads it: examples that work, whole sentences, defaults."""

import inspect
import re
import shlex
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pytest
import typer
from typer.testing import CliRunner

from followyouremoji.apps.choices import made
from followyouremoji.apps.cli import app
from followyouremoji.apps.help import REMARK, examples
from followyouremoji.options import options
from followyouremoji.requests.bundled import driving_source, portrait_path

ROOT = Path(__file__).parents[2]
FYE = typer.main.get_command(app)
NARROW = 78  # columns of a terminal of 80, without the margins
TORCHRUN = re.compile(r"^torchrun .* -m followyouremoji ")


def walk(command: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All commands and groups, with the words that call them."""
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from walk(child, *path, name)


COMMANDS = dict(walk(FYE))
EVERY = pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(path) or "fye")


def lines_of(epilog: str) -> list[str]:
    """The command lines at the end of a help, with their remarks."""
    lines = [re.sub(r"\[/?(?:bold|dim)?\]", "", line) for line in epilog.split("\n\n")]
    return [line for line in lines if line.startswith(("fye ", "torchrun "))]


def parsed(line: str) -> tuple[Any, dict[str, Any]]:
    """The command that a line calls, and its parameters as the parser understands them."""
    words = shlex.split(TORCHRUN.sub("fye ", line.partition(REMARK)[0]))[1:]
    command: Any = FYE
    while hasattr(command, "commands"):
        context = command.make_context(command.name, words)
        if not (rest := [*context._protected_args, *context.args]) and command.invoke_without_command:
            break
        _, command, words = command.resolve_command(context, rest)
    given = command.make_context(command.name, words).params
    return command, {name: value for name, value in given.items() if value != ()}


def checked(line: str) -> None:
    """Raise where a line could not begin its work: what it is parsed to, the names of what is bundled, and configs."""
    command, given = parsed(line)
    for one in inspect.signature(inspect.unwrap(command.callback), eval_str=True).parameters.values():
        kind = get_args(one.annotation)[0] if get_origin(one.annotation) is Annotated else one.annotation
        if is_dataclass(kind) and all(
            given.get(name) for name, field in options(kind) if field.is_required()
        ):
            made(kind, given)
    for name in re.findall(r"bundled:\w+", line):
        find = portrait_path if name in (given.get("portrait"), given.get("portraits")) else driving_source
        find(name)
    for config in re.findall(r"\bconfigs/\S+", line):
        assert (ROOT / config).exists(), config


@EVERY
def test_every_command_has_examples_that_parse(path: tuple[str, ...]) -> None:
    epilog = COMMANDS[path].epilog or ""
    lines = lines_of(epilog)
    assert epilog.startswith(examples()), "write it with apps.help.examples"
    assert any(line.startswith(" ".join(["fye", *path])) for line in lines)
    for line in lines:
        assert len(line) <= NARROW, f"wider than a narrow terminal: {line}"
        assert "[dim]" not in epilog or f"[dim]{REMARK.strip()}" in epilog
        checked(line)


def test_examples_of_the_readme_parse() -> None:
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    lines = [re.sub(r"\s+# ", REMARK, line) for block in blocks for line in block.splitlines()]
    lines = [line for line in lines if line.startswith("fye ") and not line.startswith("fye --help")]
    assert lines
    for line in lines:
        checked(line)


@pytest.mark.parametrize(
    "line",
    ["fye animate me.jpg bundled:nobody", "fye train run configs/none.toml", "fye live me.jpg --sise 3"],
)
def test_examples_that_would_fail_are_noticed(line: str) -> None:
    with pytest.raises(Exception, match=r"nobody|none\.toml|--sise"):
        checked(line)


@EVERY
@pytest.mark.parametrize("columns", [80, 120])
def test_help_is_shown_whole(path: tuple[str, ...], columns: int) -> None:
    shown = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": str(columns)}, prog_name="fye")
    assert shown.exit_code == 0
    assert "…" not in shown.output, "a word is too long for its column"
    assert "`" not in shown.output


@EVERY
def test_every_option_has_a_sentence_and_a_default(path: tuple[str, ...]) -> None:
    for one in COMMANDS[path].params:
        assert one.help, one.name
        assert one.help[0].isupper() or one.help.startswith("[bold]"), one.help
        assert one.help.endswith("."), one.help
        if one.param_type_name == "option" and not one.is_flag and not one.required:
            assert one.show_default is not False, f"{one.name}: say what happens without it"
            assert one.default is not None or isinstance(one.show_default, str), one.name
