"""The process that fuzzes one reader with atheris; `benchmarks.fuzz` starts it, reads its report, and outlives it.

python -m benchmarks.fuzzing.worker READER INPUTS INPUTS_FOLDER FAULTS_FOLDER REPORT
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

import atheris

from benchmarks.fuzzing.reader import Reader, checksums_passed_over, judged, peak_memory
from benchmarks.fuzzing.table import reader

REPORT_EVERY = 200  # inputs: so many at most are not counted where the process dies
HANG = 60  # seconds of the clock, which other work shares
SPARE = 1 << 30
"""Bytes of address space beside those that a reader may take."""


@dataclass
class Report:
    """What the parent process reads. `faults` are counts by name, `memory` is MiB beyond those at the beginning."""

    inputs: int = 0
    read: int = 0
    refused: int = 0
    slowest: float = 0.0
    memory: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)


class Fuzzing:
    """Has a reader read input after input, counts what comes of it, and keeps one input of each fault."""

    def __init__(self, reader: Reader, inputs: int, faults: Path, report: Path) -> None:
        self.reader, self.inputs, self.faults, self.path = reader, inputs, faults, report
        self.report, self.memory_before = Report(), peak_memory()

    def try_input(self, content: bytes) -> None:
        verdict = judged(self.reader, content)
        report = self.report
        report.inputs += 1
        report.refused += verdict.refused
        report.slowest = max(report.slowest, verdict.seconds)
        report.memory = peak_memory() - self.memory_before
        if verdict.fault is not None:
            if verdict.fault not in report.faults:
                self._keep(content, f"{verdict.fault}\n\n{verdict.details}")
            report.faults[verdict.fault] = report.faults.get(verdict.fault, 0) + 1
        elif not verdict.refused:
            report.read += 1
        if report.inputs % REPORT_EVERY == 0 or report.inputs >= self.inputs:
            self.path.write_text(json.dumps(asdict(report)))
        if report.inputs >= self.inputs:
            os._exit(0)  # libFuzzer never returns

    def _keep(self, content: bytes, details: str) -> None:
        stem = f"{self.reader.name.replace('/', '-')}-{hashlib.sha256(content).hexdigest()[:10]}"
        (self.faults / f"{stem}.input").write_bytes(content)
        (self.faults / f"{stem}.txt").write_text(details, errors="backslashreplace")


def in_format(mutate: Callable[[bytes, Random], bytes]) -> Callable[[bytes, int, int], bytes]:
    """A reader's mutation as libFuzzer calls it."""
    return lambda content, most, seed: mutate(content, Random(seed))[:most]


def main(name: str, inputs: str, folder: str, faults: str, report: str) -> None:
    with atheris.instrument_imports(include=["followyouremoji"]):
        fuzzed = reader(name)
        for seed in fuzzed.seeds():
            (Path(folder) / f"seed-{hashlib.sha256(seed).hexdigest()[:10]}").write_bytes(seed)
            fuzzed.read(seed)  # what is imported late and made once is no input's; and a seed is whole
    space = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = space + SPARE + 2 * (fuzzed.memory << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    options = [f"-timeout={HANG}", "-rss_limit_mb=0", f"-artifact_prefix={faults}/{name.replace('/', '-')}-"]
    fuzzing = Fuzzing(fuzzed, int(inputs), Path(faults), Path(report))
    mutator = {} if fuzzed.mutate is None else {"custom_mutator": in_format(fuzzed.mutate)}
    with checksums_passed_over():
        atheris.Setup([sys.argv[0], *options, folder], fuzzing.try_input, **mutator)
        atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
