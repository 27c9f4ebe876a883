"""Less memory: networks of a model that take turns. What reads the portrait is not needed while frames are denoised,
nor the denoiser before.

A network that nobody uses has no weights in memory, on whatever device; they wait in the checkpoint's files and are
read again, into the very same modules, when the network's turn comes. For one portrait that costs nothing, since every
network is read once anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from weakref import WeakKeyDictionary

import torch
from torch import nn

READING_NETWORKS = ("image_encoder", "qformer", "appearance_net")  # what sees the portrait, once a clip
TAKING_TURNS = (*READING_NETWORKS, "denoiser")  # the others are small and stay
PAYS_FROM = 1 << 30  # bytes of the reading networks' files, from which they should not stay
SHARE_OF_GPU = 0.25  # of its memory, that all weights may take there before they take turns

Loader = Callable[[], nn.Module]


class Turns:
    """Which networks have their weights in place, for any number of threads.

    A network comes when it is used. It leaves when another one comes and nobody uses it any more, not before: clips of
    one portrait after the other read nothing again.
    """

    def __init__(self, networks: Mapping[nn.Module, Loader]) -> None:
        """`networks` take turns, with or without their weights at first; a loader makes the like of its network, with
        its weights on its device."""
        self._loaders = WeakKeyDictionary(networks)
        self._users: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()
        self._lock = Lock()

    def takes(self, network: nn.Module) -> bool:
        """Whether a network takes turns."""
        return network in self._loaders

    def add(self, network: nn.Module, like: nn.Module, change: Callable[[nn.Module], None]) -> None:
        """Let another network take turns, whose weights are those of `like` with a change."""
        load = self._loaders[like]

        def load_changed() -> nn.Module:
            loaded = load()
            change(loaded)
            return loaded

        with self._lock:
            take_weights(network)
            self._loaders[network] = load_changed

    @contextmanager
    def using(self, *networks: nn.Module) -> Iterator[None]:
        """Have these networks' weights in place until the end of the block; those that take no turns mean nothing here.

        Raises WeightsError where the checkpoint's files are not there any more.
        """
        used = [network for network in networks if network in self._loaders]
        with self._lock:
            for network in self._loaders:
                if network not in used and not self._users.get(network):
                    take_weights(network)
            for network in used:
                if not has_weights(network):
                    self._come(network)
            for network in used:  # when all are there
                self._users[network] = self._users.get(network, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                for network in used:
                    self._users[network] -= 1

    @torch.inference_mode(False)  # weights are ordinary tensors in any mode of the caller
    def _come(self, network: nn.Module) -> None:
        loaded = self._loaders[network]().state_dict()
        network.load_state_dict(loaded, strict=True, assign=True)


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
