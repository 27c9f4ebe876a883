"""Training of the appearance net, denoiser, landmark encoder and image prompt in the paper's two stages (Sec. 3, 4.1)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from followyouremoji.errors import SettingsError
from followyouremoji.face.drawing import LandmarkStyle, draw_landmarks, expression_mask, face_mask
from followyouremoji.face.topology import (
    INNER_LIPS_LOOP,
    LEFT_EYE_LOOP,
    LEFT_EYEBROW,
    LEFT_IRIS,
    OUTER_LIPS_LOOP,
    RIGHT_EYE_LOOP,
    RIGHT_EYEBROW,
    RIGHT_IRIS,
)
from followyouremoji.face.warping import warp_portrait
from followyouremoji.networks import (
    AppearanceNet,
    Denoiser,
    LandmarkEncoder,
    NetworkConfig,
    QFormer,
    SmallAutoencoder,
    latent_tokens,
)
from followyouremoji.sampling.guess import relative_to_guess
from followyouremoji.sampling.known_frames import join_known
from followyouremoji.sampling.schedule import ddim_schedule
from followyouremoji.training.autoencoder import finished_autoencoder, to_tensor
from followyouremoji.training.config import DenoiserRun, load_autoencoder_run
from followyouremoji.training.drawings import Drawings
from followyouremoji.training.losses import add_noise, signal_and_noise, training_losses
from followyouremoji.training.masking import random_known_frames
from followyouremoji.training.run import Run, averaged_weights

FEATURES = (
    np.unique(np.array(LEFT_EYEBROW)),
    np.unique(np.array(RIGHT_EYEBROW)),
    np.array([*LEFT_EYE_LOOP, *range(LEFT_IRIS, LEFT_IRIS + 5)]),
    np.array([*RIGHT_EYE_LOOP, *range(RIGHT_IRIS, RIGHT_IRIS + 5)]),
    np.unique(np.array([*INNER_LIPS_LOOP, *OUTER_LIPS_LOOP])),
)


class Networks(nn.Module):
    """All that learns: `animate` is the way from a portrait and landmark pictures to the denoiser's prediction."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.appearance_net = AppearanceNet(config)
        self.denoiser = Denoiser(config)
        self.landmark_encoder = LandmarkEncoder(config)
        self.qformer = QFormer(config)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def learn_from_nothing(self) -> None:
        """Give the landmark encoder's last layer, zero for a pretrained denoiser's sake, the ordinary initialisation."""
        self.landmark_encoder.conv_out.reset_parameters()

    def learn_time_alone(self) -> None:
        """Stage 2: freeze everything but the temporal layers and the convolution that reads the known frames."""
        for name, parameter in self.named_parameters():
            parameter.requires_grad_("motion_modules" in name or name.startswith("denoiser.conv_in"))

    def animate(
        self,
        portrait: Tensor,
        portrait_landmarks: Tensor,
        landmarks: Tensor,
        warped: Tensor | None,
        noisy: Tensor,
        timesteps: Tensor,
    ) -> Tensor:
        """`portrait` latents (b, c, h, w) and its landmark picture (b, 3, 1, H, W); `landmarks` (n, 3, f, H, W) and the latents
        of the portrait bent by them, `warped` (n, c, f, h, w); `noisy` (n, 2c + 1, f, h, w), n a multiple of b, sample-major;
        `timesteps` (n,). Returns v (n, c, f, h, w)."""
        features = self.landmark_encoder(landmarks, warped)
        own = self.landmark_encoder(portrait_landmarks)[:, :, 0] if self.config.reference_landmarks else None
        image_tokens = self.qformer(latent_tokens(portrait))
        appearance = self.appearance_net(portrait, image_tokens, own)
        return self.denoiser(noisy, timesteps, features, self.denoiser.condition(image_tokens, appearance))


@dataclass(frozen=True)
class Batch:
    """One step's portraits and targets; shapes as in `Networks.animate`, masks (n, 1, f, h, w), `known` bool (n, f)."""

    portrait: Tensor
    portrait_landmarks: Tensor
    latents: Tensor
    landmarks: Tensor
    warped: Tensor  # pictures (n, 3, f, H, W) in [-1, 1], not yet latents
    expression_mask: Tensor
    face_mask: Tensor
    known: Tensor


def jittered(rng: np.random.Generator, points: np.ndarray, amount: float) -> np.ndarray:
    """Shift each facial feature by one offset common to all pictures of an identity, as a detector's bias on one face does.

    `points` (pictures, 478, 2); `amount` in distances between the pupils (standard deviation).
    """
    pupils = np.linalg.norm(points[:, LEFT_IRIS] - points[:, RIGHT_IRIS], axis=-1).mean()
    points = points.copy()
    for feature in FEATURES:
        points[:, feature] += rng.normal(0, amount * pupils, 2)
    return points


def landmark_tensor(points: np.ndarray, size: int) -> Tensor:
    """Landmark pictures of points (frames, 478, 2), as (3, frames, size, size) in [0, 1]."""
    style = LandmarkStyle(antialiased=True)
    pictures = np.stack([draw_landmarks(p, (size, size), style) for p in points])
    return torch.from_numpy(pictures).permute(3, 0, 1, 2).float() / 255


def mask_tensor(masks: list[np.ndarray], latent_size: int) -> Tensor:
    """Masks of picture size to the share of each latent pixel that they cover, (1, frames, latent size, latent size)."""
    stack = torch.from_numpy(np.stack(masks)).float()[:, None]
    return F.adaptive_avg_pool2d(stack, latent_size).transpose(0, 1)


def make_batch(run: DenoiserRun, drawings: Drawings, step: int) -> Batch:
    """The batch of a step: a pure function of the run's seed and the step's number."""
    assert drawings.latents is not None
    rng = np.random.default_rng((run.optimisation.seed, step))
    size, latent_size = drawings.pictures.shape[2], drawings.latents.shape[-1]
    rows: dict[str, list[Tensor]] = {f.name: [] for f in dataclasses.fields(Batch)}
    for identity in rng.choice(len(drawings), run.references, replace=False):
        pictures = drawings.latents.shape[1]
        if run.stage == 1:
            first, *others = rng.permutation(pictures)[: run.targets + 1]
            clips = [[int(frame)] for frame in others]
        else:
            first, begin = 0, int(rng.integers(1, pictures - run.targets + 1))
            clips = [list(range(begin, begin + run.targets))]
        points = jittered(rng, drawings.points[identity], run.landmark_jitter)
        latents = torch.from_numpy(drawings.latents[identity].astype(np.float32))
        rows["portrait"].append(latents[first])
        rows["portrait_landmarks"].append(landmark_tensor(points[[first]], size))
        for clip in clips:
            truth = drawings.points[identity][clip]
            rows["latents"].append(latents[clip].transpose(0, 1))
            rows["landmarks"].append(landmark_tensor(points[clip], size))
            bent = [warp_portrait(drawings.pictures[identity, first], points[first], p) for p in points[clip]]
            rows["warped"].append(to_tensor(np.stack(bent)).transpose(0, 1))
            rows["expression_mask"].append(
                mask_tensor([expression_mask(p, (size, size)) for p in truth], latent_size)
            )
            rows["face_mask"].append(mask_tensor([face_mask(p, (size, size)) for p in truth], latent_size))
            known = (
                random_known_frames(rng, len(clip), run.unknown_clips)
                if run.stage == 2
                else np.zeros(1, bool)
            )
            rows["known"].append(torch.from_numpy(known))
    return Batch(**{name: torch.stack(values) for name, values in rows.items()})


def train_denoiser(run: DenoiserRun, minutes: float | None = None) -> None:
    """Train a stage until its last step, or for `minutes`; a stopped run goes on exactly from its last checkpoint."""
    drawings = Drawings.open(run.drawings)
    if drawings.latents is None:
        raise SettingsError(f"{run.drawings} has no latents yet; train the autoencoder on it first.")
    identities, pictures = drawings.latents.shape[:2]
    if run.references > identities or run.targets >= pictures:
        raise SettingsError(
            f"{run.drawings} has {identities} identities of {pictures} pictures: too few for {run.references} "
            f"references with {run.targets} targets each."
        )
    torch.manual_seed(run.optimisation.seed)
    networks = Networks(dataclasses.replace(run.network, motion_modules=run.stage == 2))
    if run.initial is None:
        networks.learn_from_nothing()
    else:
        start_from(networks, run)
    if run.stage == 2:
        networks.learn_time_alone()
    autoencoder = finished_autoencoder(load_autoencoder_run(run.autoencoder))
    state = Run(networks, run.output, run.optimisation)
    alphas_cumprod = ddim_schedule(1).alphas_cumprod
    bf16 = run.optimisation.precision == "bf16"
    begun = state.elapsed()
    recent: list[tuple[float, float, float]] = []
    while not state.finished:
        batch = make_batch(run, drawings, state.step_number)
        guess, latents = None, batch.latents
        if run.network.warped_reference:
            guess = encode_clips(autoencoder, batch.warped)
            latents = relative_to_guess(latents, guess, run.network.residual_scale)
        generator = torch.Generator().manual_seed(run.optimisation.seed * 1_000_003 + state.step_number)
        timesteps = torch.randint(0, 1000, (len(latents),), generator=generator)
        terminal = torch.rand(len(latents), generator=generator) < run.terminal_share
        timesteps = torch.where(terminal, 999, timesteps)
        noise = torch.randn(latents.shape, generator=generator)
        signal, sigma = signal_and_noise(timesteps, alphas_cumprod)
        known = batch.known[:, None, :, None, None].float()
        noisy = join_known(add_noise(latents, noise, signal, sigma), latents, known)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            v = networks.animate(
                batch.portrait,
                batch.portrait_landmarks,
                batch.landmarks,
                guess,
                noisy,
                timesteps,
            )
        losses = training_losses(
            v.float(),
            latents,
            noise,
            signal,
            sigma,
            batch.expression_mask if run.expression_mask else None,
            batch.face_mask if run.face_mask else None,
            1 - known,
        )
        norm = state.step(losses.total)
        recent.append((losses.diffusion.item(), losses.facial.item(), norm))
        if state.step_number % run.log_every == 0:
            diffusion, facial, norm = np.mean(recent, axis=0)
            state.log(diffusion=diffusion, facial=facial, gradient_norm=norm)
            recent.clear()
        out_of_time = minutes is not None and state.elapsed() - begun > 60 * minutes
        if state.step_number % run.save_every == 0 or state.finished or out_of_time:
            state.save()
        if out_of_time:
            break


@torch.no_grad()
def encode_clips(autoencoder: SmallAutoencoder, pictures: Tensor) -> Tensor:
    """Pictures (n, 3, f, H, W) in [-1, 1] to latents (n, c, f, h, w)."""
    batch = pictures.shape[0]
    latents = autoencoder.encode(pictures.transpose(1, 2).flatten(0, 1))
    return latents.unflatten(0, (batch, -1)).transpose(1, 2)


def start_from(networks: Networks, run: DenoiserRun) -> None:
    """Load a finished run's averaged weights; a stage-1 run may lack the temporal layers and nothing else."""
    assert run.initial is not None
    missing, unexpected = networks.load_state_dict(averaged_weights(run.initial), strict=False)
    missing = [name for name in missing if "motion_modules" not in name]
    if missing or unexpected:
        raise SettingsError(
            f"{run.initial} has another network: {', '.join([*missing, *unexpected][:3])} do not fit."
        )
