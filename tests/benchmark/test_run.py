"""Runs on a small drawn suite: stopped, killed, with workers that die, on a full disk, and twice at once; whatever
happens, the figures in the end are those of a run that nothing disturbed."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("skia", reason="the suite is drawn with skia-python")
pytest.importorskip("mediapipe", reason="results are looked at by its detector")

from followyouremoji.benchmark.metrics.networks import Networks
from followyouremoji.benchmark.protocol import Protocol
from followyouremoji.benchmark.run import Ran, run_benchmark
from followyouremoji.benchmark.store import SECONDS, Results, locked
from followyouremoji.benchmark.suite import Case, Suite
from followyouremoji.benchmark.systems import System, make_system
from followyouremoji.errors import DataError, SettingsError
from followyouremoji.executors import Executor, Local, Processes, RayCluster
from followyouremoji.media.clips import ClipReader
from tests.benchmark.small_suite import FRAMES, RATE, SIZE, write_small_suite
from tests.programs import environment

PROTOCOL = Protocol(size=SIZE)
SYSTEMS = ("copy", "mesh")


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    return write_small_suite(tmp_path_factory.mktemp("suites") / "small")


@pytest.fixture(scope="module")
def undisturbed(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> Results:
    return run(suite, tmp_path_factory.mktemp("results")).results


def run(
    suite: Suite,
    folder: Path,
    systems: Sequence[str | System] = SYSTEMS,
    executor: Executor | None = None,
    **more: object,
) -> Ran:
    with executor or Local() as executor:
        return run_benchmark(suite, systems, folder, executor, PROTOCOL, Networks(), **more)  # type: ignore[arg-type]


def figures(results: Results) -> list[tuple[str, ...]]:
    """All rows to the last digit, but for the times."""
    return [tuple(map(repr, vars(row).values())) for row in results.rows() if row.metric != SECONDS]


def test_a_run_has_rows_and_a_clip_of_each_pair_and_system(undisturbed: Results) -> None:
    rows = list(undisturbed.rows())
    assert len({(row.system, row.pair) for row in rows}) == 6
    by_metric = {(row.system, row.pair, row.metric): row.value for row in rows}
    assert (
        by_metric["piecewise-affine warp", "ada_self", "l1"] < by_metric["portrait copied", "ada_self", "l1"]
    )
    assert by_metric["piecewise-affine warp", "ada_self", SECONDS] > 0
    path = undisturbed.clip_path("piecewise-affine warp", "ada_self")
    with ClipReader(path) as reader:
        frames = np.stack([picture for _, picture in reader])
    assert reader.info.frame_rate == RATE
    expected = make_system("mesh").animate(Suite.read(Path(undisturbed.run.suite_folder)).cases(PROTOCOL)[0])
    assert np.abs(frames.astype(int) - expected).mean() < 8


def test_what_is_there_is_kept_and_systems_join(suite: Suite, undisturbed: Results, tmp_path: Path) -> None:
    first = run(suite, tmp_path, ["mesh"], pairs=["bob_true"])
    assert (first.measured, first.kept) == (1, 0)
    path = first.results.path("piecewise-affine warp", "bob_true")
    before = path.stat().st_mtime_ns
    steps: list[tuple[int, int]] = []
    second = run(suite, tmp_path, progress=lambda *step: steps.append(step))
    assert (second.measured, second.kept) == (5, 1)
    assert steps == [(done, 5) for done in range(6)]
    assert path.stat().st_mtime_ns == before
    assert sorted(figures(second.results)) == sorted(figures(undisturbed))


KILLED = """
import sys
from pathlib import Path
from followyouremoji.benchmark.metrics.networks import Networks
from followyouremoji.benchmark.run import run_benchmark
from followyouremoji.benchmark.suite import Suite
from followyouremoji.executors import Local, Processes
from tests.benchmark.test_run import PROTOCOL, SYSTEMS

if __name__ == "__main__":
    suite, folder, processes = sys.argv[1:]
    with Local() if processes == "0" else Processes(int(processes)) as executor:
        run_benchmark(Suite.read(Path(suite)), SYSTEMS, Path(folder), executor, PROTOCOL, Networks())
"""


def run_and_kill(suite: Suite, folder: Path, processes: int, more: int, delay: float) -> None:
    """Run in a process of its own, and kill it `delay` seconds after it added `more` files of rows."""
    script = folder.with_name("killed.py")
    script.write_text(KILLED)
    there = len(list(folder.glob("rows/*/[!.]*")))
    running = subprocess.Popen(
        [sys.executable, script, suite.folder, folder, str(processes)],
        env=environment(),
    )
    while len(list(folder.glob("rows/*/[!.]*"))) < there + more:
        assert running.poll() is None, "it ended before it was killed"
        time.sleep(0.002)
    time.sleep(delay)
    running.send_signal(signal.SIGKILL)
    running.wait()


def assert_goes_on(suite: Suite, folder: Path, undisturbed: Results) -> None:
    done = {path: path.stat().st_mtime_ns for path in folder.glob("rows/*/[!.]*")}
    ran = run(suite, folder)
    assert (ran.measured, ran.kept) == (6 - len(done), len(done))
    assert all(path.stat().st_mtime_ns == before for path, before in done.items()), "nothing is counted twice"
    assert figures(ran.results) == figures(undisturbed)
    assert len(list(folder.glob("clips/*/*.mp4"))) == 6
    assert not list(folder.rglob("*.part*")), "and no half-written file is left"


def test_killed_and_started_again_a_run_has_the_same_figures(
    suite: Suite, undisturbed: Results, tmp_path: Path
) -> None:
    delay = float(np.random.default_rng().uniform(0.0, 0.1))
    run_and_kill(suite, tmp_path / "results", 0, 2, delay)
    assert_goes_on(suite, tmp_path / "results", undisturbed)


@pytest.mark.slow
def test_killed_at_any_moment(suite: Suite, undisturbed: Results, tmp_path: Path) -> None:
    rng = np.random.default_rng()
    for number in range(8):
        folder = tmp_path / str(number) / "results"
        folder.parent.mkdir()
        run_and_kill(suite, folder, 2, 1, rng.uniform(0.0, 0.2))
        run_and_kill(suite, folder, 0, 1, rng.uniform(0.0, 0.1))
        assert_goes_on(suite, folder, undisturbed)


@dataclass(frozen=True)
class Deadly:
    """Copies the portrait; of one pair, it ends its process as long as a file is there."""

    file: Path
    name: str = "deadly"
    fingerprint: str = "deadly"

    is_model = False

    def load(self) -> None:
        pass

    def animate(self, case: Case) -> np.ndarray:
        if case.name == "bob_true" and self.file.exists():
            os.kill(os.getpid(), signal.SIGKILL)
        return np.repeat(case.portrait[None], FRAMES, axis=0)


def test_a_worker_that_dies_is_replaced_and_what_killed_it_is_tried_again_by_the_next_run(
    suite: Suite, undisturbed: Results, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.touch()
    first = run(suite, tmp_path / "results", [Deadly(file)], Processes(2))
    ((system, pair, problem),) = first.failures
    assert (system, pair, first.measured) == ("deadly", "bob_true", 2)
    assert "killed by signal 9, 2 times" in problem
    file.unlink()
    second = run(suite, tmp_path / "results", [Deadly(file)])
    assert (second.measured, second.kept, second.failures) == (1, 2, ())
    copied = [row[1:] for row in figures(undisturbed) if row[0] == repr("portrait copied")]
    assert [row[1:] for row in figures(second.results)] == copied


@pytest.mark.slow
def test_workers_that_are_killed_are_replaced(suite: Suite, undisturbed: Results, tmp_path: Path) -> None:
    def kill_one(done: int, total: int) -> None:
        if done in (1, 3):
            os.kill(active_children()[0].pid, signal.SIGKILL)  # type: ignore[arg-type]

    ran = run(suite, tmp_path, executor=Processes(2), progress=kill_one)
    assert (ran.measured, ran.failures) == (6, ())
    assert figures(ran.results) == figures(undisturbed)


@pytest.mark.slow
def test_a_cluster_gives_the_same_figures(suite: Suite, undisturbed: Results, tmp_path: Path) -> None:
    ray = pytest.importorskip("ray", reason="Ray, the optional extra `cluster`, is not installed")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=80_000_000)
    try:
        ran = run(suite, tmp_path, executor=RayCluster())
        assert figures(ran.results) == figures(undisturbed)
    finally:
        ray.shutdown()


@dataclass(frozen=True)
class Broken(Deadly):
    """Of which nothing can be had, for reasons that nobody foresaw in one pair."""

    name: str = "broken"

    def animate(self, case: Case) -> np.ndarray:
        if case.name == "bob_true":
            raise ZeroDivisionError("a mistake")
        if case.name == "bob_ada":
            return np.zeros((2, 8, 8, 3), np.uint8)
        raise DataError("No face in it.")


def test_a_system_that_fails_has_rows_that_say_so(suite: Suite, undisturbed: Results, tmp_path: Path) -> None:
    ran = run(suite, tmp_path, [Broken(tmp_path), "copy"])
    problems = {pair: problem for _, pair, problem in ran.failures}
    assert problems["ada_self"] == "No face in it."
    assert problems["bob_true"] == "ZeroDivisionError: a mistake"
    assert "(2, 8, 8, 3)" in problems["bob_ada"]
    assert [row.problem for row in ran.results.rows() if row.system == "broken"] == [
        problems[pair] for pair in sorted(problems)
    ]
    copied = [row for row in figures(undisturbed) if row[0] == repr("portrait copied")]
    assert [row for row in figures(ran.results) if row[0] != repr("broken")] == copied


def test_a_model_that_cannot_be_loaded_fails_on_every_pair(suite: Suite, tmp_path: Path) -> None:
    from followyouremoji.checkpoints import save_model
    from tests.small_model import small_model

    weights = save_model(small_model(), tmp_path / "weights")
    ran = run(suite, tmp_path / "results", [f"{weights}?size=65", "copy"])
    assert ran.measured == 3
    assert {problem for _, _, problem in ran.failures} == {
        "The size must be a multiple of 16 pixels for this model, not 65: use 64."
    }


def test_a_changed_clip_of_the_suite_fails_alone(suite: Suite, undisturbed: Results, tmp_path: Path) -> None:
    copied = tmp_path / "suite"
    shutil.copytree(suite.folder, copied)
    (copied / "truth.mkv").write_bytes(b"broken" * 100)
    ran = run(Suite.read(copied), tmp_path / "results", ["copy"])
    ((_, pair, problem),) = ran.failures
    assert pair == "bob_true"
    assert "truth.mkv was changed" in problem
    assert [row for row in figures(ran.results) if row[1] != repr("bob_true")] == [
        row
        for row in figures(undisturbed)
        if row[:2] in [(repr("portrait copied"), repr(pair)) for pair in ("ada_self", "bob_ada")]
    ]


def test_a_full_disk_is_an_error_and_the_run_goes_on_later(
    suite: Suite, undisturbed: Results, tmp_path: Path
) -> None:
    written = 0

    def full(_: int) -> None:
        nonlocal written
        written += 1
        if written > 6:  # run.json, clip and rows of two pairs, a clip without its rows
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            run(suite, tmp_path)
    assert len(list(tmp_path.glob("clips/*/*.mp4"))) == 3
    assert_goes_on(suite, tmp_path, undisturbed)


def test_two_runs_at_once_are_refused(suite: Suite, tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(DataError, match="Another run writes"):
        run(suite, tmp_path)
    assert not (tmp_path / "run.json").exists()


def test_what_cannot_be_run_is_refused_before_anything_is_written(suite: Suite, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    for systems, more, words in (
        (["copy", "copy"], {}, "Two systems are called 'portrait copied'"),
        (["copy"], {"pairs": ["nobody"]}, "has no pair 'nobody'"),
    ):
        with pytest.raises(SettingsError, match=words):
            run(suite, folder, systems, **more)
    assert not folder.exists()
