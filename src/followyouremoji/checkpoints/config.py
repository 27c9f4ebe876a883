"""What a checkpoint's `config.json` says: the sizes of its networks and how the model wants to be sampled."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from followyouremoji.config import Share, validated
from followyouremoji.face.drawing import LandmarkStyle
from followyouremoji.networks import AutoencoderConfig, NetworkConfig
from followyouremoji.networks.config import Frames

STABLE_DIFFUSION_LATENT_CHANNELS = 4


@validated
class ModelConfig:
    """A model's networks and the settings that it was trained for."""

    name: Annotated[str, StringConstraints(pattern=r"\S", max_length=100)]
    """The model's name."""
    network: NetworkConfig
    """Sizes of its networks."""
    autoencoder: AutoencoderConfig | None = None
    """Sizes of a small autoencoder; without it, Stable Diffusion's in a diffusers folder `vae/`."""
    picture_size: Annotated[int, Field(ge=1, le=4096)] = 512
    """Height and width of the pictures, pixels."""
    antialiased_landmarks: bool = False
    """Whether the landmark pictures that it learnt from have soft edges."""
    landmark_contour: bool = False
    """Whether they show the facial contour."""
    landmark_pupils: bool = True
    """Whether they show the pupils."""
    landmark_points: Literal["metric", "image"] = "metric"
    """Where landmarks are aligned: in metric space (Sec. 3.1), or in the picture alone."""
    framing: Literal["picture", "window"] = "picture"
    """What it generates: the picture, or the face alone in its window."""
    steps: Annotated[int, Field(ge=1, le=1000)] = 30
    """Steps of DDIM."""
    guidance_scale: Annotated[float, Field(ge=1, le=100)] = 3.5
    """Strength of the classifier-free guidance; 1 is none."""
    shared_noise: Share = 0.0
    """0: every frame has its own noise, 1: all frames share one."""
    window: Frames = 16
    """Frames sampled at once."""
    known_frames: bool = True
    """Whether a paper-layout network learnt to heed known frames (Sec. 3.3)."""
    guided: bool = True
    """Whether it learnt to do without the portrait too, which guidance needs."""
    provenance: str = ""
    """One sentence for users: trained on what, by whom."""

    @model_validator(mode="after")
    def _fits_its_networks(self) -> Self:
        network = self.network
        if self.framing == "window" and not network.warped_reference:
            raise ValueError(
                "`framing` must be 'picture' for a network that does not read the warped portrait"
            )
        if self.picture_size % network.picture_multiple:
            raise ValueError(
                f"`picture_size` must be a multiple of {network.picture_multiple}, which every level of its networks halves, "
                f"not {self.picture_size}"
            )
        if network.motion_modules and self.window > network.max_frames:
            raise ValueError(
                f"`window` must be at most the {network.max_frames} frames of the motion modules, not {self.window}"
            )
        if not self.guided and self.guidance_scale != 1:
            raise ValueError(
                "`guidance_scale` must be 1 for a model that never learnt to do without the portrait, "
                f"not {self.guidance_scale:g}"
            )
        channels = self.autoencoder.latent_channels if self.autoencoder else STABLE_DIFFUSION_LATENT_CHANNELS
        if network.latent_channels != channels:
            raise ValueError(
                f"`latent_channels` must be {channels}, as in the autoencoder, not {network.latent_channels}"
            )
        return self

    @property
    def makes_keyframes(self) -> bool:
        """Whether it can go on from known frames: make keyframes of a long clip first, and then what lies between."""
        return self.network.layout == "paper" and self.known_frames

    @property
    def landmark_style(self) -> LandmarkStyle:
        """How its landmark pictures are drawn."""
        return LandmarkStyle(
            contour=self.landmark_contour,
            pupils=self.landmark_pupils,
            antialiased=self.antialiased_landmarks,
        )
