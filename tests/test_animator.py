"""From a portrait and a motion to frames, with a small model of random weights."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from followyouremoji.animator import AnimationSettings, PortraitAnimator
from followyouremoji.checkpoints.codec import to_pictures, to_tensor
from followyouremoji.checkpoints.model import Model, load_model, save_model
from followyouremoji.errors import SettingsError
from followyouremoji.face.timeline import timeline
from followyouremoji.face.warping import warp_portrait
from followyouremoji.framing import FaceAlone
from followyouremoji.prepared import Prepared
from followyouremoji.requests.bundled import bundled_motion
from followyouremoji.sampling.guidance import pass_bytes

pytest.importorskip("skia", reason="drawn portraits need skia")
from followyouremoji.portraits import DrawnPortrait
from tests.small_model import frames, small_model
from tests.test_preparation import drawn_motion, landmarks_of


def test_one_frame_a_driving_frame_pasted_into_the_portrait(
    animator: PortraitAnimator, prepared: Prepared, portrait: DrawnPortrait
) -> None:
    """Six frames by windows of four: keyframes 0, 2 or 3, 5, then what lies between them."""
    result = frames(animator, prepared)
    assert result.shape == (6, 96, 96, 3)
    assert result.dtype == np.uint8
    assert all((frame != portrait.picture).any() for frame in result)
    assert any((result[0] != frame).any() for frame in result[1:])


def test_the_seed_decides(animator: PortraitAnimator, prepared: Prepared) -> None:
    first = frames(animator, prepared, seed=5)
    assert np.array_equal(first, frames(animator, prepared, seed=5))
    assert not np.array_equal(first, frames(animator, prepared, seed=6))


def test_several_devices_and_batches(animator: PortraitAnimator, portrait: DrawnPortrait) -> None:
    """Several devices give the same frames up to rounding, and so do segments that are made at once."""
    prepared = animator.prepare(portrait.picture, drawn_motion(20), portrait_landmarks=landmarks_of(portrait))
    alone = frames(animator, prepared)
    shared = frames(PortraitAnimator(small_model(), [small_model()]), prepared)
    together = frames(animator, prepared, batch=3)
    for result in (shared, together):
        assert np.abs(result.astype(int) - alone).max() <= 1
    assert not np.array_equal(alone, frames(animator, prepared, long_clips="chain"))


def test_a_held_pose_is_generated_once(animator: PortraitAnimator, prepared: Prepared) -> None:
    framing = replace(prepared.framing, points=prepared.framing.points[[0, 1, 1, 1, 2, 3, 4, 5]])
    held = replace(prepared, framing=framing, motion=drawn_motion(8))
    result = frames(animator, held)
    assert len(result) == 8
    assert np.array_equal(result[1], result[2])
    assert np.array_equal(result[1], result[3])
    assert np.array_equal(result[[0, 1, 4, 5, 6, 7]], frames(animator, prepared))


@pytest.mark.parametrize("warped", [False, True])
def test_a_ping_pong_shows_the_same_frames_on_its_way_back(portrait: DrawnPortrait, warped: bool) -> None:
    animator = PortraitAnimator(small_model(warped_reference=warped))
    motion = drawn_motion(9)
    settings = AnimationSettings(steps=1, loop="pingpong")
    prepared = animator.prepare(
        portrait.picture, motion, settings=settings, portrait_landmarks=landmarks_of(portrait)
    )
    result = list(animator.frames(prepared, settings))
    assert len(prepared) == len(result) == 16
    for there, back in zip(result[1:8], result[:8:-1], strict=True):
        assert np.array_equal(there, back)
    assert not np.array_equal(result[7], result[8])


def test_a_blended_loop_is_generated_as_a_circle(animator: PortraitAnimator, portrait: DrawnPortrait) -> None:
    settings = AnimationSettings(steps=1, loop="blend")
    prepared = animator.prepare(
        portrait.picture, drawn_motion(6), settings=settings, portrait_landmarks=landmarks_of(portrait)
    )
    assert len(prepared) == 6
    circle, line = frames(animator, prepared), frames(animator, replace(prepared, loop="off"))
    assert not np.array_equal(circle[-1], line[-1])


def test_the_landmarks_matter(animator: PortraitAnimator, prepared: Prepared) -> None:
    points = prepared.framing.points[[0] * len(prepared)]
    still = replace(prepared, framing=replace(prepared.framing, points=points))
    assert not np.array_equal(frames(animator, prepared), frames(animator, still))


def test_the_portrait_matters(animator: PortraitAnimator, prepared: Prepared) -> None:
    alone = replace(prepared, paste_back=False)
    other = replace(alone, framing=replace(alone.framing, picture=255 - alone.picture))
    assert not np.array_equal(frames(animator, alone), frames(animator, other))


def test_a_call_does_it_all(animator: PortraitAnimator, portrait: DrawnPortrait) -> None:
    """With MediaPipe on the drawn portrait; settings that cannot be used are refused before anything is looked for."""
    result = list(animator(portrait.picture, drawn_motion(2)))
    assert len(result) == 2
    assert result[0].shape == portrait.picture.shape
    with pytest.raises(SettingsError, match="at most 32 frames"):
        animator("nowhere.png", "nowhere.mp4", settings=AnimationSettings(window=40))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": 72}, "multiple of 16 pixels for this model, not 72: use 64 "),
        ({"size": 8}, "multiple of 16 .* use 16"),
    ],
)
def test_sizes_that_the_denoiser_cannot_halve(
    animator: PortraitAnimator, portrait: DrawnPortrait, values: dict, message: str
) -> None:
    with pytest.raises(SettingsError, match=message.rstrip()):
        animator.prepare(portrait.picture, drawn_motion(1), settings=AnimationSettings(**values))


def test_another_size(animator: PortraitAnimator, portrait: DrawnPortrait) -> None:
    settings = AnimationSettings(size=80, paste_back=False)
    prepared = animator.prepare(
        portrait.picture, drawn_motion(2), settings=settings, portrait_landmarks=landmarks_of(portrait)
    )
    assert frames(animator, prepared, steps=1).shape == (2, 80, 80, 3)


def test_the_released_layout_takes_windows_and_the_whole_square(portrait: DrawnPortrait) -> None:
    animator = PortraitAnimator(small_model("released"))
    prepared = animator.prepare(portrait.picture, drawn_motion(6), portrait_landmarks=landmarks_of(portrait))
    assert (prepared.framing.crop.x, prepared.framing.crop.y, prepared.framing.crop.side) == (0, 0, 96)
    result = frames(animator, prepared, guidance_scale=3.5)
    assert result.shape == (6, 64, 64, 3)
    assert not np.array_equal(result, frames(animator, prepared, guidance_scale=3.5, long_clips="tiles"))
    assert not np.array_equal(result, frames(animator, prepared, guidance_scale=1.0))
    with pytest.raises(SettingsError, match="'windows' or 'tiles'"):
        animator.frames(prepared, AnimationSettings(long_clips="keyframes"))


def test_a_model_that_never_did_without_the_portrait_is_not_guided(prepared: Prepared) -> None:
    model = small_model()
    animator = PortraitAnimator(replace(model, config=replace(model.config, guided=False)))
    animator.check(AnimationSettings(guidance_scale=1.0))
    for refuse in (animator.check, lambda settings: animator.frames(prepared, settings)):
        with pytest.raises(SettingsError, match=r"use a guidance scale of 1, not 3\.5"):
            refuse(AnimationSettings(guidance_scale=3.5))


def test_a_saved_model_animates_the_same(
    animator: PortraitAnimator, prepared: Prepared, tmp_path: Path
) -> None:
    """Up to rounding: its weights lie otherwise in memory, so that a processor may take other kernels for them."""
    save_model(animator.model, tmp_path / "small")
    loaded = PortraitAnimator(load_model(tmp_path / "small", device="cpu"))
    assert np.abs(frames(animator, prepared).astype(int) - frames(loaded, prepared)).max() <= 1


def test_as_many_segments_at_once_as_leave_room_for_both_halves_of_guidance(
    animator: PortraitAnimator, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = animator.model.config
    one = pass_bytes(config.network, config.window, 8, 8, 4)
    monkeypatch.setattr(Model, "device", torch.device("cuda"))
    monkeypatch.setattr("followyouremoji.model_settings.room_for_passes", lambda device: 6 * one)
    for scale, segments in ((1.0, 6), (3.5, 3)):
        assert animator.sampling(AnimationSettings(guidance_scale=scale)).batch == segments


def test_a_denoiser_that_says_nothing_shows_the_warped_portrait(prepared: Prepared) -> None:
    """Relative to a warp, a zero velocity at the last timestep means no difference: the warped portrait, in the frames'
    order."""
    model = small_model(warped_reference=True, residual_scale=1.5)
    torch.nn.init.zeros_(model.networks.denoiser.conv_out.weight)
    torch.nn.init.zeros_(model.networks.denoiser.conv_out.bias)
    prepared = replace(prepared, framing=replace(prepared.framing, relative_to_warp=True))
    result = list(PortraitAnimator(model).frames(prepared, AnimationSettings(steps=1)))
    for index, frame in enumerate(result):
        warped = to_tensor(prepared.warped_picture(index)[None])
        with torch.inference_mode():
            expected = to_pictures(model.codec.decode(model.codec.encode(warped)))[0]
        assert np.abs(frame.astype(int) - prepared.finish(expected, index)).max() <= 1


def test_a_face_alone_that_says_nothing_is_the_warped_portrait_in_full_resolution(
    portrait: DrawnPortrait,
) -> None:
    """What the autoencoder loses is carried over: where the network changes nothing, the warped
    portrait's own pixels stay. Of two frames both warps are decoded."""
    model = small_model(warped_reference=True, residual_scale=1.5)
    model = replace(model, config=replace(model.config, framing="window"))
    torch.nn.init.zeros_(model.networks.denoiser.conv_out.weight)
    torch.nn.init.zeros_(model.networks.denoiser.conv_out.bias)
    animator = PortraitAnimator(model)
    prepared = animator.prepare(portrait.picture, drawn_motion(2), portrait_landmarks=landmarks_of(portrait))
    assert prepared.picture.shape == (64, 64, 3)
    face = prepared.framing
    assert isinstance(face, FaceAlone)
    result = list(animator.frames(prepared, AnimationSettings(steps=1)))
    for index, frame in enumerate(result):
        warped = warp_portrait(face.square, face.own_points, face.points_in_picture[index])
        assert np.abs(frame.astype(int) - prepared.framing.crop.paste(portrait.picture, warped)).max() <= 1


def test_poses_that_lie_evenly_between_others_are_not_generated(portrait: DrawnPortrait) -> None:
    """And look as if they were, within a grey level in the mean, of the bundled model."""
    animator = PortraitAnimator.from_pretrained("bundled", "cpu")
    motion = bundled_motion("hello")[8:20]
    prepared = animator.prepare(portrait.picture, motion, portrait_landmarks=landmarks_of(portrait))
    exact, some = (
        np.stack(list(animator.frames(prepared, AnimationSettings(steps=1, speed=speed)))).astype(int)
        for speed in ("exact", "lossless")
    )
    assert exact.shape == some.shape == (12, *portrait.picture.shape)
    assert len(prepared.generated_poses(timeline(prepared.points_in_picture))) <= 8
    assert 0.01 < np.abs(exact - some).mean() < 1
    moved = np.abs(np.diff(some, axis=0)).mean(axis=(1, 2, 3))
    assert (moved > 0).all()  # each has its own pose
    assert moved.max() < 3 * np.abs(np.diff(exact, axis=0)).mean(axis=(1, 2, 3)).max()


@torch.inference_mode()
def test_the_landmark_encoder_reads_the_warp() -> None:
    encoder = small_model(warped_reference=True).networks.landmark_encoder
    pictures, warped = torch.rand(1, 3, 2, 64, 64), torch.randn(1, 4, 2, 8, 8)
    alone = encoder(pictures)
    torch.testing.assert_close(
        encoder(pictures, torch.zeros_like(warped)) - alone,
        encoder(pictures * 0, warped * 0) - encoder(pictures * 0),
    )
    assert (encoder(pictures, warped) - alone).abs().mean() > 0.1
