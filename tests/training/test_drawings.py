"""Folders of drawings: finished or not there, and damage is described in words."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("skia", reason="drawn portraits need skia-python")

from followyouremoji.errors import DataError, SettingsError
from followyouremoji.executors import Local, Outcome, WorkerLost
from followyouremoji.networks import SmallAutoencoder
from followyouremoji.training.autoencoder import write_latents
from followyouremoji.training.drawings import Drawings, DrawingSettings, draw_folder, new_array
from followyouremoji.training.fingerprint import fingerprint, same_encoder, write_fingerprint

from .tiny import AUTOENCODER

SETTINGS = DrawingSettings(identities=2, pictures=2, size=32, seed=3)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, bytes]:
    """The files of a folder that was drawn and encoded, by name."""
    folder = tmp_path_factory.mktemp("drawn")
    draw_folder(folder, SETTINGS, Local())
    np.save(folder / "latents.npy", np.zeros((2, 2, 4, 4, 4), np.float16))
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def folder(tmp_path, files) -> Path:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


class Losing(Local):
    """Every worker is killed."""

    def map(self, function, items, resource=None):
        return (Outcome(item, error=WorkerLost("it was killed")) for item in items)


def test_a_killed_process_is_told_and_leaves_nothing(tmp_path) -> None:
    with pytest.raises(DataError, match=r"was killed.*fewer processes"):
        draw_folder(tmp_path, SETTINGS, Losing())
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="no room can be reserved here")
def test_room_is_reserved_before_anything_is_drawn(tmp_path, monkeypatch) -> None:
    array = new_array(tmp_path / "array.npy", np.uint8, (1 << 20,))
    there = (tmp_path / "array.npy").stat()
    assert there.st_blocks * 512 >= there.st_size >= array.nbytes
    assert not array.any()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(OSError, match="No space left") as refused:
        draw_folder(tmp_path / "drawings", SETTINGS, Local())
    assert refused.value.filename == str(tmp_path / "drawings" / "pictures.npy")
    assert not list((tmp_path / "drawings").iterdir())


@pytest.mark.parametrize("name", ["pictures.npy", "points.npy", "latents.npy", "drawings.json"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.6])
def test_a_damaged_file_is_named(folder, files, name, share) -> None:
    assert len(Drawings.open(folder)) == SETTINGS.identities
    (folder / name).write_bytes(files[name][: int(share * len(files[name]))])
    with pytest.raises(DataError, match=rf"{name} is (missing or )?damaged: delete"):
        Drawings.open(folder)
    if name == "drawings.json":
        with pytest.raises(DataError, match=r"drawings\.json is damaged"):
            draw_folder(folder, SETTINGS, Local())


def test_files_that_do_not_belong_together_are_refused(folder) -> None:
    for wrong in (np.zeros((2, 2, 4, 8, 8), np.float16), np.full((2, 2, 4, 4, 4), "text")):
        np.save(folder / "latents.npy", wrong)
        with pytest.raises(DataError, match=r"latents\.npy .* `fye train latents`"):
            Drawings.open(folder)
    (folder / "latents.npy").unlink()
    assert Drawings.open(folder).latents is None
    (folder / "points.npy").unlink()
    with pytest.raises(DataError, match=r"points\.npy is missing.* `fye train draw`"):
        Drawings.open(folder)
    (folder / "drawings.json").unlink()
    with pytest.raises(SettingsError, match="no finished drawings"):
        Drawings.open(folder)


def test_latents_lie_beside_the_record_of_their_own_encoder_whenever_encoding_stops(
    folder, monkeypatch
) -> None:
    autoencoder = SmallAutoencoder(AUTOENCODER)
    new = fingerprint(autoencoder)
    write_fingerprint(folder, "old")

    def stopped(*_: object) -> None:
        write_fingerprint(folder, new)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("followyouremoji.training.autoencoder.write_fingerprint", stopped)
        with pytest.raises(KeyboardInterrupt):
            write_latents(folder, autoencoder)
    assert Drawings.open(folder).latents is None  # not the old ones
    write_latents(folder, autoencoder)
    latents = Drawings.open(folder).latents
    assert latents is not None
    assert latents.any()
    assert same_encoder(folder, new)
