"""Fetch the published weights from the Hugging Face hub, and Google's face-landmark model; resumable, with sizes and
checksums.

A download has two steps, so that a user sees what will come before it comes: `plan_download` asks the hub for names,
sizes and checksums, `download` fetches, checks every file against them and converts.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from followyouremoji.checkpoints.folder import IMAGE_ENCODER_FOLDER, VAE_FOLDER, check_free, sha256
from followyouremoji.checkpoints.released import (
    AUTHORS_REPOSITORY,
    CLIP_FILE,
    CLIP_REPOSITORY,
    CLIP_WEIGHTS,
    PUBLISHED_FILES,
    SAFETENSORS_REPOSITORY,
    VAE_REPOSITORY,
    VAE_WEIGHTS,
    PublishedFiles,
    convert_released,
)
from followyouremoji.checkpoints.sources import cache_folder, released_folder
from followyouremoji.checkpoints.transfer import INTERRUPTIONS, fetch
from followyouremoji.errors import WeightsError, first_line
from followyouremoji.networks import NetworkConfig

Form = Literal[
    "original", "safetensors"
]  # the authors' float32 `.pth` files, or the float16 safetensors conversion
Progress = Callable[["RemoteFile", int], None]  # told of each file how many of its bytes are there

FACE_LANDMARKER_URL = "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task"
# Of the float16 bundle with blendshapes, version 1: the file this project was tested with.
FACE_LANDMARKER_SIZE = 3_758_596  # bytes
FACE_LANDMARKER_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
FACE_LANDMARKER_FILE = "face_landmarker.task"


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository at a fixed revision. The checksum is SHA-256 of large files, git's of small ones."""

    role: str  # "denoiser", "appearance_net", "landmark_encoder", "vae" or "image_encoder"
    repository: str
    revision: str
    path: str
    size: int  # bytes
    sha256: str | None
    git_sha1: str | None

    @property
    def checksum(self) -> str:
        return f"sha256 {self.sha256}" if self.sha256 else f"git {self.git_sha1}"


@dataclass(frozen=True)
class DownloadPlan:
    """What a download will fetch and where it keeps it meanwhile."""

    form: Form
    files: tuple[RemoteFile, ...]
    staging: Path
    endpoint: str | None = None

    @property
    def size(self) -> int:
        """Bytes to fetch."""
        return sum(file.size for file in self.files)

    def local(self, file: RemoteFile) -> Path:
        return self.staging / file.repository.replace("/", "--") / file.path


def plan_download(form: Form = "safetensors", *, endpoint: str | None = None) -> DownloadPlan:
    """Ask the hub what there is to fetch.

    Parameters
    ----------
    form : "safetensors" (half the size, float16) or "original" (the authors' `.pth`, float32).
    endpoint : address of the hub, for a mirror; None: the environment's `HF_ENDPOINT`, or huggingface.co.

    Raises
    ------
    WeightsError : no network, or a repository lacks a file; says which files to fetch by hand and where to put them.
    """
    if form not in ("original", "safetensors"):
        raise WeightsError(
            f"there is no form {form!r} of the released weights; use 'safetensors' or 'original'"
        )
    column = 0 if form == "original" else 1
    networks = AUTHORS_REPOSITORY if form == "original" else SAFETENSORS_REPOSITORY
    published = _list_files(networks, form, endpoint)
    files = [_pick(published, role, [names[column]]) for role, names in PUBLISHED_FILES.items()]
    if form == "safetensors":
        files.append(_pick(published, "image_encoder", [CLIP_FILE]))
    else:
        clip = _list_files(CLIP_REPOSITORY, form, endpoint)
        files.append(_pick(clip, "image_encoder", [f"{IMAGE_ENCODER_FOLDER}/config.json"]))
        files.append(
            _pick(clip, "image_encoder", [f"{IMAGE_ENCODER_FOLDER}/{name}" for name in CLIP_WEIGHTS])
        )
    vae = _list_files(VAE_REPOSITORY, form, endpoint)
    files.append(_pick(vae, "vae", ["config.json"]))
    files.append(_pick(vae, "vae", list(VAE_WEIGHTS)))
    return DownloadPlan(form, tuple(files), cache_folder() / "downloads" / form, endpoint)


def download(
    plan: DownloadPlan,
    *,
    half: bool = True,
    overwrite: bool = False,
    keep_originals: bool = False,
    progress: Progress | None = None,
    network: NetworkConfig | None = None,
) -> Path:
    """Fetch what a plan says, check it, and convert it to the cache folder's `released`; returns that folder.

    An interrupted download goes on where it stopped when it is asked for again. `keep_originals` keeps the fetched
    files, which the converted checkpoint does not need. `network` are the sizes; None: the release's.

    Raises
    ------
    WeightsError : no network, too little disk space, a wrong checksum, or files that do not fit the networks.
    """
    folder = released_folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    check_free(folder, overwrite)
    _check_space(plan)
    for file in plan.files:
        if not _is_whole(plan.local(file), file):
            _fetch(plan, file, progress)
    where = {file.role: plan.local(file) for file in plan.files}
    encoder = where["image_encoder"]
    files = PublishedFiles(
        networks={name: where[name] for name in PUBLISHED_FILES},
        vae=where["vae"].parent,
        image_encoder=encoder if plan.form == "safetensors" else encoder.parent,
    )
    convert_released(files, folder, half=half, overwrite=overwrite, network=network)
    if not keep_originals:
        shutil.rmtree(plan.staging, ignore_errors=True)
    return folder


def by_hand(form: Form) -> str:
    """What to fetch without this program, and where to put it: one paragraph for users."""
    column = 0 if form == "original" else 1
    names = [names[column] for names in PUBLISHED_FILES.values()]
    networks = AUTHORS_REPOSITORY if form == "original" else SAFETENSORS_REPOSITORY
    clip = (
        f"config.json and pytorch_model.bin of the folder {IMAGE_ENCODER_FOLDER} of {CLIP_REPOSITORY} into a subfolder {IMAGE_ENCODER_FOLDER}"
        if form == "original"
        else f"{CLIP_FILE} from there too"
    )
    return (
        f"On a machine with a network, fetch {', '.join(names)} from https://huggingface.co/{networks} into one folder; {clip}; "
        f"config.json and {VAE_WEIGHTS[0]} of {VAE_REPOSITORY} into a subfolder {VAE_FOLDER}; copy the folder here and run "
        f"`fye weights convert FOLDER`, which puts the model into {released_folder()}"
    )


def face_landmarker_file() -> Path:
    """Where Google's face-landmark model lies once it is fetched."""
    return cache_folder() / FACE_LANDMARKER_FILE


def download_face_landmarker(
    *,
    url: str = FACE_LANDMARKER_URL,
    checksum: str = FACE_LANDMARKER_SHA256,
    size: int = FACE_LANDMARKER_SIZE,
) -> Path:
    """Fetch Google's face-landmark model (4 MB, with blendshapes) to the cache folder; a whole one there is kept.

    Raises WeightsError where there is no network or the file is not the one of the SHA-256 `checksum`.
    """
    file = face_landmarker_file()
    if file.is_file() and sha256(file) == checksum:
        return file
    try:
        fetch(url, file, size)
    except INTERRUPTIONS as error:
        raise WeightsError(
            f"cannot fetch {url} ({first_line(error)}); fetch it by hand and put it at {file}"
        ) from error
    found = sha256(file)
    if found != checksum:
        file.unlink()
        raise WeightsError(
            f"{url} is not the file it was: its sha256 is {found}, not {checksum}; it is not used"
        )
    return file


def _network_errors() -> tuple[type[BaseException], ...]:
    """What the hub's client raises; which web library it is built on, whose errors these are, depends on its
    version."""
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

    return (OSError, EntryNotFoundError, *HfHubHTTPError.__bases__)


def _list_files(repository: str, form: Form, endpoint: str | None) -> list[RemoteFile]:
    """All files of a repository's newest revision."""
    from huggingface_hub import HfApi

    try:
        info: Any = HfApi(endpoint=endpoint).model_info(repository, files_metadata=True)
    except _network_errors() as error:
        raise WeightsError(f"cannot reach {repository} ({first_line(error)}). {by_hand(form)}") from error
    return [
        RemoteFile(
            role="",
            repository=repository,
            revision=info.sha,
            path=sibling.rfilename,
            size=sibling.size or 0,
            sha256=sibling.lfs.sha256 if sibling.lfs else None,
            git_sha1=sibling.blob_id,
        )
        for sibling in info.siblings
        if ".." not in PurePosixPath(sibling.rfilename).parts
    ]


def _pick(files: Sequence[RemoteFile], role: str, names: list[str]) -> RemoteFile:
    """The file of the first of `names` that a repository has, in whatever folder."""
    for name in names:
        found = [file for file in files if file.path == name] or [
            file for file in files if file.path.endswith(f"/{name}")
        ]
        if found:
            return replace(found[0], role=role)
    where = files[0].repository if files else "the repository"
    raise WeightsError(
        f"{where} no longer holds {' or '.join(names)}; try the other form of the released weights"
    )


def _fetch(plan: DownloadPlan, file: RemoteFile, progress: Progress | None) -> None:
    """Fetch one file and check it. The repositories are public: no token is read or sent."""
    from huggingface_hub import hf_hub_url

    url = hf_hub_url(file.repository, file.path, revision=file.revision, endpoint=plan.endpoint)
    local = plan.local(file)
    try:
        fetch(url, local, file.size, None if progress is None else lambda done: progress(file, done))
    except INTERRUPTIONS as error:
        raise WeightsError(
            f"the download of {file.path} of {file.repository} stopped ({first_line(error)}); run it again to go on where it stopped. "
            f"{by_hand(plan.form)}"
        ) from error
    if not _is_whole(local, file):
        local.unlink()
        raise WeightsError(
            f"{file.path} of {file.repository} arrived damaged: its checksum is not {file.checksum}; try again"
        )


def _is_whole(local: Path, file: RemoteFile) -> bool:
    if not local.is_file() or local.stat().st_size != file.size:
        return False
    if file.sha256 is not None:
        return sha256(local) == file.sha256
    content = local.read_bytes()  # git names a file by the SHA-1 of a header and its content
    return (
        hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        == file.git_sha1
    )


def _check_space(plan: DownloadPlan) -> None:
    """The fetched files and the converted ones lie side by side for a while."""
    missing = sum(file.size for file in plan.files if not plan.local(file).is_file())
    needed = missing + plan.size
    free = shutil.disk_usage(released_folder().parent).free
    if free < needed:
        raise WeightsError(
            f"the download needs {needed / 1e9:.1f} GB of disk space in {cache_folder()}, {free / 1e9:.1f} GB are free; "
            "make room, or set FYE_HOME to a folder on a larger disk"
        )
