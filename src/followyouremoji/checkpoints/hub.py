"""Fetch the published weights from the Hugging Face hub, and Google's face-landmark model; resumable, with sizes and
checksums.

A download has two steps, so that a user sees what will come before it comes: `plan_download` asks the hub for names,
sizes and checksums, `download` fetches, checks every file against them and converts.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal
from urllib.parse import urljoin, urlsplit

from followyouremoji.cache import cache_folder, face_landmarker_file, small_decoder_file
from followyouremoji.checkpoints.encoders import CLIP_WEIGHTS
from followyouremoji.checkpoints.folder import IMAGE_ENCODER_FOLDER, VAE_FOLDER, check_free
from followyouremoji.checkpoints.released import (
    AUTHORS_REPOSITORY,
    CLIP_FILE,
    CLIP_REPOSITORY,
    PUBLISHED_FILES,
    SAFETENSORS_REPOSITORY,
    VAE_REPOSITORY,
    VAE_WEIGHTS,
    PublishedFiles,
    convert_released,
)
from followyouremoji.checkpoints.sources import released_folder
from followyouremoji.crashes import without_secrets
from followyouremoji.errors import WeightsError, first_line
from followyouremoji.files import checksum
from followyouremoji.networks import NetworkConfig
from followyouremoji.serving import is_local

Form = Literal[
    "original", "safetensors"
]  # the authors' float32 `.pth` files, or the float16 safetensors conversion

# What is known of the published files beforehand. The sums and the revision do not come from the hub, nor from files
# that were fetched from it: they were copied from public projects that pin them, each from two at least, which agree.
# Of the two repositories with the networks nothing is known: their newest revision is fetched, and its files are
# checked against the sums that the hub states for that revision, which finds what a transfer damages and not what was
# exchanged on the hub. What a file holds is checked when it is converted.
REVISIONS = {VAE_REPOSITORY: "31f26fdeee1355a5c34592e401dd41e45d25a493"}
SHA256 = {
    f"{VAE_REPOSITORY}/config.json": "92d3dfb746fca211a2c9e019e285f8597412211728dce3c5bcf4eda0f2d62e7e",
    f"{VAE_REPOSITORY}/{VAE_WEIGHTS[0]}": "a1d993488569e928462932c8c38a0760b874d166399b14414135bd9c42df5815",
    f"{CLIP_REPOSITORY}/image_encoder/pytorch_model.bin": "89d2aa29b5fdf64f3ad4f45fb4227ea98bc45156bbae673b85be1af7783dbabb",
}

# The small decoder of Stable Diffusion's latents, pinned in the same way.
TAESD_REPOSITORY = "madebyollin/taesd"
TAESD_REVISION = "614f76814bbe30edbe2e627ace1c2234c81a2c0e"
TAESD_SIZE = 9_793_292  # bytes
TAESD_SHA256 = "db169d69145ec4ff064e49d99c95fa05d3eb04ee453de35824a6d0f325513549"

FACE_LANDMARKER_URL = "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task"
# Of the float16 bundle with blendshapes, version 1: the file this project was tested with.
FACE_LANDMARKER_SIZE = 3_758_596  # bytes
FACE_LANDMARKER_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository at a fixed revision.

    Attributes
    ----------
    role : "denoiser", "appearance_net", "landmark_encoder", "vae" or "image_encoder".
    size : bytes.
    checksum : SHA-256 in 64 digits, or, of a small file that nobody states one of, git's name for it in 40.
    pinned : whether the checksum is of our own table; else it is what the hub says.
    """

    role: str
    repository: str
    revision: str
    path: str
    size: int
    checksum: str
    pinned: bool


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
    files: list[RemoteFile] = []
    for repository, wanted in _wanted(form).items():
        files += _find(repository, wanted, form, endpoint)
    return DownloadPlan(form, tuple(files), cache_folder() / "downloads" / form, endpoint)


def download(
    plan: DownloadPlan,
    *,
    half: bool = True,
    overwrite: bool = False,
    keep_originals: bool = False,
    network: NetworkConfig | None = None,
) -> Path:
    """Fetch what a plan says, check it, and convert it to the cache folder's `released`; returns that folder.

    An interrupted download goes on where it stopped when it is asked for again. `keep_originals` keeps the fetched
    files, which the converted checkpoint does not need. `network` are the sizes; None: the release's.

    Raises
    ------
    WeightsError : no network, too little disk space, a wrong checksum, or files that do not fit the networks.
    """
    from huggingface_hub import hf_hub_url

    folder = released_folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    check_free(folder, overwrite)
    _check_space(plan)
    for file in plan.files:
        url = hf_hub_url(file.repository, file.path, revision=file.revision, endpoint=plan.endpoint)
        fetch(url, plan.local(file), file.size, file.checksum, by_hand(plan.form))
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
    repository = AUTHORS_REPOSITORY if form == "original" else SAFETENSORS_REPOSITORY
    networks = [names[form == "safetensors"] for names in PUBLISHED_FILES.values()]
    clip = (
        f"config.json and pytorch_model.bin of the folder {IMAGE_ENCODER_FOLDER} of {CLIP_REPOSITORY} into a subfolder {IMAGE_ENCODER_FOLDER}"
        if form == "original"
        else f"{CLIP_FILE} from there too"
    )
    return (
        f"On a machine with a network, fetch {', '.join(networks)} from https://huggingface.co/{repository} into one folder; {clip}; "
        f"config.json and {VAE_WEIGHTS[0]} of {VAE_REPOSITORY} into a subfolder {VAE_FOLDER}; copy the folder here and run "
        f"`fye weights convert FOLDER`, which puts the model into {released_folder()}"
    )


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
    fetch(url, file, size, checksum, f"Or fetch it by hand and put it at {file}")
    return file


def download_small_decoder(
    *, endpoint: str | None = None, checksum: str = TAESD_SHA256, size: int = TAESD_SIZE
) -> Path:
    """Fetch TAESD (10 MB), the small decoder of Stable Diffusion's latents, to the cache folder; a whole one there is
    kept.

    Raises WeightsError where there is no network or the file is not the one of the SHA-256 `checksum`.
    """
    from huggingface_hub import hf_hub_url

    file = small_decoder_file()
    url = hf_hub_url(TAESD_REPOSITORY, VAE_WEIGHTS[0], revision=TAESD_REVISION, endpoint=endpoint)
    fetch(url, file, size, checksum, f"Or fetch it by hand and put it at {file}")
    return file


def _wanted(form: Form) -> dict[str, list[tuple[str, tuple[str, ...]]]]:
    """By repository: the role of each file, and the names that it may have, the better one first."""
    column = ("original", "safetensors").index(form)
    networks: list[tuple[str, tuple[str, ...]]]
    networks = [(role, (names[column],)) for role, names in PUBLISHED_FILES.items()]
    vae = [("vae", ("config.json",)), ("vae", VAE_WEIGHTS)]
    if form == "safetensors":
        return {
            SAFETENSORS_REPOSITORY: [*networks, ("image_encoder", (CLIP_FILE,))],
            VAE_REPOSITORY: vae,
        }
    clip = [
        ("image_encoder", tuple(f"{IMAGE_ENCODER_FOLDER}/{name}" for name in names))
        for names in (("config.json",), CLIP_WEIGHTS)
    ]
    return {AUTHORS_REPOSITORY: networks, CLIP_REPOSITORY: clip, VAE_REPOSITORY: vae}


def _find(
    repository: str, wanted: list[tuple[str, tuple[str, ...]]], form: Form, endpoint: str | None
) -> list[RemoteFile]:
    """The wanted files of a repository, in whatever folder of it, as the hub describes them."""
    from huggingface_hub import HfApi

    hub = HfApi(endpoint=endpoint, token=False)  # the repositories are public: no token is read or sent
    try:
        _check_tls(hub.endpoint)
        with _over_tls():
            info = hub.model_info(repository, revision=REVISIONS.get(repository), files_metadata=True)
    except _network_errors() as error:
        raise WeightsError(
            f"cannot reach {repository} ({without_secrets(first_line(error))}). {by_hand(form)}"
        ) from error
    there = {one.rfilename: one for one in info.siblings or () if ".." not in Path(one.rfilename).parts}
    found = []
    for role, names in wanted:
        candidates = ([path for path in there if f"/{path}".endswith(f"/{name}")] for name in names)
        paths = next(filter(None, candidates), [])
        if not paths:
            raise WeightsError(
                f"{repository} no longer holds {' or '.join(names)}; try the other form of the released weights"
            )
        path = min(paths, key=len)  # as high up as it lies
        described, pinned = there[path], SHA256.get(f"{repository}/{path}")
        stated = described.lfs.sha256 if described.lfs else described.blob_id
        found.append(
            RemoteFile(
                role=role,
                repository=repository,
                revision=str(info.sha),
                path=path,
                size=described.size or 0,
                checksum=pinned or str(stated),
                pinned=pinned is not None,
            )
        )
    return found


def _check_tls(url: str) -> None:
    """Raise OSError for an address beyond this machine to which the way is not secured."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_local(parts.hostname or ""):
        raise OSError(f"{parts.scheme}://{parts.hostname} is not secured by TLS (https)")


@contextmanager
def _over_tls() -> Iterator[None]:
    """Have the hub's client follow no redirection to an address that is not secured; the block raises OSError then."""
    from huggingface_hub.utils import get_session  # type: ignore[attr-defined]

    def check(response: Any, **_: Any) -> None:
        if (leads_to := response.headers.get("location")) is not None:
            _check_tls(urljoin(str(response.url), leads_to))

    session: Any = get_session()
    # Before its version 1 the client is of requests, later of httpx.
    hooks = session.hooks if hasattr(session, "hooks") else session.event_hooks
    hooks["response"].append(check)
    try:
        yield
    finally:
        hooks["response"].remove(check)


class _AtMost:
    """A file to write at most `size` bytes to; raises OSError for more."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size

    def write(self, piece: bytes) -> int:
        if self._file.tell() + len(piece) > self._size:
            raise OSError(f"more than the {self._size} bytes come that it has")
        return self._file.write(piece)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _network_errors() -> tuple[type[BaseException], ...]:
    """What the hub's client raises; which web library it is built on, whose errors these are, depends on its
    version."""
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

    return (OSError, EntryNotFoundError, *HfHubHTTPError.__bases__)


def fetch(url: str, file: Path, size: int, checksum: str, otherwise: str) -> None:
    """Fetch a file of `size` bytes, unless it is there already, and check it; what has arrived lies in `file` + `.part`
    until then.

    By the part of the hub's client that goes on where an earlier run stopped: its `hf_hub_download` begins a file anew.
    Raises WeightsError; it tells what to do `otherwise`.
    """
    from huggingface_hub.file_download import http_get

    if file.is_file() and _checksum(file, checksum) == checksum:
        return
    part = file.with_name(f"{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if part.is_file() and part.stat().st_size > size:
            part.unlink()
        _check_tls(url)
        with part.open("ab") as opened, _over_tls():
            begun = opened.tell()
            target: Any = _AtMost(opened, size)
            http_get(url, target, resume_size=begun, expected_size=size, displayed_filename=file.name)
    except _network_errors() as error:
        raise WeightsError(
            f"the download of {without_secrets(url)} stopped ({without_secrets(first_line(error))}); run it again to "
            f"go on where it stopped. {otherwise}"
        ) from error
    found = _checksum(part, checksum)
    if found != checksum:
        part.unlink()
        raise WeightsError(
            f"{without_secrets(url)} is damaged or not the file it was: its checksum is {found}, not {checksum}; it is not used. Try again"
        )
    part.replace(file)


def _checksum(file: Path, like: str) -> str:
    """A file's SHA-256, or its name in git where `like` is one: the SHA-1 of a header and its content."""
    if len(like) == 64:
        return checksum(file)
    content = file.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


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
