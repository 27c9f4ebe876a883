"""Fingerprints of methods: figures are measured again when, and only when, what they are of has changed."""

from pathlib import Path

import pytest

pytest.importorskip("skia", reason="the cases that methods animate are drawn with skia-python")

from followyouremoji.benchmark.methods import Checkpoint
from followyouremoji.checkpoints.folder import CONFIG_FILE
from followyouremoji.settings import AnimationSettings


def test_a_model_is_measured_again_with_other_weights_or_settings(tmp_path: Path) -> None:
    (tmp_path / CONFIG_FILE).write_text("one")
    seen = {Checkpoint("m", str(tmp_path), AnimationSettings(steps=steps)).fingerprint for steps in (1, 2)}
    (tmp_path / CONFIG_FILE).write_text("another")
    seen |= {Checkpoint("m", str(tmp_path), AnimationSettings(steps=steps)).fingerprint for steps in (1, 2)}
    assert len(seen) == 4
