"""An animation as a front end runs it: what it is told, what comes out, and how it is stopped."""

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from threading import Lock

import numpy as np
import pytest

from followyouremoji.animator import PortraitAnimator
from followyouremoji.errors import UserError, WeightsError
from followyouremoji.media.clips import ClipReader
from followyouremoji.requests.animation import animate, load_animator
from followyouremoji.requests.events import Event, Frame, Note, Progress, Stage
from followyouremoji.requests.preview import preview
from followyouremoji.requests.request import AnimationRequest, ClipSettings, ModelChoice, Output
from followyouremoji.requests.resume import ResumeError
from followyouremoji.requests.work import Work
from followyouremoji.settings import AnimationSettings

pytest.importorskip("skia", reason="drawn portraits need skia")
from tests.test_preparation import drawn_motion


def asked(
    model: Path, path: Path, driving: Path | str = "bundled:hello", resume: Path | None = None
) -> AnimationRequest:
    return AnimationRequest(
        portrait="bundled:ada",
        driving=str(driving),
        output=Output(path=path, max_side=64),
        model=ModelChoice(weights=str(model), device="cpu"),
        clip=ClipSettings(stop="3"),
        settings=AnimationSettings(steps=2),
        resume=resume,
    )


def test_events_and_outcome(
    model: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events: list[Event] = []
    outcome = animate(asked(model, tmp_path / "a.mp4", clip), events.append)
    assert capsys.readouterr() == ("", "")
    stages = [event.name for event in events if isinstance(event, Stage)]
    assert [name for name in stages if name != "loading"] == ["tracking", "animating"]
    last = [event for event in events if isinstance(event, Progress)][-1]
    assert last.done == last.total
    frames = [event for event in events if isinstance(event, Frame)]
    assert [frame.number for frame in frames] == [0, 1, 2]
    assert frames[0].picture.shape == (64, 64, 3)
    assert [note.code for note in outcome.notes] == [
        event.code for event in events if isinstance(event, Note)
    ]
    assert outcome.notes[0].code == "portrait_scaled"
    assert (outcome.path, outcome.frames, outcome.size) == (tmp_path / "a.mp4", 3, (64, 64))
    assert (outcome.frame_rate, outcome.sound, outcome.made_before) == (25.0, True, False)
    assert outcome.computed + outcome.forecast > 0
    with ClipReader(tmp_path / "a.mp4") as made:
        assert len(list(made)) == 3


def test_one_event_comes_after_the_other_whichever_threads_tell_them(tmp_path: Path) -> None:
    """The networks tell their progress while a finished frame is told."""
    free = Lock()

    def on_event(event: Event) -> None:
        assert free.acquire(blocking=False)
        time.sleep(0.01)
        free.release()

    work = Work.open(asked(tmp_path, tmp_path / "a.mp4"), on_event)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(work.tell, [Progress(1, 2)] * 4))


@pytest.mark.parametrize("stage", ["tracking", "animating"])
def test_what_a_front_end_raises_ends_the_work(model: Path, clip: Path, tmp_path: Path, stage: str) -> None:
    class Cancelled(Exception):
        pass

    running = ""

    def cancel(event: Event) -> None:
        nonlocal running
        if isinstance(event, Stage):
            running = event.name
        if isinstance(event, Progress) and running == stage:
            raise Cancelled

    with pytest.raises(Cancelled):
        animate(asked(model, tmp_path / "a.mp4", clip), cancel)
    assert list(tmp_path.iterdir()) == []


def test_a_model_serves_many_requests(model: Path, tmp_path: Path) -> None:
    load = cache(load_animator)
    for name in ("a.webp", "b.webp"):
        animate(asked(model, tmp_path / name), load=load)
    assert load.cache_info().hits == 1
    assert (tmp_path / "a.webp").read_bytes() == (tmp_path / "b.webp").read_bytes()


def test_what_was_made_before_is_not_made_again(model: Path, tmp_path: Path) -> None:
    request = asked(model, tmp_path / "a.webp", resume=tmp_path / "kept")
    first = animate(request)
    again = animate(request, lambda event: pytest.fail("nothing is to be done"))
    assert again == first.model_copy(update={"made_before": True})
    (tmp_path / "a.webp").unlink()
    assert not animate(request).made_before
    other = asked(model, tmp_path / "b.webp", "bundled:talk", tmp_path / "kept")
    with pytest.raises(ResumeError, match="another driving") as refused:
        animate(other)
    assert refused.value.settings == ("resume",)


def test_an_expression_is_resumed_as_itself_alone(model: Path, tmp_path: Path) -> None:
    def winking(side: str) -> AnimationRequest:
        request = asked(model, tmp_path / "a.webp", f"bundled:wink_{side}", tmp_path / "kept")
        return replace(request, clip=ClipSettings(stop="2"))

    first = animate(winking("left"))
    assert animate(winking("left")) == first.model_copy(update={"made_before": True})
    with pytest.raises(ResumeError, match="another driving"):
        animate(winking("right"))


def test_a_resumed_request_tells_the_notes_on_its_driving_again(model: Path, tmp_path: Path) -> None:
    motion = replace(drawn_motion(8), frame_rate=120.0, timestamps=np.arange(8) / 120.0)
    motion.save(tmp_path / "fast.fyemotion")
    request = asked(model, tmp_path / "a.webp", tmp_path / "fast.fyemotion", tmp_path / "kept")
    first = animate(request)
    assert "driving_rate" in [note.code for note in first.notes]
    (tmp_path / "a.webp").unlink()
    assert animate(request).notes == first.notes


def test_errors_name_settings_and_no_flags(model: Path, tmp_path: Path) -> None:
    settings = AnimationSettings(loop="pingpong")
    request = AnimationRequest(
        portrait="bundled:ada", driving="bundled:hello", output=Output(side_by_side=True), settings=settings
    )
    with pytest.raises(UserError) as refused:
        animate(request)
    assert refused.value.settings == ("side_by_side", "loop")
    with pytest.raises(UserError, match="many frames") as refused:
        animate(asked(model, tmp_path / "a.png"))
    assert refused.value.settings == ("start", "stop")
    assert "--" not in str(refused.value)


def test_a_preview_draws_lines_over_the_portrait(tmp_path: Path) -> None:
    request = AnimationRequest(
        portrait="bundled:ada",
        driving="bundled:hello",
        output=Output(path=tmp_path / "look.gif"),
        clip=ClipSettings(stop="2"),
    )
    pictures: list[np.ndarray] = []
    outcome = preview(
        request, 128, lambda event: pictures.append(event.picture) if isinstance(event, Frame) else None
    )
    assert (outcome.frames, outcome.size) == (2, (128, 128))
    assert [picture.shape for picture in pictures] == [(128, 128, 3)] * 2


def at_the_first_step(act: Callable[[], object]) -> Callable[[Event], None]:
    """Does something when all files were read and frames are about to be made."""
    todo = [act]

    def on_event(event: Event) -> None:
        if isinstance(event, Stage) and event.name == "animating" and todo:
            todo.pop()()

    return on_event


@pytest.mark.parametrize("side_by_side", [False, True])
def test_a_driving_that_is_removed_meanwhile_is_told(
    model: Path, clip: Path, tmp_path: Path, side_by_side: bool
) -> None:
    driving = Path(shutil.copy(clip, tmp_path / "driving.mp4"))
    request = asked(model, tmp_path / "a.mp4", driving)
    request = replace(
        request, output=replace(request.output, side_by_side=side_by_side, sound=not side_by_side)
    )
    with pytest.raises(UserError, match=r"driving\.mp4"):
        animate(request, at_the_first_step(driving.unlink))
    assert not list(tmp_path.iterdir())


def test_of_two_runs_with_one_output_the_first_to_end_has_it(model: Path, clip: Path, tmp_path: Path) -> None:
    request = asked(model, tmp_path / "a.mp4", clip)
    written = []

    def run_another() -> None:
        animate(request)
        written.append((tmp_path / "a.mp4").read_bytes())

    with pytest.raises(UserError, match=r"a\.mp4 exists already"):
        animate(request, at_the_first_step(run_another))
    assert [path.read_bytes() for path in tmp_path.iterdir()] == written
    replacing = replace(request, output=replace(request.output, overwrite=True))
    animate(replacing, at_the_first_step(partial(animate, replacing)))
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_values_that_are_no_numbers_are_never_kept(model: Path, tmp_path: Path) -> None:
    """A device that computes wrongly for once: the job goes on with another."""
    request = asked(model, tmp_path / "a.mp4", resume=tmp_path / "job")

    def broken(choice: ModelChoice) -> PortraitAnimator:
        animator = load_animator(choice)
        animator.model.networks.denoiser.conv_out.bias.data[0] = float("nan")
        return animator

    with pytest.raises(WeightsError, match="the denoiser returns values that are not finite"):
        animate(request, load=broken)
    assert not list((tmp_path / "job" / "latents").iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["job"]
    assert animate(request).frames == 3
