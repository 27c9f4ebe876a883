"""The example workflows, node by node with the bundled model, by a contract of ComfyUI's V3 API: see `contract`. This
is not ComfyUI itself; its page is (`test_page`)."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from followyouremoji.face.motion import Motion
from tests.comfyui.comfy import Comfy
from tests.comfyui.conftest import PACK, WORKFLOWS, workflow
from tests.comfyui.contract import Invalid

NAMES = json.loads((PACK.parent / "tests/comfyui/names.json").read_text())
FRAMES = 6


def short_prompt(comfy: Comfy, name: str) -> dict[str, Any]:
    """A workflow's prompt, with a motion of `FRAMES` frames."""
    prompt = comfy.prompt_of(workflow(name))
    for node in prompt.values():
        if "duration" in node["inputs"]:
            node["inputs"] |= {"start": 0.4, "duration": FRAMES / 25}
    return prompt


def outputs_of(comfy: Comfy, name: str) -> dict[str, list[Any]]:
    """What a workflow's nodes give, by their types; each type of ours is once in it that is asked for."""
    prompt = short_prompt(comfy, name)
    return {prompt[node]["class_type"]: list(given.args) for node, given in comfy.run(prompt).items()}


def test_saved_workflows_find_their_nodes_inputs_and_outputs_again(comfy: Comfy) -> None:
    """Names and their order are in people's files. A new input comes last and is optional; then it is added here."""
    assert names(comfy) == NAMES


def names(comfy: Comfy) -> dict[str, Any]:
    return {
        node: {
            "inputs": [[one.id, one.io_type] for one in schema.inputs],
            "outputs": [[one.id, one.io_type] for one in schema.outputs],
        }
        for node in sorted(comfy.nodes)
        if node.startswith("FollowYourEmoji_")
        for schema in [comfy.nodes[node].GET_SCHEMA()]
    }


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_workflows_are_valid_and_name_the_pack(comfy: Comfy, file: Any) -> None:
    saved = workflow(file.stem)
    comfy.validate(comfy.prompt_of(saved))
    ours = [node for node in saved["nodes"] if node["type"].startswith("FollowYourEmoji_")]
    assert {node["properties"]["cnr_id"] for node in ours} == {"follow-your-emoji"}


def test_every_node_is_in_a_workflow(comfy: Comfy) -> None:
    shown = {node["type"] for file in WORKFLOWS for node in workflow(file.stem)["nodes"]}
    assert NAMES.keys() <= shown


def test_animate(comfy: Comfy) -> None:
    given = outputs_of(comfy, "animate")
    images, masks, frame_rate = given["FollowYourEmoji_Animate"]
    assert images.shape == (FRAMES, 512, 512, 3)
    assert not masks.any()
    assert frame_rate == 25.0
    assert given["FollowYourEmoji_Align"][1].shape == (FRAMES, 256, 256, 3)
    (saved,) = (comfy.root / "output").glob("FollowYourEmoji_*.webp")
    with Image.open(saved) as clip:
        assert clip.n_frames == FRAMES
        clip.load()
        assert clip.info["duration"] == 40
    done, steps = zip(*comfy.progress, strict=True)
    assert list(done) == sorted(done)
    assert done[-1] == steps[-1]


def test_expression_changes_the_portrait(comfy: Comfy) -> None:
    given = outputs_of(comfy, "expression")
    assert given["FollowYourEmoji_Expression"] == [{"surprised": 0.8, "yaw": 12.0, "gaze_x": -0.4}]
    before, after = given["FollowYourEmoji_ExamplePortrait"][0], given["FollowYourEmoji_PosePortrait"][0]
    change = (after - before).abs().amax(dim=-1)[0].numpy()
    assert (change > 0.1).mean() > 0.02  # of the picture: the face
    assert change[:20].max() < 0.02  # the border above stays as it is


def test_a_motion_from_pictures_is_saved_and_loaded_again(comfy: Comfy) -> None:
    given = outputs_of(comfy, "motion_from_images")
    (motion,), (file,) = given["FollowYourEmoji_MotionFromImages"], given["FollowYourEmoji_SaveMotion"]
    assert file == "motions/FollowYourEmoji_00001_.fyemotion"
    prompt = comfy.prompt_of(workflow("animate"))
    node = next(one for one in prompt.values() if one["class_type"] == "FollowYourEmoji_LoadMotion")
    node["inputs"] |= {"file": f"{file} [output]", "start": 0.0, "duration": 0.0}
    comfy.validate(prompt)
    loaded = comfy.execute("FollowYourEmoji_LoadMotion", **node["inputs"]).args[0]
    assert isinstance(loaded, Motion)
    assert np.array_equal(loaded.landmarks, motion.landmarks)


def test_a_sticker_within_a_services_limits(comfy: Comfy) -> None:
    from followyouremoji.stickers.services import SERVICES

    prompt = short_prompt(comfy, "sticker")
    node = next(one for one in prompt.values() if one["class_type"] == "FollowYourEmoji_Sticker")
    node["inputs"] |= {"service": "discord-emoji", "backdrop": "keep"}
    (file,) = comfy.run(prompt)[next(key for key, one in prompt.items() if one is node)].args
    assert file == "stickers/FollowYourEmoji_00001_.gif"
    path = comfy.root / "output" / file
    limits = SERVICES["discord-emoji"]
    assert path.stat().st_size <= (limits.max_bytes or 0)
    with Image.open(path) as sticker:
        assert sticker.size == limits.size
        assert sticker.n_frames > 1  # type: ignore[attr-defined]
    assert list((comfy.root / "temp").glob("tmp*")) == []


def test_the_contract_refuses_what_comfyui_refuses(comfy: Comfy) -> None:
    """Else the tests above could not fail."""
    prompt = comfy.prompt_of(workflow("animate"))
    by_type = {node["class_type"]: number for number, node in prompt.items()}
    animate = by_type["FollowYourEmoji_Animate"]

    def refused(says: str, node: str = animate, **inputs: Any) -> None:
        changed = {number: {**one, "inputs": dict(one["inputs"])} for number, one in prompt.items()}
        changed[node]["inputs"] |= inputs
        with pytest.raises(Invalid, match=says):
            comfy.validate(changed)

    refused("Value not in list", speed="quick")
    refused("smaller than min", steps=-1)
    refused("Failed to convert", seed="many")
    refused("type mismatch", aligned=[by_type["FollowYourEmoji_Portrait"], 0])
    refused("must be linked", aligned="text")
    with pytest.raises(Invalid, match="not found"):
        comfy.validate({"1": {"class_type": "FollowYourEmoji_Gone", "inputs": {}}})
    with pytest.raises(Invalid, match="missing: motion"):
        comfy.validate(
            {"1": {"class_type": "FollowYourEmoji_SaveMotion", "inputs": {"filename_prefix": "a"}}}
        )
