"""Personal fine-tuning on a small random model and drawn people: what is learnt, what stays, and that merging changes
nothing."""

import os
import signal

import numpy as np
import pytest
import torch

pytest.importorskip("skia", reason="drawn portraits need skia")
pytest.importorskip("peft", reason="training a LoRA needs peft")

from followyouremoji.checkpoints.lora import Lora, read_lora, with_loras, write_lora
from followyouremoji.errors import DataError, SettingsError
from followyouremoji.face.geometry import iris_places
from followyouremoji.face.topology import INNER_LIPS_LOWER, INNER_LIPS_UPPER
from followyouremoji.media.pictures import write_picture
from followyouremoji.personal.person import NO_REFRAMING, Person, held_out_views, make_take, read_person
from followyouremoji.personal.settings import LoraSettings
from followyouremoji.personal.training import (
    Interrupted,
    LoraResult,
    adapted,
    adapter_tensors,
    held_out_picks,
    train_lora,
)
from followyouremoji.personal.warping import drawn_expressions, expressive_points, kept_open, warped_face
from followyouremoji.portraits import Performance, draw_portrait, random_identity
from followyouremoji.training.objective import batch_losses
from followyouremoji.training.settings import LandmarkOptions
from tests.small_model import small_model
from tests.test_preparation import landmarks_of
from tests.training.tiny import run_of

IDENTITY = random_identity(np.random.default_rng(11), "person")


@pytest.fixture(scope="module")
def model():
    return small_model(warped_reference=True)


@pytest.fixture(scope="module")
def person() -> Person:
    """A drawn person known from one picture."""
    drawn = draw_portrait(IDENTITY, Performance.neutral(), 128)
    take = make_take("ada", [drawn.picture], [landmarks_of(drawn)], 64)
    return Person((take,), drawn_expressions(0, 6), 64)


def outputs(networks) -> list[torch.Tensor]:
    """What the adapted networks compute from fixed random inputs."""
    generator = torch.Generator().manual_seed(7)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    config = networks.config
    appearance = networks.appearance_net(
        random(1, 4, 8, 8), random(1, 4, config.image_width), random(1, 32, 8, 8)
    )
    conditioning = networks.denoiser.condition(random(1, 4, config.image_width), appearance)
    v = networks.denoiser(random(1, 9, 2, 8, 8), torch.tensor([300]), random(1, 32, 2, 8, 8), conditioning)
    return [*appearance, v]


@pytest.mark.parametrize("convolutions", [False, True])
def test_a_merged_lora_computes_what_the_unmerged_one_does(model, tmp_path, convolutions) -> None:
    networks = model.networks
    settings = LoraSettings(rank=3, alpha=5.0, convolutions=convolutions)
    with torch.no_grad():
        plain = outputs(networks)
        with adapted(networks, settings):
            untrained = outputs(networks)
            for name, parameter in networks.named_parameters():
                if "lora_" in name:
                    parameter.copy_(
                        (torch.randn(parameter.shape) * 0.1).half()
                    )  # what a file can hold exactly
            unmerged = outputs(networks)
            tensors = adapter_tensors(networks)
        after = outputs(networks)
        file = write_lora(Lora(tensors, 3, 5.0, "small"), tmp_path / "x.safetensors")
        merged_outputs = outputs(with_loras(model, [(read_lora(file), 1.0, "x")]).networks)
    for a, b, c in zip(plain, untrained, after, strict=True):
        assert torch.equal(a, b)  # a new LoRA changes nothing
        assert torch.equal(a, c)  # and is gone without a trace
    for a, b in zip(unmerged, merged_outputs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(plain[-1], unmerged[-1], atol=1e-3)
    assert any("conv1" in name for name in tensors) == convolutions


def test_training_brings_the_loss_down_and_leaves_the_model_as_it_was(model, person) -> None:
    before = {name: value.clone() for name, value in model.networks.denoiser.state_dict().items()}
    losses: list[float] = []
    settings = LoraSettings(steps=8, rank=4, learning_rate=2e-2, targets=2, drawn_share=0.3, views=1)
    result = train_lora(model, person, settings, "ada", lambda done, total, loss: losses.append(loss))
    assert np.mean(losses[-4:]) < np.mean(losses[:4])
    assert len(losses) == 8
    assert set(result.before) == {"l1", "face_l1", "psnr", "ssim"}
    assert result.lora.base == "small"
    assert any(name.startswith("appearance_net.") for name in result.lora.targets)
    assert any(tensor.any() for name, tensor in result.lora.tensors.items() if "lora_B" in name)
    after = model.networks.denoiser.state_dict()
    assert list(after) == list(before)
    for name, value in before.items():
        assert torch.equal(after[name], value), name


def test_what_is_learnt_is_handed_out_now_and_then_and_when_told_to_leave(model, person) -> None:
    kept: list[Lora] = []
    settings = LoraSettings(steps=6, rank=2, targets=2, drawn_share=0.0, views=1, save_every=4)
    train_lora(model, person, settings, "ada", keep=kept.append)
    assert len(kept) == 2  # after four steps and at the end
    again: list[Lora] = []

    def leave(done: int, total: int, loss: float) -> None:
        if done == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    before = [value.clone() for value in model.networks.denoiser.state_dict().values()]
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted) as left:
        train_lora(model, person, settings, "ada", leave, again.append)
    assert (left.value.signal, left.value.steps) == (signal.SIGTERM, 3)
    assert len(again) == 1
    assert any(tensor.any() for name, tensor in again[0].tensors.items() if "lora_B" in name)
    assert signal.getsignal(signal.SIGTERM) is handler
    assert not any(module.training for module in model.networks.modules())
    after = model.networks.denoiser.state_dict().values()
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize(("broken", "survives"), [({1}, True), ({2, 3}, False)])
def test_a_gradient_that_is_no_number_spoils_nothing(model, person, monkeypatch, broken, survives) -> None:
    """A finite loss, and an infinite gradient."""
    kept: list[Lora] = []
    losses: list[float] = []

    def injected(*arguments):
        found = batch_losses(*arguments)
        if len(losses) in broken:
            found.diffusion.register_hook(lambda gradient: gradient * float("inf"))
        return found

    monkeypatch.setattr("followyouremoji.personal.training.batch_losses", injected)
    settings = LoraSettings(steps=4, rank=2, targets=2, drawn_share=0.0, views=1, save_every=1)

    def train() -> LoraResult:
        return train_lora(
            model, person, settings, "ada", lambda done, total, loss: losses.append(loss), kept.append
        )

    if survives:
        result = train()
        assert result.loss == losses[-1]
        kept.append(result.lora)
    else:
        with pytest.raises(SettingsError, match="at step 4 its loss or gradient is not finite"):
            train()
    assert len(kept) == 4 - len(broken) + survives  # none after a step that was skipped
    assert np.isfinite(losses).all()
    assert all(bool(tensor.isfinite().all()) for lora in kept for tensor in lora.tensors.values())


def test_clips_of_a_person_are_a_function_of_the_position(person) -> None:
    one, again, other = person.clip(5, 3), person.clip(5, 3), person.clip(6, 3)
    np.testing.assert_array_equal(one.pictures, again.pictures)
    np.testing.assert_array_equal(one.points, again.points)
    assert not np.array_equal(one.pictures, other.pictures)
    assert one.pictures.shape == (3, 64, 64, 3)
    assert one.points.shape == (3, 478, 3)
    assert not np.array_equal(one.points[1], one.points[2])  # each frame has an expression of its own


def test_a_model_that_is_shown_no_pupils_learns_from_portraits_that_do_not_tell_the_gaze(
    person, tmp_path
) -> None:
    looks = []
    for pupils in (True, False):
        run = run_of(tmp_path, landmarks=LandmarkOptions(pupils=pupils))
        places = np.stack([iris_places(pick.points) for pick in held_out_picks(person, run, 4)])
        looks.append(np.ptp(places, axis=1).max())  # between a portrait and its target
    assert looks[0] > 0.05
    assert looks[1] < 1e-3


def test_held_out_frames_of_a_clip_are_never_trained_on() -> None:
    drawn = [draw_portrait(IDENTITY, Performance.of("smile", s), 64) for s in np.linspace(0, 1, 10)]
    pictures = [np.full((64, 64, 3), 20 * i, np.uint8) for i in range(10)]  # a frame's grey is its number
    take = make_take("clip", iter(pictures), [landmarks_of(one) for one in drawn], 64)
    person = Person((take,), drawn_expressions(0, 2), 64, reframing=NO_REFRAMING)
    views = held_out_views(person, 2)
    seen = {int(frame.mean()) // 20 for i in range(20) for frame in person.clip(i, 4).pictures}
    held = {int(frame.mean()) // 20 for i in range(10) for frame in views.clip(i, 3).pictures[1:]}
    assert seen == set(range(8))
    assert held == {8, 9}


def test_a_bent_face_has_the_mouth_and_eyes_it_was_asked_for() -> None:
    rest, open_mouth = (
        draw_portrait(IDENTITY, Performance.of(name), 128) for name in ("neutral", "jaw_open")
    )
    warped = warped_face(rest.picture, rest.points, open_mouth.points)
    middle = open_mouth.points[[13, 14]].mean(axis=0).astype(int)
    assert (
        warped[middle[1], middle[0]].mean() < 0.5 * rest.picture[middle[1], middle[0]].mean()
    )  # dark inside
    np.testing.assert_allclose(warped[:2].astype(int), rest.picture[:2], atol=1)  # the border stays
    same = warped_face(rest.picture, rest.points, rest.points)
    assert np.abs(same.astype(int) - rest.picture).mean() < 1.0


def test_expressions_at_strength_zero_are_the_face_itself() -> None:
    landmarks = landmarks_of(draw_portrait(IDENTITY, Performance.neutral(), 128))
    bank = drawn_expressions(3, 4, turn=0.0)
    still = type(bank)(bank.offsets, np.repeat(np.eye(3)[None], 4, axis=0), 0 * bank.gazes)
    points = expressive_points(landmarks.normalised, (128, 128), still, 0.0)
    expected = kept_open(landmarks.points[None].astype(float))[0]
    assert np.abs(points[..., :2] - expected).max() < 0.05
    assert (
        np.corrcoef(points[0, :468, 2], landmarks.normalised[:468, 2])[0, 1] > 0.99
    )  # depth has MediaPipe's sign


def test_lids_and_lips_never_cross() -> None:
    points = draw_portrait(IDENTITY, Performance.neutral(), 128).points[None].astype(float).copy()
    swapped = points.copy()
    swapped[:, INNER_LIPS_UPPER[1:-1]] = points[:, INNER_LIPS_LOWER[1:-1]] + [0, 3]
    opened = kept_open(swapped)
    assert (opened[0, INNER_LIPS_LOWER[1:-1], 1] > opened[0, INNER_LIPS_UPPER[1:-1], 1]).all()


def test_what_cannot_be_learnt_from_is_refused(tmp_path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_person([tmp_path / "nobody.png"], 64)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty folder"):
        read_person([tmp_path / "empty"], 64)
    write_picture(tmp_path / "wall.png", np.full((96, 96, 3), 128, np.uint8))
    with pytest.raises(DataError, match=r"wall\.png shows no face"):
        read_person([tmp_path / "wall.png"], 64)
    for change in ({"rank": 0}, {"learning_rate": 0.0}, {"drawn_share": 1.0}, {"seed": -1}):
        with pytest.raises(SettingsError, match=next(iter(change))):
            LoraSettings(**change)
