"""Follow Your Emoji: animate any portrait with the expressions of a driving video."""

__version__ = "0.1.0"
