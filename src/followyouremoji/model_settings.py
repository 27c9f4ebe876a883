"""What a user's settings mean to one model: what was left open comes from its config, and what does not fit is
refused."""

from __future__ import annotations

from collections.abc import Sequence

from followyouremoji.checkpoints.config import ModelConfig
from followyouremoji.checkpoints.model import Model
from followyouremoji.errors import SettingsError
from followyouremoji.networks.config import LATENT_STRIDE
from followyouremoji.sampling.guidance import pass_bytes, room_for_passes
from followyouremoji.sampling.presets import preset
from followyouremoji.sampling.settings import SamplingSettings, check_fits
from followyouremoji.settings import AnimationSettings

MOST_AT_ONCE = 8  # segments; more gain nothing


def guidance_scale(config: ModelConfig, settings: AnimationSettings) -> float:
    """The guidance scale, the model's own where the user left it open. Raises SettingsError for one above 1 where the
    model is not `guided`."""
    scale = config.guidance_scale if settings.guidance_scale is None else settings.guidance_scale
    if scale > 1 and not config.guided:
        raise SettingsError(
            f"This model never learnt to do without the portrait, which guidance needs: use a guidance scale of 1, not {scale:g}."
        )
    return scale


def sampling_settings(models: Sequence[Model], settings: AnimationSettings) -> SamplingSettings:
    """The sampler's settings for a model on one device or several. Raises SettingsError for those that it cannot be
    sampled with."""
    config = models[0].config
    strategy = settings.long_clips
    if strategy == "auto":
        strategy = "keyframes" if config.makes_keyframes else "windows"
    elif strategy in ("keyframes", "chain") and not config.makes_keyframes:
        raise SettingsError(
            f"This model was not trained to go on from known frames, which {strategy!r} needs: use 'windows' or 'tiles' for long clips."
        )
    steps = config.steps if settings.steps is None else settings.steps
    sampling = SamplingSettings(
        steps=steps,
        seed=settings.seed,
        shared_noise=config.shared_noise if settings.shared_noise is None else settings.shared_noise,
        window=config.window if settings.window is None else settings.window,
        strategy=strategy,
        batch=segments_at_once(models, settings) if settings.batch is None else settings.batch,
        cache=preset(settings.speed),
    )
    check_fits(sampling, config.network)
    return sampling


def segments_at_once(models: Sequence[Model], settings: AnimationSettings) -> int:
    """How many segments to make at once: those that each of the GPUs holds; on a CPU one fills all cores.

    It follows from settings and hardware alone, not from the memory that is free at the time, so that a clip comes out
    the same again.
    """
    devices, config = [model.device for model in models], models[0].config
    if any(device.type != "cuda" for device in devices):
        return 1
    side = (settings.size or config.picture_size) // LATENT_STRIDE
    halves = 2 if guidance_scale(config, settings) > 1 else 1
    window, itemsize = settings.window or config.window, models[0].dtype.itemsize
    segment = halves * pass_bytes(config.network, window, side, side, itemsize)
    return max(1, min(MOST_AT_ONCE, min(map(room_for_passes, devices)) // segment))


def check_size(config: ModelConfig, size: int | None) -> None:
    """Raise SettingsError for a size of generated pictures that a model cannot make: every level of its denoiser halves
    the latents, so it must be divisible that often. None is the model's own."""
    multiple, size = config.network.picture_multiple, size or config.picture_size
    if size % multiple:
        nearest = max(multiple, round(size / multiple) * multiple)
        raise SettingsError(
            f"The size must be a multiple of {multiple} pixels for this model, not {size}: use {nearest}."
        )
