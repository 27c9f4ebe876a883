"""Clips to learn from: prepared from video, packed in shards, drawn, mixed and read in a reproducible order."""

from followyouremoji.data.drawn import Drawn
from followyouremoji.data.mixture import Mixture
from followyouremoji.data.shards import Shards
from followyouremoji.data.source import ClipSource, TrainingClip

__all__ = ["ClipSource", "Drawn", "Mixture", "Shards", "TrainingClip"]
