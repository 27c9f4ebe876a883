"""A resume folder: what it keeps and what it refuses."""

import resource
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from followyouremoji.errors import UserError
from followyouremoji.face.motion import Motion
from followyouremoji.media.pictures import write_picture
from followyouremoji.requests.events import Note, Outcome
from followyouremoji.requests.request import AnimationRequest, ClipSettings, ModelChoice
from followyouremoji.requests.resume import (
    Recipe,
    ResumeError,
    ResumeFolder,
    differences,
    fingerprint,
    recipe,
)
from followyouremoji.settings import AnimationSettings

RECIPE = {
    "portrait": "a1",
    "driving": "b2",
    "weights": [["config.json", "c3"]],
    "LoRA": [],
    "steps": 2,
}
OUTCOME = Outcome(
    path=Path("there.mp4"),
    frames=4,
    size=(64, 48),
    frame_rate=29.97,
    sound=True,
    seconds=2.5,
    notes=(Note("drawn_model", "Drawn."),),
)
LATENTS = torch.arange(24.0).reshape(1, 2, 3, 2, 2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "job"


def motion() -> Motion:
    rng = np.random.default_rng(0)
    landmarks = rng.uniform(size=(4, 478, 3)).astype(np.float32)
    return Motion(
        landmarks, np.arange(4) / 29.97, 29.97, (640, 480), "clip.mp4", np.array([True, False, True, True])
    )


def test_what_is_kept_comes_back_exactly(folder: Path) -> None:
    with ResumeFolder(folder, RECIPE) as kept:
        assert kept.latents().load(3) is None
        assert kept.motion() is None
        kept.latents().save(3, LATENTS)
        again = kept.keep_motion(motion())
    with ResumeFolder(folder, RECIPE) as kept:
        latents = kept.latents().load(3)
        assert kept.latents(2).load(3) is None
        assert latents is not None
        assert torch.equal(latents, LATENTS)
        read = kept.motion()
        assert read is not None
        for one in (again, read):
            np.testing.assert_array_equal(one.landmarks, motion().landmarks)
            np.testing.assert_array_equal(one.timestamps, motion().timestamps)
        assert kept.outcome({"path": "there.mp4"}) is None
        kept.finish({"path": "there.mp4"}, OUTCOME)
    with ResumeFolder(folder, RECIPE) as kept:
        assert kept.outcome({"path": "there.mp4"}) == OUTCOME.model_copy(update={"made_before": True})
        assert kept.outcome({"path": "elsewhere.mp4"}) is None


def test_another_request_is_told_what_differs(folder: Path) -> None:
    with ResumeFolder(folder, RECIPE) as kept:
        kept.latents().save(0, LATENTS)
    other = {**RECIPE, "portrait": "a2", "steps": 4}
    with (
        pytest.raises(
            ResumeError, match="keeps the work of another request: another portrait; steps was 2, now 4"
        ),
        ResumeFolder(folder, other),
    ):
        pass
    assert differences({"loop": None}, {"loop": "blend", "new": 1}) == [
        "loop was not given, now blend",
        "new was not given, now 1",
    ]


def test_a_folder_that_kept_nothing_yet_takes_a_corrected_request(folder: Path) -> None:
    """As after one whose size, say, was refused."""
    with ResumeFolder(folder, RECIPE):
        pass
    other = {**RECIPE, "steps": 4}
    with ResumeFolder(folder, other) as kept:
        kept.latents().save(0, LATENTS)
    with pytest.raises(ResumeError, match="steps was 4, now 2"), ResumeFolder(folder, RECIPE):
        pass


def test_another_folder_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "beach.jpg").write_bytes(b"sand")
    with (
        pytest.raises(ResumeError, match=r"holds beach\.jpg and no kept work"),
        ResumeFolder(tmp_path / "holiday", RECIPE),
    ):
        pass
    assert [path.name for path in (tmp_path / "holiday").iterdir()] == ["beach.jpg"]
    (tmp_path / "file").write_text("")
    for path, words in ((tmp_path / "file", "is a file"), (tmp_path / "no" / "job", "there is no folder")):
        with pytest.raises(ResumeError, match=words), ResumeFolder(path, RECIPE):
            pass


def test_a_killed_beginning_is_begun_again(folder: Path) -> None:
    """Killed after the lock and half of the first file were written."""
    (folder / "latents").mkdir(parents=True)
    (folder / "lock").touch()
    for part in (".request.0a1b2c3d.part.json", "latents/.1-000000.0a1b2c3d.part.safetensors"):
        (folder / part).mkdir()
        (folder / part / "new").write_bytes(b"half")
    with ResumeFolder(folder, RECIPE) as kept:
        assert kept.latents().load(0) is None
    assert not list(folder.rglob(".*"))


def test_two_runs_cannot_work_in_one_folder(folder: Path) -> None:
    with (
        ResumeFolder(folder, RECIPE),
        pytest.raises(ResumeError, match="another run works in"),
        ResumeFolder(folder, RECIPE),
    ):
        pass
    with ResumeFolder(folder, RECIPE):
        pass  # the lock ended with its run


@pytest.mark.parametrize("place", [0, 40, -1])
def test_damaged_latents_are_made_anew(folder: Path, place: int) -> None:
    path = folder / "latents" / "1-000001.safetensors"
    with ResumeFolder(folder, RECIPE) as folder_kept:
        kept = folder_kept.latents()
        kept.save(1, LATENTS)
        data = bytearray(path.read_bytes())
        data[place] ^= 0x40
        path.write_bytes(data)
        assert kept.load(1) is None
        path.write_bytes(data[:-5])
        assert kept.load(1) is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "[" * 5000, '{"format": 1}', '{"format": 1, "recipe": {}, "finished": null}'),
        '{"format": 3, "recipe": {}, "finished": {"result": {}, "outcome": {"path": 1}}}',
        '{"format": 3, "recipe": {"steps": NaN}, "finished": null}',
    ],
)
def test_a_damaged_folder_is_told(folder: Path, text: str) -> None:
    with ResumeFolder(folder, RECIPE):
        pass
    (folder / "request.json").write_text(text)
    with pytest.raises(ResumeError, match="begin anew"), ResumeFolder(folder, RECIPE):
        pass


def test_a_damaged_motion_is_told(folder: Path) -> None:
    with ResumeFolder(folder, RECIPE) as kept:
        kept.keep_motion(motion())
        (folder / "motion-1.fyemotion").write_bytes(b"PK")
        with pytest.raises(
            ResumeError, match=r"motion-1\.fyemotion is damaged, so nothing can go on from it"
        ):
            kept.motion()


@pytest.fixture
def little_room() -> Iterator[None]:
    """Files of this process cannot grow beyond 64 KiB, as on a disc that is full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.filterwarnings("error")  # also of errors that nobody can catch
def test_a_full_disc_is_told_and_leaves_no_half_of_a_file(folder: Path, little_room: None) -> None:
    with ResumeFolder(folder, RECIPE) as kept:
        kept.latents().save(0, LATENTS)
        with pytest.raises(
            ResumeError, match=r"cannot write .*1-000001\.safetensors: .*see that the disc has room"
        ):
            kept.latents().save(1, torch.zeros(1 << 16))
        with pytest.raises(ResumeError, match=r"cannot write .*fyemotion"):
            kept.keep_motion(
                Motion(
                    **{
                        **vars(motion()),
                        "landmarks": np.random.default_rng(0).uniform(size=(40, 478, 3)).astype(np.float32),
                        "timestamps": np.arange(40.0),
                        "found": np.ones(40, bool),
                    }
                )
            )
    assert sorted(path.name for path in (folder / "latents").iterdir()) == ["1-000000.safetensors"]
    assert not list(folder.glob("*.fyemotion"))


def test_fingerprints_follow_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "b").write_bytes(b"x")
    assert fingerprint(tmp_path / "a") == fingerprint(tmp_path / "b")
    before = fingerprint(tmp_path)
    (tmp_path / "b").write_bytes(b"y")
    assert fingerprint(tmp_path) != before
    with pytest.raises(UserError, match="cannot read"):
        fingerprint(tmp_path / "c")


def test_a_folder_is_of_one_decoder(model: Path, tmp_path: Path) -> None:
    file = tmp_path / "file.png"
    write_picture(file, np.zeros((32, 32, 3), np.uint8))

    def asked(decoder: str) -> Recipe:
        choice = ModelChoice(weights=str(model), decoder=decoder)
        request = AnimationRequest(portrait=str(file), driving=str(file), model=choice)
        return recipe(request, file, [file], model, None)

    one, other = (tmp_path / name for name in ("one", "other"))
    one.write_bytes(b"1")
    other.write_bytes(b"1")
    assert differences(asked(str(one)), asked(str(other))) == []
    other.write_bytes(b"2")
    for decoder in ("full", str(other)):
        assert differences(asked(str(one)), asked(decoder)) == ["another decoder"]


def test_a_folder_is_of_one_part_of_the_driving_at_one_rate_however_it_is_computed(
    model: Path, tmp_path: Path
) -> None:
    file = tmp_path / "file.png"
    write_picture(file, np.zeros((32, 32, 3), np.uint8))

    def asked(
        rate: float | None = None, batch: int | None = None, device: str = "cpu", **part: str
    ) -> Recipe:
        request = AnimationRequest(
            portrait=str(file),
            driving=str(file),
            model=ModelChoice(weights=str(model), device=device),
            clip=ClipSettings(**part),
            settings=AnimationSettings(frame_rate=rate, batch=batch),
        )
        return recipe(request, file, [file], model, None)

    before = asked()
    assert differences(before, asked(device="cuda", batch=3)) == []
    assert differences(before, asked(stop="40")) == ["stop was not given, now 40"]
    assert differences(asked(stop="40"), asked(stop="40s")) == ["stop was 40, now 40s"]
    assert differences(before, asked(12.0)) == ["frame_rate was not given, now 12.0"]


def test_latents_of_another_part_face_or_job_are_made_anew(folder: Path, tmp_path: Path) -> None:
    with ResumeFolder(folder, RECIPE) as kept:
        kept.latents().save(1, LATENTS)
        content = (folder / "latents" / "1-000001.safetensors").read_bytes()
        for name in ("1-000002", "2-000001"):
            (folder / "latents" / f"{name}.safetensors").write_bytes(content)
        assert kept.latents().load(1) is not None
        assert kept.latents().load(2) is None
        assert kept.latents(2).load(1) is None
    with ResumeFolder(tmp_path / "other", {**RECIPE, "portrait": "a2"}) as other:
        (tmp_path / "other" / "latents" / "1-000001.safetensors").write_bytes(content)
        assert other.latents().load(1) is None


def test_a_link_in_a_folder_leads_nowhere(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "precious").write_text("mine")
    for name, target in (("latents", tmp_path / "elsewhere"), ("lock", tmp_path / "precious")):
        folder.mkdir()
        (folder / name).symlink_to(target)
        with pytest.raises(ResumeError, match="link"), ResumeFolder(folder, RECIPE):
            pass
        shutil.rmtree(folder)
    assert not list((tmp_path / "elsewhere").iterdir())
    assert (tmp_path / "precious").read_text() == "mine"


def test_what_a_folder_says_of_another_request_is_told_shortly(folder: Path) -> None:
    with ResumeFolder(folder, {**RECIPE, "steps": "\x1b[2J" * 1000}) as kept:
        kept.latents().save(0, LATENTS)
    with pytest.raises(ResumeError, match="steps was") as refused, ResumeFolder(folder, RECIPE):
        pass
    assert len(str(refused.value).replace(str(folder), "")) < 300
    assert str(refused.value).isprintable()
