"""Every executor gives the same outcomes; errors, kills, interrupts and forgotten maps end nothing but themselves."""

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count, islice
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from followyouremoji.errors import DataError, SettingsError
from followyouremoji.executors import Executor, Local, Processes, RayCluster, WorkerLost
from followyouremoji.executors.pool import Job, Pool, RemoteWorker

POOLS = ["processes", pytest.param("ray", marks=pytest.mark.slow)]  # Ray takes its time to start workers
EVERY = ["local", *POOLS]


@pytest.fixture(scope="module")
def small_cluster() -> Iterator[None]:
    """Two processors are enough, and the tests share what takes long to start."""
    ray = pytest.importorskip("ray", reason="Ray, the optional extra `cluster`, is not installed")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=80_000_000)
    yield
    ray.shutdown()


@pytest.fixture
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    if request.param == "ray":
        request.getfixturevalue("small_cluster")
    with {"local": Local, "processes": partial(Processes, 2), "ray": RayCluster}[request.param]() as executor:
        yield executor
    assert not active_children()


def squared(values: np.ndarray) -> np.ndarray:
    return values**2


def behave(name: str, folder: Path) -> str:
    """Leave a line each time, and behave as the name says."""
    with (folder / name).open("a") as file:
        file.write(f"{os.getpid()}\n")
    attempts = len((folder / name).read_text().splitlines())
    if name == "deadly" or (name == "unlucky" and attempts == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "wrong":
        raise DataError("wrong is wrong")
    if name == "unpicklable":
        raise Unpicklable("a", "b")
    if name == "function":
        return lambda: None  # type: ignore[return-value]
    return name.upper()


class Unpicklable(Exception):
    """Made of other arguments than its message."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(one + other)


class Opening:
    """Opens a resource, and is another each time that it is pickled, as what keeps what it computed is."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.pickled = folder, 0

    def __getstate__(self) -> dict[str, Any]:
        self.pickled += 1
        return self.__dict__

    @contextmanager
    def __call__(self) -> Iterator[str]:
        with (self.folder / "opened").open("a") as file:
            file.write(f"{os.getpid()}\n")
        yield "resource"


def with_resource(item: int, resource: str) -> tuple[int, str, int]:
    return item, resource, os.getpid()


def setting(name: str) -> str | None:
    return os.environ.get(name)


def wait_for_ever(item: int) -> None:
    time.sleep(600)


@pytest.mark.parametrize("executor", EVERY, indirect=True)
def test_every_executor_gives_the_same_results(executor: Executor) -> None:
    items = [np.arange(n, dtype=np.float32) for n in range(7)]
    done = sorted(executor.map(squared, iter(items)), key=lambda outcome: len(outcome.item))
    for outcome, item in zip(done, items, strict=True):
        np.testing.assert_array_equal(outcome.item, item)
        np.testing.assert_array_equal(outcome.result(), item**2)
    assert list(executor.map(squared, [])) == []


@pytest.mark.parametrize("executor", EVERY, indirect=True)
def test_an_error_comes_with_its_item_and_the_others_are_done(executor: Executor, tmp_path: Path) -> None:
    names = ["first", "wrong", "second", "last"]
    done = {outcome.item: outcome for outcome in executor.map(partial(behave, folder=tmp_path), names)}
    assert [done[name].value for name in names] == ["FIRST", None, "SECOND", "LAST"]
    assert [name for name in names if done[name].error] == ["wrong"]
    with pytest.raises(DataError, match="wrong is wrong") as raised:
        done["wrong"].result()
    assert str(raised.value) == "wrong is wrong"
    assert any("'wrong'" in note for note in raised.value.__notes__)


@pytest.mark.parametrize("executor", POOLS, indirect=True)
def test_what_cannot_be_sent_is_an_error_of_its_item(executor: Executor, tmp_path: Path) -> None:
    names = ["unpicklable", "function", "last"]
    done = {outcome.item: outcome for outcome in executor.map(partial(behave, folder=tmp_path), names)}
    assert "Unpicklable: ab" in str(done["unpicklable"].error)
    assert "local object" in str(done["function"].error)
    assert done["last"].result() == "LAST"


@pytest.mark.parametrize("executor", POOLS, indirect=True)
def test_a_killed_worker_is_replaced_and_its_item_tried_again(executor: Pool[Any], tmp_path: Path) -> None:
    names = ["first", "unlucky", "deadly", "last"]
    done = {outcome.item: outcome for outcome in executor.map(partial(behave, folder=tmp_path), names)}
    assert {name for name, outcome in done.items() if outcome.error is None} == {"first", "unlucky", "last"}
    with pytest.raises(WorkerLost, match=f"{executor.attempts} times"):
        done["deadly"].result()
    tries = {name: len((tmp_path / name).read_text().split()) for name in names}
    assert tries == {"first": 1, "unlucky": 2, "deadly": executor.attempts, "last": 1}
    pids = {(tmp_path / name).read_text() for name in names}
    assert f"{os.getpid()}\n" not in pids


@pytest.mark.parametrize("executor", EVERY, indirect=True)
def test_a_worker_keeps_its_resource_from_item_to_item_and_from_map_to_map(
    executor: Executor, tmp_path: Path
) -> None:
    make = Opening(tmp_path)
    for _ in range(2):
        done = [outcome.result() for outcome in executor.map(with_resource, range(6), make)]
        assert sorted((item, resource) for item, resource, _ in done) == [(k, "resource") for k in range(6)]
    made_in = (tmp_path / "opened").read_text().split()
    assert len(made_in) == len(set(made_in)) <= 2


@pytest.mark.parametrize("executor", POOLS, indirect=True)
def test_workers_have_one_thread_and_the_environment_here_stays(executor: Executor) -> None:
    before = dict(os.environ)
    (outcome,) = executor.map(setting, ["OPENCV_FOR_THREADS_NUM"])
    assert outcome.result() == "1"
    assert dict(os.environ) == before


@pytest.mark.parametrize("executor", EVERY, indirect=True)
def test_items_are_taken_as_they_are_needed(executor: Executor) -> None:
    endless = count()
    outcomes = executor.map(str, endless)
    assert len(list(islice(outcomes, 5))) == 5
    assert next(endless) < 20


def test_processes_see_one_gpu_each_in_turns() -> None:
    with Processes(2, gpus=("3", "5")) as executor:
        made = [outcome.result() for outcome in executor.map(sleepy_gpu, range(4))]
    assert set(made) == {"3", "5"}


def sleepy_gpu(item: int) -> str | None:
    time.sleep(0.5)  # so that no process does it all
    return setting("CUDA_VISIBLE_DEVICES")


def test_an_error_here_ends_workers_in_the_middle_of_their_items() -> None:
    with pytest.raises(KeyboardInterrupt), Processes(2) as executor:  # noqa: PT012
        assert next(executor.map(str, [1])).result() == "1"
        outcomes = executor.map(wait_for_ever, interrupting())
        next(outcomes)
    assert not active_children()


def interrupting() -> Iterator[int]:
    yield from (1, 2)
    raise KeyboardInterrupt


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_or_killed_a_program_leaves_no_process(tmp_path: Path, how: signal.Signals) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    running = subprocess.Popen(
        [sys.executable, script, tmp_path], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    pids = [int((tmp_path / name).read_text()) for name in "ab" if appeared(tmp_path / name, running)]
    if how == signal.SIGINT:
        os.killpg(running.pid, how)  # as a terminal does
    else:
        running.send_signal(how)
    _, said = running.communicate(timeout=60)
    assert ("KeyboardInterrupt" in said) == (how == signal.SIGINT)
    assert said.count("Traceback") <= 1  # none of a worker
    end = time.monotonic() + 60
    while any(map(is_running, pids)):
        assert time.monotonic() < end
        time.sleep(0.01)


PROGRAM = """
import os, signal, sys, time
from functools import partial
from pathlib import Path
from followyouremoji.executors import Processes

def work(name, folder):
    (folder / "new").with_name(name + ".new").write_text(str(os.getpid()))
    (folder / (name + ".new")).rename(folder / name)
    time.sleep(600)

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    with Processes(2) as executor:
        list(executor.map(partial(work, folder=Path(sys.argv[1])), "ab"))
"""


def appeared(path: Path, running: subprocess.Popen[str]) -> bool:
    while not path.exists():
        assert running.poll() is None
        time.sleep(0.01)
    return True


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
def test_no_cluster_at_an_address_is_said_in_words() -> None:
    ray = pytest.importorskip("ray", reason="Ray, the optional extra `cluster`, is not installed")
    ray.shutdown()
    with pytest.raises(SettingsError, match=r"No Ray cluster was found at `127\.0\.0\.1:1`"):
        RayCluster("127.0.0.1:1").__enter__()


def test_a_resource_that_cannot_be_loaded_leaves_the_next_map_its_own_function() -> None:
    worker, nothing = RemoteWorker(), pickle.dumps(None)
    upper, lower = pickle.dumps(str.upper), pickle.dumps(str.lower)
    for job, expected in [
        (Job(upper, nothing), "AB"),
        (Job(lower, b"damaged"), None),
        (Job(upper, nothing), "AB"),
    ]:
        value, error = pickle.loads(worker.work(job, pickle.dumps("aB")))
        assert value == expected
        assert (error is None) == (expected is not None)
