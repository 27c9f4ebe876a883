"""What a training pass needs is counted, not estimated: the numbers are those of real networks and of formulas."""

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from followyouremoji.networks import AutoencoderConfig, NetworkConfig
from followyouremoji.training.counting import (
    ATTENTION,
    Alive,
    built_autoencoder,
    count_pass,
    encoding_flops,
    networks_to_count,
    parameters,
    picture_flops,
    without_memory,
)
from followyouremoji.training.networks import Networks
from followyouremoji.training.plan import memory_of

from .test_plan import NETWORK, a_run


def test_parameters_and_optimiser_bytes_are_those_of_real_networks() -> None:
    for stage in (1, 2):
        run = a_run(stage)
        planned = parameters(networks_to_count(run))
        real = Networks(dataclasses.replace(NETWORK, motion_modules=stage == 2))
        if stage == 2:
            real.learn_time_alone()
        trained = [p for p in real.parameters() if p.requires_grad]
        assert sum(part.all for part in planned.values()) == sum(p.numel() for p in real.parameters())
        assert sum(part.trained for part in planned.values()) == sum(p.numel() for p in trained)

        optimiser = torch.optim.AdamW(trained)
        for parameter in trained:
            parameter.grad = torch.zeros_like(parameter)
        optimiser.step()
        moments = [value for state in optimiser.state.values() for value in state.values() if value.ndim > 0]
        memory = memory_of(run, run.optimisation, networks_to_count(run), 1, 0, False)
        assert memory.optimiser == sum(value.numel() * value.element_size() for value in moments)
        assert memory.gradients == sum(p.grad.numel() * 4 for p in trained)


@pytest.mark.parametrize("stage", [1, 2])
def test_counted_activations_are_those_that_a_real_pass_keeps(stage: int) -> None:
    """What torch saves for the backward pass of real networks, to a tenth; the count also has what the forward pass
    itself still holds."""
    run, size, portraits = a_run(stage), 64, 2
    networks = Networks(dataclasses.replace(NETWORK, motion_modules=stage == 2))
    if stage == 2:
        networks.learn_time_alone()
    weights = {p.untyped_storage().data_ptr() for p in networks.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage
        return tensor

    frames, latent, config = (1 if stage == 1 else run.targets), size // 8, networks.config
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        v = networks(
            torch.randn(portraits, config.latent_channels, latent, latent),
            torch.randn(portraits, latent * latent, config.image_width),
            torch.rand(portraits, 3, 1, size, size),
            torch.rand(portraits, 3, frames, size, size),
            None,
            torch.randn(portraits, config.denoiser_channels, frames, latent, latent),
            torch.zeros(portraits, dtype=torch.long),
            torch.ones(portraits, dtype=torch.bool),
        )
        v.square().mean()
    real = sum(storage.nbytes() for storage in kept.values())
    assert count_pass(run, size, portraits, checkpointing=False).kept == pytest.approx(real, rel=0.1)


def test_full_size_networks_have_the_released_number_of_parameters() -> None:
    """857.96 M and 1314.73 M values are in the released files; the denoiser's hold position tables, which are no
    parameters."""
    network = NetworkConfig()
    planned = parameters(networks_to_count(a_run(2, network=network, image_encoder=Path("clip"))))
    assert planned["appearance_net"].all == pytest.approx(857.96e6, abs=0.01e6)
    tables = 2 * 32 * sum((3 + 2) * width for width in (320, 640, 1280, 1280)) + 2 * 32 * 1280
    assert planned["denoiser"].all + tables == pytest.approx(1314.73e6, abs=0.01e6)


def test_operations_of_a_known_layer() -> None:
    """A 3x3 convolution of 8 to 16 channels over 10x12 pixels, forward, and the two products of its backward pass."""
    layers = nn.Sequential(nn.Conv2d(8, 16, 3, padding=1).to("meta"))
    with without_memory(layers):
        picture = torch.empty(2, 8, 10, 12, requires_grad=True)
        with FlopCounterMode(display=False) as flops:
            layers(picture).sum().backward()
    assert flops.get_total_flops() == 3 * 2 * (2 * 10 * 12) * (8 * 9) * 16


def test_operations_of_an_attention() -> None:
    """Two products of 2 n m d operations a head forward, five backward (Dao et al. 2022, Sec. 3)."""
    product = 2 * 3 * 2 * 20 * 30 * 16
    with without_memory(nn.Module()):
        query, key, value = (torch.empty(3, 2, n, 16, requires_grad=True) for n in (20, 30, 30))
        with FlopCounterMode(display=False, custom_mapping=ATTENTION) as flops:
            attended = nn.functional.scaled_dot_product_attention(query, key, value)
            assert flops.get_total_flops() == 2 * product
            attended.sum().backward()
    assert flops.get_total_flops() == 7 * product


def test_bytes_alive_rise_and_fall() -> None:
    layer = nn.Linear(8, 8, device="meta")
    with without_memory(layer), Alive(layer.parameters()) as alive:
        first = torch.empty(1000)
        second = first * 2
        del first
        view = layer.weight.t()  # a weight's memory is not an activation's
        third = second + 1
        del second, third, view
    assert (alive.bytes, alive.most) == (0, 8000)


def test_a_pass_scales_with_the_batch_and_checkpointing_trades_memory_for_work() -> None:
    one, two = count_pass(a_run(), 64, 1, False), count_pass(a_run(), 64, 2, False)
    assert two.total == 2 * one.total
    assert two.kept - one.kept > 0.9 * one.kept
    assert (
        2.9 < one.total / one.forward < 3.0
    )  # backward is twice forward; the first layers need no gradient of their input
    again = count_pass(a_run(), 64, 1, True)
    assert again.forward == one.forward
    assert one.total + 0.5 * one.forward < again.total < one.total + one.forward
    assert again.kept < 0.7 * one.kept


def test_stage_2_works_less_backward_because_most_stands_still() -> None:
    count = count_pass(a_run(2), 64, 1, False)
    assert count.total < 2.7 * count.forward


def test_encoding_counts_the_pictures_that_are_not_cached() -> None:
    autoencoder = AutoencoderConfig(latent_channels=4, channels=(8, 8), blocks=1)
    one = picture_flops(64, autoencoder)
    run = a_run(targets=3)
    assert encoding_flops(run, 64, autoencoder, cached=False) == 4 * one
    assert encoding_flops(run, 64, autoencoder, cached=True) == 0
    bent = a_run(targets=3, network=dataclasses.replace(NETWORK, warped_reference=True))
    assert encoding_flops(bent, 64, autoencoder, cached=True) == 3 * one


def test_a_picture_loss_counts_the_decoder_forward_and_backward() -> None:
    """The decoder's weights stand still: its backward pass is one product for each of the forward pass's, as far as
    there is a gradient."""
    autoencoder = AutoencoderConfig(latent_channels=4, channels=(8, 8), blocks=1)
    network = dataclasses.replace(NETWORK, warped_reference=True)
    plain = count_pass(a_run(targets=3, network=network), 64, 1, False, autoencoder)
    run = a_run(targets=3, network=network, picture_loss=0.2)
    with_pictures = count_pass(run, 64, 1, False, autoencoder)
    decoder = built_autoencoder(autoencoder)
    with FlopCounterMode(display=False) as flops:
        decoder.decode(torch.empty(3, 4, 8, 8, device="meta"))
    once = flops.get_total_flops()
    assert with_pictures.forward == plain.forward + once
    assert with_pictures.total == plain.total + 2 * once
    assert with_pictures.kept > plain.kept + 3 * 4 * 3 * 64 * 64  # at least the decoded pictures

    some = dataclasses.replace(run, picture_frames=8)  # of 8 portraits' 24 frames: one of the three
    assert count_pass(some, 64, 1, False, autoencoder).forward == plain.forward + once // 3
    tuned = count_pass(dataclasses.replace(some, tune_decoder=True), 64, 1, False, autoencoder)
    assert tuned.total == plain.total + once  # forward, and by the prediction and by the weights


def test_a_run_in_windows_encodes_what_lies_cached_for_whole_pictures() -> None:
    autoencoder = AutoencoderConfig(latent_channels=4, channels=(8, 8), blocks=1)
    network = dataclasses.replace(NETWORK, warped_reference=True)
    run = a_run(targets=3, network=network, window=64)
    assert encoding_flops(run, 64, autoencoder, cached=True) == 7 * picture_flops(64, autoencoder)
