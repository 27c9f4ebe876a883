"""The Hugging Face Hub: repositories of pipelines, fetched and uploaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from followyouremoji.diffusers_pipeline.conversion import CARD_FILE, PIPELINE
from followyouremoji.errors import WeightsError

DOWNLOADING = ("cache_dir", "force_download", "local_files_only", "token", "revision")
"""Options of `from_pretrained` on fetching a repository."""

FETCHED = ["*.json", "*/*.json", "*/*.safetensors", "image_encoder/pytorch_model.bin"]
"""Files of a repository that are fetched: no code."""


def fetch(name: str, options: dict[str, Any]) -> Path:
    """The folder of a repository's files, fetched where they are not in the cache; takes out of the `options` those on
    fetching.

    `DiffusionPipeline.download` refuses parts whose classes are neither diffusers' nor in the repository. Raises
    WeightsError for a name that no repository can have.
    """
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise WeightsError(
            f"there is no folder {name}; give a folder that `fye weights to-diffusers` made, or a repository of the hub"
        ) from error
    fetching: dict[str, Any] = {option: options.pop(option) for option in DOWNLOADING if option in options}
    return Path(snapshot_download(name, allow_patterns=list(FETCHED), **fetching))


def upload(
    folder: Path,
    repo_id: str,
    commit_message: str | None = None,
    private: bool | None = None,
    token: str | None = None,
    create_pr: bool = False,
    subfolder: str | None = None,
) -> str:
    """Upload a folder to a repository, which is made where there is none; its model card, where it has one, stays.
    Returns where the commit is shown."""
    hub = HfApi(token=token)
    repository = hub.create_repo(repo_id, private=private, exist_ok=True).repo_id
    keep_card = subfolder is not None or hub.file_exists(repository, CARD_FILE)
    return str(
        hub.upload_folder(
            repo_id=repository,
            folder_path=folder,
            path_in_repo=subfolder,
            commit_message=commit_message or f"Upload {PIPELINE}",
            create_pr=create_pr,
            ignore_patterns=[CARD_FILE] if keep_card else None,
        )
    )
