"""Checkpoints of a training run: written whole or not at all, the last few kept, read without unpickling.

A run's folder holds `checkpoints/step-00000500.pt`: the networks' weights, their moving average, the optimiser's
moments by the names of their parameters, and the step. Everything random is a function of the seed and the step, so no
generator has to be saved.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from followyouremoji.errors import WeightsError, first_line, some_of
from followyouremoji.files import atomic, clear_stale

FORMAT = 2  # 1 was a single training.pt, whose moments had no names
FOLDER = "checkpoints"
OLD_FILE = "training.pt"
State = dict[str, Any]
ENTRIES: Mapping[str, type] = {
    "module": dict,
    "step": int,
    "average": dict,
    "optimiser": dict,
    "scaler": dict,
    "seconds": float,
    "skipped": int,
}
"""Beside `recent`, see `recent.Recent`, which the first checkpoints of this format have not."""
OLD_ENTRIES = ("module", "step")  # of an `OLD_FILE`, whose weights may still be begun from


def checkpoint_file(folder: Path, step: int) -> Path:
    return folder / FOLDER / f"step-{step:08d}.pt"


def checkpoints(folder: Path) -> list[Path]:
    """A run's checkpoints, oldest first; files of other names, such as a user's copies, are none."""
    return sorted((folder / FOLDER).glob(f"step-{'[0-9]' * 8}.pt"))


def remove_parts(folder: Path) -> None:
    """Remove what a killed run left half-written in its folder, checkpoints and what lies beside them."""
    for place in (folder, folder / FOLDER):
        clear_stale(place)


def step_of(file: Path) -> int:
    """The step of a checkpoint's state, by its name."""
    return int(file.stem.rpartition("-")[2])


def write_checkpoint(folder: Path, state: State, keep: int) -> Path:
    """Write a state as the run's newest checkpoint and remove all but the last `keep`.

    Raises WeightsError where it cannot be written; what was there before is still there then.
    """
    file = checkpoint_file(folder, state["step"])
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic(file) as temporary, temporary.open("wb") as opened:
            torch.save({"format": FORMAT, **state}, opened)
    except (OSError, RuntimeError) as error:
        raise WeightsError(
            f"cannot save {file} ({reason(error)}); {survivors(folder)} Make room on the disk and start again."
        ) from error
    for old in checkpoints(folder)[:-keep]:
        old.unlink()
    return file


def reason(error: BaseException) -> str:
    """Why something could not be written; torch hides the system's own words behind its own."""
    while error.__context__ is not None and not (isinstance(error, OSError) and error.strerror):
        error = error.__context__
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return first_line(error)


def survivors(folder: Path) -> str:
    found = checkpoints(folder)
    return f"the last good checkpoint is {found[-1]}." if found else "there is no earlier checkpoint."


def read_checkpoint(file: Path) -> State:
    """The state in a checkpoint, tensors mapped from the file: all `ENTRIES`, or an earlier version's where the file is
    an `OLD_FILE`.

    Raises WeightsError where it is damaged, no checkpoint, or of another version.
    """
    old = file.name == OLD_FILE
    try:
        state = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
        if not isinstance(state, dict):
            raise TypeError("no table")
        if not old and state["format"] != FORMAT:
            raise WeightsError(
                f"{file} was written by another version; go on with that one, or name another `output` to begin anew with this one."
            )
        for name in OLD_ENTRIES if old else ENTRIES:
            if not isinstance(state[name], ENTRIES[name]):
                raise TypeError(name)
        if not isinstance(state.get("recent", {}), dict):
            raise TypeError("recent")
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{file} is refused: it holds more than tensors, and reading it could run code."
        ) from error
    except WeightsError:
        raise
    except Exception as error:  # damaged files fail in many ways inside zipfile, pickle and torch
        raise WeightsError(
            f"{file} is damaged or no checkpoint of a training run; delete it to go on from the one before it."
        ) from error
    return state


def newest_state(folder: Path) -> State:
    """The last checkpoint of a run, also of one that an earlier version trained. Raises WeightsError where there is
    none."""
    found = checkpoints(folder)
    if not found and (folder / OLD_FILE).is_file():
        found = [folder / OLD_FILE]
    if not found:
        raise WeightsError(f"{folder} holds no training run (no {FOLDER}/step-*.pt); train it first.")
    return read_checkpoint(found[-1])


def holds_run(folder: Path) -> bool:
    """Whether a folder is the output of a training run."""
    return bool(checkpoints(folder)) or (folder / OLD_FILE).is_file()


def averaged_weights(folder: Path) -> dict[str, Tensor]:
    """The weights of a run's last checkpoint by name: averaged where they were trained with an average, else as they
    are."""
    state = newest_state(folder)
    return {**state["module"], **state.get("average", {})}


def carries_decoder(folder: Path) -> bool:
    """Whether a run's networks bring the autoencoder's decoder, tuned by that run or by one that it goes on from."""
    return any(name.startswith("decoder.") for name in newest_state(folder)["module"])


def check_layout(file: Path, saved: Mapping[str, Tensor], module: nn.Module) -> None:
    """Raise WeightsError unless `saved` holds exactly a module's tensors."""
    expected = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in saved.items()}
    differing = [name for name in expected if name in found and found[name] != expected[name]]
    wrong = {
        "lacks": [name for name in expected if name not in found],
        "also has": [name for name in found if name not in expected],
        "has another shape of": differing,
    }
    problems = [f"it {what} {some_of(names)}" for what, names in wrong.items() if names]
    if problems:
        raise WeightsError(
            f"{file} does not belong to this run's settings: {'; '.join(problems)}. Name another `output`, or go back to the settings "
            "it was trained with."
        )
