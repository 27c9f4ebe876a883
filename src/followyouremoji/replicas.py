"""Replicas of a model on a Ray cluster: a request and its files in, the result's bytes out.

Each replica holds the model and makes one animation at a time; several may share a GPU. What waits is bounded: a caller
is told at once when there is too much, and may come again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

from followyouremoji.errors import SettingsError, UserError
from followyouremoji.executors.base import ONE_THREAD
from followyouremoji.executors.ray_cluster import connected
from followyouremoji.requests.animation import animate, load_animator
from followyouremoji.requests.bundled import PREFIX
from followyouremoji.requests.events import Outcome
from followyouremoji.requests.request import AnimationRequest, ModelChoice

APPLICATION = "followyouremoji"


class Busy(UserError):
    """More requests wait than may; the same request may be made again later."""


@dataclass(frozen=True)
class Animation:
    """A result: the file's name and content, and what came of the request."""

    name: str
    content: bytes
    outcome: Outcome


class Replica:
    """What a replica runs; Ray Serve makes one in each process."""

    def __init__(self, model: ModelChoice) -> None:
        self._animator = load_animator(model)

    def __call__(self, request: AnimationRequest, files: Mapping[str, bytes]) -> Animation | UserError:
        """The result, or what cannot be used: returned, for what Serve raises again says nothing to a user."""
        try:
            return animation(request, files, lambda _: self._animator)
        except UserError as error:
            return error


def animation(request: AnimationRequest, files: Mapping[str, bytes], load: Any) -> Animation:
    """Animate a request whose portrait and drivings are bundled, or among the `files` by their names.

    No path that it names is read: files are written into a folder of their own, under numbers and their endings. A
    result must be one file. Raises UserError.
    """
    output = request.output
    others = (request.loras, request.points, request.resume, request.settings.detector_bundle)
    if any((*others, output.certificate, output.private_key, output.timestamp_authority)):
        raise SettingsError("replicas take pictures and motions, and neither other files nor addresses")
    with tempfile.TemporaryDirectory(prefix="fye-") as made:
        folder = Path(made)
        paths: dict[str, str] = {}
        for number, (name, content) in enumerate(files.items()):
            path = folder / f"{number}{Path(name).suffix}"
            path.write_bytes(content)
            paths[name] = str(path)
        find = partial(_found, paths)
        name = Path(output.path or "animation.mp4").name
        written = folder / f"result{Path(name).suffix}"
        outcome = animate(
            replace(
                request,
                portrait=find(request.portrait),
                driving=None if request.driving is None else find(request.driving),
                faces=tuple(
                    face if face.driving is None else replace(face, driving=find(face.driving))
                    for face in request.faces
                ),
                output=replace(output, path=written),
            ),
            load=load,
        )
        if not written.is_file():
            raise SettingsError(
                "a replica's result is one file: name one such as animation.mp4", settings=("path",)
            )
        return Animation(name, written.read_bytes(), outcome.model_copy(update={"path": Path(name)}))


def _found(paths: Mapping[str, str], given: str) -> str:
    if given.startswith(PREFIX):
        return given
    if given not in paths:
        raise SettingsError(f"{given} is not among the files of the request")
    return paths[given]


class Replicas:
    """A model's replicas, as a context manager; they end with its block.

    >>> with Replicas(count=4, gpus=0.25) as replicas:
    ...     made = replicas.animate(AnimationRequest(portrait="me.jpg", driving="bundled:smile"), {"me.jpg": content})

    Parameters
    ----------
    model : that all of them hold, and that takes the place of the requests' own.
    address : as of `RayCluster`.
    count : how many.
    gpus : of each, which may be part of one.
    waiting : requests that may wait for a free replica.

    Raises
    ------
    SettingsError : when its block begins: Ray Serve is not installed or no cluster answers.
    """

    def __init__(
        self,
        model: ModelChoice | None = None,
        address: str = "auto",
        *,
        count: int = 1,
        gpus: float = 0.0,
        waiting: int = 100,
    ) -> None:
        self._model, self._address = model or ModelChoice(), address
        self._how: dict[str, Any] = {
            "num_replicas": count,
            "max_ongoing_requests": 1,
            "max_queued_requests": waiting,
            "ray_actor_options": {"num_cpus": 1, "num_gpus": gpus, "runtime_env": {"env_vars": ONE_THREAD}},
        }
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(connected(self._address))
            try:
                from ray import serve
            except ImportError as reason:
                raise SettingsError("replicas need Ray Serve: pip install 'ray[serve]'") from reason
            serve.start(proxy_location="Disabled")
            deployment = serve.deployment(name=APPLICATION, **self._how)(Replica)
            stack.callback(serve.delete, APPLICATION)
            self._handle = serve.run(deployment.bind(self._model), name=APPLICATION, route_prefix=None)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def animate(self, request: AnimationRequest, files: Mapping[str, bytes] | None = None) -> Animation:
        """The result of a request, waited for; threads may call this beside each other.

        A replica that is lost under it is replaced, and the request then goes to another. `files` are pictures and
        motions by the names that the request has for them. Raises UserError, Busy where too many requests wait.
        """
        from ray.exceptions import RayActorError
        from ray.serve.exceptions import BackPressureError

        for attempt in (1, 2):
            try:
                made = self._handle.remote(request, files or {}).result()
                break
            except BackPressureError as full:
                raise Busy("too many animations are waiting; try again later") from full
            except RayActorError as lost:
                if attempt == 2:
                    raise UserError(
                        "the replica that made the animation was lost, 2 times; most often memory ran out"
                    ) from lost
        if isinstance(made, UserError):
            raise made
        assert isinstance(made, Animation)
        return made
