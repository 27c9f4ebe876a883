"""Independent pieces of work on the machines of a Ray cluster.

The machines need this package installed, and the folders that the work reads and writes at the same paths (a shared
file system).
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from followyouremoji.errors import SettingsError, first_line

Item = TypeVar("Item")

LOCAL = "local"
"""The address that starts Ray on this machine alone, for trying out."""

ANSWER = 5.0
"""Seconds that the head node may take to answer."""

AHEAD = 2
"""Pieces handed to the cluster at once, for each of its processors."""


def work_on_ray(
    function: Callable[[Item], None], items: Sequence[Item], address: str = "auto"
) -> Iterator[tuple[Item, str | None]]:
    """Call `function` for every item, each in a task of one processor; like `data.preparation.workers.work_locally`.

    Parameters
    ----------
    address : "auto" finds the cluster that this machine belongs to; a head node's address, such as ``10.0.0.1:6379`` or
        ``ray://10.0.0.1:10001``; "local" starts Ray here. Not used where the calling process is connected to a Ray
        already.

    Yields each item when it is done, in any order, with None, or with the reason where its worker was killed twice.
    What the function raises is raised here.

    Raises
    ------
    SettingsError : Ray is not installed, or no cluster answers at the address.
    """
    try:
        import ray
    except ModuleNotFoundError as reason:
        raise SettingsError(
            "working on a cluster needs Ray: pip install 'followyouremoji[cluster]'"
        ) from reason
    if ray.is_initialized():  # by whoever calls, whose connection stays
        yield from _run(ray, function, items)
        return
    _connect(ray, address)
    try:
        yield from _run(ray, function, items)
    finally:
        ray.shutdown()


def _connect(ray: Any, address: str) -> None:
    try:
        _reach(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ValueError, RuntimeError, OSError, ray.exceptions.RayError) as reason:
        raise SettingsError(
            f"No Ray cluster was found at `{address}` ({first_line(reason)}). Start one with `ray start --head`, give its "
            f"address, or `--ray {LOCAL}` to try it on this machine."
        ) from reason


def _reach(address: str) -> None:
    """Raise OSError where nothing answers at a host and port: Ray itself would try for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=ANSWER).close()


def _run(
    ray: Any, function: Callable[[Item], None], items: Sequence[Item]
) -> Iterator[tuple[Item, str | None]]:
    task = ray.remote(num_cpus=1, max_retries=1)(function_in_worker)
    shared = ray.put(function)
    window = max(1, int(AHEAD * ray.cluster_resources().get("CPU", 1)))
    rest = iter(items)
    running: dict[Any, Item] = {}
    while True:
        while len(running) < window and (item := next(rest, None)) is not None:
            running[task.remote(shared, item)] = item
        if not running:
            return
        done, _ = ray.wait(list(running), num_returns=1)
        item = running.pop(done[0])
        try:
            ray.get(done[0])
        except ray.exceptions.RayTaskError as error:
            raise (error.cause or error) from error
        except ray.exceptions.RayError as error:
            yield item, f"the worker that had it was lost ({type(error).__name__}); most often memory ran out"
        else:
            yield item, None


def function_in_worker(function: Callable[[Item], None], item: Item) -> None:
    """In a worker of the cluster."""
    import cv2

    cv2.setNumThreads(1)
    function(item)
