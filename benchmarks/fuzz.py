"""Coverage-guided fuzzing of all that reads files of others.

    python -m benchmarks.fuzz --reader motion --inputs 100000

Needs atheris (`pip install atheris`; Linux, Python 3.11 to 3.13). Inputs that reached new code are kept in the corpus,
which the next run begins from; of each fault one input is kept with its traceback in `faults/` there. The table says of
each reader how many inputs it was given and how many of them it read, refused as it should, or failed at; how many
edges of the code were reached, and how many of them by no input of the corpus before; how fast it went, and what the
slowest input and all together took. Checksums within zip and tar files are passed over, so that what they guard is
read.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from benchmarks.fuzzing.table import GROUPS, names_like

MOST_DEATHS = 5
"""Of the process that fuzzes, before a reader is given up."""
MEMORY_FILES = Path("/dev/shm")  # a folder without a disk, on Linux

COLUMNS = (
    "reader",
    "inputs",
    "read",
    "refused",
    "faults",
    "edges",
    "new",
    "kept",
    "inputs/s",
    "slowest, ms",
    "MiB",
)


@dataclass
class Row:
    """What came of a reader's fuzzing."""

    name: str
    inputs: int = 0
    read: int = 0
    refused: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    edges: int = 0
    new: int = 0
    kept: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    memory: float = 0.0

    def cells(self) -> str:
        cells = (
            self.name, self.inputs, self.read, self.refused, self.faults.total(), self.edges, self.new, self.kept,
            f"{self.inputs / max(self.seconds, 1e-9):.0f}", f"{1000 * self.slowest:.0f}", f"{self.memory:.0f}",
        )  # fmt: skip
        return f"| {' | '.join(map(str, cells))} |"


def fuzz(name: str, inputs: int, corpus: Path) -> Row:
    """Give a reader so many inputs, in processes of its own: where one dies, of an input that is kept, another goes
    on."""
    row, folder, faults = Row(name), corpus / name, corpus / "faults"
    for made in (folder, faults):
        made.mkdir(parents=True, exist_ok=True)
    while row.inputs < inputs and row.faults["the process died"] < MOST_DEATHS:
        _run(row, inputs - row.inputs, folder, faults)
    row.kept = len(list(folder.iterdir()))
    return row


def _run(row: Row, inputs: int, folder: Path, faults: Path) -> None:
    """Have one process fuzz, to its end, and count what it did."""
    memory_files = MEMORY_FILES if MEMORY_FILES.is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory_files) as temporary:
        report = Path(temporary) / "report.json"
        work = Path(temporary) / "work"
        work.mkdir()
        command = [
            sys.executable,
            "-m",
            "benchmarks.fuzzing.worker",
            row.name,
            inputs,
            folder,
            faults,
            report,
        ]
        log = faults / f"{row.name.replace('/', '-')}.log"
        begun = time.monotonic()
        with log.open("w") as written:
            done = subprocess.run(
                [str(part) for part in command],
                env={**os.environ, "TMPDIR": str(work)},
                stdout=written,
                stderr=subprocess.STDOUT,
            )
        row.seconds += time.monotonic() - begun
        told = json.loads(report.read_text()) if report.is_file() else {}
    edges = [int(found) for found in re.findall(r"\bcov: (\d+)", log.read_text(errors="replace"))]
    if edges:
        row.new += max(edges) - edges[0]
        row.edges = max(row.edges, *edges)
    row.inputs += told.get("inputs", 0)
    row.read += told.get("read", 0)
    row.refused += told.get("refused", 0)
    row.faults.update(told.get("faults", {}))
    row.slowest = max(row.slowest, told.get("slowest", 0.0))
    row.memory = max(row.memory, told.get("memory", 0.0))
    if done.returncode == 0:
        log.unlink()
    else:
        row.faults["the process died"] += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = f"all, a group ({', '.join(GROUPS)}), or GROUP/FORMAT; may be repeated"
    parser.add_argument("--reader", action="append", metavar="NAME", help=names)
    parser.add_argument("--inputs", type=int, default=10_000, help="for each reader (default: 10000)")
    parser.add_argument("--corpus", type=Path, default=Path("results/fuzzing"), help="folder of kept inputs")
    options = parser.parse_args()
    if find_spec("atheris") is None:
        parser.error("atheris is not installed: pip install atheris (Linux, Python 3.11 to 3.13)")
    try:
        wanted = [name for one in options.reader or ["all"] for name in names_like(one)]
    except KeyError as unknown:
        parser.error(f"there is no reader {unknown}; give {names}")
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}", flush=True)
    found = list[str]()
    for name in wanted:
        row = fuzz(name, options.inputs, options.corpus)
        print(row.cells(), flush=True)
        found += [f"{name}: {fault}, {count} inputs" for fault, count in row.faults.items()]
    if found:
        sys.exit(
            "\n".join([*found, f"one input of each lies in {options.corpus / 'faults'}, with its traceback"])
        )


if __name__ == "__main__":
    main()
