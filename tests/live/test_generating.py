"""The networks of a live session make what they make of a clip."""

from __future__ import annotations

import numpy as np
import pytest

from followyouremoji.animator import AnimationSettings, PortraitAnimator
from followyouremoji.live.generating import LiveGenerator
from followyouremoji.prepared import Prepared
from tests.small_model import frames, small_model


def chunk(prepared: Prepared, poses: slice) -> Prepared:
    points = prepared.in_portrait(prepared.points_in_picture[poses])
    return prepared.posed(prepared.motion[poses], points)


def made(generator: LiveGenerator, part: Prepared) -> np.ndarray:
    return np.stack(
        [part.finish(*one(), pose) for pose, one in enumerate(generator(part))]
    )


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
