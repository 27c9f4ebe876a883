"""LoRAs of a pipeline: added to the weights under names, weighed, and taken out again without a trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from followyouremoji.checkpoints.lora import NETWORKS, Lora, add_loras, check_fits, check_scale, read_lora
from followyouremoji.checkpoints.model import Model
from followyouremoji.errors import SettingsError, WeightsError

WEIGHTS_NAME = "pytorch_lora_weights.safetensors"  # diffusers' name of the file in a folder


@dataclass(frozen=True)
class Adapter:
    """A LoRA that was loaded, with its file and its weight: 0 is not at all, 1 as it was trained."""

    lora: Lora
    file: Path
    weight: float = 1.0


class Adapters:
    """The LoRAs of a pipeline. Weights that they change are kept as they were, and are put back to the bit."""

    def __init__(self) -> None:
        self.loaded: dict[str, Adapter] = {}
        self._own: dict[tuple[nn.Module, str], nn.Parameter] = {}

    @property
    def active(self) -> list[str]:
        """The names of those whose weight is not 0."""
        return [name for name, adapter in self.loaded.items() if adapter.weight]

    def load(self, model: Model, file: Path, name: str | None) -> None:
        """Add a file to the weights of a model's networks. Raises WeightsError where it is no LoRA, or belongs to
        another model, and SettingsError for a name that is taken."""
        name = name or f"default_{len(self.loaded)}"
        if name in self.loaded:
            raise SettingsError(f"a LoRA {name!r} is loaded already: give this one another `adapter_name`")
        lora = read_lora(file)
        check_fits(model, lora, str(file))
        self._set(model, self.loaded | {name: Adapter(lora, file)})

    def weigh(self, model: Model, names: Sequence[str], weights: Sequence[float]) -> None:
        """Use these LoRAs with these weights, and the others not. Raises SettingsError for names that are not loaded,
        and WeightsError for a weight out of range."""
        unknown = [name for name in names if name not in self.loaded]
        if unknown:
            known = ", ".join(self.loaded) or "none"
            raise SettingsError(f"no LoRA {unknown[0]!r} is loaded; loaded are: {known}")
        if len(names) != len(weights):
            raise SettingsError(f"{len(names)} LoRAs need as many weights, not {len(weights)}")
        wanted = dict(zip(names, weights, strict=True))
        for weight in wanted.values():
            check_scale(weight)
        self._set(
            model,
            {name: Adapter(one.lora, one.file, wanted.get(name, 0.0)) for name, one in self.loaded.items()},
        )

    def unload(self, model: Model) -> None:
        """Take all out, and forget them."""
        self._set(model, {})

    @contextmanager
    def scaled(self, model: Model, scale: float) -> Iterator[None]:
        """Until the end of the block, weights are so many times as large."""
        if scale == 1 or not self.active:
            yield
            return
        check_scale(scale)
        before = self.loaded
        self._set(
            model, {name: Adapter(one.lora, one.file, scale * one.weight) for name, one in before.items()}
        )
        try:
            yield
        finally:
            self._set(model, before)

    def _set(self, model: Model, loaded: dict[str, Adapter]) -> None:
        for (layer, _), weight in self._own.items():
            now: nn.Parameter = layer.weight  # type: ignore[assignment]
            layer.weight = nn.Parameter(weight.to(now.device, now.dtype), requires_grad=False)
        self._own = {}
        self.loaded = loaded
        used = [(one.lora, one.weight, str(one.file)) for one in loaded.values() if one.weight]
        networks = {name: getattr(model.networks, name) for name in NETWORKS}
        for lora, _, origin in used:
            for target in lora.targets:
                name, _, path = target.partition(".")
                layer = networks[name].get_submodule(path)
                if layer.weight.is_meta:
                    raise WeightsError(
                        f"{origin} cannot be added while weights are offloaded one by one: load LoRAs first, then offload"
                    )
                self._own.setdefault((layer, target), layer.weight)
        for name, network in networks.items():
            add_loras(network, name, used)
