"""PortraitAnimator: a portrait and a motion in, frames out. The method of Sec. 3, each step a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from followyouremoji.checkpoints.config import LATENT_STRIDE
from followyouremoji.checkpoints.lora import Merged, merge_lora, read_lora
from followyouremoji.checkpoints.model import Model, load_model
from followyouremoji.errors import SettingsError
from followyouremoji.face.alignment import AlignmentSettings
from followyouremoji.face.detection import Landmarks
from followyouremoji.preparation import AnimationSettings, MotionSource, PortraitSource, Prepared, prepare
from followyouremoji.sampling import SamplingSettings, condition_clip, sample
from followyouremoji.sampling.guess import onto_guess
from followyouremoji.sampling.sampler import Progress, check_fits

__all__ = ["AlignmentSettings", "AnimationSettings", "PortraitAnimator", "Prepared"]

DECODED_AT_ONCE = 4  # frames


class PortraitAnimator:
    """Animates portraits with one model.

    >>> animator = PortraitAnimator.from_pretrained("bundled")
    >>> for frame in animator("portrait.png", "driving.mp4"): ...
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.loras: list[Merged] = []

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path = "bundled",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> PortraitAnimator:
        """Load a model: "bundled", "released" or a checkpoint's folder; see `checkpoints.model.load_model`."""
        return cls(load_model(source, device, dtype))

    def load_lora(self, file: str | Path, scale: float = 1.0) -> None:
        """Add a LoRA (`fye train lora`) to the model's weights, on top of those that are there; costs nothing while animating.

        `scale` 1 is as it was trained, 0.5 half of it. Raises WeightsError, with the model unchanged, for a file that is no LoRA or belongs
        to another model.
        """
        self.loras.append(merge_lora(self.model, read_lora(Path(file)), scale, str(file)))

    def unload_lora(self) -> None:
        """Take all LoRAs out: the weights are exactly what they were before the first."""
        while self.loras:
            self.loras.pop().undo(self.model)

    def __call__(
        self,
        portrait: PortraitSource,
        motion: MotionSource,
        *,
        alignment: AlignmentSettings | None = None,
        settings: AnimationSettings | None = None,
        progress: Progress | None = None,
    ) -> Iterator[np.ndarray]:
        """Animate a portrait.

        Faces are found before this returns; frames are generated as they are asked for.

        Parameters
        ----------
        portrait : uint8 (height, width, 3), a Pillow image, or a path.
        motion : a Motion, the path of a motion file, clip or picture, or a picture.
        progress : called with the denoising steps done and the steps in all.

        Returns
        -------
        One uint8 (height, width, 3) for each frame of the motion, of `Prepared.output_size`.

        Raises
        ------
        UserError : a file, face or setting that cannot be used; see `preparation.prepare` and `AnimationSettings`.
        """
        settings = settings or AnimationSettings()
        self.check(settings)  # a setting that does not fit should not cost the tracking of a clip
        return self.frames(
            self.prepare(portrait, motion, alignment=alignment, settings=settings), settings, progress
        )

    def check(self, settings: AnimationSettings) -> None:
        """Raise SettingsError for settings that do not fit this model."""
        self._check_size(settings.size or self.model.config.picture_size)
        self._sampling(settings)

    def prepare(
        self,
        portrait: PortraitSource,
        motion: MotionSource,
        *,
        alignment: AlignmentSettings | None = None,
        settings: AnimationSettings | None = None,
        portrait_landmarks: Landmarks | None = None,
    ) -> Prepared:
        """Frame the portrait and align the motion for this model; see `preparation.prepare`."""
        config = self.model.config
        settings = settings or AnimationSettings()
        self._check_size(settings.size or config.picture_size)
        return prepare(
            portrait,
            motion,
            size=config.picture_size,
            style=config.landmark_style,
            in_picture=config.landmark_points == "image",
            face_alone=config.framing == "window",
            always_crop=config.network.layout
            == "paper",  # this project trains them on squares around the face
            alignment=alignment,
            settings=settings,
            portrait_landmarks=portrait_landmarks,
        )

    def frames(
        self,
        prepared: Prepared,
        settings: AnimationSettings | None = None,
        progress: Progress | None = None,
    ) -> Iterator[np.ndarray]:
        """Generate the frames of what `prepare` returned, lazily. What concerns framing was decided there.

        Raises SettingsError, before the first frame, for settings that do not fit the model.
        """
        settings = settings or AnimationSettings()
        sampling = self._sampling(settings)
        self._check_size(prepared.size)
        scale = settings.guidance_scale or self.model.config.guidance_scale
        return self._frames(prepared, sampling, scale, progress)

    @torch.inference_mode()
    def _frames(
        self, prepared: Prepared, sampling: SamplingSettings, guidance_scale: float, progress: Progress | None
    ) -> Iterator[np.ndarray]:
        model = self.model
        portrait = to_tensor(prepared.picture[None]).to(model.device) * 2 - 1
        reference_latents = model.encode(portrait)
        image_tokens = model.image_tokens(portrait)

        network = model.config.network

        def landmark_features(pictures: Sequence[np.ndarray], guesses: Tensor | None = None) -> Tensor:
            drawn = to_tensor(np.stack(pictures)).to(model.device, model.dtype)
            warped = None if guesses is None else guesses.transpose(0, 1)[None]
            return model.landmark_encoder(drawn.transpose(0, 1)[None], warped)  # f c h w -> 1 c f h w

        guesses_ahead: dict[int, Tensor] = {}  # of frames that are being sampled, not yet decoded

        def guessed_latents(frames: Sequence[int]) -> Tensor:
            missing = [frame for frame in frames if frame not in guesses_ahead]
            if missing:
                pictures = np.stack([prepared.warped_picture(frame) for frame in missing])
                guesses_ahead.update(zip(missing, model.encode(to_tensor(pictures) * 2 - 1), strict=True))
            return torch.stack([guesses_ahead[frame] for frame in frames])

        def features_of(frames: tuple[int, ...]) -> Tensor:
            pictures = [prepared.landmark_picture(frame) for frame in frames]
            return landmark_features(pictures, guessed_latents(frames) if network.warped_reference else None)

        reference_features = None
        if network.reference_landmarks:
            reference_features = landmark_features([prepared.reference_landmark_picture()])[:, :, 0]
        conditioning = condition_clip(
            model.appearance_net,
            model.denoiser,
            reference_latents,
            image_tokens,
            guidance_scale,
            reference_features,
        )
        latent_pieces = sample(
            model.denoiser,
            conditioning,
            features_of,
            len(prepared),
            (reference_latents.shape[1], reference_latents.shape[2], reference_latents.shape[3]),
            sampling,
            progress,
        )
        frame = 0
        for piece in latent_pieces:
            for latents in piece.split(DECODED_AT_ONCE):
                if not network.warped_reference:
                    for result in to_pictures(model.decode(latents)):
                        yield prepared.finish(result)
                    continue
                guess = guessed_latents(range(frame, frame + len(latents)))
                results = to_pictures(model.decode(onto_guess(latents, guess, network.residual_scale)))
                for result, coded in zip(results, to_pictures(model.decode(guess)), strict=True):
                    del guesses_ahead[frame]
                    yield prepared.finish_face(result, frame, coded)
                    frame += 1

    def _sampling(self, settings: AnimationSettings) -> SamplingSettings:
        """The sampler's settings, with the model's own where the user left them open."""
        config = self.model.config
        strategy = settings.long_clips
        if strategy == "auto":
            strategy = "keyframes" if config.network.layout == "paper" else "windows"
        sampling = SamplingSettings(
            steps=config.steps if settings.steps is None else settings.steps,
            seed=settings.seed,
            shared_noise=config.shared_noise if settings.shared_noise is None else settings.shared_noise,
            window=config.window if settings.window is None else settings.window,
            strategy=strategy,
        )
        check_fits(sampling, self.model.denoiser)
        return sampling

    def _check_size(self, size: int) -> None:
        """Every level of the denoiser halves the latents, so their size must be divisible that often."""
        multiple = LATENT_STRIDE * 2 ** (len(self.model.config.network.block_channels) - 1)
        if size % multiple:
            nearest = max(multiple, round(size / multiple) * multiple)
            raise SettingsError(
                f"The size must be a multiple of {multiple} pixels for this model, not {size}: use {nearest}."
            )


def to_tensor(pictures: np.ndarray) -> Tensor:
    """Pictures uint8 (n, height, width, 3) to float32 (n, 3, height, width) in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 255


def to_pictures(decoded: Tensor) -> np.ndarray:
    """Decoded (n, 3, height, width) in [-1, 1] to pictures uint8 (n, height, width, 3)."""
    levels = (decoded.float().clamp(-1, 1) + 1) * 127.5
    return levels.round().byte().permute(0, 2, 3, 1).cpu().numpy()
