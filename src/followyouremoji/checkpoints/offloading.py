"""Less memory: networks of a model that take turns. What reads the portrait is not needed while frames are denoised,
nor the denoiser before.

A network that nobody uses has no weights in memory, on whatever device; they wait in the checkpoint's files and are
read again, into the very same modules, when the network's turn comes. For one portrait that costs nothing, since every
network is read once anyway.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import torch
from torch import nn

READING_NETWORKS = ("image_encoder", "qformer", "appearance_net")  # what sees the portrait, once a clip
TAKING_TURNS = (*READING_NETWORKS, "denoiser")  # the others are small and stay
PAYS_FROM = 1 << 30  # bytes of the reading networks' files, from which they should not stay
SHARE_OF_GPU = 0.25  # of its memory, that all weights may take there before they take turns

Loader = Callable[[], nn.Module]


class Turns:
    """Which of a model's networks have their weights in place, for any number of threads.

    A network comes when it is used. It leaves when another one comes and nobody uses it any more, not before: clips of
    one portrait after the other read nothing again.
    """

    def __init__(self, networks: Mapping[str, nn.Module], loaders: Mapping[str, Loader]) -> None:
        """`networks` take turns, with or without their weights at first; a loader makes the like of its network, with
        its weights on its device."""
        self._networks = dict(networks)
        self._loaders = loaders
        self._users: Counter[str] = Counter()
        self._lock = Lock()

    @contextmanager
    def using(self, *names: str) -> Iterator[None]:
        """Have these networks' weights in place until the end of the block; names of networks that take no turns mean
        nothing here.

        Raises WeightsError where the checkpoint's files are not there any more.
        """
        used = [name for name in names if name in self._networks]
        with self._lock:
            for name, network in self._networks.items():
                if name not in used and not self._users[name]:
                    take_weights(network)
            for name in used:
                if not has_weights(self._networks[name]):
                    self._come(name)
            self._users.update(used)
        try:
            yield
        finally:
            with self._lock:
                self._users.subtract(used)

    @torch.inference_mode(False)  # weights are ordinary tensors, whoever asks for them
    def _come(self, name: str) -> None:
        loaded = self._loaders[name]().state_dict()
        self._networks[name].load_state_dict(loaded, strict=True, assign=True)


def has_weights(network: nn.Module) -> bool:
    return not next(network.parameters()).is_meta


def take_weights(network: nn.Module) -> None:
    """Leave of every weight its shape and type alone."""
    if has_weights(network):
        shapes = {
            name: torch.empty_like(value, device="meta") for name, value in network.state_dict().items()
        }
        network.load_state_dict(shapes, strict=True, assign=True)


def turns_pay(files: Mapping[str, Path], device: torch.device) -> bool:
    """Whether a user would want networks to take turns: on a GPU where they would fill much of it, elsewhere where they
    are large at all.

    `files` are those of the networks, by their names.
    """
    sizes = {name: file.stat().st_size for name, file in files.items() if file.is_file()}
    if device.type == "cuda":
        return sum(sizes.values()) > SHARE_OF_GPU * torch.cuda.get_device_properties(device).total_memory
    return sum(sizes.get(name, 0) for name in READING_NETWORKS) > PAYS_FROM
