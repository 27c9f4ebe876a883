"""The training losses and random masking, against their equations."""

import numpy as np
import pytest
import torch

from followyouremoji.sampling.schedule import ddim_schedule
from followyouremoji.training.losses import (
    Losses,
    add_noise,
    facial_fine_grained,
    picture_weight,
    predicted_latents,
    signal_and_noise,
    training_losses,
    v_target,
)
from followyouremoji.training.masking import random_known_frames

SHAPE = (3, 4, 2, 8, 8)


@pytest.fixture
def case() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    signal, sigma = signal_and_noise(torch.tensor([1, 400, 999]), ddim_schedule(1).alphas_cumprod)
    return {"latents": torch.randn(SHAPE), "noise": torch.randn(SHAPE), "signal": signal, "sigma": sigma}


def test_the_schedule_ends_in_pure_noise(case) -> None:
    torch.testing.assert_close(case["signal"] ** 2 + case["sigma"] ** 2, torch.ones(3, 1, 1, 1, 1))
    assert (
        float(case["signal"][2]) == 0
    )  # zero terminal SNR: nothing of the picture is left at the last timestep


def test_the_true_velocity_gives_back_the_latents(case) -> None:
    noisy = add_noise(**case)
    torch.testing.assert_close(
        predicted_latents(noisy, v_target(**case), case["signal"], case["sigma"]),
        case["latents"],
        atol=1e-5,
        rtol=1e-5,
    )


def test_equation_1_by_hand() -> None:
    z, z_hat = torch.zeros(1, 1, 1, 1, 3), torch.full((1, 1, 1, 1, 3), 2.0)
    expression = torch.tensor([0.0, 0.0, 1.0]).view(1, 1, 1, 1, 3)
    face = torch.tensor([0.0, 1.0, 1.0]).view(1, 1, 1, 1, 3)
    # outside 0; face alone 2^2; both (2 + 2)^2
    assert float(facial_fine_grained(z, z_hat, expression, face)) == pytest.approx((0 + 4 + 16) / 3)
    assert float(facial_fine_grained(z, z_hat, None, face)) == pytest.approx((0 + 4 + 4) / 3)
    assert float(facial_fine_grained(z, z_hat, None, None)) == 0


def test_known_frames_teach_nothing(case) -> None:
    mask = torch.ones(3, 1, 2, 8, 8)
    generated = torch.tensor([0.0, 1.0]).view(1, 1, 2, 1, 1).expand(3, -1, -1, -1, -1)
    target, noisy = v_target(**case), add_noise(**case)
    wrong_on_known, wrong_on_generated = target.clone(), target.clone()
    wrong_on_known[:, :, 0] += 1
    wrong_on_generated[:, :, 1] += 1

    def losses(v: torch.Tensor) -> Losses:
        predicted = predicted_latents(noisy, v, case["signal"], case["sigma"])
        return training_losses(v, target, case["latents"], predicted, mask, mask, generated)

    assert float(losses(wrong_on_known).total) == pytest.approx(0, abs=1e-9)
    assert float(losses(wrong_on_generated).diffusion) == pytest.approx(1, rel=1e-4)
    # Eq. 1 beside Eq. 2's first part: two masks, squared, and sigma^2
    facial = 4 * case["sigma"].square().mean()
    assert float(losses(wrong_on_generated).facial) == pytest.approx(float(facial), rel=1e-4)


def test_a_face_outside_the_picture_teaches_nothing_where_nothing_else_counts() -> None:
    nothing, wrong = torch.zeros(1, 1, 2, 8, 8), torch.ones(1, 4, 2, 8, 8)
    latents = torch.zeros_like(wrong)
    everywhere = torch.ones(1, 1, 2, 1, 1)
    losses = training_losses(wrong, latents, latents, wrong, nothing, nothing, everywhere, surroundings=0.0)
    assert float(losses.total) == 0


def test_decoded_pictures_count_in_the_face_a_little_beyond_it_and_most_around_its_features() -> None:
    face, expression = torch.zeros(1, 1, 1, 1, 7), torch.zeros(1, 1, 1, 1, 7)
    face[..., 3:6], expression[..., 4] = 1.0, 1.0
    weight = picture_weight(face, expression, surroundings=0.1).flatten()
    torch.testing.assert_close(weight, torch.tensor([0.1, 0.1, 1.1, 1.1, 2.6, 1.1, 1.1]))
    torch.testing.assert_close(
        picture_weight(face, None, 1.0).flatten(), 1 + torch.tensor([0, 0, 1.0, 1, 1, 1, 1])
    )


def test_frame_masking_follows_the_paper() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([random_known_frames(rng, 16) for _ in range(4000)])
    ends_alone = np.zeros(16, bool)
    ends_alone[[0, -1]] = True
    share = (drawn == ends_alone).all(axis=1).mean()
    assert share == pytest.approx(0.5, abs=0.03)
    others = drawn[~(drawn == ends_alone).all(axis=1)]
    assert others.mean() == pytest.approx(0.5, abs=0.02)
    unknown = np.array([random_known_frames(rng, 16, unknown=0.3) for _ in range(4000)])
    assert (~unknown).all(axis=1).mean() == pytest.approx(0.3, abs=0.03)
