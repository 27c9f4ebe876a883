"""Many portraits by many motions: what is made, what is not made twice, and what a broken run leaves."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from followyouremoji.errors import SettingsError, UserError
from followyouremoji.files import lock
from followyouremoji.media.pictures import read_picture, write_picture
from followyouremoji.requests import driving, placing
from followyouremoji.requests.animation import animate, load_animator
from followyouremoji.requests.batch import run_batch
from followyouremoji.requests.batch_folder import HIDDEN, BatchFolder
from followyouremoji.requests.bundled import EXAMPLES
from followyouremoji.requests.events import (
    BatchEvent,
    BatchProgress,
    Frame,
    Note,
    PairBegins,
    PairEnds,
    Stage,
)
from followyouremoji.requests.pairs import BatchError
from followyouremoji.requests.request import BatchOutput, BatchRequest, ClipSettings, ModelChoice
from followyouremoji.settings import AnimationSettings


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Two portraits, a picture without a face, and a broken file."""
    folder = tmp_path / "faces"
    folder.mkdir()
    shutil.copy(EXAMPLES / "ada.png", folder / "1.png")
    shutil.copy(EXAMPLES / "max.png", folder / "10.png")
    write_picture(folder / "2.png", np.full((96, 96, 3), 90, np.uint8))
    (folder / "3.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture
def asked(model: Path, clip: Path, faces: Path, tmp_path: Path) -> BatchRequest:
    return BatchRequest(
        portraits=(str(faces),),
        motions=("bundled:hello", str(clip)),
        output=BatchOutput(path=tmp_path / "out", max_side=64),
        model=ModelChoice(weights=str(model), device="cpu"),
        clip=ClipSettings(stop="3"),
        settings=AnimationSettings(steps=1),
    )


def good(request: BatchRequest, **changed: Any) -> BatchRequest:
    """The same with two portraits that are at hand, whose faces are known."""
    return replace(request, **{"portraits": ("bundled:ada", "bundled:max"), **changed})


def files(folder: Path) -> dict[str, int]:
    """What a user sees in a folder, and when it was changed."""
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir() if path.name != HIDDEN}


def counting(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[object]:
    """The first arguments of a function's calls from now on."""
    calls: list[object] = []
    real: Callable[..., Any] = getattr(module, name)

    def counted(*given: Any, **more: Any) -> Any:
        calls.append(given[0])
        return real(*given, **more)

    monkeypatch.setattr(module, name, counted)
    return calls


def test_every_pair_is_made_or_said_why_not(
    asked: BatchRequest, clip: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    followed = counting(monkeypatch, driving, "track_file")
    found = counting(monkeypatch, placing, "find_portrait")
    load = cache(load_animator)
    events: list[BatchEvent] = []
    outcome = run_batch(asked, events.append, load)
    assert capsys.readouterr() == ("", "")
    assert sorted(files(asked.output.path)) == ["10_hello.mp4", "10_smile.mp4", "1_hello.mp4", "1_smile.mp4"]
    assert (outcome.made, outcome.made_before, len(outcome.failed)) == (4, 0, 4)
    reasons = {pair.name: pair.error for pair in outcome.failed}
    assert "is not a picture that can be read" in str(reasons["3_hello"])
    assert "no face" in str(reasons["2_smile"]).lower()
    assert reasons["2_smile"] == reasons["2_hello"]

    assert followed == [clip]
    assert len(found) == 3  # the broken one is never looked at
    assert load.cache_info().misses == 1

    assert [event.name for event in events if isinstance(event, PairBegins)] == [
        *("1_hello", "1_smile", "2_hello", "2_smile", "3_hello", "3_smile", "10_hello", "10_smile"),
    ]
    assert tuple(event.result for event in events if isinstance(event, PairEnds)) == outcome.pairs
    done = [event.done / event.total for event in events if isinstance(event, BatchProgress)]
    assert done == sorted(done)
    assert done[-1] == 1.0
    assert len(done) > 8  # more than one a pair
    assert sum(isinstance(event, Frame) for event in events) == 4 * 3
    sentences = [event.sentence for event in events if isinstance(event, Note)]
    assert len(sentences) == len(set(sentences))


def test_a_result_is_that_of_a_single_animation(asked: BatchRequest, clip: Path, tmp_path: Path) -> None:
    """To the byte, of a clip whose motion was kept as a file, and with another portrait before it."""
    run_batch(good(asked))
    animate(asked.pair("bundled:max", str(clip), tmp_path / "alone.mp4"))
    assert (asked.output.path / "max_smile.mp4").read_bytes() == (tmp_path / "alone.mp4").read_bytes()


def test_what_is_finished_is_not_made_again(asked: BatchRequest) -> None:
    first = run_batch(good(asked, motions="bundled:hello"))
    before = files(asked.output.path)
    again = run_batch(good(asked, motions="bundled:hello"), load=lambda _: pytest.fail("nothing is to do"))
    assert (again.made, again.made_before) == (0, 2)
    assert [pair.outcome and pair.outcome.frames for pair in again.pairs] == [3, 3]
    assert first.pairs[0].outcome is not None
    assert again.pairs[0].outcome == first.pairs[0].outcome.model_copy(update={"made_before": True})
    assert files(asked.output.path) == before
    (asked.output.path / "max_hello.mp4").unlink()
    more = run_batch(good(asked))
    assert (more.made, more.made_before) == (3, 1)
    assert files(asked.output.path)["ada_hello.mp4"] == before["ada_hello.mp4"]


def test_what_differs_is_named_and_replaced_only_on_demand(asked: BatchRequest, faces: Path) -> None:
    for name in ("2.png", "3.jpg"):
        (faces / name).unlink()
    asked = replace(asked, motions=("bundled:hello",))
    run_batch(asked)
    before = files(asked.output.path)
    changed = replace(asked, settings=AnimationSettings(steps=2))
    with pytest.raises(
        BatchError, match=r"1_hello\.mp4 exists already.*steps was 1, now 2.*with 1 more"
    ) as no:
        run_batch(changed)
    assert no.value.settings == ("path", "overwrite")
    with pytest.raises(BatchError, match="side_by_side was False, now True"):
        run_batch(replace(asked, output=replace(asked.output, side_by_side=True)))
    shutil.copy(EXAMPLES / "emoji.png", faces / "10.png")
    with pytest.raises(BatchError, match=r"10_hello\.mp4 exists.*another portrait"):
        run_batch(asked)
    assert files(asked.output.path) == before
    outcome = run_batch(replace(asked, output=replace(asked.output, overwrite=True)))
    assert (outcome.made, outcome.made_before) == (1, 1)
    assert files(asked.output.path)["1_hello.mp4"] == before["1_hello.mp4"]
    assert run_batch(asked).made_before == 2


def test_a_result_is_not_taken_for_that_of_a_portrait_that_was_changed_while_it_was_made(
    asked: BatchRequest, clip: Path, faces: Path
) -> None:
    asked = replace(asked, portraits=(str(faces / "1.png"),), motions=(str(clip),))

    def change(event: BatchEvent) -> None:
        if isinstance(event, Stage) and event.name == "tracking":  # the portrait has been read
            shutil.copy(EXAMPLES / "emoji.png", faces / "1.png")

    assert run_batch(asked, change).made == 1
    with pytest.raises(BatchError, match=r"1_smile\.mp4 exists already.*another portrait"):
        run_batch(asked)


def test_a_file_of_somebody_else_stays(asked: BatchRequest) -> None:
    folder = asked.output.path
    folder.mkdir()
    (folder / "max_hello.mp4").write_bytes(b"mine")
    with pytest.raises(BatchError, match=r"max_hello\.mp4 exists already.*no batch made it here"):
        run_batch(good(asked, motions="bundled:hello"))
    assert [path.name for path in folder.iterdir()] == ["max_hello.mp4"]
    assert (folder / "max_hello.mp4").read_bytes() == b"mine"


def test_a_cancelled_batch_keeps_what_is_finished_and_goes_on(
    asked: BatchRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cancelled(Exception):
        pass

    def cancel(event: BatchEvent) -> None:
        nonlocal pair
        if isinstance(event, PairBegins):
            pair = event.name
        if isinstance(event, Frame) and pair == "max_hello":
            raise Cancelled

    pair = ""
    with pytest.raises(Cancelled):
        run_batch(good(asked), cancel)
    before = files(asked.output.path)
    assert sorted(before) == ["ada_hello.mp4", "ada_smile.mp4"]
    followed = counting(monkeypatch, driving, "track_file")
    events: list[BatchEvent] = []
    assert run_batch(good(asked), events.append).made == 2
    assert followed == []
    assert not any(isinstance(event, Stage) and event.name == "tracking" for event in events[:2])
    assert {name: files(asked.output.path)[name] for name in before} == before
    assert list((asked.output.path / HIDDEN / "motions").iterdir()) == []


@pytest.mark.parametrize(("kind", "ending"), [("gif", ".gif"), ("frames", "")])
def test_clips_are_written_as_asked_and_single_frames_as_pictures(
    asked: BatchRequest, faces: Path, kind: str, ending: str
) -> None:
    output = replace(asked.output, format=kind)
    motions = ("bundled:hello", str(faces / "1.png"))
    outcome = run_batch(replace(asked, portraits="bundled:ada", motions=motions, output=output))
    names = {f"ada_hello{ending}", "ada_1.png" if kind == "gif" else "ada_1"}
    assert set(files(asked.output.path)) == names
    assert outcome.pairs[0].outcome is not None
    if kind == "gif":
        assert read_picture(asked.output.path / "ada_1.png").shape == (64, 64, 3)


def test_what_concerns_all_pairs_is_refused_before_anything_is_made(
    asked: BatchRequest, faces: Path, tmp_path: Path
) -> None:
    for wrong, kind, words in (
        (replace(asked, model=ModelChoice(weights="nowhere")), UserError, "nowhere"),
        (replace(asked, settings=AnimationSettings(size=60)), SettingsError, "multiple of"),
        (replace(asked, output=BatchOutput(path=faces)), BatchError, "would be taken for that"),
        (replace(asked, output=BatchOutput(path=faces / "1.png")), BatchError, "is a file"),
        (replace(asked, output=BatchOutput(path=tmp_path / "no" / "out")), BatchError, "there is no folder"),
        (
            replace(
                asked, output=BatchOutput(side_by_side=True), settings=AnimationSettings(loop="pingpong")
            ),
            SettingsError,
            "back and forth",
        ),
    ):
        with pytest.raises(kind, match=words):
            run_batch(wrong)
    assert not (tmp_path / "out").exists()


def test_two_batches_do_not_work_in_one_folder(asked: BatchRequest) -> None:
    request = good(asked, motions="bundled:hello")
    run_batch(request)
    held = lock(request.output.path / HIDDEN / "lock")
    assert held is not None
    with pytest.raises(BatchError, match="another batch is being made"):
        run_batch(request)
    held.release()
    assert run_batch(request).made_before == 2


@pytest.mark.parametrize("name", [HIDDEN, f"{HIDDEN}/results", f"{HIDDEN}/motions"])
def test_nothing_is_written_through_a_link(tmp_path: Path, name: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / name).parent.mkdir(parents=True)
    (tmp_path / "out" / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BatchError, match="it is a link"), BatchFolder(tmp_path / "out"):
        pass
    assert not list((tmp_path / "elsewhere").iterdir())
