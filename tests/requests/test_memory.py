"""A device whose memory does not suffice, simulated: what takes less is tried in turns, and said."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from followyouremoji.animator import PortraitAnimator
from followyouremoji.checkpoints import Model
from followyouremoji.errors import SettingsError
from followyouremoji.requests.animation import animate, load_animator
from followyouremoji.requests.batch import run_batch
from followyouremoji.requests.events import Event, Note
from followyouremoji.requests.request import (
    AnimationRequest,
    BatchOutput,
    BatchRequest,
    ClipSettings,
    ModelChoice,
    Output,
)
from followyouremoji.settings import AnimationSettings
from tests.programs import frames_of

pytest.importorskip("skia", reason="drawn portraits need skia")


class OnGpu(Model):
    """A model that says it is on a GPU."""

    device = torch.device("cuda")  # type: ignore[assignment]


class Lacking(PortraitAnimator):
    """A model on a GPU on which no segment finds room, once the first frame is made."""

    tried: list[int]

    def frames(
        self, prepared: Any, settings: AnimationSettings | None = None, **more: Any
    ) -> Iterator[np.ndarray]:
        assert settings is not None
        self.tried.append(settings.batch or 0)
        width, height = prepared.output_size
        yield np.zeros((height, width, 3), np.uint8)
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


class Machine:
    """Loads models; on its GPU they lack memory. What was asked for stands in `choices`, how many segments were tried
    at once in `tried`."""

    def __init__(self, room_to_load: bool = True) -> None:
        self.choices: list[ModelChoice] = []
        self.tried: list[int] = []
        self.room_to_load = room_to_load

    def load(self, choice: ModelChoice) -> PortraitAnimator:
        self.choices.append(choice)
        if choice.device == "cpu":
            return load_animator(choice)
        if not self.room_to_load:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        model = load_animator(replace(choice, device="cpu")).model
        lacking = Lacking(OnGpu(**vars(model)))
        lacking.tried = self.tried
        return lacking


def asked(model: Path, path: Path, device: str | None, resume: Path | None = None) -> AnimationRequest:
    return AnimationRequest(
        portrait="bundled:ada",
        driving="bundled:hello",
        output=Output(path=path, max_side=64),
        model=ModelChoice(weights=str(model), device=device, dtype="fp32"),
        clip=ClipSettings(stop="3"),
        settings=AnimationSettings(steps=1, batch=4),
        resume=resume,
    )


def test_fewer_segments_then_networks_in_turns_then_the_cpu(model: Path, tmp_path: Path) -> None:
    machine, events = Machine(), list[Event]()
    outcome = animate(asked(model, tmp_path / "a.mp4", None), events.append, machine.load)
    assert machine.tried == [4, 2, 1, 1]
    assert [(one.device, one.offload) for one in machine.choices] == [
        (None, None),
        (None, True),
        ("cpu", None),
    ]
    said = [event for event in events if isinstance(event, Note) and event.code == "less_memory"]
    assert [note.settings for note in said] == [("batch",), ("batch",), ("offload",), ("device",)]
    assert set(said) <= set(outcome.notes)
    animate(asked(model, tmp_path / "plain.mp4", "cpu"))
    np.testing.assert_array_equal(frames_of(tmp_path / "a.mp4"), frames_of(tmp_path / "plain.mp4"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "plain.mp4"]


def test_a_model_that_does_not_fit_while_it_is_loaded(model: Path, tmp_path: Path) -> None:
    machine = Machine(room_to_load=False)
    outcome = animate(asked(model, tmp_path / "a.mp4", "cuda"), load=machine.load)
    assert [one.device for one in machine.choices] == ["cuda", "cuda", "cpu"]
    assert [note.settings for note in outcome.notes if note.code == "less_memory"] == [
        ("offload",),
        ("device",),
    ]


def test_a_batch_goes_on_with_what_fits(model: Path, tmp_path: Path) -> None:
    machine = Machine()
    batch = BatchRequest(
        portraits=("bundled:ada", "bundled:max"),
        motions=("bundled:hello",),
        output=BatchOutput(path=tmp_path / "out"),
        model=ModelChoice(weights=str(model)),
        clip=ClipSettings(stop="2"),
        settings=AnimationSettings(steps=1, batch=2),
    )
    outcome = run_batch(batch, load=machine.load)
    assert [pair.error for pair in outcome.pairs] == [None, None]
    assert machine.tried == [2, 1, 1], "the second pair begins on the CPU"


def test_who_has_one_model_only_is_asked_for_others_once(model: Path, tmp_path: Path) -> None:
    machine = Machine()
    only = machine.load(ModelChoice(weights=str(model)))
    with pytest.raises(SettingsError, match="the GPU has too little free memory: hold only"):
        animate(asked(model, tmp_path / "a.mp4", None), load=lambda choice: only)
    assert machine.tried == [4, 2, 1, 1, 1, 1], "in turns, on the CPU, and there in turns"
    assert not list(tmp_path.iterdir())


def test_where_nothing_less_is_possible_the_user_is_told(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*given: object, **more: object) -> Iterator[np.ndarray]:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate")

    monkeypatch.setattr(PortraitAnimator, "frames", no_room)
    with pytest.raises(SettingsError, match="the computer has too little free memory: hold only"):
        animate(asked(model, tmp_path / "a.mp4", "cpu"))
    assert not list(tmp_path.iterdir())
