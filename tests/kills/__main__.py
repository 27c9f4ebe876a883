"""`python -m tests.kills`: every command, killed 100 times, on a disk that may only be read, and on ten that are too
small for it; a table of what came of that."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from tests.kills.commands import COMMANDS
from tests.kills.studio import killed_studio
from tests.kills.trials import Tally, Unbroken, killed, without_room


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="of each command")
    parser.add_argument("--disks", type=int, default=10, help="for each command; needs the right to mount")
    parser.add_argument("--only", action="append", help="a command's name; all by default")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    print(
        "| command | how it was stopped | times | went on | began anew | came to the end | faults | minutes |"
    )
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for command in COMMANDS:
        if chosen.only and command.name not in chosen.only:
            continue
        with tempfile.TemporaryDirectory() as folder:
            unbroken = Unbroken(command, Path(folder) / "trials")
            began = time.monotonic()
            if chosen.kills:
                tally = killed(unbroken, chosen.kills, chosen.seed)
                show(command.name, "killed", tally, time.monotonic() - began)
            began = time.monotonic()
            if chosen.disks:
                tally = without_room(unbroken, chosen.disks)
                show(command.name, "no room", tally, time.monotonic() - began)
    if chosen.kills and (not chosen.only or "studio" in chosen.only):
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            tally = killed_studio(Path(folder) / "trials", chosen.kills, chosen.seed)
        show("studio", "killed", tally, time.monotonic() - began)


def show(name: str, what: str, tally: Tally, seconds: float) -> None:
    """Print a row of the table, and what was wrong."""
    numbers = (tally.broken, tally.resumed, tally.absent, tally.ends, len(tally.faults))
    print(f"| `{name}` | {what} | {' | '.join(map(str, numbers))} | {seconds / 60:.1f} |", flush=True)
    for fault in tally.faults:
        print(f"    {fault}", flush=True)


if __name__ == "__main__":
    main()
