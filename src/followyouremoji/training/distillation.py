"""Distillation of a trained model to few steps without guidance: where the teacher's trajectory leads, as the velocity
that its student has to predict.

From noised latents the teacher takes some steps of DDIM with guidance (Luo et al. 2023, "Latent Consistency Models",
Sec. 4.2 and 4.3), from where the student itself leaps to the end of its segment, as a consistency function of that
segment does. Its weights of the moment give that leap, without an average of their own (Song and Dhariwal 2024,
"Improved techniques for training consistency models", Sec. 3.2). Where the teacher goes all the way itself, the target
is that of progressive distillation (Salimans and Ho 2022, Appendix G) over a whole segment at once.
"""

from __future__ import annotations

from dataclasses import fields

import torch
from torch import Tensor

from followyouremoji.checkpoints.config import ModelConfig
from followyouremoji.checkpoints.folder import NETWORK_FILES, read_config
from followyouremoji.checkpoints.sources import find_checkpoint
from followyouremoji.checkpoints.tensors import on_meta, read_network
from followyouremoji.errors import SettingsError, WeightsError, shown
from followyouremoji.networks import FollowYourEmoji
from followyouremoji.networks.compiling import compile_module
from followyouremoji.sampling.guidance import condition_clip, predict_velocity
from followyouremoji.training.codec import load_autoencoder
from followyouremoji.training.example import Example, Predict
from followyouremoji.training.fingerprint import HALF as HALF_COPY
from followyouremoji.training.fingerprint import fingerprint
from followyouremoji.training.run import HALF
from followyouremoji.training.segments import Distillation, Trajectory, rotated, velocity_between
from followyouremoji.training.settings import DenoiserRun


class Teacher:
    """A trained model's networks, frozen, on one device and of one type, which need not be that of the student."""

    def __init__(self, networks: FollowYourEmoji, settings: Distillation) -> None:
        self.networks, self.settings = networks.eval().requires_grad_(False), settings
        self.trajectory = Trajectory.of(settings, networks.device)

    def to(self, device: torch.device) -> Teacher:
        """The same on a device; its networks are moved."""
        networks = self.networks.to(device)
        if device.type == "cuda":  # the layout in which its convolutions compute
            networks.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return Teacher(networks, self.settings)

    @torch.no_grad()
    def velocity(self, student: Predict, example: Example, noised: Tensor, timesteps: Tensor) -> Tensor:
        """The velocity that leads `noised` (n, c, f, h, w), at `timesteps` (n,) of `Distillation.beginnings`, to the
        end of their segments in one step: float32 (n, c, f, h, w)."""
        path, denoiser = self.trajectory, self.networks.denoiser
        begun = place = path.place(timesteps)
        end = path.end(place)
        prompt, appearance = self.networks.read_portrait(
            example.portrait, example.image_tokens, example.portrait_landmarks
        )
        conditioning = condition_clip(denoiser, prompt, appearance, self.settings.guidance)
        features = self.networks.features(example.landmarks, example.warped)
        latents = noised
        for _ in range(self.settings.leaped):
            velocity = predict_velocity(
                denoiser,
                latents,
                example.latents,
                example.known,
                path.timesteps[place],
                features,
                conditioning,
            )
            turn = path.angles[place] - path.angles[place + 1]
            place = place + 1
            latents = example.with_known(rotated(latents, velocity, turn), path.angles[place])
        if self.settings.leaped < self.settings.segment:
            # Those that have arrived turn no further: whatever is predicted of them is not heeded.
            velocity = student(*example.inputs(latents, path.timesteps[place]))
            latents = rotated(latents, velocity, path.angles[place] - path.angles[end])
        return velocity_between(noised, latents, path.angles[begun] - path.angles[end])


def load_teacher(run: DenoiserRun, encoder: str) -> Teacher:
    """The teacher that a run's `[distillation]` names, on the CPU, in the run's precision.

    `encoder` is the fingerprint of the run's autoencoder. Raises SettingsError or WeightsError where the model is
    missing, or could not teach this run's networks.
    """
    assert run.distillation is not None
    folder = find_checkpoint(run.distillation.teacher)
    config, _ = read_config(folder)
    check_teacher(run, config)
    if fingerprint(load_autoencoder(folder)) != encoder:
        raise WeightsError(
            f"the teacher {folder} learnt from latents of another autoencoder than {run.autoencoder}: name the teacher's folder as "
            f"`autoencoder`. {HALF_COPY}"
        )
    networks = on_meta(lambda: FollowYourEmoji(config.network))
    dtype = HALF.get(run.optimisation.precision, torch.float32)
    for name, network in networks.named_children():
        read_network(network, folder / NETWORK_FILES[name], "cpu", dtype)
    if run.optimisation.compile:
        compile_module(networks.denoiser)
    return Teacher(networks, run.distillation)


def check_teacher(run: DenoiserRun, config: ModelConfig) -> None:
    """Raise SettingsError where a model of this config cannot teach a run's networks, naming what is different."""
    assert run.distillation is not None
    teacher = run.distillation.teacher
    own, landmarks = run.networks, run.landmarks
    pairs = {
        **{
            f"network.{field.name}": (getattr(own, field.name), getattr(config.network, field.name))
            for field in fields(own)
        },
        "landmarks.points": (landmarks.points, config.landmark_points),
        "landmarks.contour": (landmarks.contour, config.landmark_contour),
        "landmarks.pupils": (landmarks.pupils, config.landmark_pupils),
        "landmarks.antialiased": (landmarks.antialiased, config.antialiased_landmarks),
        "window": (run.window, config.picture_size if config.framing == "window" else None),
        "progressive": (run.masks_frames, config.makes_keyframes),
    }
    different = [
        f"`{name}` {mine!r}, the teacher's {shown(repr(theirs))}"
        for name, (mine, theirs) in pairs.items()
        if mine != theirs
    ]
    if different:
        raise SettingsError(
            f"the teacher {teacher} is another model than this run's: {'; '.join(different)}. Give the run the teacher's entries "
            "(`stage = 1` for one without motion modules)"
        )
    if run.distillation.guidance != 1 and not config.guided:
        raise SettingsError(
            f"the teacher {teacher} never learnt to do without the portrait, which guidance needs: `guidance` must be 1, not "
            f"{run.distillation.guidance:g}"
        )
