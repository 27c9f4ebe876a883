"""The part of ComfyUI that custom nodes meet, written down: a contract that is checked, and not ComfyUI itself.

No registry of packages has ComfyUI, so the tests run the real nodes against this. It holds what ComfyUI documents and
does, in the V3 schema: classes of `comfy_api.latest` with the names, arguments and checks of ComfyUI's; the modules
`comfy.utils`, `comfy.model_management` and `folder_paths`; how a pack is loaded from a folder, how a saved workflow
becomes a prompt, how that is validated, and how nodes run, in inference mode. Where ComfyUI takes whatever a node gives,
this is stricter: tensors are checked for type, shape and range, and numbers and texts for their types.
"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image as PillowImage


class Invalid(Exception):
    """A prompt that ComfyUI would refuse, or a node that breaks the contract."""


class InterruptProcessingException(Exception):
    """As in `comfy.model_management`."""


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
    parent.Input = type(
        "Input", (WidgetInput if widget else Input,), {"Parent": parent, "rules": rules}
    )
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


class FolderType(str, Enum):
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
        folder, name, number, _, _ = folder_paths.get_save_image_path(  # type: ignore[attr-defined]
            filename_prefix, folder_paths.get_output_directory()  # type: ignore[attr-defined]
        )
        first, *others = [PillowImage.fromarray(one) for one in (images.numpy() * 255).astype(np.uint8)]
        file = Path(folder) / f"{name}_{number:05}_.webp"
        first.save(file, save_all=True, append_images=others, duration=int(1000 / fps), quality=quality)
        return NodeOutput()


class PreviewImage(ComfyNode):
    @classmethod
    def define_schema(cls) -> Schema:
        return Schema("PreviewImage", inputs=[Image.Input("images")], is_output_node=True)

    @classmethod
    def execute(cls, images: Any) -> NodeOutput:
        return NodeOutput(ui={"images": [tuple(images.shape)]})


CORE = (PreviewImage, SaveAnimatedWEBP)


# ComfyUI's modules, with folders of their own


class Comfy:
    """A ComfyUI with its folders in `root`: its modules, what nodes asked of them, and prompts that are run.

    `progress` are the steps done and all of every update of a bar; `freed` what room was asked for, in bytes.
    `interrupt_at` is the number of the update at which the user stops the work.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.progress: list[tuple[int, int]] = []
        self.freed: list[float] = []
        self.emptied = 0
        self.interrupt_at: int | None = None
        self.nodes: dict[str, type[ComfyNode]] = {}
        for folder in ("models", "input", "output"):
            (root / folder).mkdir(parents=True)
        self._paths: dict[str, list[str]] = {}

    def modules(self) -> dict[str, ModuleType]:
        comfy, api = module("comfy", __path__=[]), module("comfy_api", __path__=[])
        management = module(
            "comfy.model_management",
            InterruptProcessingException=InterruptProcessingException,
            VRAMState=Enum("VRAMState", ["DISABLED", "NO_VRAM", "LOW_VRAM", "NORMAL_VRAM", "HIGH_VRAM", "SHARED"]),
            get_torch_device=lambda: torch.device("cpu"),
            intermediate_device=lambda: torch.device("cpu"),
            unet_offload_device=lambda: torch.device("cpu"),
            minimum_inference_memory=lambda: 1 << 30,
            free_memory=lambda memory_required, device, keep_loaded=(): self.freed.append(memory_required),
            soft_empty_cache=self._emptied,
            throw_exception_if_processing_interrupted=self._throw,
        )
        management.vram_state = management.VRAMState.DISABLED
        utils = module("comfy.utils", ProgressBar=self._progress_bar())
        comfy.model_management, comfy.utils = management, utils
        io = module("comfy_api.latest.io", Custom=comfy_type)
        for public in (Input, Output, WidgetInput, Schema, NodeOutput, ComfyNode, FolderType):
            setattr(io, public.__name__, public)
        for name, kind in zip(
            ("Int", "Float", "String", "Boolean", "Combo", "Image", "Mask"),
            (Int, Float, String, Boolean, Combo, Image, Mask),
            strict=True,
        ):
            setattr(io, name, kind)
        ui = SimpleNamespace(PreviewText=PreviewText, SavedResult=SavedResult, SavedImages=SavedImages)
        latest = module("comfy_api.latest", io=io, ui=ui, ComfyExtension=ComfyExtension)
        folders = module(
            "folder_paths",
            models_dir=str(self.root / "models"),
            add_model_folder_path=self._add_folder,
            get_folder_paths=lambda name: list(self._paths[name]),
            get_input_directory=lambda: str(self.root / "input"),
            get_output_directory=lambda: str(self.root / "output"),
            get_annotated_filepath=self._annotated,
            get_save_image_path=save_path,
        )
        made = (comfy, api, management, utils, latest, folders)
        return {one.__name__: one for one in made}

    def _progress_bar(self) -> type:
        comfy = self

        class ProgressBar:
            def __init__(self, total: int, node_id: str | None = None) -> None:
                self.total = total

            def update_absolute(self, value: int, total: int | None = None, preview: Any = None) -> None:
                self.total = total or self.total
                if not 0 <= value <= self.total:
                    raise Invalid(f"progress of {value} of {self.total}")
                comfy.progress.append((value, self.total))

        return ProgressBar

    def _throw(self) -> None:
        if self.interrupt_at is not None and len(self.progress) >= self.interrupt_at:
            self.interrupt_at = None  # as ComfyUI forgets it once it is raised
            raise InterruptProcessingException

    def _emptied(self, force: bool = False) -> None:
        self.emptied += 1

    def _add_folder(self, name: str, path: str, is_default: bool = False) -> None:
        self._paths.setdefault(name, []).append(path)

    def _annotated(self, name: str) -> str:
        for folder in ("input", "output"):
            if name.endswith(f" [{folder}]"):
                return str(self.root / folder / name.removesuffix(f" [{folder}]"))
        return str(self.root / "input" / name)

    def load(self, folder: Path) -> dict[str, type[ComfyNode]]:
        """Load a pack as ComfyUI loads a folder of `custom_nodes`; its nodes by their ids."""
        name = str(folder).replace(".", "_x_")
        spec = importlib.util.spec_from_file_location(
            name, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        assert spec is not None
        assert spec.loader is not None
        pack = importlib.util.module_from_spec(spec)
        sys.modules[name] = pack
        spec.loader.exec_module(pack)

        async def listed() -> list[type[ComfyNode]]:
            extension = await pack.comfy_entrypoint()
            await extension.on_load()
            return await extension.get_node_list()

        own = {node.GET_SCHEMA().node_id: node for node in asyncio.run(listed())}
        self.nodes = {core.define_schema().node_id: core for core in CORE} | own
        return own

    def prompt_of(self, workflow: Mapping[str, Any]) -> dict[str, Any]:
        """A workflow as ComfyUI's page saves it, as the prompt that the page would queue."""
        links = {link[0]: link for link in workflow["links"]}
        prompt: dict[str, Any] = {}
        for node in workflow["nodes"]:
            if node["type"] in NOTES:
                continue
            schema = self._schema(node["type"])
            inputs: dict[str, Any] = {}
            values = iter(node.get("widgets_values", []))
            for one in schema.inputs:
                if isinstance(one, WidgetInput):
                    inputs[one.id] = next(values)
                    if one.own.get("control_after_generate"):
                        next(values)
            if (left := list(values)) != []:
                raise Invalid(f"{node['type']} has values of no widget: {left}")
            for socket in node.get("inputs", []):
                if socket["link"] is not None:
                    _, source, slot, target, place, kind = links[socket["link"]]
                    if target != node["id"] or node["inputs"][place] is not socket or kind != socket["type"]:
                        raise Invalid(f"link {socket['link']} and the socket {socket['name']} disagree")
                    inputs[socket["name"]] = [str(source), slot]
            prompt[str(node["id"])] = {"class_type": node["type"], "inputs": inputs}
        return prompt

    def object_info(self) -> dict[str, Any]:
        """What ComfyUI tells its page of every node."""
        return {name: node_info(node) for name, node in self.nodes.items()}

    def _schema(self, node_id: str) -> Schema:
        if node_id not in self.nodes:
            raise Invalid(f"Node {node_id!r} not found. The custom node may not be installed.")
        return self.nodes[node_id].GET_SCHEMA()

    def validate(self, prompt: Mapping[str, Any]) -> None:
        """Raise Invalid for a prompt that ComfyUI would not queue."""
        for node in prompt.values():
            schema, cls = self._schema(node["class_type"]), self.nodes[node["class_type"]]
            own_check: Callable[..., bool | str] | None = getattr(cls, "validate_inputs", None)
            checked = list(inspect.signature(own_check).parameters) if own_check else []
            for one in schema.inputs:
                if one.id not in node["inputs"]:
                    if not one.optional:
                        raise Invalid(f"Required input is missing: {one.id}")
                    continue
                value = node["inputs"][one.id]
                if isinstance(value, list):
                    source, slot = value
                    given = self._schema(prompt[source]["class_type"]).outputs[slot].io_type
                    if given != one.io_type:
                        raise Invalid(f"Return type mismatch between linked nodes: {one.id}, {given} is no {one.io_type}")
                elif not isinstance(one, WidgetInput):
                    raise Invalid(f"{one.id} must be linked")
                elif one.id not in checked:
                    check_value(one, value)
            if own_check:
                answer = own_check(**{name: node["inputs"][name] for name in checked})
                if answer is not True:
                    raise Invalid(f"Custom validation failed for node: {answer}")

    def run(self, prompt: Mapping[str, Any]) -> dict[str, NodeOutput]:
        """What every node of a prompt gives, each after those that it is linked to."""
        self.validate(prompt)
        done: dict[str, NodeOutput] = {}

        def need(name: str) -> NodeOutput:
            if name not in done:
                node = prompt[name]
                schema = self._schema(node["class_type"])
                known = {one.id for one in schema.inputs}
                inputs = {}
                for key, value in node["inputs"].items():
                    if isinstance(value, list):  # ComfyUI hands on links that it does not know, too
                        inputs[key] = need(value[0]).args[value[1]]
                    elif key in known:
                        inputs[key] = value
                done[name] = self.execute(node["class_type"], **inputs)
            return done[name]

        for name, node in prompt.items():
            if self._schema(node["class_type"]).is_output_node:
                need(name)
        return done

    def execute(self, node_id: str, **inputs: Any) -> NodeOutput:
        """Run one node, in inference mode as ComfyUI does, and check what it gives."""
        schema = self._schema(node_id)
        for one in schema.inputs:
            if one.io_type in ("IMAGE", "MASK") and one.id in inputs:
                check_tensor(one.io_type, inputs[one.id], one.id)
        with torch.inference_mode():
            given = self.nodes[node_id].execute(**inputs)
        if not isinstance(given, NodeOutput) or len(given.args) != len(schema.outputs):
            raise Invalid(f"{node_id} must give {len(schema.outputs)} outputs")
        for value, output in zip(given.args, schema.outputs, strict=True):
            if output.io_type in ("IMAGE", "MASK"):
                check_tensor(output.io_type, value, f"{node_id}: {output.id}")
            elif output.io_type in NUMBERS and type(value) is not NUMBERS[output.io_type]:
                raise Invalid(f"{node_id}: {output.id} is no {output.io_type}")
        return given


def node_info(node: type[ComfyNode]) -> dict[str, Any]:
    schema = node.GET_SCHEMA()
    inputs: dict[str, dict[str, Any]] = {"required": {}, "optional": {}}
    for one in schema.inputs:
        inputs["optional" if one.optional else "required"][one.id] = [one.io_type, one.info()]
    return {
        "input": inputs,
        "input_order": {key: list(value) for key, value in inputs.items()},
        "output": [one.io_type for one in schema.outputs],
        "output_is_list": [False for _ in schema.outputs],
        "output_name": [one.display_name or one.io_type for one in schema.outputs],
        "name": schema.node_id,
        "display_name": schema.display_name or schema.node_id,
        "description": schema.description,
        "category": schema.category,
        "output_node": schema.is_output_node,
        "python_module": "custom_nodes.followyouremoji",
    }


def save_path(prefix: str, folder: str, width: int = 0, height: int = 0) -> tuple[str, str, int, str, str]:
    """As `folder_paths.get_save_image_path`: the folder, which is made, the name, the next number, the subfolder."""
    subfolder, name = Path(prefix).parent.as_posix().removeprefix("."), Path(prefix).name
    full = Path(folder, subfolder).resolve()
    if not full.is_relative_to(Path(folder).resolve()):
        raise Exception(f"Saving image outside the output folder is not allowed: {full}")
    full.mkdir(parents=True, exist_ok=True)
    taken = [re.match(re.escape(name) + r"_(\d+)_", file.name) for file in full.iterdir()]
    number = 1 + max((int(found[1]) for found in taken if found), default=0)
    return str(full), name, number, subfolder, prefix


def module(name: str, **content: Any) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(content)
    return made


@contextmanager
def comfy_with(pack: Path, root: Path) -> Iterator[Comfy]:
    """A ComfyUI with one pack, until the end of the block."""
    comfy = Comfy(root)
    before = set(sys.modules)
    modules = comfy.modules()
    if taken := modules.keys() & before:
        raise RuntimeError(f"there are modules {taken} already")
    sys.modules.update(modules)
    try:
        comfy.load(pack)
        yield comfy
    finally:
        prefix = str(pack).replace(".", "_x_")
        for name in set(sys.modules) - before:
            if name in modules or name.startswith(prefix):
                del sys.modules[name]
