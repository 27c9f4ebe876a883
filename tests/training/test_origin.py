"""What an exported model says of its beginnings, through runs that began with each other."""

import dataclasses
from pathlib import Path

import pytest

from followyouremoji.checkpoints import save_model
from followyouremoji.errors import WeightsError
from followyouremoji.training.origin import DRAWN, OWN_DATA, Origin, origin_of, read_origin, write_origin
from followyouremoji.training.settings import DataPart, DenoiserRun
from followyouremoji.training.starts import Start
from tests.checkpoints.small_models import small_paper_model

from .tiny import run_of


def begun(run: DenoiserRun) -> DenoiserRun:
    """The run as its first step leaves its folder, as far as its origin goes."""
    run.output.mkdir()
    write_origin(run.output, origin_of(run))
    return run


def test_runs_on_drawn_portraits_say_so_however_many_they_were(tmp_path) -> None:
    first = begun(run_of(tmp_path / "first"))
    second = begun(run_of(tmp_path / "second", stage=2, initial=first.output))
    assert origin_of(first).summary() == origin_of(second).summary() == DRAWN


def test_a_model_at_the_beginning_is_named_at_the_end_of_the_chain(tmp_path) -> None:
    model = small_paper_model()
    config = dataclasses.replace(model.config, name="ours", provenance="Trained on faces of actors.")
    folder = save_model(dataclasses.replace(model, config=config), tmp_path / "model")
    first = begun(run_of(tmp_path / "first", initial=Start(model=str(folder))))
    second = begun(run_of(tmp_path / "second", initial=Start(run=first.output, motion=Path("x/mm_v2.ckpt"))))
    third = run_of(tmp_path / "third", stage=2, initial=second.output)
    told = origin_of(third).summary()
    assert "It began with the model ours (Trained on faces of actors); the motion module mm_v2.ckpt." in told
    assert DRAWN not in told
    motion = origin_of(run_of(tmp_path / "fourth", initial=Start(motion=folder))).starts
    assert motion == ("the temporal layers of the model ours (Trained on faces of actors)",)


def test_clips_in_an_earlier_run_are_not_forgotten(tmp_path) -> None:
    clips = (DataPart(shards=Path("shards")),)
    first = begun(run_of(tmp_path / "first", drawings=None, data=clips))
    assert origin_of(run_of(tmp_path / "second", stage=2, initial=first.output)).summary() == OWN_DATA


def test_a_unet_has_the_name_of_its_folder(tmp_path) -> None:
    for unet in ("weights/sd-v1-5", "weights/sd-v1-5/unet"):
        origin = origin_of(run_of(tmp_path, initial=Start(unet=Path(unet))))
        assert origin.starts == ("the UNet of sd-v1-5",)


def test_a_run_without_a_record_is_not_said_to_be_of_drawings(tmp_path) -> None:
    (tmp_path / "old").mkdir()
    origin = origin_of(run_of(tmp_path / "new", stage=2, initial=Start(run=tmp_path / "old")))
    assert not origin.drawn
    assert "the run old, which holds no record" in origin.summary()


def test_a_damaged_record_is_refused_by_name(tmp_path) -> None:
    assert read_origin(tmp_path) is None
    write_origin(tmp_path, Origin(drawn=True, starts=("a", "b")))
    assert read_origin(tmp_path) == Origin(drawn=True, starts=("a", "b"))
    for text in ("{", "[]", '{"starts": [3]}'):
        (tmp_path / "origin.json").write_text(text)
        with pytest.raises(WeightsError, match=r"origin\.json"):
            read_origin(tmp_path)
