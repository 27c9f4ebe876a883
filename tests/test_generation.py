"""How frames come: early, by a thread a little ahead, the same after a break, and without what nobody reads."""

import threading
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch

from followyouremoji.animator import AnimationSettings, PortraitAnimator
from followyouremoji.generation import WarpLatents, decode
from followyouremoji.preparation import Prepared
from tests.small_model import frames, small_model

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
    stream = animator.frames(prepared, AnimationSettings(steps=1), lambda *step: steps.append(step))
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

    stream = animator.frames(prepared, AnimationSettings(steps=20, speed="exact"), progress)
    next(stream)
    reached.wait()
    threading.Timer(0.5, closing.set).start()
    stream.close()
    assert steps == list(range(1, 31))


@pytest.mark.parametrize("warped", [False, True])
def test_sampling_ahead_changes_nothing_and_leaves_no_thread(
    portrait: DrawnPortrait, warped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU."""
    animator = PortraitAnimator(small_model(warped_reference=warped))
    prepared = animator.prepare(portrait.picture, drawn_motion(30), portrait_landmarks=landmarks_of(portrait))
    expected = frames(animator, prepared)
    monkeypatch.setattr("followyouremoji.generation.works_ahead", lambda device: True)
    assert np.array_equal(frames(animator, prepared), expected)
    stream = animator.frames(prepared, AnimationSettings(steps=20, speed="exact"))
    next(stream)
    assert len(helpers()) == 2, "one samples, one decodes"
    stream.close()
    assert helpers() == []


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
    """A store of finished batches in memory."""

    def __init__(self) -> None:
        self.batches: dict[int, torch.Tensor] = {}

    def load(self, number: int) -> torch.Tensor | None:
        return self.batches.get(number)

    def save(self, number: int, latents: torch.Tensor) -> None:
        self.batches[number] = latents.clone()


@pytest.mark.parametrize("warped", [False, True])
def test_a_run_that_goes_on_gives_the_same_frames(portrait: DrawnPortrait, warped: bool) -> None:
    """To the last bit, though landmarks and warps of frames that are known already are prepared anew."""
    animator = PortraitAnimator(small_model(warped_reference=warped))
    prepared = animator.prepare(portrait.picture, drawn_motion(12), portrait_landmarks=landmarks_of(portrait))
    kept = Kept()
    whole = list(animator.frames(prepared, store=kept))
    last = max(kept.batches)
    for lost in ((last,), (0,), tuple(range(2, last + 1))):
        for number in lost:
            del kept.batches[number]
        assert np.array_equal(whole, list(animator.frames(prepared, store=kept)))


def test_warps_are_let_go_when_their_frames_are_decoded(
    portrait: DrawnPortrait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept does not grow with the clip, but for a level of keyframes."""
    largest: list[int] = []

    class Watched(WarpLatents):
        def of(self, poses: Sequence[int]) -> torch.Tensor:
            latents = super().of(poses)
            largest[-1] = max(largest[-1], self.held)
            return latents

    monkeypatch.setattr("followyouremoji.generation.WarpLatents", Watched)
    animator = PortraitAnimator(small_model(warped_reference=True))
    for length in (40, 60):
        largest.append(0)
        prepared = animator.prepare(
            portrait.picture, drawn_motion(length), portrait_landmarks=landmarks_of(portrait)
        )
        for _ in animator.frames(prepared, AnimationSettings(steps=1, window=4)):
            pass
    assert 0 < largest[1] <= largest[0] + 4


@torch.inference_mode()
def test_warps_are_decoded_for_faces_alone(prepared: Prepared) -> None:
    """Elsewhere nothing reads what the autoencoder makes of them, and decoding is not for free."""
    model, latents = small_model(warped_reference=True), torch.zeros(2, 4, 8, 8)
    decoded = decode(model, prepared, range(2), latents, latents)
    assert decoded.coded_warps is None
    assert [pose for pose, _, _ in decoded.reversed()] == [1, 0]
