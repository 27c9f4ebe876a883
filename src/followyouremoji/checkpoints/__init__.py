"""Checkpoints: where weights come from and go to.

`load_model` and `save_model` are all that other rooms need; the rest is for the commands `fye weights list | download |
convert | verify`.
"""

from followyouremoji.cache import cache_folder, face_landmarker_file, small_decoder_file
from followyouremoji.checkpoints.config import ModelConfig
from followyouremoji.checkpoints.hub import (
    DownloadPlan,
    RemoteFile,
    download,
    download_face_landmarker,
    download_small_decoder,
    fetch,
    plan_download,
)
from followyouremoji.checkpoints.model import Model, load_model, save_model
from followyouremoji.checkpoints.released import convert_released
from followyouremoji.checkpoints.sources import (
    CheckpointRow,
    find_checkpoint,
    list_checkpoints,
    released_folder,
)
from followyouremoji.checkpoints.verification import FileReport, Verification, verify_checkpoint

__all__ = [
    "CheckpointRow",
    "DownloadPlan",
    "FileReport",
    "Model",
    "ModelConfig",
    "RemoteFile",
    "Verification",
    "cache_folder",
    "convert_released",
    "download",
    "download_face_landmarker",
    "download_small_decoder",
    "face_landmarker_file",
    "fetch",
    "find_checkpoint",
    "list_checkpoints",
    "load_model",
    "plan_download",
    "released_folder",
    "save_model",
    "small_decoder_file",
    "verify_checkpoint",
]
