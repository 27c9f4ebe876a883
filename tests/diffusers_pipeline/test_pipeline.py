"""The pipeline makes the frames of `PortraitAnimator`, and behaves as pipelines of diffusers do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DiffusionPipeline,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    UniPCMultistepScheduler,
)
from PIL import Image

from followyouremoji import AnimationSettings, FollowYourEmojiPipeline, PortraitAnimator
from followyouremoji.checkpoints.lora import Lora, write_lora
from followyouremoji.diffusers_pipeline import FollowYourEmojiScheduler
from followyouremoji.diffusers_pipeline.conversion import check_folder
from followyouremoji.errors import ClipError, SettingsError, WeightsError
from followyouremoji.requests.bundled import bundled_motion, portrait_path

pytest.importorskip("skia", reason="drawn portraits need skia")
from followyouremoji.portraits import DrawnPortrait, Performance, draw_portrait, random_identity
from tests.diffusers_pipeline.conftest import quiet
from tests.small_model import small_model
from tests.test_preparation import drawn_motion, landmarks_of

QUERY = "denoiser.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"


MOTIONS = {frames: drawn_motion(frames) for frames in (2, 4, 6)}


def made(pipe: FollowYourEmojiPipeline, portrait: DrawnPortrait, frames: int = 2, **options) -> np.ndarray:
    """The frames of a drawn motion, uint8."""
    result = pipe(portrait.picture, MOTIONS[frames], image_landmarks=landmarks_of(portrait), **options).frames
    return np.stack([np.asarray(frame) for frame in result[0]])


def expected(model, portrait: DrawnPortrait, frames: int = 2, loras=(), **settings) -> np.ndarray:
    """The same by `PortraitAnimator`, every pass computed."""
    animator = PortraitAnimator(model)
    settings = AnimationSettings(**{"speed": "exact", **settings})
    return np.stack(
        list(
            animator(
                portrait.picture,
                MOTIONS[frames],
                portrait_landmarks=landmarks_of(portrait),
                settings=settings,
                loras=loras,
            )
        )
    )


def furthest(first: np.ndarray, second: np.ndarray) -> int:
    """The largest difference in grey levels."""
    assert first.shape == second.shape
    return int(np.abs(first.astype(int) - second).max())


@pytest.mark.parametrize(
    ("layout", "settings"),
    [
        ("paper", {"steps": 2}),
        ("paper", {"steps": 3, "loop": "pingpong", "paste_back": False, "crop": False, "size": 96}),
        ("paper", {"steps": 2, "guidance_scale": 2.5, "seed": 4}),
        ("released", {"steps": 2, "guidance_scale": 2.5}),
    ],
    ids=["paper", "loop", "guided", "released"],
)
def test_frames_are_those_of_the_animator(layout: str, settings: dict, portrait: DrawnPortrait) -> None:
    """Six frames by windows of four: several segments in the paper's layout, overlapping windows in the released. With
    three steps, the last one of diffusers' DDIM would not end at clean latents."""
    model = small_model(layout)
    result = made(quiet(model), portrait, 6, settings=AnimationSettings(**settings))
    assert furthest(result, expected(model, portrait, 6, **settings)) <= 1
    assert furthest(result[0], result[-2]) > 1  # it moves


def test_frames_of_the_bundled_model() -> None:
    """One step, generated onto the warped portrait and pasted back."""
    pipe = FollowYourEmojiPipeline.from_checkpoint("bundled")
    pipe.set_progress_bar_config(disable=True)
    picture, motion = portrait_path("bundled:ada"), bundled_motion("hello")[:2]
    output = pipe(picture, motion)
    assert output.frame_rate == motion.frame_rate
    animator = PortraitAnimator.from_pretrained("bundled", "cpu")
    frames = list(animator(picture, motion, settings=AnimationSettings(speed="exact")))
    assert furthest(np.stack([np.asarray(frame) for frame in output.frames[0]]), np.stack(frames)) <= 1


def test_schedulers_of_the_first_order_make_the_same_frames(portrait: DrawnPortrait) -> None:
    """DPM-Solver++ of the first order and Euler's method in sigma are DDIM (Lu et al. 2022, Karras et al. 2022)."""
    model = small_model()
    pipe, own = quiet(model), FollowYourEmojiScheduler().config
    frames = expected(model, portrait, 6, steps=4, guidance_scale=2.0)
    for pipe.scheduler in (
        DDIMScheduler.from_config(own),
        EulerDiscreteScheduler.from_config(own),
        DPMSolverMultistepScheduler.from_config(own, solver_order=1),
    ):
        result = made(pipe, portrait, 6, num_inference_steps=4, guidance_scale=2.0)
        # One rounds its alphas, the other begins with noise times 4096.
        assert furthest(result, frames) <= 2, type(pipe.scheduler).__name__


@pytest.mark.slow
def test_schedulers_of_higher_order_come_close_with_many_steps(portrait: DrawnPortrait) -> None:
    pipe = quiet(small_model())
    few = made(pipe, portrait, num_inference_steps=2).astype(int)
    many = made(pipe, portrait, num_inference_steps=10)
    for scheduler in (DPMSolverMultistepScheduler, UniPCMultistepScheduler):
        pipe.scheduler = scheduler.from_config(pipe.scheduler.config)
        other = made(pipe, portrait, num_inference_steps=10).astype(int)
        assert np.abs(other - many).mean() < 0.25 * np.abs(few - many).mean()


def test_a_saved_scheduler_may_have_infinite_settings(pipe: FollowYourEmojiPipeline, tmp_path: Path) -> None:
    pipe.scheduler = DPMSolverMultistepScheduler.from_config(pipe.scheduler.config)
    pipe.save_pretrained(tmp_path)
    assert "-Infinity" in (tmp_path / "scheduler" / "scheduler_config.json").read_text()
    check_folder(tmp_path)


def test_a_scheduler_for_other_networks_is_refused(
    pipe: FollowYourEmojiPipeline, portrait: DrawnPortrait
) -> None:
    pipe.scheduler = DDIMScheduler()  # of networks that predict the noise
    with pytest.raises(SettingsError, match=r"predict 'epsilon'.*DDIMScheduler.from_config"):
        made(pipe, portrait)
    pipe.scheduler = FlowMatchEulerDiscreteScheduler()
    with pytest.raises(SettingsError, match="FlowMatchEulerDiscreteScheduler is no scheduler"):
        made(pipe, portrait)


def test_output_types(pipe: FollowYourEmojiPipeline, portrait: DrawnPortrait) -> None:
    arguments = {"image_landmarks": landmarks_of(portrait)}
    pictures = made(pipe, portrait)
    (tuple_of,) = pipe(
        Image.fromarray(portrait.picture), MOTIONS[2], output_type="np", return_dict=False, **arguments
    )
    assert tuple_of.shape == (1, 2, 96, 96, 3)
    assert np.array_equal(np.rint(tuple_of[0] * 255), pictures)
    tensor = pipe(portrait.picture, MOTIONS[2], output_type="pt", **arguments).frames
    assert torch.equal(tensor, torch.from_numpy(tuple_of).permute(0, 1, 4, 2, 3))
    latents = pipe(portrait.picture, MOTIONS[2], output_type="latent", **arguments).frames
    assert latents.shape == (1, 4, 2, 8, 8)
    model = pipe._assembled()
    prepared = PortraitAnimator(model).prepare(
        portrait.picture, MOTIONS[2], portrait_landmarks=landmarks_of(portrait)
    )
    from followyouremoji.checkpoints.codec import to_pictures

    decoded = to_pictures(model.codec.decode(latents[0].transpose(0, 1)))
    finished = np.stack([prepared.finish(picture, frame) for frame, picture in enumerate(decoded)])
    assert furthest(finished, pictures) <= 1


def test_a_generator_decides_the_noise(pipe: FollowYourEmojiPipeline, portrait: DrawnPortrait) -> None:
    def drawn(generator: torch.Generator) -> np.ndarray:
        return made(pipe, portrait, 2, generator=generator)

    generator = torch.Generator().manual_seed(5)
    first, second = drawn(generator), drawn(generator)
    assert not np.array_equal(first, second)
    assert np.array_equal(first, drawn(torch.Generator().manual_seed(5)))


def test_a_callback_sees_every_step_and_may_change_the_latents(
    pipe: FollowYourEmojiPipeline, portrait: DrawnPortrait
) -> None:
    seen = []

    def note(pipeline, step, timestep, values):
        seen.append((step, int(timestep), tuple(values["latents"].shape)))
        return values

    plain = made(pipe, portrait, 4, num_inference_steps=2)
    assert np.array_equal(made(pipe, portrait, 4, num_inference_steps=2, callback_on_step_end=note), plain)
    assert seen == [(0, 999, (1, 4, 4, 8, 8)), (1, 499, (1, 4, 4, 8, 8))]
    assert pipe.num_timesteps == 2

    def blank(pipeline, step, timestep, values):
        return {"latents": torch.zeros_like(values["latents"])}

    assert not np.array_equal(made(pipe, portrait, 4, callback_on_step_end=blank), plain)

    def stop(pipeline, step, timestep, values):
        seen.append(step)
        pipeline._interrupt = True

    seen.clear()
    made(pipe, portrait, 4, num_inference_steps=50, callback_on_step_end=stop)
    assert seen == [0]


def test_the_progress_bar_counts_all_steps(portrait: DrawnPortrait, capsys: pytest.CaptureFixture) -> None:
    pipe = FollowYourEmojiPipeline.from_model(small_model())
    made(pipe, portrait, 6, num_inference_steps=2)
    assert "6/6" in capsys.readouterr().err  # two of each of three segments


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output_type": "gif"}, "no output type 'gif': use pil, np, pt, latent"),
        ({"callback_on_step_end_tensor_inputs": ["prompt_embeds"]}, "no tensor 'prompt_embeds'"),
        ({"cross_attention_kwargs": {"gligen": 1}}, "no 'gligen': there is 'scale'"),
        ({"num_inference_steps": 0}, "steps"),
        ({"guidance_scale": 0.5}, "guidance_scale"),
    ],
)
def test_arguments_that_cannot_be_used(
    pipe: FollowYourEmojiPipeline, portrait: DrawnPortrait, options: dict, message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        made(pipe, portrait, **options)


def test_frames_in_a_list_drive_it(pipe: FollowYourEmojiPipeline, portrait: DrawnPortrait) -> None:
    """They are tracked as a clip's are: each of a person who begins to smile is a pose of its own."""
    who = random_identity(np.random.default_rng(17), "person")
    drawn = [
        draw_portrait(who, Performance.of("smile", strength), 192).picture for strength in (0.0, 0.5, 1.0)
    ]
    options = {"image_landmarks": landmarks_of(portrait), "output_type": "np"}
    listed = pipe(portrait.picture, [Image.fromarray(picture) for picture in drawn], **options)
    assert listed.frames.shape == (1, 3, 96, 96, 3)
    assert listed.frame_rate == 25
    assert not np.array_equal(listed.frames[0, 0], listed.frames[0, 2])
    assert np.array_equal(pipe(portrait.picture, np.stack(drawn), **options).frames, listed.frames)
    one, alone = (pipe(portrait.picture, given, **options).frames for given in ([drawn[2]], drawn[2]))
    assert np.array_equal(one, alone)
    with pytest.raises(ClipError, match="the motion has no frames"):
        pipe(portrait.picture, [], **options)


def random_lora(file: Path, seed: int = 0) -> Path:
    generator = torch.Generator().manual_seed(seed)
    tensors = {
        f"{QUERY}.lora_A.weight": torch.randn(2, 32, generator=generator),
        f"{QUERY}.lora_B.weight": torch.randn(32, 2, generator=generator),
    }
    return write_lora(Lora(tensors, 2, 2.0, "small"), file)


def test_loras(portrait: DrawnPortrait, tmp_path: Path) -> None:
    model = small_model()
    pipe = quiet(model)
    before = {name: value.clone() for name, value in pipe.denoiser.state_dict().items()}
    ada = random_lora(tmp_path / "pytorch_lora_weights.safetensors")
    bob = random_lora(tmp_path / "bob.safetensors", 1)
    plain = made(pipe, portrait)

    pipe.load_lora_weights(tmp_path, adapter_name="ada")
    with_ada = made(pipe, portrait)
    assert furthest(with_ada, plain) > 1
    half = made(pipe, portrait, cross_attention_kwargs={"scale": 0.5})
    assert np.array_equal(made(pipe, portrait), with_ada)
    pipe.load_lora_weights(bob)
    assert pipe.get_active_adapters() == ["ada", "default_1"]
    pipe.set_adapters(["ada", "default_1"], [0.5, 2.0])
    both = made(pipe, portrait)
    pipe.set_adapters("ada", 0.5)
    assert np.array_equal(made(pipe, portrait), half)
    pipe.save_pretrained(tmp_path / "saved")
    assert pipe.get_active_adapters() == ["ada"]
    pipe.unload_lora_weights()
    assert pipe.get_active_adapters() == []
    for name, value in pipe.denoiser.state_dict().items():
        assert torch.equal(value, before[name]), name
    saved = FollowYourEmojiPipeline.from_pretrained(tmp_path / "saved").denoiser.state_dict()
    for name, value in saved.items():
        assert torch.equal(value, before[name]), name

    assert furthest(with_ada, expected(model, portrait, loras=[(ada, 1.0)])) <= 1
    assert furthest(both, expected(model, portrait, loras=[(ada, 0.5), (bob, 2.0)])) <= 1


def test_loras_that_cannot_be_used(pipe: FollowYourEmojiPipeline, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="there is no LoRA file"):
        pipe.load_lora_weights(tmp_path)
    file = random_lora(tmp_path / "ada.safetensors")
    pipe.load_lora_weights(file, adapter_name="ada")
    with pytest.raises(SettingsError, match="'ada' is loaded already"):
        pipe.load_lora_weights(file, adapter_name="ada")
    with pytest.raises(SettingsError, match="no LoRA 'bob' is loaded; loaded are: ada"):
        pipe.set_adapters("bob")
    with pytest.raises(SettingsError, match="1 LoRAs need as many weights, not 2"):
        pipe.set_adapters(["ada"], [1.0, 2.0])
    with pytest.raises(WeightsError, match="a LoRA's scale must be"):
        pipe.set_adapters("ada", 11.0)
    other = quiet(small_model(block_channels=(64, 64)))
    with pytest.raises(WeightsError, match="does not fit the model"):
        other.load_lora_weights(file)


def test_offloaded_networks_come_before_they_are_used(
    pipe: FollowYourEmojiPipeline, portrait: DrawnPortrait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hooks of accelerate, with the CPU as the device: nothing leaves memory, so what is not seen here is how much
    of a GPU's stays free."""
    hooks = pytest.importorskip("accelerate.hooks")
    plain = made(pipe, portrait)
    came: list[str] = []
    fetch = hooks.CpuOffload.pre_forward

    def fetched(hook, module, *arguments, **named):
        came.append(next(name for name, one in pipe.components.items() if one is module))
        return fetch(hook, module, *arguments, **named)

    monkeypatch.setattr(hooks.CpuOffload, "pre_forward", fetched)
    pipe.enable_model_cpu_offload(device="cpu")
    before = pipe.denoiser._hf_hook
    assert before.prev_module_hook.model is pipe.appearance_net
    assert np.array_equal(made(pipe, portrait), plain)
    assert came[0] == "appearance_net"
    assert set(came[1:]) == {"denoiser"}
    assert pipe.denoiser._hf_hook is not before  # all are sent away after a call, and begin anew
    came.clear()
    pipe.remove_all_hooks()
    assert np.array_equal(made(pipe, portrait), plain)
    assert not came
    pipe.enable_group_offload(onload_device=torch.device("cpu"), offload_type="leaf_level")
    assert np.array_equal(made(pipe, portrait), plain)


def test_parts_share_their_tensors_and_move_together(pipe: FollowYourEmojiPipeline) -> None:
    for name in ("denoiser", "appearance_net", "landmark_encoder", "qformer", "vae"):
        part = getattr(pipe, name)
        part.to(torch.float64)
        of_part, of_network = part.state_dict(), part.network.state_dict()
        assert of_part.keys() == of_network.keys()
        assert {value.dtype for value in of_network.values()} == {torch.float64}, name
        assert all(value.data_ptr() == of_network[key].data_ptr() for key, value in of_part.items())


def test_half_precision(portrait: DrawnPortrait, folder: Path) -> None:
    """The autoencoder stays in float32."""
    pipe = FollowYourEmojiPipeline.from_pretrained(folder, dtype=torch.bfloat16)
    pipe.set_progress_bar_config(disable=True)
    assert pipe.denoiser.dtype == torch.bfloat16
    assert pipe.vae.dtype == torch.float32
    assert np.abs(made(pipe, portrait).astype(int) - made(quiet(small_model()), portrait)).mean() < 2
    pipe.to("cpu", torch.float16)
    assert pipe._assembled().codec.encode(torch.zeros(1, 3, 64, 64, dtype=torch.uint8)).dtype == torch.float32


def test_a_folder_is_loaded_and_saved(
    folder: Path, portrait: DrawnPortrait, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    pipe = FollowYourEmojiPipeline.from_pretrained(str(folder))
    pipe.set_progress_bar_config(disable=True)
    assert isinstance(pipe, DiffusionPipeline)
    assert np.array_equal(made(pipe, portrait), made(quiet(small_model()), portrait))
    pipe.scheduler = UniPCMultistepScheduler.from_config(pipe.scheduler.config)
    pipe.save_pretrained(tmp_path / "again")
    again = FollowYourEmojiPipeline.from_pretrained(tmp_path / "again")
    assert isinstance(again.scheduler, UniPCMultistepScheduler)
    assert again.model_config == pipe.model_config == small_model().config
    for name in ("denoiser", "vae"):
        for key, value in getattr(again, name).state_dict().items():
            assert torch.equal(value, getattr(pipe, name).state_dict()[key])


def test_another_pipeline_shares_the_components(pipe: FollowYourEmojiPipeline) -> None:
    other = FollowYourEmojiPipeline.from_pipe(pipe)
    assert other.denoiser is pipe.denoiser
    assert other.model_config == pipe.model_config


def test_parts_of_different_models_are_refused(pipe: FollowYourEmojiPipeline) -> None:
    other = quiet(small_model(block_channels=(64, 64)))
    with pytest.raises(WeightsError, match="the appearance_net is of another model than the denoiser"):
        FollowYourEmojiPipeline(
            **{**pipe.components, "appearance_net": other.appearance_net}, model=pipe.config["model"]
        )
    with pytest.raises(WeightsError, match="needs a qformer"):
        FollowYourEmojiPipeline(**{**pipe.components, "qformer": None}, model=pipe.config["model"])
