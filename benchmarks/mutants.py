"""How many small faults in the code the tests notice: a sample of mutants (DeMillo, Lipton and Sayward, 1978).

    python benchmarks/mutants.py [--rooms face sampling checkpoints] [--mutants 300] [--workers 2] [--folder mutants]

A mutant is the code with one operator, number, condition or loop changed, as cosmic-ray changes them. Each runs the
tests that execute the changed line, quick ones first, until one fails. Works on copies of the tree beside the results,
which stay in `--folder`: a second run goes on where the first one stopped. Prints the share that was noticed by room,
and the change of each mutant that was not, to be looked at. Needs cosmic-ray and pytest-cov; forks, so not on Windows.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
TREE = ("src", "tests", "benchmarks", "comfyui", "configs", "docs", "pyproject.toml", "README.md", "LICENSE")
OPERATORS = (
    *(
        f"ReplaceBinaryOperator_{pair}"
        for pair in ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "FloorDiv_Mul")
    ),
    *(f"ReplaceBinaryOperator_{pair}" for pair in ("Mod_Mul", "Pow_Mul", "BitAnd_BitOr")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Lt_GtE", "LtE_Gt", "Gt_LtE", "GtE_Lt")),
    *("ReplaceUnaryOperator_USub_UAdd", "ReplaceUnaryOperator_Delete_Not", "AddNot", "NumberReplacer"),
    *("ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd"),
    *("ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "ZeroIterationForLoop"),
)
HEAVY = (
    "numpy",
    "torch",
    "cv2",
    "av",
    "PIL.Image",
    "diffusers",
    "transformers",
    "safetensors",
    "hypothesis",
    "mediapipe",
)
FATES: dict[int, str] = {
    pytest.ExitCode.OK: "survives",
    pytest.ExitCode.INTERNAL_ERROR: "unclear",
    pytest.ExitCode.USAGE_ERROR: "not run",  # a test is not found, or what all of them import fails
    pytest.ExitCode.NO_TESTS_COLLECTED: "unclear",
}
FIRST_SECONDS, ALL_SECONDS = 20.0, 120.0
"""Of tests, at the speed of their first run: of each mutant, and of one that survives the first."""
SLOWER = 4.0  # times as long as at first a test may take before it counts as one that does not end


@dataclass(frozen=True)
class Mutant:
    module: str  # below src/followyouremoji
    operator: str
    occurrence: int
    line: int

    @property
    def room(self) -> str:
        return self.module.split("/")[0].removesuffix(".py")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rooms", nargs="+", default=["face", "sampling", "checkpoints"])
    parser.add_argument("--mutants", type=int, default=300)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("mutants"))
    options = parser.parse_args()
    folder: Path = options.folder.resolve()
    folder.mkdir(exist_ok=True)
    seconds = measured_tests(folder, options.rooms)
    every = [mutant for room in options.rooms for mutant in mutants_of(room)]
    sample = random.Random(options.seed).sample(every, min(options.mutants, len(every)))
    results = folder / "results.jsonl"
    done = (
        {Mutant(**one["mutant"]): one for one in map(json.loads, results.read_text().splitlines())}
        if results.exists()
        else {}
    )
    with results.open("a") as written:
        for result in tested([one for one in sample if one not in done], folder, seconds, options.workers):
            done[Mutant(**result["mutant"])] = result
            written.write(json.dumps(result) + "\n")
            written.flush()
            print(f"{len(done)}/{len(sample)} {result['fate']}: {result['mutant']}", file=sys.stderr)
    print(report([done[mutant] for mutant in sample], len(every)))


def mutants_of(room: str) -> Iterator[Mutant]:
    """Every mutant of a room."""
    from cosmic_ray.ast import ast_nodes, get_ast_from_path
    from cosmic_ray.plugins import get_operator

    package = ROOT / "src" / "followyouremoji"
    for path in sorted((package / room).rglob("*.py")) or [package / f"{room}.py"]:
        nodes = list(ast_nodes(get_ast_from_path(path)))
        for name in OPERATORS:
            operator = get_operator(f"core/{name}")()
            places = ((node, place) for node in nodes for place in operator.mutation_positions(node))
            for occurrence, (node, ((line, _), _)) in enumerate(places):
                if (
                    node.parent is None or node.parent.type != "parameters"
                ):  # a lone star there multiplies nothing
                    yield Mutant(path.relative_to(package).as_posix(), name, occurrence, line)


def measured_tests(folder: Path, rooms: Iterable[str]) -> dict[str, float]:
    """Seconds of each test of the rooms that passes; which lines it executes is in `folder/coverage`."""
    times = folder / "seconds.json"
    if not times.exists():
        tree = copied_tree(folder / "measured")
        command = [
            sys.executable,
            __file__,
            "--measure",
            str(tree),
            str(times),
            str(folder / "coverage"),
            *rooms,
        ]
        subprocess.run(command, check=True, env=environment(tree))
        shutil.rmtree(tree)
    known: dict[str, float] = json.loads(times.read_text())
    return known


def measure(tree: Path, times: Path, coverage: Path, *rooms: str) -> None:
    """Run the tests of the rooms in `tree`, noting their seconds and the lines that each executes."""
    seconds: dict[str, float] = defaultdict(float)
    failed = set()

    class Clock:
        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            seconds[report.nodeid] += report.duration
            if not report.passed:
                failed.add(report.nodeid)

    os.chdir(tree)
    os.environ["COVERAGE_FILE"] = str(coverage)
    tests = [
        str(path)
        for room in rooms
        for path in (Path("tests", room), Path("tests", f"test_{room}.py"))
        if path.exists()
    ]
    covered = [f"--cov=followyouremoji.{room}" for room in rooms]
    pytest.main(
        [*tests, *covered, "--cov-branch", "--cov-context=test", "--cov-report=term:skip-covered"], [Clock()]
    )
    times.write_text(
        json.dumps({name: spent for name, spent in seconds.items() if name not in failed}, indent=1)
    )


class Cover:
    """Which tests execute a line."""

    def __init__(self, coverage: Path) -> None:
        from coverage import CoverageData

        self._data = CoverageData(str(coverage))
        self._data.read()
        self._files = {path.split("/src/followyouremoji/")[1]: path for path in self._data.measured_files()}

    def tests(self, mutant: Mutant) -> set[str]:
        if mutant.module not in self._files:
            return set()
        lines = self._data.contexts_by_lineno(self._files[mutant.module])
        return {one.rsplit("|", 1)[0] for one in lines.get(mutant.line, []) if one}


def tested(
    mutants: list[Mutant], folder: Path, seconds: dict[str, float], workers: int
) -> Iterator[dict[str, Any]]:
    """What becomes of each mutant, as it is known."""
    given = (folder, folder / "coverage", seconds)
    with ProcessPoolExecutor(workers, get_context("fork"), begin, given) as pool:
        for ended in as_completed([pool.submit(fate, mutant) for mutant in mutants]):
            yield ended.result()
    for tree in folder.glob("tree*"):
        shutil.rmtree(tree)


@dataclass(frozen=True)
class Workplace:
    """What a worker tests mutants with."""

    tree: Path
    cover: Cover
    seconds: dict[str, float]


def begin(folder: Path, coverage: Path, seconds: dict[str, float]) -> None:
    """Give this worker a tree of its own."""
    global workplace
    tree = copied_tree(folder / f"tree{os.getpid()}")
    os.environ.update(environment(tree))
    os.chdir(tree)
    sys.path[:0] = [str(tree / "src"), str(tree)]
    for name in HEAVY:  # once, not once a mutant
        __import__(name)
    workplace = Workplace(tree, Cover(coverage), seconds)


workplace: Workplace


def fate(mutant: Mutant) -> dict[str, Any]:
    """Whether a mutant is "killed" by a test, makes one take "too long", "survives", has no test ("uncovered"), or
    keeps the tests from being run ("unclear")."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    tree, cover, seconds = workplace.tree, workplace.cover, workplace.seconds
    path = tree / "src" / "followyouremoji" / mutant.module
    own = Path("tests", mutant.module).with_name(f"test_{Path(mutant.module).name}").as_posix()
    # What is read once and remembered is executed by the first test alone, and what is made at import by none.
    naming = {test for test in seconds if names(tree / test.partition("::")[0], mutant.module)}
    covering = cover.tests(mutant)
    tests = sorted(
        (covering | naming) & seconds.keys(),
        key=lambda test: (not test.startswith(own), test not in covering, seconds[test]),
    )
    code = path.read_text()
    changed = mutate_code(code, get_operator(f"core/{mutant.operator}")(), mutant.occurrence)
    change = "".join(
        line
        for line in difflib.unified_diff(code.splitlines(True), changed.splitlines(True), n=0)
        if line[:3] not in ("---", "+++")
    )
    path.write_text(changed)
    begun, found = time.monotonic(), "survives" if tests else "uncovered"
    try:
        first = within(tests, seconds, FIRST_SECONDS)
        for some in (first, within(tests[len(first) :], seconds, ALL_SECONDS)):
            limit = SLOWER * sum(seconds[test] for test in some) + 60
            if some and found == "survives":
                found = outcome(some, limit)
            if some and found == "not run":  # a test's parameters are others now
                found = outcome([*dict.fromkeys(test.partition("[")[0] for test in some)], SLOWER * limit)
                found = "killed" if found == "not run" else found  # what all tests import fails
    finally:
        path.write_text(code)
    return {
        "mutant": asdict(mutant),
        "fate": found,
        "change": change,
        "seconds": round(time.monotonic() - begun, 1),
    }


@cache
def names(file: Path, module: str) -> bool:
    """Whether a file of tests names a module."""
    *rooms, name = "followyouremoji", *Path(module).with_suffix("").parts
    ways = (".".join([*rooms, name]), f"from {'.'.join(rooms)} import {name}")
    return any(way in file.read_text() for way in ways)


def within(tests: list[str], seconds: dict[str, float], limit: float) -> list[str]:
    """The first tests, of no more than `limit` seconds together; one at least."""
    chosen: list[str] = []
    for test in tests:
        limit -= seconds[test]
        if chosen and limit < 0:
            break
        chosen.append(test)
    return chosen


def outcome(tests: list[str], limit: float) -> str:
    """Run tests in a process that is a copy of this one."""
    child = os.fork()
    if child == 0:
        os.setsid()
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        os._exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:cov", *tests]))
    end = time.monotonic() + limit
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return FATES.get(os.waitstatus_to_exitcode(status), "killed")  # by a fault in C, too
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "too long"


def report(results: list[dict[str, Any]], in_all: int) -> str:
    from followyouremoji.benchmark.tables import markdown  # not before the forks, which import mutants

    rows = [["room", "mutants", "killed", "too long", "survive", "no test", "unclear", "noticed"]]
    by_room: dict[str, list[str]] = defaultdict(list)
    for one in results:
        by_room[Mutant(**one["mutant"]).room].append(one["fate"])
    by_room["all"] = [one["fate"] for one in results]
    for room, fates in by_room.items():
        counts = [fates.count(fate) for fate in ("killed", "too long", "survives", "uncovered", "unclear")]
        rows.append([room, str(len(fates)), *map(str, counts), f"{(counts[0] + counts[1]) / len(fates):.1%}"])
    left = [one for one in results if one["fate"] not in ("killed", "too long")]
    changes = "\n".join(f"{one['mutant']['module']} ({one['fate']})\n{one['change']}" for one in left)
    return f"{markdown(rows)}\n\nA sample of {len(results)} from {in_all}. Not noticed:\n\n{changes}"


def copied_tree(tree: Path) -> Path:
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir()
    for name in TREE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tree / name)
    return tree


def environment(tree: Path) -> dict[str, str]:
    """Of tests in a tree. No compiled code is kept, which could be that of another mutant of the same second."""
    return {**os.environ, "PYTHONPATH": f"{tree / 'src'}{os.pathsep}{tree}", "PYTHONDONTWRITEBYTECODE": "1"}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        tree, times, coverage = map(Path, sys.argv[2:5])
        measure(tree, times, coverage, *sys.argv[5:])
    else:
        main()
