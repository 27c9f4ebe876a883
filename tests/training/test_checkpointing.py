"""Checkpoints: whole or not at all, the last few kept, and never anything run that a file brings."""

import pickle
import resource
import signal
from pathlib import Path

import pytest
import torch
from torch import nn

from followyouremoji.errors import WeightsError
from followyouremoji.training.checkpointing import (
    averaged_weights,
    check_layout,
    checkpoints,
    read_checkpoint,
    remove_parts,
    write_checkpoint,
)


def state(step: int, size: int = 1000) -> dict[str, object]:
    return {
        "module": {"a": torch.full((size,), float(step)), "b": torch.ones(2)},
        "average": {},
        "optimiser": {},
        "scaler": {},
        "step": step,
        "seconds": 1.5,
        "skipped": 0,
    }


def test_the_last_few_stay(tmp_path) -> None:
    for step in (5, 10, 15, 100):
        write_checkpoint(tmp_path, state(step), keep=2)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000015.pt", "step-00000100.pt"]
    assert float(averaged_weights(tmp_path)["a"][0]) == 100


def test_only_a_run_s_own_checkpoints_are_read_and_removed(tmp_path) -> None:
    write_checkpoint(tmp_path, state(5), keep=1)
    folder = tmp_path / "checkpoints"
    others = [folder / name for name in ("step-00000009-best.pt", "step-7.pt", "step-00000004.pt.backup")]
    for other in others:
        other.write_bytes(b"a user's")
    (folder / ".step-00000006.0a1b2c3d.part.pt").mkdir()  # killed runs were writing
    (tmp_path / ".origin.0a1b2c3d.part.json").mkdir()
    assert float(averaged_weights(tmp_path)["a"][0]) == 5
    write_checkpoint(tmp_path, state(10), keep=1)
    remove_parts(tmp_path)
    assert sorted(folder.iterdir()) == sorted([*others, folder / "step-00000010.pt"])
    assert list(tmp_path.iterdir()) == [folder]


def test_averages_stand_before_the_weights_they_are_of(tmp_path) -> None:
    write_checkpoint(tmp_path, {**state(1), "average": {"a": torch.zeros(3)}}, keep=1)
    weights = averaged_weights(tmp_path)
    assert torch.equal(weights["a"], torch.zeros(3))
    assert torch.equal(weights["b"], torch.ones(2))


def test_a_full_disk_leaves_the_last_good_checkpoint(tmp_path) -> None:
    write_checkpoint(tmp_path, state(1), keep=1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))  # the system refuses to write further
    try:
        with pytest.raises(
            WeightsError, match=r"cannot save .*step-00000002.*File too large.*step-00000001\.pt"
        ):
            write_checkpoint(tmp_path, state(2, size=100_000), keep=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000001.pt"]
    assert read_checkpoint(checkpoints(tmp_path)[0])["step"] == 1


def test_damaged_and_foreign_files_are_refused(tmp_path) -> None:
    file = write_checkpoint(tmp_path, state(3), keep=1)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match=r"step-00000003\.pt is damaged"):
        averaged_weights(tmp_path)
    torch.save({"something": torch.ones(1)}, file)
    with pytest.raises(WeightsError, match="damaged or no checkpoint"):
        averaged_weights(tmp_path)
    with pytest.raises(WeightsError, match="no training run"):
        averaged_weights(tmp_path / "nowhere")


def test_a_checkpoint_that_lacks_something_or_is_of_another_version_is_refused(tmp_path) -> None:
    file = write_checkpoint(tmp_path, state(3), keep=1)
    content = torch.load(file, weights_only=True)
    for name in content:
        torch.save({entry: value for entry, value in content.items() if entry != name}, file)
        with pytest.raises(WeightsError, match=r"step-00000003\.pt is damaged or no checkpoint"):
            read_checkpoint(file)
    torch.save({**content, "format": 3}, file)
    with pytest.raises(WeightsError, match=r"step-00000003\.pt was written by another version"):
        read_checkpoint(file)
    torch.save({"module": {"a": torch.ones(2)}, "average": {"a": torch.zeros(2)}, "step": 1}, file)
    file.rename(
        tmp_path / "training.pt"
    )  # the only file of an earlier version's run, which may be begun from
    assert torch.equal(averaged_weights(tmp_path)["a"], torch.zeros(2))


class Touch:
    """A pickle that would make a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_a_file_that_would_run_code_is_refused_and_not_run(tmp_path) -> None:
    file = write_checkpoint(tmp_path, state(3), keep=1)
    torch.save({"module": {}, "step": 1, "more": Touch(tmp_path / "run")}, file)
    with pytest.raises(WeightsError, match="could run code"):
        read_checkpoint(file)
    file.write_bytes(pickle.dumps(Touch(tmp_path / "run")))
    with pytest.raises(WeightsError):
        read_checkpoint(file)
    assert not (tmp_path / "run").exists()


def test_another_layout_is_told_by_its_tensors(tmp_path) -> None:
    module = nn.Linear(2, 3)
    weights = dict(module.state_dict())
    check_layout(tmp_path, weights, module)
    with pytest.raises(WeightsError, match="lacks bias"):
        check_layout(tmp_path, {"weight": weights["weight"]}, module)
    with pytest.raises(WeightsError, match="also has gain"):
        check_layout(tmp_path, {**weights, "gain": torch.ones(1)}, module)
    with pytest.raises(WeightsError, match="another shape of weight"):
        check_layout(tmp_path, {**weights, "weight": torch.ones(3, 3)}, module)
