"""Several machines of a Ray cluster, one of which is killed in the middle: nothing is missing, nothing made twice."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence

from followyouremoji.animator import PortraitAnimator
from followyouremoji.checkpoints.model import Model, save_model
from followyouremoji.executors import RayCluster
from followyouremoji.requests.batch import run_batch
from followyouremoji.requests.events import PairEnds
from followyouremoji.requests.request import BatchOutput, BatchRequest, ClipSettings, ModelChoice
from followyouremoji.settings import AnimationSettings
from tests.small_model import small_model
from tests.test_distribution import Counted

pytestmark = pytest.mark.slow
CORES = 2  # that each machine is said to have
STORE = 80_000_000  # bytes


@pytest.fixture(scope="module")
def machines() -> Iterator[Any]:
    """A cluster of a head without processors and one machine; tests add others."""
    ray = pytest.importorskip("ray", reason="Ray, the optional extra `cluster`, is not installed")
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "object_store_memory": STORE, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        cluster.add_node(num_cpus=CORES, object_store_memory=STORE)
        ray.init(address=cluster.address, log_to_driver=False)
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture
def second(machines: Any) -> Any:
    """Another machine, to be killed."""
    node = machines.add_node(num_cpus=CORES, object_store_memory=STORE)
    machines.wait_for_nodes()
    return node


def kill(machines: Any, node: Any) -> None:
    """Kill -9 all processes of a machine."""
    machines.remove_node(node, allow_graceful=False)


def shown(animation: Path) -> list[np.ndarray]:
    with Image.open(animation) as picture:
        return [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(picture)]


def noted(model: Model, folder: Path) -> Model:
    """The model; each process that loads it says on which machine."""
    import ray

    (folder / f"{os.getpid()}-{ray.get_runtime_context().get_node_id()}").touch()
    return model


def test_a_clip_comes_whole_though_a_machine_is_killed(machines: Any, second: Any, tmp_path: Path) -> None:
    from tests.test_faces import FAR, beside
    from tests.test_preparation import drawn_motion

    model = small_model(warped_reference=True)
    animator = PortraitAnimator(model, load=partial(noted, model, tmp_path))
    prepared = animator.prepare_faces(beside(FAR), {1: drawn_motion(40)})
    settings, kept = AnimationSettings(steps=10, speed="exact"), Counted()

    def killing(done: int, total: int) -> None:
        nonlocal second
        workers = [name.name.partition("-")[2] for name in tmp_path.iterdir()]
        if second is not None and second.node_id in workers and done < total / 2:
            kill(machines, second)
            second = None

    with RayCluster() as executor:
        making = animator.frames(prepared, settings, progress=killing, stores=[kept], executor=executor)
        there = np.stack(list(making))
    assert second is None
    here = np.stack(list(animator.frames(prepared, settings))).astype(int)
    assert np.abs(here - there).max() <= 1
    assert sorted(kept.saved) == list(range(len(kept.saved))) == sorted(kept.segments)


def test_a_batch_comes_whole_though_a_machine_is_killed(machines: Any, second: Any, tmp_path: Path) -> None:
    model = small_model()
    save_model(model, tmp_path / "model")
    asked = BatchRequest(
        portraits=("bundled:ada", "bundled:max", "bundled:fox"),
        motions=("bundled:hello", "bundled:talk", "bundled:smile", "bundled:wink_left"),
        output=BatchOutput(path=tmp_path / "out", max_side=64, format="apng"),
        model=ModelChoice(weights=str(tmp_path / "model"), device="cpu"),
        clip=ClipSettings(stop="6"),
        settings=AnimationSettings(steps=4),
    )
    ended: list[str] = []
    killed = threading.Event()

    def killing(event: object) -> None:
        if isinstance(event, PairEnds):
            ended.append(event.result.name)
            if not killed.is_set():
                killed.set()
                kill(machines, second)

    with RayCluster() as executor:
        outcome = run_batch(asked, killing, executor=executor)
    assert killed.is_set()
    assert (outcome.made, outcome.failed) == (12, ())
    assert sorted(ended) == sorted(pair.name for pair in outcome.pairs)
    alone = run_batch(replace(asked, output=replace(asked.output, path=tmp_path / "alone")))
    for pair in alone.pairs:
        assert pair.outcome is not None
        there = tmp_path / "out" / pair.outcome.path.name
        for one, other in zip(shown(there), shown(pair.outcome.path), strict=True):
            np.testing.assert_array_equal(one, other)
