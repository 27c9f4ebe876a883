"""Arguments of a call, as users of diffusers give them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from followyouremoji.diffusers_pipeline.outputs import OUTPUT_TYPES
from followyouremoji.errors import SettingsError
from followyouremoji.settings import AnimationSettings


def check_output_type(output_type: str) -> None:
    """Raise SettingsError for one that is not known."""
    if output_type not in OUTPUT_TYPES:
        raise SettingsError(f"there is no output type {output_type!r}: use {', '.join(OUTPUT_TYPES)}")


def check_callback_tensors(names: Sequence[str], known: Collection[str]) -> None:
    """Raise SettingsError for a tensor that a step has not."""
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise SettingsError(f"a step has no tensor {unknown[0]!r} for the callback: there is 'latents'")


def scale_of_loras(attention: Mapping[str, Any] | None) -> float:
    """The "scale" of `cross_attention_kwargs`. Raises SettingsError where there is anything else."""
    options = dict(attention or {})
    scale = options.pop("scale", 1.0)
    if options:
        raise SettingsError(f"`cross_attention_kwargs` has no {min(options)!r}: there is 'scale', of LoRAs")
    return float(scale)


def settings_of_call(
    settings: AnimationSettings | None,
    num_inference_steps: int | None,
    guidance_scale: float | None,
    generator: torch.Generator | None,
) -> AnimationSettings:
    """The settings of a call whose every pass is computed; its other arguments, where given, go before `settings`. The
    generator's next number is the seed."""
    settings = settings or AnimationSettings()
    return replace(
        settings,
        steps=settings.steps if num_inference_steps is None else num_inference_steps,
        guidance_scale=settings.guidance_scale if guidance_scale is None else guidance_scale,
        seed=settings.seed if generator is None else drawn_seed(generator),
        speed="exact",
    )


def drawn_seed(generator: torch.Generator) -> int:
    """A generator's next number, as a seed."""
    return int(torch.randint(2**63 - 1, (1,), generator=generator, device=generator.device))
