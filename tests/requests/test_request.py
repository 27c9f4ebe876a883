"""A request is data: checked when it is made, from Python and from JSON alike, with a schema; and light to import."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter

from followyouremoji.config import parse
from followyouremoji.errors import UserError
from followyouremoji.options import extra, options
from followyouremoji.requests.request import AnimationRequest, ClipSettings, FaceChoice, Lora
from followyouremoji.sampling.presets import PRESETS
from followyouremoji.sampling.settings import Strategy
from followyouremoji.settings import AnimationSettings, LongClips, Speed

FILES = {"portrait": "me.jpg", "driving": "smile.mp4"}


def read(**values: Any) -> AnimationRequest:
    return parse(AnimationRequest, json.dumps({**FILES, **values}), "the request")


def test_json_gives_what_python_gives() -> None:
    made = AnimationRequest(
        **FILES,
        loras=(Lora(file=Path("ada.safetensors"), scale=0.5), Lora(file=Path("max.safetensors"))),
        clip=ClipSettings(start="0:12", duration="3s"),
        settings=AnimationSettings(seed=7, crop=False),
        resume=Path("kept"),
    )
    assert made == read(
        loras=["ada.safetensors:0.5", {"file": "max.safetensors"}],
        clip={"start": "0:12", "duration": "3s"},
        settings={"seed": 7, "crop": False},
        resume="kept",
    )
    assert parse(AnimationRequest, TypeAdapter(AnimationRequest).dump_json(made), "again") == made


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"settings": {"steps": 0}}, "`settings.steps` must be a whole number from 1 to 1000, not 0"),
        ({"settings": {"seed": True}}, "`settings.seed` must be a whole number"),
        ({"alignment": {"mouth": 6}}, "`alignment.mouth` must be a number from 0 to 5"),
        ({"settings": {"stepps": 3}}, "did you mean `steps`"),
        ({"output": {"max_side": 10}}, "`output.max_side` must be a whole number of at least 64"),
        ({"output": {"background": "beautiful"}}, "'beautiful' is no colour"),
        ({"clip": {"start": "soon"}}, "'soon' is no place in a clip"),
        ({"clip": {"start": "5", "stop": "4"}}, "is empty"),
        ({"clip": {"stop": "4", "duration": "2"}}, "not both"),
        ({"loras": ["ada.safetensors:99"]}, "`scale` must be a number from -10 to 10"),
        ({"model": {"dtype": "fp8"}}, "'fp32', 'fp16' or 'bf16'"),
        ({"faces": ["two"]}, "two is no face: give its number, 1 is the furthest to the left, or all"),
        ({"faces": ["0"]}, "0 is no face"),
        ({"faces": [{"face": True}]}, "True is no face"),
        ({"faces": ["1="]}, "1= names no driving; write 1=FILE"),
        ({"faces": ["1", "2=a.mp4", "1=b.mp4"]}, "face 1 is named twice"),
        ({"faces": ["all", "2=a.mp4"]}, "all faces are named, and single ones as well"),
        ({"faces": ["1=a.mp4", "2=b.mp4"]}, "smile.mp4 drives no face"),
        ({"driving": None}, "the face is to move, but nothing is given that drives it"),
        ({"driving": None, "faces": ["1=a.mp4", "2"]}, "face 2 is to move, but nothing is given"),
        ({"driving": None, "faces": ["all"]}, "all faces are to move, but nothing is given"),
    ],
)
def test_what_cannot_be_used_is_named(values: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as refused:
        read(**values)
    assert words in str(refused.value)


def test_loras_as_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd:2").touch()
    made = read(loras=["ada.safetensors", "ada.safetensors:-0.7", "C:ada", "odd:2"]).loras
    assert [(str(lora.file), lora.scale) for lora in made] == [
        ("ada.safetensors", 1.0),
        ("ada.safetensors", -0.7),
        ("C:ada", 1.0),
        ("odd:2", 1.0),
    ]


def test_faces_as_they_are_written() -> None:
    assert read().driven == {None: "smile.mp4"}
    assert read(faces=["2"]).driven == {2: "smile.mp4"}
    assert read(faces=["all"]).driven == {"all": "smile.mp4"}
    assert read(driving=None, faces=["all=a.mp4"]).driven == {"all": "a.mp4"}
    made = read(faces=["1", {"face": 3, "driving": "c=d.mp4"}])
    assert made.driven == {1: "smile.mp4", 3: "c=d.mp4"}
    assert made == AnimationRequest(
        **FILES, faces=(FaceChoice(face=1), FaceChoice(face=3, driving="c=d.mp4"))
    )
    assert made == read(faces=["1", "3=c=d.mp4"])


def test_a_request_and_its_parts_are_keys() -> None:
    """As for a server that knows a request again, or a model that it has loaded."""
    assert hash(read()) == hash(read())
    assert len({read().model, read().model, read(model={"device": "cpu"}).model}) == 2


def test_every_option_says_what_it_is() -> None:
    declared = list(options(AnimationRequest))
    assert len({name for name, _ in declared}) == len(declared)
    for name, field in declared:
        assert field.description, name
        assert field.description.endswith("."), name
        assert name in FILES or extra(field, "panel"), name
        assert field.default is not None or extra(field, "otherwise"), name
    schema = TypeAdapter(AnimationRequest).json_schema()
    steps = schema["$defs"]["AnimationSettings"]["properties"]["steps"]
    assert steps["anyOf"][0] == {"maximum": 1000, "minimum": 1, "type": "integer"}
    assert steps["panel"] == "Model"


def test_the_words_are_those_of_the_sampling() -> None:
    assert get_args(Speed) == tuple(PRESETS)
    assert get_args(LongClips) == ("auto", *get_args(Strategy))


def test_a_request_imports_nothing_heavy() -> None:
    program = (
        "import sys, followyouremoji.requests.request; sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    program = "import sys, followyouremoji.requests.animation; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
