"""The folder of a web application, which it has for itself."""

from __future__ import annotations

from pathlib import Path

from filelock import BaseFileLock

from followyouremoji.errors import SettingsError
from followyouremoji.files import lock


def claimed(folder: Path, inner: str, who: str) -> BaseFileLock:
    """The lock that `who` holds on a folder, made with a folder `inner` where there is none, and readable by its owner
    alone. Raises SettingsError where it cannot be used, or another has it."""
    try:
        (folder / inner).mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        held = lock(folder / "lock")
    except OSError as reason:
        raise SettingsError(
            f"{folder} cannot be used ({reason.strerror}); give another", settings=["folder"]
        ) from None
    if held is None:
        raise SettingsError(
            f"another {who} is at work in {folder}; end it, or give another", settings=["folder"]
        )
    return held
