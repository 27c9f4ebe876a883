"""What is shown says nothing of the systems, and is shown only where all made it."""

import shutil
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from followyouremoji.benchmark.store import Results
from followyouremoji.benchmark.study.answers import Answers
from followyouremoji.benchmark.study.material import DRIVING, PORTRAIT, RESULT, Material, media_path
from followyouremoji.benchmark.suite import Manifest, PairItem, Suite
from followyouremoji.errors import DataError
from followyouremoji.media.clips import ClipReader
from tests.benchmark.study.sample import SYSTEMS, write_made

Files = tuple[dict[tuple[str, str], Path], list[str], list[str]]


def written(results: Results, folder: Path) -> Files:
    """The files of a study by (pair, what), the pairs shown, and what is wrong with others."""
    material = Material.of(results)
    with Answers(folder / "study.db", "print", material.systems) as answers:
        names = answers.media_names(material.files)
    shown, problems = material.write(names, folder / "media", lambda done, total: None)
    return {key: media_path(folder / "media", name, key[1]) for key, name in names.items()}, shown, problems


@pytest.fixture(scope="module")
def files(results: Results, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """What `written` made, for tests that only look."""
    return written(results, tmp_path_factory.mktemp("files"))


def facts(path: Path) -> tuple[object, ...]:
    """All that a clip's container and codec say."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        codec = stream.codec_context
        return (
            (codec.name, codec.width, codec.height, codec.pix_fmt, codec.profile, codec.extradata),
            (stream.average_rate, stream.frames, stream.duration, dict(stream.metadata)),
            (dict(container.metadata), len(container.streams)),
        )


def test_files_tell_nothing_of_their_system(files: Files) -> None:
    paths, shown, problems = files
    assert len(shown) == 4
    assert problems == []
    assert len(set(paths.values())) == 4 * (2 + len(SYSTEMS))
    words = {word.encode() for system in SYSTEMS for word in (system, system.partition(":")[0])}
    for path in paths.values():
        content = path.read_bytes()
        assert not any(word in content for word in words)
        assert path.stat().st_mtime == 0
    for pair in shown:
        assert len({repr(facts(paths[pair, RESULT + system])) for system in SYSTEMS}) == 1


def test_files_show_what_they_should(results: Results, files: Files) -> None:
    paths, _, _ = files
    case = Material.of(results).cases[1]
    np.testing.assert_array_equal(np.asarray(Image.open(paths[case.name, PORTRAIT])), case.portrait)
    with ClipReader(paths[case.name, DRIVING]) as reader:
        driving = np.stack([picture for _, picture in reader])
    assert driving.shape == case.driving.shape
    assert np.abs(driving.astype(float) - case.driving).mean() < 6  # H.264 of few pixels
    with ClipReader(paths[case.name, RESULT + SYSTEMS[1]]) as reader:
        shown = np.stack([picture for _, picture in reader])
    with ClipReader(results.clip_path(SYSTEMS[1], case.name)) as reader:
        made = np.stack([picture for _, picture in reader])
    assert np.abs(shown.astype(float) - made).mean() < 3


def test_clips_of_different_sizes_are_shown_at_the_largest(copied: Results, tmp_path: Path) -> None:
    pair = Material.of(copied).cases[0].name
    write_made(copied, SYSTEMS[2], pair, [np.full((96, 96, 3), 99, np.uint8)] * 4)
    paths, _, _ = written(copied, tmp_path)
    assert {facts(paths[pair, RESULT + system])[0][1:3] for system in SYSTEMS} == {(96, 96)}


def test_what_is_there_is_not_written_again(results: Results, files: Files) -> None:
    paths, _, _ = files
    before = {path: path.stat().st_ino for path in paths.values()}
    gone = min(before)
    gone.unlink()
    again, _, _ = written(results, gone.parent.parent)
    assert again == paths
    assert {path for path in before if path.stat().st_ino != before[path]} <= {gone}
    assert gone.exists()


def test_pairs_that_a_system_lacks_or_that_are_broken_are_left_out(copied: Results, tmp_path: Path) -> None:
    lacking, short, broken, whole = (case.name for case in Material.of(copied).cases)
    copied.clip_path(SYSTEMS[0], lacking).unlink()
    write_made(copied, SYSTEMS[1], short, [np.zeros((64, 64, 3), np.uint8)] * 3)
    copied.clip_path(SYSTEMS[2], broken).write_bytes(b"no clip")
    _, shown, problems = written(copied, tmp_path)
    assert shown == [whole]
    assert [problem.split(" ")[0] for problem in problems] == [short, broken]
    assert "has 3 frames of 4" in problems[0]
    shutil.rmtree(tmp_path / "media")
    copied.clip_path(SYSTEMS[3], whole).write_bytes(b"no clip")
    with pytest.raises(DataError, match="no pair to show; pair-"):
        written(copied, tmp_path)


def test_cross_reenactment_is_shown_where_there_is_any(copied: Results, tmp_path: Path) -> None:
    suite = Suite.read(Path(copied.run.suite_folder))
    alone = PairItem(name="alone", clip="clip-0")

    def with_pairs(name: str, pairs: list[PairItem]) -> Results:
        folder = tmp_path / name
        shutil.copytree(suite.folder, folder)
        manifest = suite.manifest
        changed = Manifest(**{**vars(manifest), "pairs": pairs})
        (folder / "manifest.json").write_text(changed.to_json())
        run = replace(copied.run, suite_folder=str(folder), fingerprint=Suite.read(folder).fingerprint)
        return replace(copied, run=run)

    for system in SYSTEMS:
        write_made(copied, system, "alone", [np.zeros((64, 64, 3), np.uint8)] * 4)
    both = with_pairs("both", [alone, *suite.manifest.pairs])
    assert "alone" not in [case.name for case in Material.of(both).cases]
    assert [case.name for case in Material.of(with_pairs("self", [alone])).cases] == ["alone"]


def test_nothing_to_compare_is_said(copied: Results, tmp_path: Path) -> None:
    run = copied.run
    one = replace(copied, run=replace(run, systems=run.systems[:1]))
    with pytest.raises(DataError, match="results of 1 systems; a study compares 2 to 26"):
        Material.of(one)
    with pytest.raises(DataError, match="has changed since"):
        Material.of(replace(copied, run=replace(run, fingerprint="0" * 64)))
    with pytest.raises(DataError, match=r"is no suite: its manifest\.json cannot be read"):
        Material.of(replace(copied, run=replace(run, suite_folder=str(tmp_path / "nowhere"))))
    for path in (copied.folder / "clips").rglob("*.mp4"):
        if "Heron" in str(path):
            path.unlink()
    with pytest.raises(
        DataError, match="no pair that all of Heron: moves, Kestrel: late, Lapwing: still and 1"
    ):
        Material.of(copied)
