"""The released structure, number by number: a small random network of the authors' code with its inputs and outputs."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from followyouremoji.networks import AppearanceNet, Denoiser, LandmarkEncoder, NetworkConfig
from followyouremoji.sampling.guidance import ClipConditioning, predict_velocity
from followyouremoji.sampling.schedule import ddim_schedule

GOLDEN = Path(__file__).parents[3] / "shared" / "golden" / "network_tiny"
pytestmark = pytest.mark.skipif(
    not GOLDEN.is_dir(), reason="golden network files are not beside the checkout"
)
TOLERANCE = 1e-4  # largest absolute difference relative to the output's standard deviation


def difference(result: torch.Tensor, expected: torch.Tensor) -> float:
    return float((result - expected).abs().max() / expected.std())


@pytest.fixture(scope="module")
def golden() -> dict[str, torch.Tensor]:
    return load_file(GOLDEN / "activations.safetensors")


@pytest.fixture(scope="module")
def networks() -> tuple[AppearanceNet, Denoiser, LandmarkEncoder]:
    config = NetworkConfig(block_channels=(32, 64, 64, 64))
    modules = AppearanceNet(config), Denoiser(config), LandmarkEncoder(config)
    for module, name in zip(modules, ("referencenet", "unet", "lmk_guider"), strict=True):
        weights = {key: value.float() for key, value in load_file(GOLDEN / f"{name}.safetensors").items()}
        module.load_state_dict(weights, strict=True)
        module.eval()
    return modules


@torch.inference_mode()
def test_every_output_of_the_released_code(golden, networks) -> None:
    appearance_net, denoiser, landmark_encoder = networks
    features = landmark_encoder(golden["in.landmark_images"].float() / 255)
    assert difference(features, golden["out.landmark_features"]) < TOLERANCE

    tokens = appearance_net(golden["in.reference_latents"], golden["in.clip_tokens"])
    names = [f"down.{i}" for i in range(6)] + ["mid"] + [f"up.{i}" for i in range(9)]
    for name, result in zip(names, tokens, strict=True):
        assert difference(result, golden[f"out.reference.{name}"]) < TOLERANCE, name

    conditional = denoiser.condition(golden["in.clip_tokens"], tokens)
    unconditional = denoiser.condition(torch.zeros_like(golden["in.clip_tokens"]), None)
    timestep = torch.tensor([481])
    with_prompt = denoiser(golden["in.latents"], timestep, features, conditional)
    without = denoiser(golden["in.latents"], timestep, features, unconditional)
    assert difference(with_prompt, golden["out.denoiser.t481.conditional_only"]) < TOLERANCE
    both = torch.cat([without, with_prompt])
    assert difference(both, golden["out.denoiser.t481.uncond_then_cond"]) < TOLERANCE

    schedule = ddim_schedule(4)
    latents = golden["in.latents"]
    nothing_known = torch.zeros(1, 1, latents.shape[2], 1, 1)
    guidance = ClipConditioning(conditional, unconditional, guidance_scale=3.5)
    for step, t in enumerate(schedule.timesteps):
        guided = predict_velocity(
            denoiser, latents, torch.zeros_like(latents), nothing_known, t, features, guidance
        )
        latents = schedule.step(latents, guided, step)
        assert difference(latents, golden[f"out.ddim.after_t{int(t)}"]) < TOLERANCE, int(t)
