"""What files hold, whatever is different from run to run (times, compression) left out."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path


def content(path: Path) -> str:
    """A digest of what a file holds. Raises whatever its reader raises where it is damaged."""
    read = READERS.get(path.suffix)
    return hashlib.sha256(path.read_bytes() if read is None else read(path)).hexdigest()


def of_clip(path: Path) -> bytes:
    """All frames, decoded."""
    from followyouremoji.media.clips import ClipReader

    with ClipReader(path) as clip:
        return b"".join(frame.tobytes() for _, frame in clip)


def of_archive(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return b"".join(one.filename.encode() + archive.read(one) for one in archive.infolist())


def of_checkpoint(path: Path) -> bytes:
    """Of a training: all tensors and the step."""
    from followyouremoji.training.checkpointing import read_checkpoint

    state = read_checkpoint(path)
    parts = (state["module"], state["average"], *state["optimiser"].values())
    return (
        b"".join(value.numpy().tobytes() for part in parts for value in part.values())
        + str(state["step"]).encode()
    )


def of_latents(path: Path) -> bytes:
    from safetensors.numpy import load_file

    return b"".join(value.tobytes() for value in load_file(path).values())


def of_rows(path: Path) -> bytes:
    """Of a benchmark, without how long they took."""
    import pyarrow.parquet as pq

    rows = [row for row in pq.read_table(path).to_pylist() if row["metric"] != "seconds"]
    return json.dumps(rows).encode()


def of_table(path: Path) -> bytes:
    """Of a CSV file, without the columns of seconds."""
    import csv

    with path.open(newline="") as file:
        rows = [
            {name: value for name, value in row.items() if "seconds" not in name}
            for row in csv.DictReader(file)
        ]
    return json.dumps(rows).encode()


READERS: Mapping[str, Callable[[Path], bytes]] = {
    ".mp4": of_clip,
    ".zip": of_archive,
    ".pt": of_checkpoint,
    ".safetensors": of_latents,
    ".parquet": of_rows,
    ".csv": of_table,
}
