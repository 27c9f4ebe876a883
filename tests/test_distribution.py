"""Clips on an executor's workers: the frames of one machine, whichever worker made them and whatever became of it."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from followyouremoji.animator import AnimationSettings, PortraitAnimator
from followyouremoji.checkpoints.model import Model
from followyouremoji.errors import SettingsError
from followyouremoji.executors import Local, Processes
from followyouremoji.sampling.sampler import Tally
from tests.small_model import small_model
from tests.test_faces import FAR, beside
from tests.test_generation import Kept
from tests.test_preparation import drawn_motion

FACES = {1: drawn_motion(14), 2: drawn_motion(9, seed=1)}


def warping(framing: str = "picture") -> Model:
    model = small_model(warped_reference=True)
    return replace(model, config=replace(model.config, framing=framing))


@pytest.mark.parametrize(
    ("framing", "loop", "speed"),
    [("picture", "off", "fast"), ("window", "blend", "exact"), ("window", "pingpong", "lossless")],
)
def test_frames_of_several_faces_are_those_of_one_machine(framing: str, loop: str, speed: str) -> None:
    """Within rounding; so are the progress and the passes that are counted, and what is kept to go on from."""
    animator = PortraitAnimator(warping(framing))
    settings = AnimationSettings(loop=loop, batch=2, speed=speed)
    group = animator.prepare_faces(beside(FAR), FACES, settings=settings)

    def run(**how: object) -> tuple[np.ndarray, Tally, list[tuple[int, int]], list[Kept]]:
        tally, steps, kept = Tally(), list[tuple[int, int]](), [Kept(), Kept()]
        making = animator.frames(
            group, settings, progress=lambda *step: steps.append(step), stores=kept, tally=tally, **how
        )
        return np.stack(list(making)).astype(int), tally, steps, kept

    here, counted, steps, kept = run()
    there, tally, its_steps, its_kept = run(executor=Local())
    assert np.abs(here - there).max() <= 1
    assert tally == counted
    assert its_steps[-1] == steps[-1]
    assert [sorted(face.segments) for face in its_kept] == [sorted(face.segments) for face in kept]

    del its_kept[0].segments[1], its_kept[1].segments[0]
    tally = Tally()
    again = animator.frames(group, settings, stores=its_kept, tally=tally, executor=Local())
    assert np.abs(here - np.stack(list(again))).max() <= 1
    assert 0 < tally.computed < counted.computed


def dying_once(model: Model, folder: Path) -> Model:
    """The model, but the second process that loads it is killed as it decodes."""
    (folder / str(os.getpid())).touch()
    if len(list(folder.iterdir())) == 2:
        model.codec.decode = lambda _: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]
    return model


@pytest.mark.slow
def test_a_worker_that_dies_changes_no_frame(tmp_path: Path) -> None:
    """With processes that are sent the model; each segment is kept once."""
    model = warping()
    load: Callable[[], Model] = partial(dying_once, model, tmp_path)
    animator = PortraitAnimator(model, load=load)
    prepared = animator.prepare_faces(beside(FAR), {1: drawn_motion(40)})
    kept = [Counted()]
    here = np.stack(list(animator.frames(prepared))).astype(int)
    with Processes(2) as executor:
        there = np.stack(list(animator.frames(prepared, stores=kept, executor=executor)))
    assert len(list(tmp_path.iterdir())) == 3  # one took the place of the one that died
    assert np.abs(here - there).max() <= 1
    assert sorted(kept[0].saved) == sorted(kept[0].segments) == list(range(len(kept[0].saved)))


class Counted(Kept):
    """Which segments were saved, each time."""

    def __init__(self) -> None:
        super().__init__()
        self.saved: list[int] = []

    def save(self, number: int, latents: object) -> None:
        self.saved.append(number)
        super().save(number, latents)  # type: ignore[arg-type]


def test_an_animator_on_workers_holds_no_weights_and_they_load_them() -> None:
    """The bundled model: its plan and its checks need none."""
    animator = PortraitAnimator.on_workers("bundled", device="cpu")
    assert {parameter.device.type for parameter in animator.model.networks.parameters()} == {"meta"}
    settings = AnimationSettings(steps=1)
    prepared = animator.prepare_faces(beside(FAR), {2: drawn_motion(3)})
    with pytest.raises(SettingsError, match="holds no weights"):
        animator.frames(prepared, settings)
    there = np.stack(list(animator.frames(prepared, settings, executor=Local())))
    here = np.stack(list(PortraitAnimator.from_pretrained("bundled", "cpu").frames(prepared, settings)))
    assert np.abs(here.astype(int) - there).max() <= 1
    with pytest.raises(SettingsError, match="one device") as refused:
        PortraitAnimator.on_workers("bundled", device="cuda:0,cuda:1")
    assert refused.value.settings == ("device",)
