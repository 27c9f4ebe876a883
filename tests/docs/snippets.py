"""Blocks of code in the pages of the documentation, read and run as a reader would: those of a page in order, in one
folder.

says "takes minutes" is run by the slow tests. A block of JSON whose title is a name is that file.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^```(\w+)?(?: +title=\"([^\"]*)\")? *\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN = {"bash", "sh", "console", "python"}
NEEDS, SLOW = "needs ", "takes minutes"


@dataclass(frozen=True)
class Snippet:
    """A block of code, and where it stands."""

    place: str
    language: str
    title: str
    code: str

    @property
    def runs(self) -> bool:
        return not self.title.startswith(NEEDS)

    @property
    def slow(self) -> bool:
        return self.title.startswith(SLOW)


def snippets(page: Path) -> Iterator[Snippet]:
    """All blocks of a page that are commands or Python."""
    text = page.read_text(encoding="utf-8")
    for block in FENCE.finditer(text):
        language, title, code = block.groups(default="")
        if language in RUN or (language == "json" and title):
            line = text.count("\n", 0, block.start()) + 1
            yield Snippet(f"{page.relative_to(ROOT)}:{line}", language, title, code)


def run(snippet: Snippet, folder: Path, names: dict[str, Any]) -> None:
    """Run a block in a folder, which is the current one; `names` are what Python blocks before it defined."""
    if snippet.language == "json":
        (folder / snippet.title).write_text(snippet.code)
    elif snippet.language == "python":
        with redirect_stdout(io.StringIO()):
            exec(compile(snippet.code, snippet.place, "exec"), names)
    elif (commands := fye_alone(snippet.code)) is not None:
        for arguments in commands:
            fye(snippet, arguments)
    else:
        bash(snippet, folder)


def fye_alone(code: str) -> list[list[str]] | None:
    """The arguments of each command of a block of nothing but `fye`; None if there is anything else."""
    lines = [shlex.split(line, comments=True) for line in code.replace("\\\n", " ").splitlines()]
    lines = [line for line in lines if line]
    plain = all(line[0] == "fye" for line in lines) and not re.search(
        r"[;|&<$`]", re.sub(r"#.*|'[^']*'|\"[^\"]*\"", "", code)
    )
    return [line[1:] for line in lines] if plain else None


def fye(snippet: Snippet, arguments: list[str]) -> None:
    """A command, in this process, which has torch already."""
    from followyouremoji.apps.main import main

    printed = io.StringIO()
    code: object = None
    with redirect_stdout(printed), redirect_stderr(printed):
        try:
            main(arguments)
        except SystemExit as ended:
            code = ended.code
    assert code == 0, f"{snippet.place}: fye {shlex.join(arguments)} ended with {code}:\n{printed.getvalue()}"


def bash(snippet: Snippet, folder: Path) -> None:
    programs = folder / ".programs"
    programs.mkdir(exist_ok=True)
    for name, words in {"fye": '-m followyouremoji "$@"', "python": '"$@"'}.items():
        script = programs / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words}\n')
        script.chmod(0o755)
    paths = {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
    }
    ended = subprocess.run(
        [shutil.which("bash") or "bash", "-euo", "pipefail", "-c", snippet.code],
        cwd=folder,
        env={**os.environ, **paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, (
        f"{snippet.place} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}"
    )
