"""Follow Your Emoji: animate any portrait with the expressions of a driving video.

>>> from followyouremoji import PortraitAnimator
>>> animator = PortraitAnimator.from_pretrained("bundled")
"""

from typing import TYPE_CHECKING

from .version import __version__

if TYPE_CHECKING:
    from followyouremoji.animator import AlignmentSettings, AnimationSettings, PortraitAnimator

__all__ = ["AlignmentSettings", "AnimationSettings", "PortraitAnimator", "__version__"]


def __getattr__(name: str) -> object:
    # torch is imported with the first use, not with the package: `fye --help` answers at once.
    if name in __all__:
        from followyouremoji import animator

        return getattr(animator, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
