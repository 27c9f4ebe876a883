"""The part of ComfyUI that custom nodes meet, written down: a contract that is checked, and not ComfyUI itself.

No registry of packages has ComfyUI, so the tests run the real nodes against this. It holds what ComfyUI documents and
does, in the V3 schema: classes of `comfy_api.latest` with the names, arguments and checks of ComfyUI's; the modules
`comfy.utils`, `comfy.model_management` and `folder_paths`; how a pack is loaded from a folder, how a saved workflow
becomes a prompt, how that is validated, and how nodes run, in inference mode. Where ComfyUI takes whatever a node
gives, this is stricter: tensors are checked for type, shape and range, and numbers and texts for their types.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as PillowImage


class Invalid(Exception):
    """A prompt that ComfyUI would refuse, or a node that breaks the contract."""


NOTES = ("Note", "MarkdownNote")
"""Nodes of the page alone."""


# comfy_api.latest.io


class Input:
    Parent: Any

    def __init__(
        self, id: str, display_name: str | None = None, optional: bool = False, tooltip: str | None = None
    ) -> None:
        self.id, self.display_name, self.optional, self.tooltip = id, display_name, optional, tooltip

    @property
    def io_type(self) -> str:
        return self.Parent.io_type

    def validate(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.id):
            raise Invalid(f"the input {self.id!r} is no name of a parameter")

    def info(self) -> dict[str, Any]:
        named = {"tooltip": self.tooltip, "display_name": self.display_name}
        return {key: value for key, value in named.items() if value is not None}


class WidgetInput(Input):
    rules: tuple[str, ...] = ()

    def __init__(self, id: str, *, default: Any = None, **more: Any) -> None:
        own = {name: more.pop(name, None) for name in self.rules}
        super().__init__(id, **more)
        self.default, self.own = default, own

    def info(self) -> dict[str, Any]:
        given = {"default": self.default, **self.own}
        return super().info() | {key: value for key, value in given.items() if value is not None}

    def validate(self) -> None:
        super().validate()
        check_value(self, self.default)


class Output:
    Parent: Any

    def __init__(
        self, id: str | None = None, display_name: str | None = None, tooltip: str | None = None
    ) -> None:
        self.id, self.display_name, self.tooltip = id, display_name, tooltip

    @property
    def io_type(self) -> str:
        return self.Parent.io_type


def comfy_type(name: str, *rules: str, widget: bool = False) -> Any:
    """A type of ComfyUI's, with an Input and an Output of its own."""
    parent = type(name, (), {"io_type": name})
    parent.Input = type("Input", (WidgetInput if widget else Input,), {"Parent": parent, "rules": rules})
    parent.Output = type("Output", (Output,), {"Parent": parent})
    return parent


NUMBER = ("min", "max", "step", "display_mode")
Int = comfy_type("INT", *NUMBER, "control_after_generate", widget=True)
Float = comfy_type("FLOAT", *NUMBER, "round", widget=True)
String = comfy_type("STRING", "multiline", "placeholder", "dynamic_prompts", widget=True)
Boolean = comfy_type("BOOLEAN", "label_on", "label_off", widget=True)
Combo = comfy_type("COMBO", "options", "upload", "image_folder", widget=True)
Image, Mask = comfy_type("IMAGE"), comfy_type("MASK")
NUMBERS: Mapping[str, type] = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool}


def check_value(given: WidgetInput, value: Any) -> None:
    """A widget's value as ComfyUI validates it: of its type, within its range, or one of its list."""
    kind, own, what = given.io_type, given.own, f"{given.id} = {value!r}"
    if kind == "COMBO":
        if value not in own["options"]:
            raise Invalid(f"Value not in list: {what}, not in {own['options']}")
        return
    if type(value) is not NUMBERS[kind]:
        raise Invalid(f"{what} is no {kind}")
    if own.get("min") is not None and value < own["min"]:
        raise Invalid(f"Value {value} smaller than min of {own['min']}: {given.id}")
    if own.get("max") is not None and value > own["max"]:
        raise Invalid(f"Value {value} bigger than max of {own['max']}: {given.id}")


def check_tensor(kind: str, value: Any, what: str) -> None:
    axes = {"IMAGE": 4, "MASK": 3}[kind]
    if not isinstance(value, torch.Tensor) or value.dtype != torch.float32 or value.ndim != axes:
        raise Invalid(f"{what} must be a float32 tensor of {axes} axes")
    if kind == "IMAGE" and value.shape[-1] not in (3, 4):
        raise Invalid(f"{what} must have colours on its last axis, not the shape {tuple(value.shape)}")
    if not len(value) or not bool(torch.isfinite(value).all()):
        raise Invalid(f"{what} is empty, or not finite")
    if float(value.min()) < 0 or float(value.max()) > 1:
        raise Invalid(f"{what} lies in [{float(value.min()):g}, {float(value.max()):g}], not in [0, 1]")


@dataclass
class Schema:
    node_id: str
    display_name: str | None = None
    category: str = "sd"
    inputs: list[Input] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    hidden: list[Any] = field(default_factory=list)
    description: str = ""
    is_output_node: bool = False
    is_experimental: bool = False

    def validate(self) -> None:
        ids = [one.id for one in (*self.inputs, *self.outputs)]
        if twice := {one for one in ids if ids.count(one) > 1}:
            raise Invalid(f"Ids must be unique between inputs and outputs, but {twice} are not.")
        for one in self.inputs:
            one.validate()


class NodeOutput:
    def __init__(self, *args: Any, ui: Any = None) -> None:
        self.args, self.ui = args, ui


class ComfyNode:
    """The base of nodes. They are never made: every method is of the class."""

    @classmethod
    def define_schema(cls) -> Schema:
        raise NotImplementedError

    @classmethod
    def execute(cls, **inputs: Any) -> NodeOutput:
        raise NotImplementedError

    @classmethod
    def GET_SCHEMA(cls) -> Schema:
        schema = cls.define_schema()
        schema.validate()
        parameters = inspect.signature(cls.execute).parameters
        free = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())
        named = {name for name, one in parameters.items() if one.kind is not inspect.Parameter.VAR_KEYWORD}
        declared = {one.id: one for one in schema.inputs}
        if named - declared.keys():
            raise Invalid(f"{schema.node_id}: execute takes undeclared inputs {named - declared.keys()}")
        if declared.keys() - named and not free:
            raise Invalid(f"{schema.node_id}: execute does not take {declared.keys() - named}")
        for name in named:
            if declared[name].optional != (parameters[name].default is not inspect.Parameter.empty):
                raise Invalid(f"{schema.node_id}: {name} is optional in one place alone")
        return schema


class ComfyExtension:
    async def on_load(self) -> None: ...

    async def get_node_list(self) -> list[type[ComfyNode]]:
        raise NotImplementedError


class PreviewText:
    def __init__(self, value: str) -> None:
        self.value = value

    def as_dict(self) -> dict[str, Any]:
        return {"text": (self.value,)}


class FolderType(StrEnum):
    input = "input"
    output = "output"
    temp = "temp"


class SavedResult(dict):
    def __init__(self, filename: str, subfolder: str, type: FolderType) -> None:
        super().__init__(filename=filename, subfolder=subfolder, type=type.value)


class SavedImages:
    def __init__(self, results: list[SavedResult], is_animated: bool = False) -> None:
        self.results, self.is_animated = results, is_animated

    def as_dict(self) -> dict[str, Any]:
        return {"images": self.results} | ({"animated": (True,)} if self.is_animated else {})


# What a workflow of ours takes from ComfyUI's own nodes


class SaveAnimatedWEBP(ComfyNode):
    @classmethod
    def define_schema(cls) -> Schema:
        return Schema(
            "SaveAnimatedWEBP",
            inputs=[
                Image.Input("images"),
                String.Input("filename_prefix", default="ComfyUI", tooltip="prefix"),
                Float.Input("fps", default=6.0, min=0.01, max=1000.0, step=0.01),
                Boolean.Input("lossless", default=True),
                Int.Input("quality", default=80, min=0, max=100),
                Combo.Input("method", options=["default", "fastest", "slowest"], default="default"),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls, images: Any, filename_prefix: str, fps: float, lossless: bool, quality: int, method: str
    ) -> NodeOutput:
        folder_paths = sys.modules["folder_paths"]
        folder, name, number, subfolder, _ = folder_paths.get_save_image_path(  # type: ignore[attr-defined]
            filename_prefix,
            folder_paths.get_output_directory(),  # type: ignore[attr-defined]
        )
        first, *others = pillow_images(images)
        file = Path(folder) / f"{name}_{number:05}_.webp"
        first.save(file, save_all=True, append_images=others, duration=int(1000 / fps), quality=quality)
        saved = SavedResult(file.name, subfolder, FolderType.output)
        return NodeOutput(ui=SavedImages([saved], is_animated=True))


class PreviewImage(ComfyNode):
    @classmethod
    def define_schema(cls) -> Schema:
        return Schema("PreviewImage", inputs=[Image.Input("images")], is_output_node=True)

    @classmethod
    def execute(cls, images: Any) -> NodeOutput:
        folder = sys.modules["folder_paths"].get_temp_directory()  # type: ignore[attr-defined]
        saved = []
        for picture in pillow_images(images):
            name = f"ComfyUI_temp_{len(list(Path(folder).iterdir())):05}_.png"
            picture.save(Path(folder) / name)
            saved.append(SavedResult(name, "", FolderType.temp))
        return NodeOutput(ui=SavedImages(saved))


def pillow_images(images: torch.Tensor) -> list[PillowImage.Image]:
    return [PillowImage.fromarray(one) for one in (images.numpy() * 255).astype(np.uint8)]


CORE = (PreviewImage, SaveAnimatedWEBP)
