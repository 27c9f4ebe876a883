"""Nodes of ComfyUI one by one, by a contract of its V3 API: see `contract`. This is not ComfyUI itself."""

from __future__ import annotations

import re
import sys
import threading
import tomllib
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from followyouremoji.errors import SettingsError, UserError
from followyouremoji.face.sliders import SLIDERS
from followyouremoji.requests.bundled import bundled_motion, portrait_path
from tests.comfyui.comfy import Comfy, InterruptProcessingException
from tests.comfyui.conftest import PACK
from tests.comfyui.contract import WidgetInput

BRIEF = {"file": "bundled:hello", "start": 0.0, "duration": 0.2, "face": 0, "smooth": 1.0}


def run(comfy: Comfy, name: str, **inputs: Any) -> tuple[Any, ...]:
    """A node's outputs; widgets that are not named have their defaults."""
    node = f"FollowYourEmoji_{name}"
    widgets = [one for one in comfy.nodes[node].GET_SCHEMA().inputs if isinstance(one, WidgetInput)]
    return comfy.execute(node, **{one.id: one.default for one in widgets} | inputs).args


@pytest.fixture(scope="module")
def host(comfy: Comfy) -> ModuleType:
    """The pack's module that speaks with ComfyUI."""
    (name,) = (one for one in sys.modules if one.endswith("comfyui.host"))
    return sys.modules[name]


@pytest.fixture(scope="module")
def model(comfy: Comfy) -> Any:
    return run(comfy, "LoadModel")[0]


@pytest.fixture(scope="module")
def portrait(comfy: Comfy) -> Any:
    image, mask = run(comfy, "ExamplePortrait")
    return run(comfy, "Portrait", image=image, mask=mask)[0]


@pytest.fixture(scope="module")
def aligned(comfy: Comfy, portrait: Any) -> Any:
    return run(comfy, "Align", portrait=portrait, motion=run(comfy, "LoadMotion", **BRIEF)[0])[0]


def test_frames_are_those_of_the_package(comfy: Comfy, model: Any, aligned: Any) -> None:
    """The nodes are thin: to the byte what `PortraitAnimator` makes."""
    images, _, _ = run(comfy, "Animate", model=model, aligned=aligned)
    expected = list(model(portrait_path("bundled:ada"), bundled_motion("hello")[:5]))
    assert np.array_equal((images * 255).round().byte().numpy(), expected)


def test_pictures_come_back_to_the_byte(host: ModuleType) -> None:
    frames = list(np.random.default_rng(0).integers(0, 256, (3, 20, 30, 4), np.uint8))
    images, masks = host.to_images(frames)
    assert (images.shape, masks.shape) == ((3, 20, 30, 3), (3, 20, 30))
    assert np.array_equal(host.to_layers(images, masks), frames)
    assert np.array_equal(host.to_layers(images), [frame[..., :3] for frame in frames])


def test_an_empty_mask_of_load_image_makes_nothing_transparent(host: ModuleType) -> None:
    """Of opaque files ComfyUI gives a mask of 64 x 64 zeros, whatever their size."""
    (picture,) = host.to_layers(torch.rand(1, 20, 30, 3), torch.zeros(1, 64, 64))
    assert picture.shape == (20, 30, 3)


def test_masks_of_another_size_are_stretched(host: ModuleType) -> None:
    mask = torch.zeros(1, 10, 10)
    mask[:, :, :5] = 1
    (picture,) = host.to_layers(torch.rand(1, 20, 40, 3), mask)
    assert not picture[:, :18, 3].any()
    assert (picture[:, 22:, 3] == 255).all()


@pytest.mark.parametrize(
    ("images", "mask", "says"),
    [
        (torch.rand(20, 30, 3), None, "must have the shape"),
        (torch.rand(0, 20, 30, 3), None, "must have the shape"),
        (torch.rand(3, 20, 30, 3), torch.ones(2, 20, 30), "cannot have 2 masks"),
    ],
)
def test_pictures_of_other_shapes(host: ModuleType, images: Any, mask: Any, says: str) -> None:
    with pytest.raises(UserError, match=says):
        host.to_layers(images, mask)


def test_a_transparent_portrait_gives_masks(comfy: Comfy, model: Any) -> None:
    image, _ = run(comfy, "ExamplePortrait")
    mask = torch.zeros(1, 512, 512)
    mask[:, :60] = 1
    portrait = run(comfy, "Portrait", image=image, mask=mask)[0]
    _, masks = run(comfy, "PosePortrait", model=model, portrait=portrait, pose={"smile": 0.5})
    assert masks[:, :50].min() == 1
    assert masks[:, 200:].max() == 0


def test_stopping_ends_the_networks_and_the_next_run_is_whole(comfy: Comfy, model: Any, aligned: Any) -> None:
    before = threading.active_count()
    comfy.progress.clear()
    comfy.interrupt_at = 0
    with pytest.raises(InterruptProcessingException):
        run(comfy, "Animate", model=model, aligned=aligned)
    assert threading.active_count() == before
    assert len(run(comfy, "Animate", model=model, aligned=aligned)[0]) == 5


def test_stopping_while_a_clip_is_tracked(comfy: Comfy) -> None:
    image, _ = run(comfy, "ExamplePortrait")
    comfy.progress.clear()
    comfy.interrupt_at = 1
    with pytest.raises(InterruptProcessingException):
        run(comfy, "MotionFromImages", images=image.repeat(3, 1, 1, 1))
    assert comfy.progress == [(1, 3)]


def test_room_is_asked_for_before_a_model_runs_and_given_back(comfy: Comfy, model: Any, aligned: Any) -> None:
    comfy.freed.clear()
    emptied = comfy.emptied
    run(comfy, "Animate", model=model, aligned=aligned)
    weights = sum(one.nbytes for part in model.model.parts().values() for one in part.parameters())
    assert comfy.freed == [weights + (1 << 30)]
    assert comfy.emptied == emptied + 1


def test_networks_take_turns_where_comfyui_saves_memory(
    comfy: Comfy, model: Any, aligned: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    management = sys.modules["comfy.model_management"]
    assert model.model.turns is None
    monkeypatch.setattr(management, "vram_state", management.VRAMState.LOW_VRAM)  # type: ignore[attr-defined]
    short = run(comfy, "LoadModel")[0]
    assert short.model.turns is not None
    images = [run(comfy, "Animate", model=one, aligned=aligned)[0] for one in (model, short)]
    assert torch.equal(*images)


def test_models_in_comfyuis_folder_are_listed_and_loaded(comfy: Comfy, model: Any) -> None:
    from followyouremoji.checkpoints.model import save_model

    folder = comfy.root / "models" / "followyouremoji"
    folder.mkdir()
    save_model(model.model, folder / "mine")
    node = comfy.nodes["FollowYourEmoji_LoadModel"]
    assert {"bundled", "mine"} <= set(node.GET_SCHEMA().inputs[0].own["options"])
    assert run(comfy, "LoadModel", model="mine")[0].model.config == model.model.config


@pytest.mark.parametrize(
    ("node", "inputs", "says"),
    [
        ("LoadModel", {"model": "gone"}, r"no model 'gone'. Put .* models/followyouremoji"),
        ("LoadMotion", {"file": "gone.mp4"}, "no 'gone.mp4' among .* in ComfyUI's input folder"),
        ("LoadMotion", {"file": "../secret.mp4"}, "Put it there"),
        ("LoadMotion", {"file": "bundled:gone"}, "no 'bundled:gone' among the bundled motions"),
    ],
)
def test_what_a_saved_workflow_names_and_is_gone(
    comfy: Comfy, node: str, inputs: dict[str, str], says: str
) -> None:
    check = comfy.nodes[f"FollowYourEmoji_{node}"].validate_inputs  # type: ignore[attr-defined]
    assert re.search(says, check(**inputs))


def test_an_input_of_another_version_is_named(comfy: Comfy) -> None:
    with pytest.raises(UserError, match=r"another version .* Save Motion .* has no input quality"):
        run(comfy, "SaveMotion", motion=bundled_motion("hello"), quality=3)


def test_errors_name_the_inputs_that_they_are_about(comfy: Comfy, portrait: Any) -> None:
    with pytest.raises(SettingsError, match="Inputs of this node: pose, head"):
        run(
            comfy,
            "Align",
            portrait=portrait,
            motion=bundled_motion("hello"),
            head="absolute",
            pose={"smile": 1.0},
        )


def test_a_face_that_is_not_there(comfy: Comfy) -> None:
    image, _ = run(comfy, "ExamplePortrait")
    with pytest.raises(UserError, match="Face 2 was asked for"):
        run(comfy, "Portrait", image=image, face=2)


def test_a_changed_file_is_read_again(comfy: Comfy) -> None:
    file = comfy.root / "input" / "wave.fyemotion"
    bundled_motion("hello").save(file)
    fingerprint = comfy.nodes["FollowYourEmoji_LoadMotion"].fingerprint_inputs  # type: ignore[attr-defined]
    first = fingerprint(file=file.name, start=0.0)
    assert fingerprint(file=file.name, start=0.0) == first
    bundled_motion("talk").save(file, overwrite=True)
    assert fingerprint(file=file.name, start=0.0) != first


def test_every_slider_is_an_input_with_its_range(comfy: Comfy) -> None:
    inputs = {one.id: one for one in comfy.nodes["FollowYourEmoji_Expression"].GET_SCHEMA().inputs}
    for slider in SLIDERS:
        assert (inputs[slider.name].own["min"], inputs[slider.name].own["max"]) == (slider.low, slider.high)
    assert run(comfy, "Expression") == ({},)


def test_settings_say_what_the_package_says(comfy: Comfy, model: Any, aligned: Any) -> None:
    """0 and auto leave a setting open; others arrive as they are."""
    from followyouremoji.settings import AnimationSettings

    (widgets,) = (module for name, module in sys.modules.items() if name.endswith("comfyui.widgets"))
    names = ("seed", "steps", "guidance_scale", "crop", "paste_back")
    defaults = {one.id: one.default for one in widgets.widgets(AnimationSettings, *names)}  # type: ignore[attr-defined]
    read = widgets.settings_of  # type: ignore[attr-defined]
    assert read(AnimationSettings, defaults) == AnimationSettings()
    given = defaults | {"steps": 3, "crop": "off", "guidance_scale": 2.0}
    assert read(AnimationSettings, given) == AnimationSettings(steps=3, crop=False, guidance_scale=2.0)
    with pytest.raises(SettingsError, match="guidance_scale"):
        read(AnimationSettings, {"guidance_scale": 0.5})


def test_the_pack_asks_for_this_package_and_pins_nothing() -> None:
    """ComfyUI's environment has its own torch and NumPy."""
    project = tomllib.loads((PACK / "pyproject.toml").read_text())
    assert project["project"]["dependencies"] == ["followyouremoji"]
    assert (PACK / "requirements.txt").read_text().split() == ["followyouremoji"]
    assert {"PublisherId", "DisplayName", "Icon"} <= project["tool"]["comfy"].keys()
    ours = tomllib.loads((PACK.parent / "pyproject.toml").read_text())["project"]["dependencies"]
    pinned = [one for one in ours if re.match(r"(torch|numpy|transformers|safetensors)\b.*(<|==|~=)", one)]
    assert pinned == []


def test_networks_leave_a_device_unless_they_take_turns(comfy: Comfy, host: ModuleType) -> None:
    """Seen on torch's device "meta", which every machine has."""
    from followyouremoji.animator import PortraitAnimator
    from followyouremoji.checkpoints.offloading import Turns
    from tests.small_model import small_model

    elsewhere = torch.device("meta")
    moved, kept = PortraitAnimator(small_model()), PortraitAnimator(replace(small_model(), turns=Turns({})))
    for animator in (moved, kept):
        host.move(animator, elsewhere)
    assert {one.device for part in moved.model.parts().values() for one in part.parameters()} == {elsewhere}
    assert kept.model.device == torch.device("cpu")
