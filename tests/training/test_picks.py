"""Faces in their windows, and the losses of models that make faces alone."""

import dataclasses

import numpy as np
import pytest
import torch

from followyouremoji.data import TrainingClip
from followyouremoji.data.drawn import DrawnPart
from followyouremoji.errors import SettingsError
from followyouremoji.face.geometry import iris_places
from followyouremoji.face.window import face_window
from followyouremoji.sampling.schedule import ddim_schedule
from followyouremoji.training.batch import join, make_sample
from followyouremoji.training.objective import batch_losses
from followyouremoji.training.picks import ClipPicks, FramedPicks
from followyouremoji.training.settings import DataPart
from followyouremoji.training.trainer import train_denoiser

from .tiny import Faces, codec, networks_of, run_of

WINDOW = 32


def window_picks() -> FramedPicks:
    return FramedPicks(ClipPicks(Faces(), 4), WINDOW, pupils=True)


def test_faces_lie_upright_and_equally_large_in_their_windows() -> None:
    rng = np.random.default_rng(0)
    pick = window_picks().pick(3, rng, 2, successive=False)
    assert pick.portrait.shape == (WINDOW, WINDOW, 3)
    assert pick.targets.shape == (2, WINDOW, WINDOW, 3)
    for points in pick.points:
        np.testing.assert_allclose(face_window(points, WINDOW).matrix, np.eye(2, 3), atol=1e-4)


def test_the_portrait_warped_to_its_own_place_is_the_portrait() -> None:
    """The faces of `Faces` only move, so that in their windows nothing is left to bend but the mark on the nose."""
    pick = window_picks().pick(3, np.random.default_rng(0), 2, successive=False)
    assert np.abs(pick.warped_portraits(pick.points).astype(int) - pick.portrait).mean() < 6


class LookingAround(Faces):
    """The same faces, whose irises wander from frame to frame."""

    def clip(self, position: int, frames: int) -> TrainingClip:
        clip = super().clip(position, frames)
        points = clip.points.copy()
        points[:, 468:] += np.arange(frames, dtype=np.float32)[:, None, None]
        return dataclasses.replace(clip, points=points)


def test_without_pupils_every_frame_looks_as_the_portrait_does() -> None:
    source = ClipPicks(LookingAround(), 4)
    pick, still = (
        one.pick(3, np.random.default_rng(0), 2, successive=False)
        for one in (source, FramedPicks(source, None, pupils=False))
    )
    np.testing.assert_array_equal(still.points[:, :468], pick.points[:, :468])
    places, still_places = iris_places(pick.points), iris_places(still.points)
    assert np.ptp(places, axis=0).max() > 0.05
    np.testing.assert_allclose(still_places, np.broadcast_to(places[:1], places.shape), atol=1e-3)


def test_what_is_around_the_face_counts_less_and_decoded_pictures_count(tmp_path) -> None:
    run = run_of(tmp_path, window=WINDOW)
    networks, source = networks_of(run), window_picks()
    batch = join([make_sample(run, source, 0, index) for index in range(run.samples)])
    small = torch.zeros_like(batch.face_mask)
    small[..., 0, 0] = 1.0  # a face in the corner, for the window has few latent pixels
    batch = dataclasses.replace(batch, face_mask=small)
    alphas = ddim_schedule(1).alphas_cumprod

    def losses(**changes):
        return batch_losses(networks, dataclasses.replace(run, **changes), codec(), batch, alphas)

    plain, faces = losses(), losses(surroundings=0.1)
    assert plain.picture is None
    assert faces.diffusion != plain.diffusion
    torch.testing.assert_close(faces.facial, plain.facial)
    once, twice = losses(picture_loss=1.0), losses(picture_loss=2.0)
    assert once.picture > 0
    torch.testing.assert_close(2 * once.picture, twice.picture)
    networks.zero_grad()
    once.picture.backward()
    assert networks.denoiser.conv_out.weight.grad.abs().sum() > 0


def test_pictures_that_the_networks_cannot_halve_are_refused_before_a_run_begins(tmp_path) -> None:
    run = run_of(tmp_path / "run", drawings=None, data=(DataPart(drawn=DrawnPart(size=72)),))
    with pytest.raises(SettingsError, match=r"`data` names are 72 pixels large.* a multiple of 16"):
        train_denoiser(run)
    assert not run.output.exists()


def test_a_window_needs_the_warped_portrait_and_a_size_that_latents_divide(tmp_path) -> None:
    run = run_of(tmp_path)
    with pytest.raises(SettingsError, match="multiple of 16"):
        dataclasses.replace(run, window=72)  # the second level of the networks would halve 9 latent pixels
    with pytest.raises(SettingsError, match="warped_reference"):
        dataclasses.replace(run, window=64, network=dataclasses.replace(run.network, warped_reference=False))
    with pytest.raises(SettingsError, match="face mask"):
        dataclasses.replace(run, surroundings=0.5, face_mask=False)
