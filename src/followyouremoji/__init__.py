"""Follow Your Emoji: animate any portrait with the expressions of a driving video.

>>> from followyouremoji import PortraitAnimator
>>> animator = PortraitAnimator.from_pretrained("bundled")
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .version import __version__

if TYPE_CHECKING:
    from followyouremoji.animator import PortraitAnimator
    from followyouremoji.diffusers_pipeline import FollowYourEmojiPipeline
    from followyouremoji.face.fitting import fit_face
    from followyouremoji.face.placed_points import PlacedPoints
    from followyouremoji.face.settings import AlignmentSettings
    from followyouremoji.settings import AnimationSettings

__all__ = [
    "AlignmentSettings",
    "AnimationSettings",
    "FollowYourEmojiPipeline",
    "PlacedPoints",
    "PortraitAnimator",
    "__version__",
    "fit_face",
]

MODULES = {
    "AlignmentSettings": "face.settings",
    "AnimationSettings": "settings",
    "FollowYourEmojiPipeline": "diffusers_pipeline",
    "PlacedPoints": "face.placed_points",
    "PortraitAnimator": "animator",
    "fit_face": "face.fitting",
}


def __getattr__(name: str) -> object:
    # torch is imported with the first use, not with the package: `fye --help` answers at once.
    if name in MODULES:
        return getattr(import_module(f"{__name__}.{MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
