"""Batches: functions of seed, step and sample alone, and what the switches of Table 2 change in them."""

import dataclasses

import numpy as np
import torch

from followyouremoji.training.batch import Batch, make_sample, sample_rng
from followyouremoji.training.feed import Share
from followyouremoji.training.picks import ClipPicks
from followyouremoji.training.settings import LandmarkOptions

from .tiny import NETWORK, SIZE, Faces, batch_of, run_of

PUPIL = torch.tensor([255, 0, 0], dtype=torch.uint8)
CONTOUR = torch.tensor([200, 200, 200], dtype=torch.uint8)


def equal(one: Batch, other: Batch) -> bool:
    pairs = [(getattr(one, entry.name), getattr(other, entry.name)) for entry in dataclasses.fields(Batch)]
    return all(a is b if a is None else torch.equal(a, b) for a, b in pairs)


def shows(pictures: torch.Tensor, colour: torch.Tensor) -> bool:
    return bool((pictures == colour[:, None, None, None]).all(dim=1).any())


def test_a_split_batch_is_the_joined_batch(tmp_path) -> None:
    run = run_of(tmp_path, references=4, reference_dropout=0.5)
    whole = batch_of(run, 3)
    assert equal(whole, batch_of(run, 3))
    assert not equal(whole, batch_of(run, 4))
    shares = [Share(4, process, 2, 2) for process in range(2)]
    places = [index for share in shares for part in share.parts() for index in part]
    assert places == [0, 1, 2, 3]
    for index, latents in enumerate(whole.noise.split(run.targets)):
        assert torch.equal(batch_of(run, 3, range(index, index + 1)).noise, latents)


def test_shapes_and_ranges_of_both_stages(tmp_path) -> None:
    latent = SIZE // 8
    for stage, clips, frames in ((1, 8, 1), (2, 4, 3)):
        batch = batch_of(run_of(tmp_path, stage), 0)
        assert batch.portrait.shape == (4, 3, SIZE, SIZE)
        assert batch.targets is not None
        assert batch.targets.shape == batch.landmarks.shape == (clips, 3, frames, SIZE, SIZE)
        assert batch.noise.shape == (clips, 4, frames, latent, latent)
        assert batch.expression_mask is not None
        assert batch.expression_mask.shape == (clips, 1, frames, latent, latent)
        assert 0 < float(batch.expression_mask.mean()) < 1
        assert batch.known.shape == (clips, frames)
        assert batch.kept is None


def test_known_frames_are_there_in_stage_2_of_the_paper_layout_unless_switched_off(tmp_path) -> None:
    stage_2 = run_of(tmp_path, 2, unknown_clips=0.0, references=16)
    assert bool(batch_of(stage_2, 0).known.any())
    assert not bool(batch_of(dataclasses.replace(stage_2, progressive=False), 0).known.any())
    released = dataclasses.replace(NETWORK, layout="released", qformer=None)
    assert not bool(batch_of(dataclasses.replace(stage_2, network=released), 0).known.any())
    assert not bool(batch_of(run_of(tmp_path, 1, unknown_clips=0.0), 0).known.any())


def test_landmark_switches_change_what_the_network_is_shown(tmp_path) -> None:
    def drawn(**options: object) -> torch.Tensor:
        landmarks = LandmarkOptions(antialiased=False, **options)  # type: ignore[arg-type]
        return batch_of(run_of(tmp_path, landmarks=landmarks, landmark_jitter=0.0), 0).landmarks

    assert shows(drawn(), PUPIL)
    assert not shows(drawn(), CONTOUR)
    assert not shows(drawn(pupils=False), PUPIL)
    assert shows(drawn(contour=True), CONTOUR)


def test_dropout_and_terminal_steps_come_at_their_rates(tmp_path) -> None:
    run = run_of(tmp_path, reference_dropout=0.25, terminal_share=0.5, references=1, targets=1)
    source = ClipPicks(Faces(), 2)
    samples = [make_sample(run, source, step, 0) for step in range(300)]
    assert abs(np.mean([not bool(sample.kept) for sample in samples]) - 0.25) < 0.08
    assert abs(np.mean([int(sample.timesteps) == 999 for sample in samples]) - 0.5) < 0.1


def test_a_clip_s_targets_follow_each_other_in_stage_2_and_leave_out_the_portrait() -> None:
    picks = ClipPicks(Faces(), 12)
    clip = Faces().clip(5, 12)
    pick = picks.pick(5, sample_rng(0, 0, 0), 4, successive=True)
    places = [
        int(np.flatnonzero((clip.points[:, 0, :2] == points[0]).all(axis=1))[0]) for points in pick.points
    ]
    assert places[1:] == list(range(places[1], places[1] + 4))
    assert places[0] not in places[1:]
    assert pick.points.shape == (5, 478, 2)
