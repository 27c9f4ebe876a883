"""How frames come: early, by a thread a little ahead, the same after a break, and without what nobody reads."""

import threading
from collections.abc import Generator, Iterator

import numpy as np
import pytest
import torch

from followyouremoji.animator import AnimationSettings, PortraitAnimator
from followyouremoji.decoding import Pose
from followyouremoji.errors import WeightsError
from followyouremoji.face.timeline import timeline
from followyouremoji.generation import ModelReader, around_lines, read_portrait, with_those_between
from followyouremoji.prepared import Prepared
from tests.small_model import small_model

pytest.importorskip("skia", reason="drawn portraits need skia")
from followyouremoji.portraits import DrawnPortrait
from tests.test_preparation import drawn_motion, landmarks_of


def test_frames_come_early_and_the_networks_go_only_a_little_ahead(
    animator: PortraitAnimator, portrait: DrawnPortrait
) -> None:
    """Networks run in a thread, which waits when a few pieces are ready; closing the stream ends it."""
    prepared = animator.prepare(
        portrait.picture, drawn_motion(120), portrait_landmarks=landmarks_of(portrait)
    )
    steps: list[tuple[int, int]] = []
    stream = animator.frames(prepared, AnimationSettings(steps=1), progress=lambda *step: steps.append(step))
    assert isinstance(stream, Iterator)
    assert steps == []
    next(stream)
    stream.close()
    done, total = steps[-1]
    assert total > 40
    assert 0 < done < total / 2
    assert steps == [(number, total) for number in range(1, done + 1)]
    assert helpers() == []


def test_closing_a_stream_does_not_wait_for_the_rest_of_a_segment(
    animator: PortraitAnimator, prepared: Prepared
) -> None:
    """Three segments of 20 steps: the stream is closed in step 30, and the networks' thread ends before the next
    one."""
    steps: list[int] = []
    reached, closing = threading.Event(), threading.Event()

    def progress(done: int, total: int) -> None:
        steps.append(done)
        if done == 30:
            reached.set()
            closing.wait()

    stream = animator.frames(prepared, AnimationSettings(steps=20, speed="exact"), progress=progress)
    next(stream)
    reached.wait()
    threading.Timer(0.5, closing.set).start()
    stream.close()
    assert steps == list(range(1, 31))


def helpers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_inference_mode_does_not_leak_out_of_an_abandoned_stream(
    animator: PortraitAnimator, prepared: Prepared
) -> None:
    stream = animator.frames(prepared)
    next(stream)
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
    stream.close()


class Kept:
    """A store of finished segments in memory."""

    def __init__(self) -> None:
        self.segments: dict[int, torch.Tensor] = {}

    def load(self, number: int) -> torch.Tensor | None:
        return self.segments.get(number)

    def save(self, number: int, latents: torch.Tensor) -> None:
        self.segments[number] = latents.clone()


@pytest.mark.parametrize("warped", [False, True])
def test_a_run_that_goes_on_gives_the_same_frames(portrait: DrawnPortrait, warped: bool) -> None:
    """Within rounding, though landmarks and warps of finished segments are read again."""
    animator = PortraitAnimator(small_model(warped_reference=warped))
    prepared = animator.prepare(portrait.picture, drawn_motion(12), portrait_landmarks=landmarks_of(portrait))
    kept = Kept()
    whole = np.stack(list(animator.frames(prepared, stores=[kept]))).astype(int)
    last = max(kept.segments)
    for lost in ((last,), (0,), tuple(range(2, last + 1))):
        for number in lost:
            del kept.segments[number]
        assert np.abs(whole - np.stack(list(animator.frames(prepared, stores=[kept])))).max() <= 1


def test_poses_between_take_what_lies_between_of_the_others() -> None:
    """Of a face that stands still, whose pictures and their warps' losses go over evenly, forwards and backwards."""
    rng = np.random.default_rng(0)
    warps = rng.integers(90, 160, (6, 32, 32, 3)).astype(np.uint8)
    coded = (warps - 4 * np.arange(6)[:, None, None, None]).astype(np.uint8)
    first = rng.integers(90, 160, (32, 32, 3))
    pictures = np.stack([first + 10 - 2 * pose for pose in range(6)]).astype(np.uint8)
    points = np.broadcast_to(rng.uniform(4, 28, (478, 2)), (6, 478, 2))
    made = np.array([0, 1, 5])

    def generated() -> Generator[Pose, None, None]:
        for number in (0, 1, 2, 2, 1, 0):
            yield number, pictures[made[number]], coded[made[number]]

    poses = list(with_those_between(generated(), made, points, lambda pose: warps[pose]))
    assert [pose for pose, _, _ in poses] == [0, 1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 0]
    for pose, picture, there in poses:
        np.testing.assert_array_equal(picture, pictures[pose])
        np.testing.assert_array_equal(there, coded[pose])


def test_the_region_lies_around_the_lines() -> None:
    """A lit pixel of a 256x256 picture is latent (12, 4) of 32x32; the region reaches 2 latents further, a sixteenth of
    the side."""
    pictures = torch.zeros(2, 3, 256, 256, dtype=torch.uint8)
    pictures[1, 2, 4 * 8 + 7, 12 * 8] = 1
    region = around_lines(pictures)
    assert region.shape == (2, 1, 32, 32)
    expected = torch.zeros(32, 32)
    expected[2:7, 10:15] = 1
    assert torch.equal(region[1, 0], expected)
    assert not region[0].any()


def test_a_clip_s_region_follows_its_landmarks(animator: PortraitAnimator, prepared: Prepared) -> None:
    model = animator.model
    course = timeline(prepared.points_in_picture, "off")
    reader = ModelReader(model, prepared, course, read_portrait(model, prepared, 1.0))
    region = reader.region(range(len(course)))
    side = prepared.size // 8
    assert region.shape == (1, 1, len(course), side, side)
    assert 0 < region.mean() < 1
    for frame in range(len(course)):
        points = prepared.points_in_picture[int(course.frames[frame])][[33, 263, 13, 14]] / 8
        assert all(region[0, 0, frame, int(y), int(x)] == 1 for x, y in points), "eyes and lips lie in it"


@pytest.mark.parametrize(
    ("network", "layer"),
    [
        ("denoiser", "conv_out"),
        ("landmark encoder", "conv_out"),
        ("appearance net", "conv_in"),
        ("autoencoder", "decoder"),
    ],
)
def test_values_that_are_not_finite_end_in_an_error_that_names_the_network(
    prepared: Prepared, network: str, layer: str
) -> None:
    model = small_model(
        reference_landmarks=network != "landmark encoder"
    )  # else the appearance net reads it first
    broken = getattr(model.parts()[network.replace(" ", "_")], layer)
    next(broken.parameters()).data.view(-1)[0] = torch.nan
    with pytest.raises(WeightsError, match=f"the {network} returns values that are not finite"):
        list(PortraitAnimator(model).frames(prepared))
