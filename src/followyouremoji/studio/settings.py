"""What a user can set of the studio. Needs no Gradio."""

from __future__ import annotations

from pathlib import Path

from followyouremoji.cache import cache_folder
from followyouremoji.config import validated
from followyouremoji.options import option


@validated
class StudioSettings:
    """Where the studio listens, what it keeps, and what it takes.

    Raises SettingsError for a value that cannot be used.
    """

    host: str = option(
        "127.0.0.1", "Address to listen on; 0.0.0.0 lets others in your network in.", panel="Page"
    )
    port: int = option(7860, "Of the page; 0 takes one that is free.", panel="Page", ge=0, le=65535)
    password: str | None = option(
        None,
        "Asked of every visitor; needed where others can reach the page. Better in the environment variable "
        "FYE_STUDIO_PASSWORD: other users of a machine see what a command is given.",
        panel="Page",
        otherwise="none is asked on this machine",
    )
    folder: Path | None = option(
        None,
        "Where results and what visitors give are kept.",
        panel="Page",
        otherwise="`studio` in the cache folder",
        strict=False,
    )
    bench: Path | None = option(
        None,
        "A folder with results of `fye bench run`, whose reports and studies the page then shows.",
        panel="Page",
        otherwise="this folder, where it holds some",
        strict=False,
    )
    upload_megabytes: int = option(200, "Largest file that is taken.", panel="Limits", ge=1, le=10_000)
    upload_megapixels: int = option(50, "Largest picture that is taken.", panel="Limits", ge=1, le=1000)
    clip_seconds: int = option(120, "Longest part of a clip that is animated.", panel="Limits", ge=1, le=3600)

    @property
    def place(self) -> Path:
        """The folder that is used."""
        return cache_folder() / "studio" if self.folder is None else self.folder
