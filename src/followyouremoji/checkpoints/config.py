"""What a checkpoint's `config.json` says: the sizes of its networks and how the model wants to be sampled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from followyouremoji.errors import WeightsError, is_number
from followyouremoji.face.drawing import LandmarkStyle
from followyouremoji.networks import AutoencoderConfig, NetworkConfig, QFormerConfig

FORMAT = 1  # of config.json; a newer number means that this version cannot read the checkpoint
STABLE_DIFFUSION_LATENT_CHANNELS = 4
LARGEST_SIZE = 65_536  # no network has a larger width or count: a larger number is a damaged file


@dataclass(frozen=True)
class ModelConfig:
    """A model's networks and the settings that it was trained for.

    Raises
    ------
    WeightsError : values that no model can have, or that contradict each other.
    """

    name: str
    network: NetworkConfig = field(default_factory=NetworkConfig)
    autoencoder: AutoencoderConfig | None = None  # None: Stable Diffusion's, in a diffusers folder `vae/`
    picture_size: int = 512  # pixels, height and width
    antialiased_landmarks: bool = False  # whether the landmark pictures that it learnt from have soft edges
    landmark_contour: bool = False  # whether they show the facial contour
    landmark_pupils: bool = True  # whether they show the pupils
    landmark_points: str = "metric"  # aligned in metric space (Sec. 3.1), or "image": in the picture alone
    framing: str = "picture"  # what it generates: the "picture", or the face alone in its "window"
    steps: int = 30  # of DDIM
    guidance_scale: float = 3.5
    shared_noise: float = 0.0  # 0: every frame has its own noise, 1: all frames share one
    window: int = 16  # frames sampled at once
    known_frames: bool = True  # whether a paper-layout network learnt to heed known frames (Sec. 3.3)
    guided: bool = True  # whether it learnt to do without the portrait too, which guidance needs
    provenance: str = ""  # one sentence for users: trained on what, by whom

    def __post_init__(self) -> None:
        network = self.network
        _require(isinstance(self.name, str) and bool(self.name.strip()), "name", self.name, "some text")
        _require(isinstance(self.provenance, str), "provenance", self.provenance, "text")
        for name in (
            "antialiased_landmarks",
            "landmark_contour",
            "landmark_pupils",
            "known_frames",
            "guided",
        ):
            _require(isinstance(getattr(self, name), bool), name, getattr(self, name), "true or false")
        _require(
            self.landmark_points in ("metric", "image"),
            "landmark_points",
            self.landmark_points,
            "'metric' or 'image'",
        )
        _require(self.framing in ("picture", "window"), "framing", self.framing, "'picture' or 'window'")
        _require(
            self.framing == "picture" or network.warped_reference,
            "framing",
            self.framing,
            "'picture' for a network that does not read the warped portrait",
        )
        for name in ("picture_size", "steps", "window"):
            value = getattr(self, name)
            _require(_is_size(value), name, value, "a positive whole number")
        _require(
            self.picture_size % network.picture_multiple == 0,
            "picture_size",
            self.picture_size,
            f"a multiple of {network.picture_multiple}, which every level of its networks halves",
        )
        _require(
            not network.motion_modules or self.window <= network.max_frames,
            "window",
            self.window,
            f"at most the {network.max_frames} frames of the motion modules",
        )
        _require(
            is_number(self.guidance_scale) and 1 <= self.guidance_scale <= 100,
            "guidance_scale",
            self.guidance_scale,
            "1 or more",
        )
        _require(
            self.guided or self.guidance_scale == 1,
            "guidance_scale",
            self.guidance_scale,
            "1 for a model that never learnt to do without the portrait",
        )
        _require(
            is_number(self.shared_noise) and 0 <= self.shared_noise <= 1,
            "shared_noise",
            self.shared_noise,
            "0 to 1",
        )
        channels = self.autoencoder.latent_channels if self.autoencoder else STABLE_DIFFUSION_LATENT_CHANNELS
        _require(
            network.latent_channels == channels,
            "latent_channels",
            network.latent_channels,
            f"{channels}, as in the autoencoder",
        )

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

    def to_dict(self) -> dict[str, Any]:
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelConfig:
        """Read what `to_dict` wrote. Raises WeightsError on another format, an unknown or missing key, or a wrong
        value."""
        if not isinstance(values, Mapping):
            raise WeightsError("it does not hold a JSON object")
        values = dict(values)
        found = values.pop("format", None)
        if found != FORMAT:
            raise WeightsError(
                f"its format is {found!r}, this version reads format {FORMAT}; "
                "a file of a newer format needs a newer followyouremoji"
            )
        unknown = sorted(set(values) - {entry.name for entry in fields(cls)})
        if unknown:
            raise WeightsError(f"it has unknown entries: {', '.join(unknown)}")
        missing = sorted({"name", "network"} - set(values))
        if missing:
            raise WeightsError(f"it lacks the entries: {', '.join(missing)}")
        values["network"] = network_config(values["network"])
        if values.get("autoencoder") is not None:
            values["autoencoder"] = autoencoder_config(values["autoencoder"])
        return cls(**values)


def autoencoder_config(values: Any) -> AutoencoderConfig:
    """Sizes of a small autoencoder, each entry checked; what is not named has its default. Raises WeightsError."""
    return AutoencoderConfig.from_dict(_checked(values, AutoencoderConfig(), "autoencoder"))


def network_config(values: Any) -> NetworkConfig:
    """Sizes of the networks, each entry checked; what is not named has its default. Raises WeightsError."""
    qformer = values.get("qformer") if isinstance(values, Mapping) else None
    sizes = _checked(
        {**values, "qformer": None} if qformer is not None else values, NetworkConfig(), "network"
    )
    if qformer is not None:
        sizes["qformer"] = _checked(qformer, QFormerConfig(), "qformer")
    return NetworkConfig.from_dict(sizes)


def _checked(values: Any, defaults: Any, where: str) -> dict[str, Any]:
    """`values` if every entry is of the kind that the config `defaults` has there; raises WeightsError where not."""
    if not isinstance(values, Mapping):
        raise WeightsError(f"its entry {where!r} is not a JSON object")
    known = {entry.name: getattr(defaults, entry.name) for entry in fields(defaults)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise WeightsError(
            f"its entry {where!r} has unknown entries: {', '.join(unknown)}; known are {', '.join(known)}"
        )
    for name, value in values.items():
        default = known[name]
        if name == "motion_levels":
            good = value is None or (isinstance(value, (list, tuple)) and all(_is_level(v) for v in value))
        elif default is None or isinstance(default, str):
            good = value is None if default is None else isinstance(value, str)
        elif isinstance(default, bool):
            good = isinstance(value, bool)
        elif isinstance(default, int):
            good = _is_size(value)
        elif isinstance(default, float):
            good = is_number(value)
        else:
            good = (
                isinstance(value, (list, tuple))
                and len(value) > 0
                and all(_is_size(entry) for entry in value)
            )
        if not good:
            raise WeightsError(f"its entry {where}.{name} cannot be {value!r}")
    return {**{name: known[name] for name in known}, **values}


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LARGEST_SIZE


def _is_level(value: Any) -> bool:
    return value == 0 or _is_size(value)


def _require(condition: bool, name: str, value: Any, wanted: str) -> None:
    if not condition:
        raise WeightsError(f"its {name} cannot be {value!r}: it must be {wanted}")
