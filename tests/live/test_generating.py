"""The networks of a live session make what they make of a clip."""

from __future__ import annotations

import numpy as np
import pytest

from followyouremoji.animator import AnimationSettings, PortraitAnimator
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.motion import Motion
from followyouremoji.live import generating
from followyouremoji.live.generating import CHUNK, LiveGenerator
from followyouremoji.media.pictures import read_picture
from followyouremoji.prepared import Prepared
from followyouremoji.requests.bundled import portrait_landmarks, portrait_path
from followyouremoji.sources import still_motion
from tests.small_model import frames, small_model


def chunk(prepared: Prepared, poses: slice) -> Prepared:
    points = prepared.in_portrait(prepared.points_in_picture[poses])
    return prepared.posed(prepared.motion[poses], points)


def made(generator: LiveGenerator, part: Prepared) -> np.ndarray:
    results = [one() for one in generator(part)]
    return np.stack([part.finish(picture, pose, coded) for pose, (picture, coded) in enumerate(results)])


@pytest.mark.parametrize("network", [{}, {"warped_reference": True}])
@pytest.mark.parametrize("shared_noise", [0.0, 1.0])
def test_chunks_are_the_chain_of_a_clip(
    prepared: Prepared, network: dict[str, bool], shared_noise: float
) -> None:
    """Each knows the last frame of the one before, and where all noise is shared nothing. To the bit, but for the
    rounding of encoding and decoding in other batches."""
    animator = PortraitAnimator(small_model(**network))
    settings = AnimationSettings(shared_noise=shared_noise, long_clips="chain", window=4)
    generator = LiveGenerator(animator.model, prepared, animator.sampling(settings), 1.0)
    parts = [made(generator, chunk(prepared, poses)) for poses in (slice(0, 4), slice(4, 6))]
    if shared_noise < 1.0:
        expected = frames(animator, prepared, shared_noise=shared_noise, long_clips="chain", window=4)
    else:
        expected = np.concatenate(
            [
                frames(animator, chunk(prepared, poses), shared_noise=1.0)
                for poses in (slice(0, 4), slice(4, 6))
            ]
        )
    assert np.abs(np.concatenate(parts).astype(int) - expected).max() <= 1


def test_a_model_that_cannot_go_on_from_known_frames_makes_each_chunk_alone(prepared: Prepared) -> None:
    animator = PortraitAnimator(small_model("released"))
    settings = AnimationSettings(shared_noise=0.0)
    generator = LiveGenerator(animator.model, prepared, animator.sampling(settings), 1.0)
    part = chunk(prepared, slice(0, 2))
    assert np.abs(made(generator, part).astype(int) - frames(animator, part, shared_noise=0.0)).max() <= 1


@pytest.fixture(scope="module")
def face_alone() -> tuple[PortraitAnimator, Prepared]:
    """The bundled model, and four poses of a face that smiles evenly and one that jumps."""
    animator = PortraitAnimator.from_pretrained("bundled", "cpu")
    known = portrait_landmarks(portrait_path("bundled:ada"))
    assert known is not None
    picture = read_picture(portrait_path("bundled:ada"))
    own = still_motion(Landmarks(known, (picture.shape[1], picture.shape[0])), "ada")
    prepared = animator.prepare(picture, own, portrait_landmarks=Landmarks(known, own.size))
    points = prepared.in_portrait(prepared.points_in_picture)[0]
    lower_lip = np.zeros((478, 2))
    lower_lip[[14, 15, 16, 17, 84, 87]] = (0, 1)
    opened = np.array([0, 0.5, 1, 1.5, 2, 9])
    motion = Motion(
        np.repeat(own.landmarks, 6, 0), np.arange(6) / 25, 25.0, own.size, "lip", np.ones(6, bool)
    )
    return animator, prepared.posed(motion, points + opened[:, None, None] * lower_lip)


def test_even_poses_are_filled_in_and_others_generated(
    face_alone: tuple[PortraitAnimator, Prepared], monkeypatch: pytest.MonkeyPatch
) -> None:
    animator, prepared = face_alone
    monkeypatch.setattr(generating, "CHUNK_SECONDS", 1e9)  # however slow the machine is
    sampling = animator.sampling(AnimationSettings(steps=1))
    generator = LiveGenerator(animator.model, prepared, sampling, 1.0)
    first = [one() for one in generator(chunk(prepared, slice(0, 1)))]
    later = [one() for one in generator(chunk(prepared, slice(1, 6)))]
    exact = list(animator.frames(prepared, AnimationSettings(steps=1, speed="exact")))
    for frame, (picture, coded) in enumerate([*first, *later]):
        difference = np.abs(prepared.finish(picture, frame, coded).astype(int) - exact[frame])
        assert difference.mean() < 0.3
        assert np.quantile(difference, 0.999) <= 16
    assert generator.most == CHUNK


def test_where_time_is_short_the_last_pose_of_a_chunk_is_generated(
    face_alone: tuple[PortraitAnimator, Prepared], monkeypatch: pytest.MonkeyPatch
) -> None:
    animator, prepared = face_alone
    monkeypatch.setattr(generating, "CHUNK_SECONDS", 0.0)
    generator = LiveGenerator(animator.model, prepared, animator.sampling(AnimationSettings(steps=1)), 1.0)
    counts = []
    sampled = generator._sampled
    monkeypatch.setattr(
        generator, "_sampled", lambda part, poses: counts.append(poses.tolist()) or sampled(part, poses)
    )
    for poses in (slice(0, 3), slice(3, 6)):
        assert len(generator(chunk(prepared, poses))) == 3
    assert counts == [[0, 2], [2]]
