"""The contract at work: ComfyUI's modules, folders of its own, a pack that is loaded, and prompts that are run. See
`contract`: this is not ComfyUI itself."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch

from tests.comfyui.contract import (
    CORE,
    NOTES,
    NUMBERS,
    Boolean,
    Combo,
    ComfyExtension,
    ComfyNode,
    Float,
    FolderType,
    Image,
    Input,
    Int,
    Invalid,
    Mask,
    NodeOutput,
    Output,
    PreviewText,
    SavedImages,
    SavedResult,
    Schema,
    String,
    WidgetInput,
    check_tensor,
    check_value,
    comfy_type,
)


class InterruptProcessingException(Exception):
    """As in `comfy.model_management`."""


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
        for folder in ("models", "input", "output", "temp"):
            (root / folder).mkdir(parents=True)
        self._paths: dict[str, list[str]] = {}

    def modules(self) -> dict[str, ModuleType]:
        comfy, api = module("comfy", __path__=[]), module("comfy_api", __path__=[])
        management = module(
            "comfy.model_management",
            InterruptProcessingException=InterruptProcessingException,
            VRAMState=Enum(
                "VRAMState", ["DISABLED", "NO_VRAM", "LOW_VRAM", "NORMAL_VRAM", "HIGH_VRAM", "SHARED"]
            ),
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
            get_temp_directory=lambda: str(self.root / "temp"),
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
        """Raise Invalid for a prompt that ComfyUI would not queue. Numbers are brought to their types, as ComfyUI does:
        its page knows no floats."""
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
                        raise Invalid(
                            f"Return type mismatch between linked nodes: {one.id}, {given} is no {one.io_type}"
                        )
                    continue
                if not isinstance(one, WidgetInput):
                    raise Invalid(f"{one.id} must be linked")
                if one.io_type in NUMBERS:
                    try:
                        value = node["inputs"][one.id] = NUMBERS[one.io_type](value)
                    except (TypeError, ValueError) as error:
                        raise Invalid(f"Failed to convert {one.id} = {value!r} to {one.io_type}") from error
                if one.id not in checked:
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
        "python_module": "nodes" if node in CORE else "custom_nodes.follow-your-emoji",
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
