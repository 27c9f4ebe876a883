"""What a user can set of the job server. Needs no FastAPI."""

from __future__ import annotations

from pathlib import Path

from followyouremoji.cache import cache_folder
from followyouremoji.config import validated
from followyouremoji.options import option
from followyouremoji.serving import is_local


@validated
class ServerSettings:
    """Where the server listens, what it keeps, and what it takes.

    Raises SettingsError for a value that cannot be used.
    """

    host: str = option(
        "127.0.0.1", "Address to listen on; 0.0.0.0 lets others in: make a key first.", panel="Server"
    )
    port: int = option(8000, "The port; 0 takes one that is free.", panel="Server", ge=0, le=65535)
    folder: Path | None = option(
        None,
        "Folder of the queue, the keys, uploads and work that is under way.",
        panel="Server",
        otherwise="serve in the cache folder",
        strict=False,
    )
    store: str | None = option(
        None,
        "Where results are kept: a folder, or an address of fsspec such as `s3://bucket/results`.",
        panel="Server",
        otherwise="in the folder",
    )
    workers: int | None = option(
        None,
        "Processes that work, each with the model loaded; they share the devices that are named.",
        panel="Server",
        otherwise="one a device",
        ge=1,
        le=64,
    )
    grace: float = option(
        30.0,
        "Seconds that running jobs have to finish when the server is told to end; then they are saved and go on at the next "
        "start.",
        panel="Server",
        ge=0.0,
        le=86_400.0,
    )
    keep_hours: float = option(
        24.0, "Hours that a job and its result are kept after it has ended.", panel="Limits", gt=0.0, le=1e5
    )
    upload_megabytes: int = option(
        200,
        "Largest upload of a job, portrait and motion together, megabytes.",
        panel="Limits",
        ge=1,
        le=10_000,
    )
    upload_megapixels: int = option(
        50, "Largest picture that is taken, megapixels.", panel="Limits", ge=1, le=1000
    )
    most_frames: int = option(1500, "Most frames that a job may make.", panel="Limits", ge=1, le=1_000_000)
    most_waiting: int = option(
        2000, "Jobs of all clients together that may wait.", panel="Limits", ge=1, le=1_000_000
    )

    @property
    def place(self) -> Path:
        """The folder that is used."""
        return cache_folder() / "serve" if self.folder is None else self.folder

    @property
    def local(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_local(self.host)
