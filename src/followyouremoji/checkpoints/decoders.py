"""Small decoders: each a file, which stands in for an autoencoder's own decoder where time counts more than the last
detail.

A file is TAESD as its author published it, for Stable Diffusion's latents, or one that `fye train export-decoder`
wrote, whose header says its sizes.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from pydantic_core import to_json
from safetensors import SafetensorError
from torch import nn

from followyouremoji.cache import small_decoder_file
from followyouremoji.checkpoints.tensors import on_meta, open_tensors, read_network, write_tensors
from followyouremoji.config import parse
from followyouremoji.errors import WeightsError, shown
from followyouremoji.files import atomic_output
from followyouremoji.networks.decoder import TAESD, DecoderConfig, build_decoder, build_taesd

FORMAT = "followyouremoji-decoder-1"


def find_decoder(source: str | Path) -> Path | None:
    """The file of a decoder: "small" (TAESD) or a path; None for "full", the autoencoder's own.

    Raises
    ------
    WeightsError : there is none; says how to get it.
    """
    if source == "full":
        return None
    if source == "small":
        if not small_decoder_file().is_file():
            raise WeightsError(
                f"the small decoder is not at {small_decoder_file()}; fetch it with `fye weights download --small-decoder`"
            )
        return small_decoder_file()
    if not Path(source).is_file():
        raise WeightsError(
            f"there is no decoder {str(source)!r}; give 'full', 'small' or the file of one that you distilled"
        )
    return Path(source)


def load_decoder(file: Path, latent_channels: int, device: torch.device) -> nn.Module:
    """A small decoder, ready to run, in float32: normalised latents to pictures in about [-1, 1].

    `latent_channels` are the model's. Raises WeightsError where the file is damaged, no decoder, or one for latents of
    other channels.
    """
    own = _read_config(file)
    config = own or TAESD
    if config.latent_channels != latent_channels:
        raise WeightsError(
            f"the decoder {file} is for latents of {config.latent_channels} channels, and the model's have {latent_channels}: it was "
            "distilled from another autoencoder. Use 'full', the model's own decoder"
        )
    build = build_taesd if own is None else build_decoder  # the published file holds an encoder too
    network = read_network(on_meta(partial(build, config)), file, device, torch.float32)
    decoder: nn.Module = network.get_submodule("decoder") if own is None else network
    if device.type == "cuda":  # the layout in which its convolutions compute
        decoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return decoder


def write_decoder(decoder: nn.Module, config: DecoderConfig, file: Path, *, overwrite: bool = False) -> Path:
    """Write a small decoder in half precision; the file appears when it is complete. Raises WeightsError where it
    exists or cannot be written."""
    metadata = {"format": FORMAT, "decoder": to_json(config).decode()}
    with atomic_output(file, overwrite, WeightsError, SafetensorError) as temporary:
        write_tensors(decoder.state_dict(), temporary, torch.float16, metadata)
    return file


def _read_config(file: Path) -> DecoderConfig | None:
    """The sizes in a file's header; None where it has none, as TAESD's."""
    with open_tensors(file) as opened:
        header = opened.metadata() or {}
    if "decoder" not in header:
        return None
    if header.get("format") != FORMAT:
        raise WeightsError(
            f"{file} cannot be used: its format is {shown(repr(header.get('format')))}, this version reads {FORMAT!r}; "
            "a file of a newer format needs a newer followyouremoji"
        )
    return parse(DecoderConfig, header["decoder"], file, WeightsError)
