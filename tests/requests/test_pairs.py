"""Which files a batch takes, in which order, and how its results are called."""

from pathlib import Path

import pytest

from followyouremoji.errors import UserError
from followyouremoji.requests.bundled import EXAMPLES
from followyouremoji.requests.pairs import LONGEST_NAME, BatchError, Pairs


def names(portraits: list[str], motions: list[str]) -> list[str]:
    return [pair.name for pair in Pairs.of(portraits, motions).pairs]


def touched(folder: Path, *files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for file in files:
        (folder / file).touch()
    return folder


def test_folders_give_their_files_in_natural_order(tmp_path: Path) -> None:
    faces = touched(tmp_path / "faces", "p10.jpg", "P2.JPG", "p1.webp", "notes.md", ".hidden.jpg")
    moves = touched(tmp_path / "moves", "b.mp4", "a.fyemotion", "c.png", "list.csv")
    touched(faces / "older", "p0.jpg")
    found = Pairs.of([str(faces)], [str(moves)])
    files = list(dict.fromkeys(pair.portrait.path.name for pair in found.pairs))
    assert files == ["p1.webp", "P2.JPG", "p10.jpg"]
    assert [pair.name for pair in found.pairs][:4] == ["p1_a", "p1_b", "p1_c", "P2_a"]
    assert [note.sentence for note in found.notes] == [
        f"{faces}: left out notes.md, older, no portrait by the name.",
        f"{moves}: left out list.csv, no motion by the name.",
    ]


def test_files_bundled_names_and_lists_come_in_the_order_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(touched(tmp_path, "me.anything", "b.mp4"))
    Path("both.txt").write_text("bundled:max\n\n  me.anything \nbundled:max\n", encoding="utf-8")
    found = Pairs.of(["bundled:ada", "both.txt"], ["b.mp4", "bundled:hello"])
    assert [pair.name for pair in found.pairs] == [
        *("ada_b", "ada_hello", "max_b", "max_hello", "me_b", "me_hello"),
    ]
    assert found.pairs[0].portrait.given == "bundled:ada"
    assert found.pairs[0].portrait.path == EXAMPLES / "ada.png"


def test_names_that_would_be_alike_are_told_apart(tmp_path: Path) -> None:
    one = touched(tmp_path / "one", "a.jpg", "A.png", "a_b.png", "c.jpg")
    two = touched(tmp_path / "two", "a.jpg")
    moves = touched(tmp_path / "moves", "b_c.gif", "c.gif")
    found = names([str(one), str(two)], [str(moves)])
    assert found == [
        *("a-jpg_b_c", "a-jpg_c", "A-png_b_c", "A-png_c", "a_b_b_c", "a_b_c"),
        *("c_b_c", "c_c", "a-jpg-2_b_c", "a-jpg-2_c"),
    ]
    assert names([str(one / "a.jpg"), str(one / "a_b.png")], [str(moves)]) == [
        *("a_b_c", "a_c", "a_b_b_c", "a_b_c-2"),
    ]


def test_names_suit_every_file_system(tmp_path: Path) -> None:
    odd = touched(tmp_path / "odd", 'what? "x".png', "ü" * 120 + ".png", "e\u0301.png", "\udcff.png")
    found = names([str(odd)], ["bundled:hello"])
    assert set(found) == {"what_ _x__hello", f"{'ü' * (LONGEST_NAME // 2)}_hello", "é_hello", "__hello"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("nowhere", "there is no file or folder nowhere"),
        ("bundled:adam", "no bundled portrait 'adam'"),
        ("empty", "empty holds no portrait: .jpg, "),
        ("bad.txt", "cannot read the list bad.txt"),
        ("blank.txt", "blank.txt holds no portrait"),
        ("wrong.txt", "there is no file or folder lost.jpg"),
    ],
)
def test_what_leads_nowhere_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    touched(tmp_path / "empty", "notes.md")
    Path("bad.txt").write_bytes(b"\xff\xfe\xfa")
    Path("blank.txt").write_text("\n")
    Path("wrong.txt").write_text("bundled:ada\nlost.jpg\n")
    with pytest.raises(UserError) as refused:
        names([given], ["bundled:hello"])
    assert words in str(refused.value)
    assert given.startswith("bundled:") or isinstance(refused.value, BatchError)
