"""What is counted of a run before it is started, against what is known of it by hand."""

import dataclasses
from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from followyouremoji.networks import NetworkConfig
from followyouremoji.training.config import load_denoiser_run
from followyouremoji.training.plan import Plan, autoencoder_of, example_of, plan_run, step_flops
from followyouremoji.training.segments import Distillation

from .tiny import AUTOENCODER, networks_of, run_of

CONFIGS = Path(__file__).parents[2] / "configs"


def test_held_bytes_are_twenty_of_a_trained_number_and_four_of_others(tmp_path) -> None:
    run = run_of(tmp_path, 2)
    plan = plan_run(run, 64, AUTOENCODER)
    networks = networks_of(run)
    every = sum(p.numel() for p in networks.parameters())
    trained = sum(p.numel() for p in networks.parameters() if p.requires_grad)
    assert plan.held == 4 * every + 16 * trained
    assert (plan.teacher, plan.targets) == (0, 0)
    assert sum(all_and_trained[1] for all_and_trained in plan.parameters.values()) == trained


def test_a_distillation_s_passes_are_its_teacher_s(tmp_path) -> None:
    def plan(leap: int) -> Plan:
        run = run_of(tmp_path, 2, precision="bf16")
        settings = Distillation(teacher="model", steps=1, teacher_steps=4, guidance=2.0, leap=leap)
        return plan_run(dataclasses.replace(run, distillation=settings), 64, AUTOENCODER)

    whole, short = plan(4), plan(1)
    numbers = sum(all_and_trained[0] for all_and_trained in whole.parameters.values())
    assert whole.teacher == 2 * numbers  # in half precision
    assert whole.parameters["denoiser"][0] == whole.parameters["denoiser"][1]
    assert whole.parameters["appearance_net"][1] == 0
    assert whole.flops - whole.targets == short.flops - short.targets  # what is learnt costs the same
    # Of eight passes two are left, and one of the student's own, and the portrait is read by both.
    assert 0.25 < short.targets / whole.targets < 0.6


def test_a_step_is_counted_as_on_real_numbers(tmp_path) -> None:
    run = run_of(tmp_path, 2)
    counted = step_flops(networks_of(run).to("meta"), None, example_of(run, 64))[0]
    example = example_of(run, 64)
    inputs = example.inputs(example.latents, torch.zeros(1, dtype=torch.long))
    real = [torch.zeros(value.shape, dtype=value.dtype) for value in inputs if value is not None]
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        networks_of(run)(*real).square().mean().backward()
    assert counted == counter.get_total_flops()


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["paper4", "released4"])
def test_a_step_of_the_full_size_distillation_goes_through_without_memory(layout) -> None:
    """Sizes of Stable Diffusion 1.5's UNet and AnimateDiff's motion module."""
    run = load_denoiser_run(CONFIGS / "distil" / f"{layout}.toml")
    assert autoencoder_of(run) is None
    assert run.distillation is not None
    few = dataclasses.replace(
        run,
        targets=2,
        optimisation=dataclasses.replace(run.optimisation, checkpointing=False),
        distillation=dataclasses.replace(run.distillation, teacher_steps=4, leap=1),
    )
    plan = plan_run(few, 64, None)
    assert plan.parameters["denoiser"][0] == pytest.approx(1.31e9, rel=0.02)
    assert plan.parameters["appearance_net"][1] == 0
    assert 0.3 < plan.targets / plan.flops < 0.5  # two passes forward, and one forward and back
    assert run.network == NetworkConfig(layout=run.network.layout, qformer=run.network.qformer)
