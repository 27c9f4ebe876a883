"""Visitors' folders: whole, bounded, and what nobody uses goes."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from followyouremoji.errors import SettingsError
from followyouremoji.files import atomic
from followyouremoji.studio import store as store_module
from followyouremoji.studio.material import Kind, NotThere
from followyouremoji.studio.store import DAY, KEPT_UNSEEN, KEPT_UNUSED, Store, Visitor

ADA, EVE = "a" * 64, "e" * 64


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "studio") as opened:
        yield opened


def give(visitor: Visitor, kind: Kind = "portrait", size: int = 10) -> str:
    """A material of `size` bytes."""
    folder = visitor.new_folder()
    (folder / "given.png").write_bytes(b" " * size)
    return visitor.keep_material(folder, kind, "me.png", "given.png", {"faces": 1}).id


def make_older(folder: Path, seconds: float) -> None:
    then = time.time() - seconds
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (then, then))


def test_a_token_finds_its_folder_whose_name_does_not_tell_it(store: Store) -> None:
    ada = store.visitor(ADA)
    identity = give(ada)
    assert store.visitor(ADA) is ada
    assert store.visitor(ADA).material(identity).name == "me.png"
    with pytest.raises(NotThere):
        store.visitor(EVE).material(identity)
    assert ADA[:8] not in ada.folder.name
    assert store.folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "identity", ["", ".", "..", "../../x", "0" * 31, "0" * 33, "0" * 32 + "\n", "/etc", "bundled:../x"]
)
def test_what_is_asked_for_is_never_a_path(store: Store, identity: str) -> None:
    ada = store.visitor(ADA)
    give(ada)
    for look_up in (ada.material, ada.result, ada.result_file, ada.delete_result):
        with pytest.raises(NotThere):
            look_up(identity)


def test_a_visitor_s_bytes_are_bounded(tmp_path: Path) -> None:
    with Store(tmp_path, visitor_bytes=10_000) as store:
        ada, eve = store.visitor(ADA), store.visitor(EVE)
        before = ada.room()
        assert before == 10_000
        give(ada, size=4000)
        assert 5000 < ada.room() <= 6000
        first = ada.new_result("one", "bundled:ada", "bundled:hello", {})[0]
        give(ada, size=6000)
        with pytest.raises(SettingsError, match="delete some results"):
            ada.room()
        with pytest.raises(SettingsError, match="delete some results"):
            ada.new_result("two", "bundled:ada", "bundled:hello", {})
        assert [one.id for one in ada.results()] == [first.id]
        assert eve.room() == 10_000


def test_the_disk_is_not_filled(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        free: int

    ada = store.visitor(ADA)
    give(ada)
    ada.check_disk()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(store_module.LEAST_FREE - 1))
    with pytest.raises(SettingsError, match="disk is full"):
        ada.check_disk()
    with pytest.raises(SettingsError, match="disk is full"):
        ada.new_result("one", "bundled:ada", "bundled:hello", {})
    assert ada.results() == []


def test_uploads_that_nothing_names_go_after_a_day(store: Store) -> None:
    ada = store.visitor(ADA)
    used, driving, drafted, unused = (give(ada) for _ in range(4))
    ada.new_result("one", used, driving, {})
    ada.keep_draft("animate", {"portrait": drafted, "text": "ü"})
    make_older(ada.folder / "materials", KEPT_UNUSED + 60)
    new = give(ada)
    store.tidy()
    assert {folder.name for folder in (ada.folder / "materials").iterdir()} == {used, driving, drafted, new}
    with pytest.raises(NotThere):
        ada.material(unused)


def test_tabs_that_are_kept_at_once_lose_nothing_of_each_other(store: Store) -> None:
    ada, tabs = store.visitor(ADA), [f"tab{number}" for number in range(8)]
    with ThreadPoolExecutor(len(tabs)) as pool:
        list(pool.map(lambda tab: [ada.keep_draft(tab, {"count": count}) for count in range(10)], tabs))
    assert ada.draft() == {tab: {"count": 9} for tab in tabs}


def test_visitors_who_are_not_seen_go_unless_they_have_results(store: Store) -> None:
    ada, eve, new = store.visitor(ADA), store.visitor(EVE), store.visitor("f" * 64)
    for one in (ada, eve, new):
        one.keep_draft("animate", {})
    ada.new_result("one", "bundled:ada", "bundled:hello", {})
    for one in (ada, eve):
        make_older(one.folder, KEPT_UNSEEN + DAY)
    make_older(new.folder, KEPT_UNSEEN - DAY)
    store.visitor(EVE)
    store.tidy()
    assert eve.folder.exists()  # seen just now
    make_older(eve.folder, KEPT_UNSEEN + DAY)
    store.tidy()
    assert [one.folder.exists() for one in (ada, eve, new)] == [True, False, True]
    store.tidy()
    eve.keep_draft("animate", {"back": True})
    assert store.visitor(EVE).draft() == {"animate": {"back": True}}


def test_visitors_who_only_look_cost_nothing(store: Store) -> None:
    for number in range(1000):
        store.visitor(f"{number:064x}")
    assert len(store._visitors) <= 1
    assert list((store.folder / "visitors").iterdir()) == []


def test_one_studio_at_a_time_has_a_folder(tmp_path: Path) -> None:
    with Store(tmp_path), pytest.raises(SettingsError, match="another studio is at work"):
        Store(tmp_path)
    with Store(tmp_path):
        pass
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be used"):
        Store(tmp_path / "file")


def test_after_a_kill_history_is_whole_and_nothing_half_made_stays(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        ada = store.visitor(ADA)
        give(ada)
        uploading = ada.new_folder()
        results = {}
        for state in ("waiting", "running", "done", "failed", "cancelled"):
            result, folder = ada.new_result(state, "bundled:ada", "bundled:hello", {})
            results[state] = ada.change_result(result.id, state=state, file="result.mp4")
            (folder / "result.mp4").write_bytes(state.encode())
        half = ada.folder / "results" / results["running"].id
        with atomic(half / "result.mp4") as temporary:
            temporary.write_bytes(b"half")
            shutil.copytree(temporary.parent, half / ".result.00000000.part.mp4")  # as a kill leaves it
        (ada.folder / "results" / ("0" * 32)).mkdir()

    with Store(tmp_path) as store:
        ada = store.visitor(ADA)
        states = {one.title: one.state for one in ada.results()}
        assert states == {
            "waiting": "interrupted",
            "running": "interrupted",
            "done": "done",
            "failed": "failed",
            "cancelled": "cancelled",
        }
        assert ada.result_file(results["done"].id).read_bytes() == b"done"
        assert not uploading.exists()
        assert not list(ada.folder.rglob("*.part*"))
        assert not (ada.folder / "results" / ("0" * 32)).exists()
        assert len(list((ada.folder / "materials").iterdir())) == 1
