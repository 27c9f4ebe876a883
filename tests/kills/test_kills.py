"""Whatever moment a command is killed at, or finds no room at: what has a final name is whole, what is finished is gone
on with and not made again, and the next run clears the rest away."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

pytest.importorskip("skia", reason="inputs are drawn, which needs skia")

from tests.kills.commands import COMMANDS, Command
from tests.kills.trials import Unbroken, killed, without_room

BY_NAME = {command.name: command for command in COMMANDS}


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=list(BY_NAME))
def test_every_command(command: Command, tmp_path: Path) -> None:
    unbroken = Unbroken(command, tmp_path / "trials")
    assert killed(unbroken, 10).faults == []
    if os.geteuid() == 0 and shutil.which("mount"):
        tally = without_room(unbroken, 4)
        assert tally.faults == []
        assert tally.broken > 0


@pytest.mark.slow
def test_a_studio(tmp_path: Path) -> None:
    pytest.importorskip("gradio", reason="the studio needs Gradio")
    from tests.kills.studio import killed_studio

    assert killed_studio(tmp_path / "trials", 5).faults == []
