"""All that the nodes ask of ComfyUI: its tensors, device, progress, folders and way of telling what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import comfy.model_management as management
import comfy.utils
import folder_paths
import numpy as np
import torch
from torch import Tensor

from followyouremoji.animator import PortraitAnimator
from followyouremoji.checkpoints.folder import CONFIG_FILE
from followyouremoji.checkpoints.sources import find_checkpoint, list_checkpoints
from followyouremoji.errors import PictureError, UserError

MODELS = "followyouremoji"
"""The folder of ComfyUI's models, and the name by which `extra_model_paths.yaml` can add others."""

folder_paths.add_model_folder_path(MODELS, str(Path(folder_paths.models_dir, MODELS)))


def to_layers(images: Tensor, mask: Tensor | None = None) -> list[np.ndarray]:
    """ComfyUI's pictures (batch, height, width, 3), 0 to 1, as uint8 (height, width, 3) each.

    With a `mask` (batch or 1, height, width), 1 where nothing is, they have opacity (height, width, 4); a mask of
    another size is stretched. Raises PictureError for tensors of other shapes.
    """
    if images.ndim != 4 or images.shape[-1] not in (3, 4) or not len(images):
        raise PictureError(
            f"pictures must have the shape (batch, height, width, 3), not {tuple(images.shape)}"
        )
    pictures = _to_bytes(images)
    if mask is None or not bool(mask.any()):
        return list(pictures)
    mask = mask.reshape(-1, 1, *mask.shape[-2:]).float()
    if len(mask) not in (1, len(images)):
        raise PictureError(f"{len(images)} pictures cannot have {len(mask)} masks; give one, or one for each")
    if mask.shape[-2:] != images.shape[1:3]:
        mask = torch.nn.functional.interpolate(mask, images.shape[1:3], mode="bilinear")
    opacity = np.broadcast_to(_to_bytes(1 - mask[:, 0]), images.shape[:3])
    return [np.dstack([picture[..., :3], one]) for picture, one in zip(pictures, opacity, strict=True)]


def to_images(frames: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Frames uint8 (height, width, 3 or 4) as ComfyUI's pictures and masks: float32 (batch, height, width, 3), and
    (batch, height, width), which is 1 where nothing is."""
    height, width, layers = frames[0].shape
    device = management.intermediate_device()
    images = torch.empty((len(frames), height, width, 3), device=device)
    masks = torch.zeros((len(frames), height, width), device=device)
    for number, frame in enumerate(frames):
        pixels = torch.from_numpy(frame.astype(np.float32) / 255)
        images[number] = pixels[..., :3]
        if layers == 4:
            masks[number] = 1 - pixels[..., 3]
    return images, masks


def _to_bytes(values: Tensor) -> np.ndarray:
    scaled = (values.detach().float().clamp(0, 1) * 255).round()
    return scaled.to("cpu", torch.uint8).numpy()


def watched() -> Callable[[int, int], None]:
    """A function of the steps done and those in all, which shows them in ComfyUI and raises its exception where the
    user has stopped the work. Any thread may call it."""
    bar = comfy.utils.ProgressBar(1)

    def advance(done: int, steps: int) -> None:
        management.throw_exception_if_processing_interrupted()
        bar.update_absolute(done, steps)

    return advance


@torch.inference_mode(False)  # in which ComfyUI runs nodes; weights that move are ordinary tensors
def load_animator(source: str | Path) -> PortraitAnimator:
    """A model on ComfyUI's device. With `--lowvram` and `--novram` its large networks take turns in memory; else where
    that saves much."""
    short = management.vram_state in (management.VRAMState.LOW_VRAM, management.VRAMState.NO_VRAM)
    device = management.get_torch_device()
    size = sum(file.stat().st_size for file in find_checkpoint(source).rglob("*.safetensors"))
    with room_for(size, device):
        animator = PortraitAnimator.from_pretrained(source, device, offload=True if short else None)
        leave_device(animator)
    return animator


@contextmanager
def on_device(animator: PortraitAnimator) -> Iterator[None]:
    """Have a model's networks on ComfyUI's device, for which its other models give room, and off it again at the end of
    the block. Networks that take turns come and go by themselves."""
    device = management.get_torch_device()
    size = sum(
        weight.nbytes for network in animator.model.parts().values() for weight in network.parameters()
    )
    with room_for(size, device):
        try:
            move(animator, device)
            yield
        finally:
            leave_device(animator)


@contextmanager
def room_for(size: int, device: torch.device) -> Iterator[None]:
    """Have ComfyUI's own models give room for `size` bytes of weights and what work needs beside them; what is left
    over is given back at the end."""
    management.free_memory(size + management.minimum_inference_memory(), device)
    try:
        yield
    finally:
        management.soft_empty_cache()


def leave_device(animator: PortraitAnimator) -> None:
    move(animator, management.unet_offload_device())


@torch.inference_mode(False)
def move(animator: PortraitAnimator, device: torch.device) -> None:
    """Move the networks; those that take turns are left to their turns."""
    if animator.model.turns is None and animator.model.device != device:
        for network in animator.model.parts().values():
            network.to(device)


def model_folders() -> dict[str, Path]:
    """Checkpoints in ComfyUI's folders of models, by name."""
    roots = [Path(root) for root in folder_paths.get_folder_paths(MODELS)]
    found = sorted(
        folder
        for root in roots
        if root.is_dir()
        for folder in root.iterdir()
        if (folder / CONFIG_FILE).is_file()
    )
    return {folder.name: folder for folder in reversed(found)}


def model_names() -> list[str]:
    """All models that can be loaded now: the bundled one first."""
    own = [row.name for row in list_checkpoints() if row.present]
    return [*own, *sorted(model_folders().keys() - set(own))]


def input_files(endings: Sequence[str]) -> list[str]:
    """Files of ComfyUI's input folder, and of its output folder with " [output]" behind them, by their endings."""
    roots = {"": folder_paths.get_input_directory(), " [output]": folder_paths.get_output_directory()}
    return [
        path.relative_to(root).as_posix() + mark
        for mark, root in roots.items()
        for path in sorted(Path(root).rglob("*"))
        if path.suffix.lower() in endings and path.is_file()
    ]


def output_path(prefix: str, ending: str) -> tuple[Path, str]:
    """A new file in ComfyUI's output folder, numbered as ComfyUI numbers its own, and its name there."""
    folder, name, number, subfolder, _ = folder_paths.get_save_image_path(
        prefix, folder_paths.get_output_directory()
    )
    file = f"{name}_{number:05}_{ending}"
    return Path(folder) / file, f"{subfolder}/{file}" if subfolder else file


def in_words(execute: Callable[..., Any]) -> Callable[..., Any]:
    """A node's `execute` with errors for its users: of a workflow that another version of the nodes saved, and with the
    inputs that an error is about."""

    @wraps(execute)
    def run(cls: Any, **inputs: Any) -> Any:
        known = [one.id for one in cls.define_schema().inputs]
        unknown = sorted(inputs.keys() - set(known))
        if unknown:
            raise UserError(
                f"The workflow was saved by another version of Follow Your Emoji: {cls.define_schema().display_name} has no input "
                f"{' and no input '.join(unknown)}. Delete the node and add it anew, or update the nodes."
            )
        try:
            return execute(cls, **inputs)
        except UserError as error:
            about = [name for name in error.settings if name in known]
            if not about:
                raise
            raise type(error)(f"{error} (Inputs of this node: {', '.join(about)}.)") from error

    return run
