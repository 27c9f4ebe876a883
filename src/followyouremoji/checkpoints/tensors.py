"""Networks from and to safetensors files, strictly: every tensor in its place, none missing, none left over.

Networks are built on the meta device, where they take no memory, and the file's tensors are put in their places. In the
file's own type on a CPU they stay mapped from the file, so that a network is never held twice.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import IO, Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from followyouremoji.errors import WeightsError, first_line, shown, some_of
from followyouremoji.networks.motion_module import PositionTable
from followyouremoji.reading import regular_file

Shape = tuple[int, ...]
Network = TypeVar("Network", bound=nn.Module)
FLOATING = {"F16", "BF16", "F32", "F64"}  # safetensors' names
LONGEST_HEADER = 1 << 22
"""Bytes of a safetensors file's header: 20 times those of Stable Diffusion's UNet, and parsed in a second."""

MOST_SHARED = 2
"""Tensors of a `.pth` file may share their values, a whole network's at most."""


def on_meta(build: Callable[[], Network]) -> Network:
    """Build a network without memory for its weights."""
    with torch.device("meta"):
        return build()


def expected_shapes(network: nn.Module) -> dict[str, Shape]:
    """Every tensor that a file must hold."""
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def recomputed_shapes(network: nn.Module) -> dict[str, Shape]:
    """Tensors that a file may hold and that are left there on purpose: the position tables `pe`, which are a
    formula."""
    return {
        f"{name}.pe": (1, module.rows, module.channels)
        for name, module in network.named_modules()
        if isinstance(module, PositionTable)
    }


def check_shapes(found: Mapping[str, Shape], network: nn.Module, file: Path) -> None:
    """Raise WeightsError unless `found` (name to shape) is what `network` needs, no more and no less."""
    expected = expected_shapes(network)
    allowed = expected | recomputed_shapes(network)
    missing = [name for name in expected if name not in found]
    extra = [name for name in found if name not in allowed]
    differing = [name for name in found if name in allowed and tuple(found[name]) != allowed[name]]
    first = "conv_in.weight"
    if first in differing and len(found[first]) == 4 and found[first][0] == expected[first][0]:
        raise WeightsError(
            f"{file} is of another layout: its network reads {found[first][1]} input channels, the config beside it says "
            f"{expected[first][1]}; use the config that was saved with these weights"
        )
    problems = []
    if missing:
        problems.append(f"{_are(missing)} missing")
    if extra:
        problems.append(f"{_are(extra)} of no use to this network")
    if differing:
        name = differing[0]
        problems.append(
            f"{_are(differing)} of another shape ({shown(name)} is {tuple(found[name])}, expected {allowed[name]})"
        )
    if problems:
        raise WeightsError(
            f"{file} does not fit its network: {'; '.join(problems)}. It belongs to another model or is incomplete: "
            "fetch or save the whole checkpoint again"
        )


@contextmanager
def open_tensors(file: Path, device: str = "cpu") -> Iterator[Any]:
    """A safetensors file, as `safe_open` gives it.

    Raises WeightsError where it is damaged, something else, or has a header of more than `LONGEST_HEADER` bytes; also
    where reading it in the block shows that.
    """
    try:
        with regular_file(file) as start:
            if int.from_bytes(start.read(8), "little") > LONGEST_HEADER:
                raise SafetensorError("its header is too long")
        with safe_open(file, framework="pt", device=device) as opened:
            yield opened
    except (
        SafetensorError,
        OSError,
        TypeError,
    ) as error:  # TypeError where a side of a shape has over 63 bits
        raise WeightsError(
            f"{file} is damaged or not a whole safetensors file ({first_line(error)}); fetch or save it again"
        ) from error


def read_network(
    network: Network, file: Path, device: torch.device | str = "cpu", dtype: torch.dtype | None = None
) -> Network:
    """Fill `network`, built on the meta device, from `file`; ready to run: evaluation mode, no gradients.

    `dtype` None keeps the file's type. Raises WeightsError if the file is missing, damaged or of another network.
    """
    if not file.is_file():
        raise WeightsError(f"{file} is missing: the checkpoint is incomplete; fetch or save it again")
    with open_tensors(file, str(device)) as opened:
        slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118 (not a mapping)
        check_shapes({name: tuple(part.get_shape()) for name, part in slices.items()}, network, file)
        not_floating = [name for name, part in slices.items() if part.get_dtype() not in FLOATING]
        if not_floating:
            raise WeightsError(
                f"{file}: {_are(not_floating)} not floating-point numbers; fetch or save it again"
            )
        tensors = {name: opened.get_tensor(name).to(dtype=dtype) for name in expected_shapes(network)}
    network.load_state_dict(tensors, strict=True, assign=True)
    return network.eval().requires_grad_(False)


def write_tensors(
    tensors: Mapping[str, Tensor],
    file: Path,
    dtype: torch.dtype | None = None,
    metadata: dict[str, str] | None = None,
) -> None:
    """Write tensors to a safetensors file, floating-point ones as `dtype` (None: as they are), with `metadata` in its
    header."""
    with torch.no_grad():
        saved = {name: value.detach().to("cpu", dtype).contiguous() for name, value in tensors.items()}
    file.touch()
    mode = file.stat().st_mode
    save_file(saved, file, metadata)
    file.chmod(mode)  # safetensors gives it to its owner alone; others may read a model as any other file


def not_finite(weights: Path | nn.Module) -> list[str]:
    """Names of the tensors, of a file or of a network, that hold an infinity or a NaN.

    Loading does not look for them: the quickest look, a sum, takes 0.07 s a gigabyte, where mapping the file takes 0.03
    s. Results that are not finite are the time to.
    """

    def broken(tensor: Tensor) -> bool:
        return not bool(torch.isfinite(tensor).all())

    if isinstance(weights, nn.Module):
        return [name for name, tensor in weights.state_dict().items() if broken(tensor)]
    with open_tensors(weights) as opened:  # one at a time
        floating = [name for name in opened.keys() if opened.get_slice(name).get_dtype() in FLOATING]  # noqa: SIM118
        return [name for name in floating if broken(opened.get_tensor(name))]


def read_tensors(file: Path, *, checkpoint: bool = False) -> dict[str, Tensor]:
    """Tensors of a `.pth`, `.ckpt`, `.bin` or `.safetensors` file by name, mapped from the file, not copied.

    In a training's `checkpoint` they may lie under `state_dict`, with settings and step numbers beside them.

    Raises WeightsError for a file that holds anything but tensors, among them one that would run code, or that is
    damaged.
    """
    if file.suffix == ".safetensors":
        with open_tensors(file) as opened:
            return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    try:
        with regular_file(file) as opened:
            if zipfile.is_zipfile(opened):
                _check_unpacked(opened)
                tensors = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
            else:  # older files are read, and from a map no more than is there, whatever they promise
                with mmap(opened.fileno(), 0, access=ACCESS_READ) as content:
                    tensors = torch.load(content, map_location="cpu", weights_only=True)  # type: ignore[arg-type]
        if checkpoint:
            tensors = tensors.get("state_dict", tensors)
            tensors = {name: value for name, value in tensors.items() if isinstance(value, Tensor)}
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{file} is refused: it holds more than tensors, and reading it could run code. Fetch the original file again, or look for "
            "a .safetensors file of it"
        ) from error
    except Exception as error:  # damaged ones fail anywhere within the reader
        raise WeightsError(
            f"{file} cannot be read as a file of tensors: it is damaged or incomplete; fetch it again"
        ) from error
    if not isinstance(tensors, dict) or not all(
        isinstance(name, str) and _is_dense(value) for name, value in tensors.items()
    ):
        raise WeightsError(
            f"{file} is not a network's weights: it must hold named tensors and nothing else; fetch it again"
        )
    if sum(value.nbytes for value in tensors.values()) > MOST_SHARED * file.stat().st_size:
        raise WeightsError(f"{file} is damaged: its tensors are larger than the file; fetch it again")
    return tensors


def _check_unpacked(file: IO[bytes]) -> None:
    """Raise ValueError where a zip file unpacks to more than itself: torch packs nothing."""
    with zipfile.ZipFile(file) as archive:
        if sum(member.file_size for member in archive.infolist()) > file.seek(0, io.SEEK_END):
            raise ValueError("it is packed")


def _is_dense(value: object) -> bool:
    """Whether it is a tensor of numbers, one after the other in memory."""
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and not (value.is_complex() or value.is_quantized or value.is_nested)
    )


def _are(names: Sequence[str]) -> str:
    return f"{some_of(names)} {'is' if len(names) == 1 else 'are'}"
