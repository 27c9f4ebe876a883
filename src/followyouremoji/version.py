"""The version of the package, in a file that imports nothing, so that every room may state it."""

__version__ = "0.1.0"
