"""All networks as one module: what is trained in which stage, withheld portraits, activations computed anew, both
layouts."""

import dataclasses

import pytest
import torch

from followyouremoji.sampling.schedule import ddim_schedule
from followyouremoji.training.losses import Losses, signal_and_noise
from followyouremoji.training.networks import Networks, recompute_activations
from followyouremoji.training.objective import batch_losses, places_to_decode
from followyouremoji.training.settings import DenoiserRun
from followyouremoji.training.trainer import codec_of

from .tiny import NETWORK, batch_of, codec, networks_of, run_of


def losses_of(run: DenoiserRun, networks: Networks, **changes: object) -> Losses:
    batch = dataclasses.replace(batch_of(run, 0), **changes)  # type: ignore[arg-type]
    return batch_losses(networks, run, codec(), batch, ddim_schedule(1).alphas_cumprod)


@pytest.mark.parametrize("layout", ["paper", "released"])
@pytest.mark.parametrize("stage", [1, 2])
def test_each_stage_of_each_layout_trains_its_part_and_nothing_else(tmp_path, layout, stage) -> None:
    network = NETWORK
    if layout == "released":
        network = dataclasses.replace(network, layout="released", qformer=None, warped_reference=False)
    run = run_of(tmp_path, stage, network=network)
    networks = networks_of(run)
    losses_of(run, networks).total.backward()
    with_gradient = {
        name for name, p in networks.named_parameters() if p.grad is not None and bool(p.grad.any())
    }
    trained = {name for name, p in networks.named_parameters() if p.requires_grad}
    assert with_gradient == trained  # so DDP, which waits for each of them, never hangs
    if stage == 2:
        assert {name.split(".")[0] for name in trained} == {"denoiser"}
        assert any("motion_modules" in name for name in trained)
        others = {name for name in trained if "motion_modules" not in name}
        assert others == (
            {"denoiser.conv_in.weight", "denoiser.conv_in.bias"} if layout == "paper" else set()
        )
    else:
        assert {name.split(".")[0] for name in trained} >= {"denoiser", "appearance_net", "landmark_encoder"}


def test_a_withheld_portrait_is_guidance_s_second_pass(tmp_path) -> None:
    run = run_of(tmp_path)
    networks = networks_of(run)
    batch = batch_of(run, 0)
    mixed = torch.tensor([True, False, True, False])

    def predict(kept: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        portrait = codec().encode(batch.portrait) * scale
        tokens = codec().image_tokens(batch.portrait, portrait)
        noisy = torch.cat(
            [batch.noise, torch.zeros_like(batch.noise), torch.zeros_like(batch.noise[:, :1])], dim=1
        )
        warped = codec().encode_clips(batch.warped)
        landmarks, own = batch.landmarks, batch.portrait_landmarks
        with torch.no_grad():
            return networks(portrait, tokens, own, landmarks, warped, noisy, batch.timesteps, kept)

    all_kept, none_kept, some = (
        predict(torch.ones(4, dtype=bool)),
        predict(torch.zeros(4, dtype=bool)),
        predict(mixed),
    )
    rows = mixed.repeat_interleave(run.targets)
    torch.testing.assert_close(some[rows], all_kept[rows])
    torch.testing.assert_close(some[~rows], none_kept[~rows])
    assert not torch.allclose(all_kept, none_kept, atol=1e-3)
    torch.testing.assert_close(
        predict(torch.zeros(4, dtype=bool), scale=3.0), none_kept
    )  # reads nothing of the portrait


def test_every_parameter_has_a_gradient_also_where_all_portraits_are_withheld(tmp_path) -> None:
    run = run_of(tmp_path)
    networks = networks_of(run)
    losses_of(run, networks, kept=torch.zeros(4, dtype=bool)).total.backward()
    assert all(p.grad is not None for p in networks.parameters() if p.requires_grad)


@pytest.mark.parametrize("stage", [1, 2])
def test_activations_computed_anew_give_the_same_gradients(tmp_path, stage) -> None:
    run = run_of(tmp_path, stage)
    kept, anew = networks_of(run), networks_of(run)
    recompute_activations(anew)
    for networks in (kept, anew):
        losses_of(run, networks).total.backward()
    names = [name for name, p in kept.named_parameters() if p.grad is not None]
    gradients = dict(anew.named_parameters())
    for name, parameter in kept.named_parameters():
        if name in names:
            assert torch.equal(parameter.grad, gradients[name].grad), name


def test_frames_are_decoded_where_there_is_noise_and_something_to_generate(tmp_path) -> None:
    run = run_of(tmp_path, 2, picture_loss=1.0, picture_frames=4)
    batch = batch_of(run, 0)  # four clips of three frames
    known = torch.zeros_like(batch.known)
    known[:, 1] = True

    def chosen(timesteps: list[int], **changes: int) -> tuple[list[int], float]:
        noised = dataclasses.replace(batch, known=known, timesteps=torch.tensor(timesteps))
        signal, _ = signal_and_noise(noised.timesteps, ddim_schedule(1).alphas_cumprod)
        places, share = places_to_decode(dataclasses.replace(run, **changes), noised, signal)
        return places.tolist(), share

    for last, frames in ((994, [0, 3, 6, 9]), (995, [2, 5, 8, 11])):  # one of each portrait; they take turns
        places, share = chosen([998, 998, 998, last])
        assert (sorted(places), share) == (frames, 1.0)
    places, share = chosen([999] * 4, picture_frames=0)
    assert (sorted(places), share) == ([0, 2, 3, 5, 6, 8, 9, 11], 8 / 12)
    places, share = chosen([0, 999, 0, 0])
    assert (sorted(places), share) == ([3, 5], 0.5)
    assert chosen([0] * 4) == ([0], 0.0)
    assert [run.decoded_frames(portraits) for portraits in (1, 2, 4)] == [1, 2, 4]


def test_a_tuned_decoder_has_a_gradient_even_where_nothing_can_teach_it(tmp_path) -> None:
    run = run_of(tmp_path, tune_decoder=True, picture_loss=1.0)
    networks = networks_of(run)
    own = codec_of(run, codec(), networks)
    for timestep, learns in ((0, False), (999, True)):
        networks.zero_grad()
        batch = batch_of(run, 0)
        batch = dataclasses.replace(batch, timesteps=torch.full_like(batch.timesteps, timestep))
        losses = batch_losses(networks, run, own, batch, ddim_schedule(1).alphas_cumprod)
        assert losses.picture is not None
        assert (losses.picture.item() > 0) is learns
        losses.total.backward()
        assert networks.decoder is not None
        gradients = [p.grad for p in networks.decoder.parameters()]
        assert all(gradient is not None for gradient in gradients)  # processes wait for them
        assert any(bool(gradient.any()) for gradient in gradients if gradient is not None) is learns
    assert all(p.grad is None for p in own.autoencoder.encoder.parameters())  # type: ignore[union-attr]


def test_the_masks_of_the_loss_can_be_left_out(tmp_path) -> None:
    networks = networks_of(run_of(tmp_path))
    facial = {
        switches: losses_of(
            run_of(tmp_path, expression_mask=switches[0], face_mask=switches[1]), networks
        ).facial.item()
        for switches in [(True, True), (True, False), (False, True), (False, False)]
    }
    assert facial[False, False] == 0
    assert facial[True, True] > max(facial[True, False], facial[False, True]) > 0
