"""`python -m tests.kills --kills 100`: a table of what became of every command's kills."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from tests.kills.commands import COMMANDS
from tests.kills.trials import Trials


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="of each command")
    parser.add_argument("--only", action="append", help="a command's name; all by default")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    print("| command | kills | went on | began anew | came to the end | faults | minutes |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for command in COMMANDS:
        if chosen.only and command.name not in chosen.only:
            continue
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            tally = Trials(command, Path(folder) / "trials", chosen.seed).kill(chosen.kills)
        minutes = (time.monotonic() - began) / 60
        print(
            f"| `{command.name}` | {tally.kills} | {tally.resumed} | {tally.absent} | {tally.ends} | {len(tally.faults)} | {minutes:.1f} |",
            flush=True,
        )
        for fault in tally.faults:
            print(f"    {fault}", flush=True)


if __name__ == "__main__":
    main()
