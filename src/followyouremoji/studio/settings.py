"""What a user can set of the studio. Needs no Gradio."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from followyouremoji.cache import cache_folder
from followyouremoji.config import validated
from followyouremoji.errors import SettingsError
from followyouremoji.options import option
from followyouremoji.serving import is_local

PASSWORD = "FYE_STUDIO_PASSWORD"  # in the environment
SHORTEST = 8  # characters of a password


@validated
class StudioSettings:
    """Where the studio listens, what it keeps, and what it takes.

    Raises SettingsError for a value that cannot be used.
    """

    host: str = option(
        "127.0.0.1", "Address to listen on; 0.0.0.0 lets others in your network in.", panel="Page"
    )
    port: int = option(7860, "The page's port; 0 takes one that is free.", panel="Page", ge=0, le=65535)
    public_url: str | None = option(
        None,
        "Address by which visitors find the page, if a proxy passes it on, such as `https://studio.example.org`.",
        panel="Page",
        otherwise="no proxy",
    )
    password: str | None = option(
        None,
        "Password that every visitor is asked for; needed where others can reach the page. Better in the environment variable "
        "FYE_STUDIO_PASSWORD: other users of a machine see what a command is given.",
        panel="Page",
        otherwise="none is asked on this machine",
    )
    folder: Path | None = option(
        None,
        "Folder in which results and visitors' files are kept.",
        panel="Page",
        otherwise="studio in the cache folder",
        strict=False,
    )
    bench: Path | None = option(
        None,
        "A folder with results of `fye bench run`, whose reports and studies the page then shows.",
        panel="Page",
        otherwise="this folder, where it holds some",
        strict=False,
    )
    upload_megabytes: int = option(
        200, "Largest file that a visitor may give, megabytes.", panel="Limits", ge=1, le=10_000
    )
    upload_megapixels: int = option(
        50, "Largest picture that a visitor may give, megapixels.", panel="Limits", ge=1, le=1000
    )
    visitor_gigabytes: int = option(
        2,
        "Most that is kept for a visitor, gigabytes; older results have to be deleted then.",
        panel="Limits",
        ge=1,
        le=10_000,
    )
    clip_seconds: int = option(
        120, "Longest part of a clip that is animated, seconds.", panel="Limits", ge=1, le=3600
    )

    @property
    def place(self) -> Path:
        """The folder that is used."""
        return cache_folder() / "studio" if self.folder is None else self.folder

    @property
    def local(self) -> bool:
        """Whether only this machine can reach the page."""
        return is_local(self.host)

    @property
    def proxied(self) -> str:
        """The host that a proxy passes on, with its port if it has one; empty without a proxy. Raises SettingsError."""
        if self.public_url is None:
            return ""
        address = urlsplit(self.public_url)
        if address.scheme not in ("http", "https") or not address.netloc or address.path not in ("", "/"):
            raise SettingsError(
                f"{self.public_url} is no address of a page of its own; give one such as https://studio.example.org",
                settings=["public_url"],
            )
        return address.netloc

    @property
    def asked_password(self) -> str | None:
        """The password that visitors are asked for. Raises SettingsError where others can reach the page and there is
        none, or one that is soon guessed."""
        password = self.password or os.environ.get(PASSWORD) or None
        if password is None and not (self.local and self.public_url is None):
            raise SettingsError(
                f"others can reach the page, so it needs a password: set {PASSWORD} in the environment, or give one",
                settings=["password"],
            )
        if password is not None and len(password) < SHORTEST:
            raise SettingsError(
                f"the password is too short: it needs {SHORTEST} characters", settings=["password"]
            )
        return password
