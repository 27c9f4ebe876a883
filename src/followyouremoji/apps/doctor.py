"""`fye doctor`: what is installed, where a model would run, which weights are there."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from rich.console import Console
from rich.table import Table

from followyouremoji.errors import escaped

NEEDED = ("torch", "diffusers", "transformers", "safetensors", "mediapipe", "numpy", "av", "pillow")
OPTIONAL = {
    "skia-python": "drawn portraits and training",
    "peft": "training of LoRAs",
    "c2pa-python": "signed provenance",
    "invisible-watermark": "the invisible watermark",
    "pyvirtualcam": "live portraits in calls",
    "ray": "work on a cluster",
}


def examine() -> bool:
    """Print the state of this installation; returns whether `fye animate` can run with the bundled model."""
    console = Console(highlight=False, markup=False, emoji=False)
    packages = package_rows()
    device = device_rows()
    weights, bundled = weight_rows()
    for title, rows in (
        ("Installed", packages),
        ("Device", device),
        ("Weights", weights),
        ("Examples", example_rows()),
    ):
        table = Table.grid(padding=(0, 2))
        for name, state in rows:
            table.add_row(f"  {escaped(name)}", escaped(state))
        console.print(title, style="bold")
        console.print(table)
    missing = [name for name in NEEDED if installed(name) is None]
    if missing:
        console.print(f"Missing: {', '.join(missing)}. Install followyouremoji again.", style="red")
    elif not bundled:
        console.print("The bundled model is missing. Install followyouremoji again.", style="red")
    else:
        console.print("Ready: try fye animate bundled:ada bundled:hello", style="green")
    return bundled and not missing


def installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def package_rows() -> list[tuple[str, str]]:
    rows = [
        ("followyouremoji", installed("followyouremoji") or "not installed, run from its folder"),
        ("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
    ]
    rows += [(name, installed(name) or "MISSING") for name in NEEDED]
    rows += [(name, installed(name) or f"not there (for {use})") for name, use in OPTIONAL.items()]
    return rows


def device_rows() -> list[tuple[str, str]]:
    """The device and precision that a model is loaded to where nothing else is asked for."""
    if installed("torch") is None:
        return [("unknown", "torch is missing")]
    import torch

    from followyouremoji.checkpoints.model import choose_device, choose_dtype

    device = choose_device(None)
    what = f"{os.cpu_count()} cores, {torch.get_num_threads()} used by torch"
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        what = f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"
    return [("used", f"{device} ({what})"), ("precision", str(choose_dtype(device)).removeprefix("torch."))]


def weight_rows() -> tuple[list[tuple[str, str]], bool]:
    """The models, and whether the bundled one is among them."""
    if installed("torch") is None:
        return [("unknown", "torch is missing")], False
    from followyouremoji.checkpoints import face_landmarker_file, list_checkpoints, small_decoder_file

    found = list_checkpoints()
    rows = [
        (row.name, f"{row.size / 1e6:.0f} MB, {row.where}" if row.present else f"not there: {row.note}")
        for row in found
    ]
    optional = {face_landmarker_file(): "--bundle", small_decoder_file(): "--decoder small"}
    rows += [
        (file.name, str(file) if file.is_file() else f"not there (optional, for {flag})")
        for file, flag in optional.items()
    ]
    return rows, any(row.present for row in found if row.name == "bundled")


def example_rows() -> list[tuple[str, str]]:
    from followyouremoji.requests.bundled import PORTRAIT_ENDING, example_names, motion_names

    return [
        ("portraits", ", ".join(example_names(PORTRAIT_ENDING)) or "MISSING"),
        ("motions", ", ".join(motion_names())),
    ]
