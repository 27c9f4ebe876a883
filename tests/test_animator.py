"""From a portrait and a motion to frames, with a small model of random weights."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from followyouremoji.animator import AnimationSettings, PortraitAnimator, split_devices
from followyouremoji.checkpoints.config import ModelConfig
from followyouremoji.checkpoints.model import Model, load_model, save_model, to_pictures, to_tensor
from followyouremoji.errors import SettingsError
from followyouremoji.face.warping import warp_portrait
from followyouremoji.generation import Guesses, decode
from followyouremoji.networks import (
    AppearanceNet,
    AutoencoderConfig,
    Denoiser,
    LandmarkEncoder,
    NetworkConfig,
    QFormer,
    QFormerConfig,
    SmallAutoencoder,
)
from followyouremoji.preparation import Prepared
from followyouremoji.sampling.guidance import pass_bytes

pytest.importorskip("skia", reason="drawn portraits need skia")
from followyouremoji.portraits import DrawnPortrait, Identity, Performance, draw_portrait
from tests.test_preparation import drawn_motion, landmarks_of


def small_model(layout: str = "paper", **sizes: object) -> Model:
    torch.manual_seed(0)
    autoencoder = AutoencoderConfig(latent_channels=4, channels=(8, 8), blocks=1)
    network = NetworkConfig(
        **{
            "layout": layout,
            "qformer": QFormerConfig(layers=1, queries=4, width=16, heads=2) if layout == "paper" else None,
            "latent_channels": 4,
            "block_channels": (32, 64),
            "norm_groups": 8,
            "heads": 2,
            "layers_per_block": 1,
            "context_width": 16,
            "image_source": "latents",
            "image_width": 6,
            "landmark_channels": (8, 8, 8, 8),
            "reference_landmarks": layout == "paper",
            **sizes,
        }
    )
    model = Model(
        config=ModelConfig(
            name="small",
            network=network,
            autoencoder=autoencoder,
            picture_size=64,
            antialiased_landmarks=True,
            steps=2,
            guidance_scale=1.0,
            window=4,
        ),
        appearance_net=AppearanceNet(network),
        denoiser=Denoiser(network),
        landmark_encoder=LandmarkEncoder(network),
        qformer=QFormer(network) if layout == "paper" else None,
        autoencoder=SmallAutoencoder(autoencoder),
        image_encoder=None,
    )
    # Layers that start at zero or nearly so would hide the landmarks and the other frames.
    model.landmark_encoder.conv_out.reset_parameters()
    for parameter in model.landmark_encoder.parameters():
        parameter.data *= 4
    for name, parameter in model.denoiser.named_parameters():
        if "temporal_transformer.proj_out.weight" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return model


@pytest.fixture(scope="module")
def animator() -> PortraitAnimator:
    return PortraitAnimator(small_model())


@pytest.fixture(scope="module")
def portrait() -> DrawnPortrait:
    return draw_portrait(Identity.random(np.random.default_rng(3), "person"), Performance(), 96)


@pytest.fixture(scope="module")
def prepared(animator: PortraitAnimator, portrait: DrawnPortrait) -> Prepared:
    return animator.prepare(portrait.picture, drawn_motion(6), portrait_landmarks=landmarks_of(portrait))


def frames(animator: PortraitAnimator, prepared: Prepared, progress=None, **settings) -> np.ndarray:
    return np.stack(list(animator.frames(prepared, AnimationSettings(**settings), progress)))


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
    assert not [thread for thread in threading.enumerate() if thread.name == "ahead"]


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
def test_sampling_ahead_of_decoding_changes_nothing_and_leaves_no_thread(
    portrait: DrawnPortrait, warped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU."""
    animator = PortraitAnimator(small_model(warped_reference=warped))
    prepared = animator.prepare(portrait.picture, drawn_motion(30), portrait_landmarks=landmarks_of(portrait))
    expected = frames(animator, prepared)
    monkeypatch.setattr("followyouremoji.generation.samples_ahead", lambda device: True)
    assert np.array_equal(frames(animator, prepared), expected)
    stream = animator.frames(prepared, AnimationSettings(steps=20, speed="exact"))
    next(stream)
    assert sum(thread.name == "ahead" for thread in threading.enumerate()) == 2, "one samples, one decodes"
    stream.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "ahead"]


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
    """To the last bit, though landmarks and guesses of frames that are known already are prepared anew."""
    animator = PortraitAnimator(small_model(warped_reference=warped))
    prepared = animator.prepare(portrait.picture, drawn_motion(12), portrait_landmarks=landmarks_of(portrait))
    kept = Kept()
    whole = list(animator.frames(prepared, store=kept))
    last = max(kept.batches)
    for lost in ((last,), (0,), tuple(range(2, last + 1))):
        for number in lost:
            del kept.batches[number]
        assert np.array_equal(whole, list(animator.frames(prepared, store=kept)))


def test_guesses_are_let_go_when_their_frames_are_decoded(
    portrait: DrawnPortrait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept does not grow with the clip, but for a level of keyframes."""
    largest: list[int] = []

    class Watched(Guesses):
        def of(self, poses: Sequence[int]) -> torch.Tensor:
            latents = super().of(poses)
            largest[-1] = max(largest[-1], self.held)
            return latents

    monkeypatch.setattr("followyouremoji.generation.Guesses", Watched)
    animator = PortraitAnimator(small_model(warped_reference=True))
    for length in (40, 60):
        largest.append(0)
        prepared = animator.prepare(
            portrait.picture, drawn_motion(length), portrait_landmarks=landmarks_of(portrait)
        )
        for _ in animator.frames(prepared, AnimationSettings(steps=1, window=4)):
            pass
    assert 0 < largest[1] <= largest[0] + 4


def test_several_devices_and_batches(animator: PortraitAnimator, portrait: DrawnPortrait) -> None:
    """A replica beside the model gives the same frames; segments that are made at once the same up to rounding."""
    prepared = animator.prepare(portrait.picture, drawn_motion(20), portrait_landmarks=landmarks_of(portrait))
    alone = frames(animator, prepared)
    assert np.array_equal(alone, frames(PortraitAnimator(small_model(), [small_model()]), prepared))
    together = frames(animator, prepared, batch=3)
    assert np.abs(together.astype(int) - alone).max() <= 1
    assert not np.array_equal(alone, frames(animator, prepared, long_clips="chain"))


@pytest.mark.parametrize(
    ("given", "devices"),
    [
        (None, [None]),
        ("cuda:1", ["cuda:1"]),
        ("cuda:0, cuda:1", ["cuda:0", "cuda:1"]),
        (("cpu", "cpu"), ["cpu", "cpu"]),
        (torch.device("cpu"), [torch.device("cpu")]),
    ],
)
def test_devices_by_name(given: object, devices: list) -> None:
    assert split_devices(given) == devices


@pytest.mark.parametrize("given", ["", "cpu,", ()])
def test_no_devices(given: object) -> None:
    with pytest.raises(SettingsError, match="names no device"):
        split_devices(given)


def test_a_held_pose_is_generated_once(animator: PortraitAnimator, prepared: Prepared) -> None:
    held = replace(prepared, points=prepared.points[[0, 1, 1, 1, 2, 3, 4, 5]], motion=drawn_motion(8))
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
    still = replace(prepared, points=prepared.points[[0] * len(prepared)])
    assert not np.array_equal(frames(animator, prepared), frames(animator, still))


def test_the_portrait_matters(animator: PortraitAnimator, prepared: Prepared) -> None:
    alone = replace(prepared, paste_back=False)
    other = replace(alone, picture=255 - alone.picture)
    assert not np.array_equal(frames(animator, alone), frames(animator, other))


def test_a_call_does_it_all(animator: PortraitAnimator, portrait: DrawnPortrait) -> None:
    """With MediaPipe on the drawn portrait; settings that cannot be used are told before anything is looked for."""
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
    assert (prepared.crop.x, prepared.crop.y, prepared.crop.side) == (0, 0, 96)
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
    save_model(animator.model, tmp_path / "small")
    loaded = PortraitAnimator(load_model(tmp_path / "small", device="cpu"))
    assert np.array_equal(frames(animator, prepared), frames(loaded, prepared))


def test_pictures_to_tensors_and_back() -> None:
    pictures = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    assert np.array_equal(to_pictures(to_tensor(pictures)), pictures)


@torch.inference_mode()
def test_guesses_are_decoded_for_faces_alone(prepared: Prepared) -> None:
    """Elsewhere nothing reads what the autoencoder makes of them, and decoding is not for free."""
    model, latents = small_model(warped_reference=True), torch.zeros(2, 4, 8, 8)
    decoded = decode(model, prepared, range(2), latents, latents)
    assert decoded.coded_guesses is None
    assert [pose for pose, _, _ in decoded.reversed()] == [1, 0]


def test_as_many_segments_at_once_as_leave_room_for_both_halves_of_guidance(
    animator: PortraitAnimator, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = animator.model.config
    one = pass_bytes(config.network, config.window, 8, 8, 4)
    monkeypatch.setattr(Model, "device", torch.device("cuda"))
    monkeypatch.setattr("followyouremoji.animator.room_for_passes", lambda device: 6 * one)
    for scale, segments in ((1.0, 6), (3.5, 3)):
        assert animator.sampling(AnimationSettings(guidance_scale=scale)).batch == segments


def test_a_denoiser_that_says_nothing_shows_the_guess(prepared: Prepared) -> None:
    """Relative to a guess, a zero velocity at the last timestep means no difference: the bent portrait, in the frames'
    order."""
    model = small_model(warped_reference=True, residual_scale=1.5)
    torch.nn.init.zeros_(model.denoiser.conv_out.weight)
    torch.nn.init.zeros_(model.denoiser.conv_out.bias)
    result = list(PortraitAnimator(model).frames(prepared, AnimationSettings(steps=1)))
    for index, frame in enumerate(result):
        guess = to_tensor(prepared.warped_picture(index)[None])
        with torch.inference_mode():
            expected = to_pictures(model.decode(model.encode(guess)))[0]
        assert np.abs(frame.astype(int) - prepared.finish_face(expected, index, expected)).max() <= 1


def test_a_face_alone_that_says_nothing_is_the_bent_portrait_in_full_resolution(
    portrait: DrawnPortrait,
) -> None:
    """What the autoencoder loses is carried over: where the network changes nothing, the guess's own pixels stay."""
    model = small_model(warped_reference=True, residual_scale=1.5)
    model = replace(model, config=replace(model.config, framing="window"))
    torch.nn.init.zeros_(model.denoiser.conv_out.weight)
    torch.nn.init.zeros_(model.denoiser.conv_out.bias)
    animator = PortraitAnimator(model)
    prepared = animator.prepare(portrait.picture, drawn_motion(3), portrait_landmarks=landmarks_of(portrait))
    assert prepared.picture.shape == (64, 64, 3)
    assert prepared.face is not None
    result = list(animator.frames(prepared, AnimationSettings(steps=1)))
    for index, frame in enumerate(result):
        face = prepared.face
        bent = warp_portrait(face.square, face.own_points, face.points[index])
        assert np.abs(frame.astype(int) - prepared.crop.paste(portrait.picture, bent)).max() <= 1


@torch.inference_mode()
def test_the_landmark_encoder_reads_the_guess() -> None:
    encoder = small_model(warped_reference=True).landmark_encoder
    pictures, guess = torch.rand(1, 3, 2, 64, 64), torch.randn(1, 4, 2, 8, 8)
    alone = encoder(pictures)
    torch.testing.assert_close(
        encoder(pictures, torch.zeros_like(guess)) - alone,
        encoder(pictures * 0, guess * 0) - encoder(pictures * 0),
    )
    assert (encoder(pictures, guess) - alone).abs().mean() > 0.1
