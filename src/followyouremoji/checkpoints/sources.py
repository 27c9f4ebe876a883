"""Where checkpoints are: bundled with the package, in the user's cache folder, or in a folder of the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from followyouremoji.cache import cache_folder
from followyouremoji.checkpoints.folder import CONFIG_FILE, read_config
from followyouremoji.errors import WeightsError, shown
from followyouremoji.networks.config import Layout
from followyouremoji.storage import fetch_folder, is_address

STATED = 400  # characters of a model's statement about its origin that a list shows
BUNDLED = Path(__file__).parent / "bundled"


def released_folder() -> Path:
    """Where the authors' weights lie once they are downloaded or converted."""
    return cache_folder() / "released"


def find_checkpoint(source: str | Path) -> Path:
    """The folder of a checkpoint: "bundled", "released", a folder, the name of a folder in the cache folder, or the
    address of one elsewhere, which is fetched.

    Raises
    ------
    WeightsError : there is none; says how to get it.
    StorageError : it cannot be fetched.
    """
    if is_address(str(source)):
        return fetch_folder(str(source))
    if source == "bundled":
        if not (BUNDLED / CONFIG_FILE).is_file():
            raise WeightsError(
                f"the bundled model is missing from this installation ({BUNDLED}); install followyouremoji again, or give a "
                "checkpoint's folder"
            )
        return BUNDLED
    if source == "released":
        folder = released_folder()
        if not (folder / CONFIG_FILE).is_file():
            raise WeightsError(
                f"the released weights are not in {folder}; fetch them with `fye weights download`, or convert files that you "
                "have with `fye weights convert`"
            )
        return folder
    folder = Path(source)
    if folder.is_dir():
        return folder
    if folder.name == str(source) and (cache_folder() / folder).is_dir():
        return cache_folder() / folder
    raise WeightsError(
        f"there is no checkpoint {str(source)!r}; give 'bundled', 'released' or a checkpoint's folder "
        "(`fye weights list` shows what is there)"
    )


@dataclass(frozen=True)
class CheckpointRow:
    """One line of the list of checkpoints."""

    name: str  # what `find_checkpoint` takes
    where: Path
    size: int  # bytes on disk
    present: bool  # whether it is there and its config can be read
    layout: Layout | None
    note: str  # where it comes from, or what is wrong and what to do


def list_checkpoints() -> list[CheckpointRow]:
    """The bundled model, the released one, and every checkpoint in the cache folder, present or not."""
    rows = [_row("bundled", BUNDLED), _row("released", released_folder())]
    if cache_folder().is_dir():
        others = sorted(path for path in cache_folder().iterdir() if (path / CONFIG_FILE).is_file())
        rows += [_row(path.name, path) for path in others if path.name not in ("bundled", "released")]
    return rows


def _row(name: str, folder: Path) -> CheckpointRow:
    size = 0
    try:
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        config, _ = read_config(find_checkpoint(name))
    except (WeightsError, OSError) as error:
        return CheckpointRow(name, folder, size, present=False, layout=None, note=str(error))
    return CheckpointRow(
        name, folder, size, present=True, layout=config.network.layout, note=shown(config.provenance, STATED)
    )
