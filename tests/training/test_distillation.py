"""Distillation against its equations, and the smallest real steps of it, in both layouts."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from followyouremoji.checkpoints.config import ModelConfig
from followyouremoji.errors import SettingsError
from followyouremoji.networks import FollowYourEmoji
from followyouremoji.sampling.denoising import denoise
from followyouremoji.sampling.guidance import condition_clip
from followyouremoji.sampling.schedule import ddim_schedule
from followyouremoji.sampling.windows import Window
from followyouremoji.training.batch import Batch, partly_shared_noise
from followyouremoji.training.distillation import Teacher, check_teacher
from followyouremoji.training.example import read_batch
from followyouremoji.training.losses import add_noise, signal_and_noise
from followyouremoji.training.networks import Networks
from followyouremoji.training.objective import batch_losses
from followyouremoji.training.segments import Distillation, Trajectory, rotated, velocity_between
from followyouremoji.training.settings import DenoiserRun

from .tiny import AUTOENCODER, NETWORK, batch_of, codec, networks_of, run_of

ALPHAS = ddim_schedule(1).alphas_cumprod
CPU = torch.device("cpu")


def distilling(folder: Path, layout: str = "paper", stage: int = 2, **settings: Any) -> DenoiserRun:
    """A run that learns from a teacher of its own sizes, by default two steps from the teacher's eight."""
    network = NETWORK
    if layout == "released":
        network = dataclasses.replace(network, layout="released", qformer=None, warped_reference=False)
    table = {"teacher": "model", "steps": 2, "teacher_steps": 8, **settings}
    return run_of(folder, stage, network=network, distillation=Distillation(**table))


def pair(run: DenoiserRun) -> tuple[Networks, Teacher]:
    """A student and its teacher, which has the same weights."""
    student = networks_of(run)
    student.freeze_all_but_denoiser()
    networks = FollowYourEmoji(student.config)
    networks.load_state_dict(student.state_dict())
    assert run.distillation is not None
    return student, Teacher(networks, run.distillation)


def at(batch: Batch, timestep: int) -> Batch:
    return dataclasses.replace(batch, timesteps=torch.full_like(batch.timesteps, timestep))


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_a_student_learns_where_its_own_sampler_asks_it(steps) -> None:
    settings = Distillation(teacher="model", steps=steps)
    np.testing.assert_array_equal(settings.beginnings(), ddim_schedule(steps).timesteps)
    path, own = Trajectory.of(settings, CPU), ddim_schedule(steps)
    begun = path.place(own.timesteps)
    np.testing.assert_allclose(path.angles[begun], own.angles, atol=1e-6)
    np.testing.assert_allclose(path.angles[path.end(begun)], own.ends, atol=1e-6)


@pytest.mark.parametrize("teacher_steps", [8, 32, 40, 100, 1000])
def test_every_timestep_of_a_teacher_has_its_place(teacher_steps) -> None:
    path = Trajectory.of(Distillation(teacher="model", steps=2, teacher_steps=teacher_steps), CPU)
    assert torch.equal(path.place(path.timesteps[:-1]), torch.arange(teacher_steps))
    assert float(path.angles[0]) == pytest.approx(math.pi / 2)
    assert float(path.angles[-1]) == 0
    middle = teacher_steps // 2
    ends = path.end(torch.tensor([0, middle - 1, middle, teacher_steps - 1]))
    assert ends.tolist() == [middle, middle, teacher_steps, teacher_steps]


def test_leaps_begin_all_along_each_segment() -> None:
    settings = Distillation(teacher="model", steps=2, teacher_steps=8, leap=2)
    np.testing.assert_array_equal(settings.beginnings(), ddim_schedule(8).timesteps[::2])


def test_one_velocity_leads_to_the_end() -> None:
    torch.manual_seed(0)
    begin, end, turn = torch.randn(3, 2, 1, 2, 2), torch.randn(3, 2, 1, 2, 2), torch.tensor([0.1, 0.8, 1.5])
    torch.testing.assert_close(rotated(begin, velocity_between(begin, end, turn), turn), end)
    velocity = torch.randn_like(begin)
    torch.testing.assert_close(velocity_between(begin, rotated(begin, velocity, turn), turn), velocity)


@pytest.mark.parametrize(("layout", "guidance"), [("paper", 1.0), ("paper", 2.5), ("released", 2.5)])
def test_one_step_s_target_is_what_the_sampler_makes_of_the_noise(tmp_path, layout, guidance) -> None:
    """From pure noise, with known frames in the paper's layout: a perfect student of one step makes the clip that the
    teacher makes in all of its."""
    run = distilling(tmp_path, layout, steps=1, teacher_steps=5, guidance=guidance)
    student, teacher = pair(run)
    batch = at(batch_of(run, 0), 999)
    if layout == "paper":
        assert batch.known.any()
        assert not batch.known.all()
    example = read_batch(run.networks, codec(), batch)
    target = teacher.velocity(student, example, example.noise, batch.timesteps)
    own = teacher.networks
    with torch.no_grad():
        prompt, appearance = own.read_portrait(
            example.portrait, example.image_tokens, example.portrait_landmarks
        )
        features = own.features(example.landmarks, example.warped)
        sampled = denoise(
            own.denoiser,
            condition_clip(own.denoiser, prompt, appearance, guidance),
            lambda window: features,
            example.noise,
            example.latents,
            example.known,
            [Window(0, run.targets, (1.0,) * run.targets)],
            5,
        )
    reached = rotated(example.noise, target, torch.full((len(target),), math.pi / 2))
    generated = (example.known == 0).expand_as(reached)
    torch.testing.assert_close(reached[generated], sampled[generated], atol=1e-4, rtol=1e-4)
    if guidance > 1:
        unguided = Teacher(own, dataclasses.replace(teacher.settings, guidance=1.0))
        other = unguided.velocity(student, example, example.noise, batch.timesteps)
        assert not torch.allclose(target, other, atol=1e-3)


def test_leaps_of_a_student_that_knows_its_segment_lead_where_the_teacher_goes(tmp_path) -> None:
    """A perfect consistency function, here one that knows the teacher's way, makes the target independent of the
    leap."""
    run = distilling(tmp_path, steps=2, teacher_steps=8)
    networks, teacher = pair(run)
    batch = batch_of(run, 0)
    example = read_batch(run.networks, codec(), batch)
    signal, sigma = signal_and_noise(batch.timesteps, ALPHAS)
    noised = add_noise(example.latents, example.noise, signal, sigma)
    whole = teacher.velocity(networks, example, noised, batch.timesteps)

    def perfect(*inputs: Any) -> torch.Tensor:
        latents, timesteps = inputs[-2][:, :4], inputs[-1]
        path = teacher.trajectory
        place = path.place(timesteps).clamp(max=7)  # of clips that have arrived nothing is heeded
        end, begun, here = path.end(place), place, latents
        for _ in range(4):
            further = (place + 1).minimum(end)  # no further than the end of the segment
            v = networks(*example.inputs(here, path.timesteps[place]))
            here = rotated(here, v, path.angles[place] - path.angles[further])
            here = example.with_known(here, path.angles[further])
            place = further
        return velocity_between(latents, here, path.angles[begun] - path.angles[end])

    with torch.no_grad():
        for leap in (1, 2):
            shorter = Teacher(teacher.networks, dataclasses.replace(teacher.settings, leap=leap))
            reached = shorter.velocity(perfect, example, noised, batch.timesteps)
            free = (example.known == 0).expand_as(reached)
            torch.testing.assert_close(reached[free], whole[free], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    ("layout", "stage", "leap"),
    [("paper", 1, None), ("paper", 2, 1), ("released", 1, 1), ("released", 2, None)],
)
def test_an_optimiser_s_step_moves_the_denoiser_alone(tmp_path, layout, stage, leap) -> None:
    run = distilling(tmp_path, layout, stage, guidance=2.0, leap=leap)
    student, teacher = pair(run)
    before = {name: p.detach().clone() for name, p in student.named_parameters()}
    optimiser = torch.optim.AdamW([p for p in student.parameters() if p.requires_grad], lr=1e-3)
    batch = batch_of(run, 0)
    assert run.distillation is not None
    assert set(batch.timesteps.tolist()) <= set(run.distillation.beginnings().tolist())
    losses = batch_losses(student, run, codec(), batch, ALPHAS, teacher)
    losses.total.backward()
    with_gradient = {n for n, p in student.named_parameters() if p.grad is not None and bool(p.grad.any())}
    optimiser.step()
    moved = {name for name, p in student.named_parameters() if not torch.equal(p, before[name])}
    denoiser = {name for name in before if name.startswith("denoiser.")}
    assert moved == denoiser == with_gradient  # so DDP, which waits for each of them, never hangs
    assert all(p.grad is None for p in teacher.networks.parameters())


def test_the_face_counts_more(tmp_path) -> None:
    run = distilling(tmp_path, guidance=2.0)
    student, teacher = pair(run)
    batch, facial = batch_of(run, 0), []
    for changes in ({}, {"expression_mask": None}, {"expression_mask": None, "face_mask": None}):
        masked = dataclasses.replace(batch, **changes)
        with torch.no_grad():
            facial.append(float(batch_losses(student, run, codec(), masked, ALPHAS, teacher).facial))
    assert facial[0] > facial[1] > facial[2] == 0


def test_a_student_comes_closer_to_its_teacher(tmp_path) -> None:
    run = distilling(tmp_path, steps=1, teacher_steps=2, guidance=3.0)
    student, teacher = pair(run)
    optimiser = torch.optim.AdamW([p for p in student.parameters() if p.requires_grad], lr=4e-3)
    batch, losses = batch_of(run, 0), []
    for _ in range(6):
        loss = batch_losses(student, run, codec(), batch, ALPHAS, teacher).total
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


def test_a_batch_is_split_without_a_difference(tmp_path) -> None:
    run = distilling(tmp_path, guidance=2.0, leap=2)
    student, teacher = pair(run)

    def loss(places: range) -> float:
        return batch_losses(student, run, codec(), batch_of(run, 3, places), ALPHAS, teacher).total.item()

    halves = (loss(range(2)) + loss(range(2, 4))) / 2
    assert loss(range(4)) == pytest.approx(halves, rel=1e-4)


def test_frames_share_their_noise_as_much_as_wanted() -> None:
    rng = np.random.default_rng(0)
    noise = partly_shared_noise(rng, (2, 8, 2, 64, 64), 0.6)
    assert noise.dtype == np.float32
    assert noise.std() == pytest.approx(1, abs=0.01)
    one, other = noise[:, :, 0].ravel(), noise[:, :, 1].ravel()
    assert np.corrcoef(one, other)[0, 1] == pytest.approx(0.6, abs=0.02)
    assert np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1] == pytest.approx(0, abs=0.02)


def model(**changes: Any) -> ModelConfig:
    return ModelConfig(
        **{
            "name": "teacher",
            "network": NETWORK,
            "autoencoder": AUTOENCODER,
            "picture_size": 64,
            "antialiased_landmarks": True,
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": dataclasses.replace(NETWORK, heads=4)}, r"`network.heads` 2, the teacher's 4"),
        ({"network": dataclasses.replace(NETWORK, motion_modules=False)}, r"`network.motion_modules` True"),
        ({"landmark_pupils": False}, r"`landmarks.pupils` True, the teacher's False"),
        ({"framing": "window"}, r"`window` None, the teacher's 64"),
        ({"known_frames": False}, r"`progressive` True, the teacher's False"),
        ({"guided": False, "guidance_scale": 1.0}, r"never learnt to do without the portrait.*not 2"),
    ],
)
def test_a_teacher_of_another_kind_is_refused(tmp_path, change, message) -> None:
    run = distilling(tmp_path, guidance=2.0)
    check_teacher(run, model())
    with pytest.raises(SettingsError, match=message):
        check_teacher(run, model(**change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"teacher_steps": 9}, "`teacher_steps` must be a multiple of the student's 2 `steps`, not 9"),
        ({"leap": 3}, "`leap` must divide the 4 teacher's steps of a segment evenly, not 3"),
        ({"steps": 3}, "`steps` must be 1, 2 or 4, not 3"),
        ({"guidance": 0.5}, "`guidance` must be a number from 1 to 100"),
    ],
)
def test_settings_of_no_sense_are_refused(tmp_path, change, message) -> None:
    with pytest.raises(SettingsError, match=message):
        distilling(tmp_path, **change)


@pytest.mark.parametrize("entry", ["reference_dropout", "terminal_share", "picture_loss"])
def test_what_the_truth_teaches_is_left_out(tmp_path, entry) -> None:
    run = distilling(tmp_path)
    with pytest.raises(SettingsError, match=f"leave out `{entry}`"):
        dataclasses.replace(run, **{entry: 0.5})
