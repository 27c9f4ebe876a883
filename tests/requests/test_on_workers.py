"""A batch on an executor's workers: the results of one process, each made and counted once."""

from dataclasses import replace
from pathlib import Path

import pytest

from followyouremoji.errors import WeightsError
from followyouremoji.executors import Local
from followyouremoji.requests import batch_elsewhere
from followyouremoji.requests.animation import animate
from followyouremoji.requests.batch import run_batch
from followyouremoji.requests.bundled import EXAMPLES
from followyouremoji.requests.events import BatchEvent, BatchProgress, Note, PairBegins, PairEnds
from followyouremoji.requests.on_workers import Order, make_pair, worker
from followyouremoji.requests.pair_maker import recipe_of
from followyouremoji.requests.pairs import BatchError, Pairs
from followyouremoji.requests.request import (
    AnimationRequest,
    BatchOutput,
    BatchRequest,
    ClipSettings,
    ModelChoice,
    Output,
)
from followyouremoji.requests.resume import Recipe, differences, fingerprint
from followyouremoji.requests.whole_paths import with_whole_paths
from followyouremoji.settings import AnimationSettings
from followyouremoji.storage import StorageError, deliver, names_in


@pytest.fixture
def asked(model: Path, clip: Path, tmp_path: Path) -> BatchRequest:
    return BatchRequest(
        portraits=("bundled:ada", "bundled:max"),
        motions=("bundled:hello", str(clip)),
        output=BatchOutput(path=tmp_path / "out", max_side=64),
        model=ModelChoice(weights=str(model), device="cpu"),
        clip=ClipSettings(stop="3"),
        settings=AnimationSettings(steps=1),
    )


def test_results_are_those_of_one_process(
    asked: BatchRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the byte; from another folder than the user's, in which workers run."""
    monkeypatch.chdir(tmp_path)
    events: list[BatchEvent] = []
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "mine").symlink_to(asked.model.weights)
    given = replace(
        asked,
        portraits=("broken.png", *asked.portraits),
        output=replace(asked.output, path=Path("there")),
        model=replace(asked.model, weights="mine"),
    )
    there = run_batch(given, events.append, executor=Elsewhere(tmp_path))
    here = run_batch(asked)
    assert there.made == here.made == 4
    assert [pair.name for pair in there.failed] == ["broken_hello", "broken_smile"]
    for one, other in zip(there.pairs[2:], here.pairs, strict=True):
        assert one.outcome is not None
        assert other.outcome is not None
        assert one.outcome.path.read_bytes() == other.outcome.path.read_bytes()
        assert set(one.outcome.notes) == set(other.outcome.notes)
    assert sum(isinstance(event, PairBegins) for event in events) == 6
    assert {event.result for event in events if isinstance(event, PairEnds)} == set(there.pairs)
    assert [event for event in events if isinstance(event, BatchProgress)][-1] == BatchProgress(18, 18)
    sentences = [event.sentence for event in events if isinstance(event, Note)]
    assert len(sentences) == len(set(sentences)) > 0
    again = run_batch(given, executor=Local())
    assert (again.made, again.made_before) == (0, 4)


class Elsewhere(Local):
    """Works in another folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder / "elsewhere"
        self._folder.mkdir()

    def map(self, *given, **more):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self._folder)
            yield from super().map(*given, **more)


def test_a_pair_whose_worker_was_lost_after_it_was_made_is_not_made_again(asked: BatchRequest) -> None:
    """The next worker finds the result with its note, and answers as the first would have."""
    run_batch(replace(asked, motions=("bundled:hello",)))
    pair = Pairs.of(asked.portraits, asked.motions).pairs[0]
    path = asked.output.path / "ada_hello.mp4"
    order = Order(pair, asked.pair(pair.portrait.given, pair.motion.given, path), 3)
    before = path.stat()
    with worker(asked) as its:
        outcome = make_pair(order, its).result.outcome
        assert outcome is not None
        assert (outcome.frames, outcome.made_before) == (3, False)
        assert path.stat() == before
        path.unlink()  # killed before the result was in its place
        assert make_pair(order, its).result.outcome is not None
        assert path.is_file()
        other = replace(order, request=replace(order.request, settings=AnimationSettings(steps=2)))
        assert "exists already" in str(make_pair(other, its).result.error)


def test_an_animation_on_workers_is_that_of_this_machine(asked: BatchRequest, tmp_path: Path) -> None:
    request = AnimationRequest(
        portrait="bundled:ada",
        driving="bundled:hello",
        output=Output(path=tmp_path / "here.apng", max_side=64),
        model=asked.model,
        clip=ClipSettings(stop="9"),
        settings=AnimationSettings(steps=1),
        resume=tmp_path / "job",
    )
    here = animate(replace(request, resume=None))
    there = animate(
        replace(request, output=replace(request.output, path=tmp_path / "there.apng")), executor=Local()
    )
    assert (there.frames, there.computed, there.forecast) == (9, here.computed, here.forecast)
    assert (tmp_path / "there.apng").read_bytes() == here.path.read_bytes()
    kept = sorted((tmp_path / "job" / "latents").iterdir())
    assert len(kept) > 1


def test_files_and_results_may_lie_elsewhere(
    asked: BatchRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Portraits, motions, weights and results at addresses, with one worker and another cache folder for it."""
    there = f"file://{tmp_path}/there"
    deliver(EXAMPLES / "ada.png", f"{there}/in/ada.png")
    deliver(Path(asked.motions[1]), f"{there}/in/smile.mp4")
    deliver(Path(asked.model.weights), f"{there}/model")
    given = replace(
        asked,
        portraits=(f"{there}/in",),
        motions=(f"{there}/in/smile.mp4", "bundled:hello"),
        output=replace(asked.output, path=Path(f"{there}/out")),
        model=replace(asked.model, weights=f"{there}/model"),
    )
    monkeypatch.setenv("FYE_HOME", str(tmp_path / "driver"))
    made = run_batch(given, executor=WithCache(tmp_path / "worker"))
    assert made.failed == ()
    out = tmp_path / "there" / "out"
    assert sorted(names_in(f"{there}/out") or ()) == ["ada_hello.mp4", "ada_smile.mp4"]
    assert [pair.outcome and pair.outcome.path for pair in made.pairs] == [
        Path(f"{there}/out/ada_smile.mp4"),
        Path(f"{there}/out/ada_hello.mp4"),
    ]
    assert not list((tmp_path / "driver" / "batches").glob("*/*.mp4"))
    animate(asked.pair(f"{there}/in/ada.png", given.motions[0], Path(f"{there}/alone.mp4")))
    assert (tmp_path / "there" / "alone.mp4").read_bytes() == (out / "ada_smile.mp4").read_bytes()
    (out / "ada_hello.mp4").unlink()
    again = run_batch(given)  # in this process
    assert (again.made, again.made_before) == (1, 1)
    with pytest.raises(
        BatchError, match=r"^file:///.*there/out/ada_smile\.mp4 exists already.*steps was 1, now 2"
    ):
        run_batch(replace(given, settings=AnimationSettings(steps=2)))


def test_a_result_that_could_not_be_delivered_is_made_again(
    asked: BatchRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what lies there meanwhile is not taken for it."""
    monkeypatch.setenv("FYE_HOME", str(tmp_path / "cache"))
    out = Path(f"file://{tmp_path}/out")
    given = replace(asked, portraits=("bundled:ada",), motions=("bundled:hello",))
    given = replace(given, output=replace(asked.output, path=out))
    other = replace(given, settings=AnimationSettings(steps=2))
    other = replace(other, output=replace(given.output, overwrite=True))

    def breaks(path: Path, address: str) -> None:
        raise StorageError("the line broke")

    for request in (given, other):
        with monkeypatch.context() as patch:
            patch.setattr(batch_elsewhere, "deliver", breaks)
            assert [pair.error for pair in run_batch(request).failed] == ["the line broke"]
        again = run_batch(request)
        assert (again.made, again.made_before, again.failed) == (1, 0, ())
        assert run_batch(request).made_before == 1


def test_certificates_are_compared_by_content_and_keys_are_not_noted(
    asked: BatchRequest, tmp_path: Path
) -> None:
    """One path or another leads to them, from one folder or another."""
    for name, content in {"one.pem": "1", "same.pem": "1", "other.pem": "2"}.items():
        (tmp_path / name).write_text(content)
    pair = Pairs.of(asked.portraits, asked.motions).pairs[0]

    def noted(name: str) -> Recipe:
        output = Output(certificate=tmp_path / name, private_key=tmp_path / f"key of {name}")
        request = replace(
            asked.pair(pair.portrait.given, pair.motion.given, tmp_path / "a.mp4"), output=output
        )
        return recipe_of(request, pair, Path(asked.model.weights), fingerprint)

    one = noted("one.pem")
    assert "key of" not in str(one)
    assert differences(one, noted("same.pem")) == []
    assert differences(one, noted("other.pem")) == ["another certificate"]


def test_a_worker_that_does_not_see_the_folder_of_results_makes_none(asked: BatchRequest) -> None:
    with pytest.raises(BatchError, match="out is not there on"), worker(asked):
        pass
    assert not asked.output.path.exists()


class WithCache(Local):
    """Works with a cache folder of its own, as on another machine."""

    def __init__(self, cache: Path) -> None:
        super().__init__()
        self._cache = cache

    def map(self, *given, **more):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FYE_HOME", str(self._cache))
            yield from super().map(*given, **more)


def test_what_all_workers_would_refuse_is_told_before_they_begin(asked: BatchRequest, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match="empty"):
        run_batch(replace(asked, model=ModelChoice(weights=str(tmp_path / "empty"))), executor=Local())
    assert not (tmp_path / "out").exists()


def test_bundled_names_are_no_paths() -> None:
    request = AnimationRequest(portrait="bundled:ada", driving="hello.mp4")
    assert with_whole_paths(request).portrait == "bundled:ada"
    assert with_whole_paths(request).model.weights == "bundled"
