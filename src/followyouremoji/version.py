"""The version of the package, imported by whoever states it; nothing is imported here."""

__version__ = "0.1.0"
