"""Replicas: a request and its files in, the result's bytes out, and nothing else of the machine is read."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageSequence

from followyouremoji.animator import PortraitAnimator
from followyouremoji.checkpoints.model import save_model
from followyouremoji.errors import PictureError, SettingsError, UserError
from followyouremoji.replicas import Animation, Busy, Replicas, animation
from followyouremoji.requests.bundled import EXAMPLES
from followyouremoji.requests.request import AnimationRequest, ClipSettings, Lora, ModelChoice, Output
from followyouremoji.settings import AnimationSettings
from tests.small_model import small_model

ADA = (EXAMPLES / "ada.png").read_bytes()
REQUEST = AnimationRequest(
    portrait="../ada.png",
    driving="bundled:hello",
    output=Output(path=Path("/root/hello.apng"), max_side=64),
    clip=ClipSettings(stop="3"),
    settings=AnimationSettings(steps=1),
)


@pytest.fixture(scope="module")
def small() -> PortraitAnimator:
    return PortraitAnimator(small_model())


def made(small: PortraitAnimator, request: AnimationRequest, **files: bytes) -> Animation:
    return animation(request, {"../ada.png": ADA, **files}, lambda _: small)


def test_files_and_result_travel_as_bytes_and_names_are_no_paths(small: PortraitAnimator) -> None:
    result = made(small, REQUEST)
    assert (result.name, result.outcome.path, result.outcome.frames) == ("hello.apng", Path("hello.apng"), 3)
    assert result.content.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"portrait": str(EXAMPLES / "ada.png")}, SettingsError, "not among the files"),
        ({"driving": "/etc/passwd"}, SettingsError, "/etc/passwd is not among the files"),
        ({"loras": (Lora(file=Path("/etc/passwd")),)}, SettingsError, "neither other files"),
        ({"resume": Path("/tmp/job")}, SettingsError, "neither other files"),
        ({"output": Output(certificate=Path("/etc/passwd"))}, SettingsError, "neither other files"),
        ({"output": Output(path=Path("frames"))}, SettingsError, "one file"),
        ({"portrait": "broken.png"}, PictureError, "not a picture"),
    ],
)
def test_what_a_replica_cannot_use_is_said(
    small: PortraitAnimator, changed: dict[str, Any], error: type[UserError], words: str
) -> None:
    with pytest.raises(error, match=words):
        made(small, replace(REQUEST, **changed), **{"broken.png": b"no picture"})


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    pytest.importorskip("ray.serve", reason="Ray Serve, of the optional extra `cluster`, is not installed")
    import ray

    folder = tmp_path_factory.mktemp("models") / "small"
    save_model(small_model(), folder)
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, object_store_memory=80_000_000)
    try:
        with Replicas(ModelChoice(weights=str(folder), device="cpu"), count=2, waiting=2) as replicas:
            yield replicas
    finally:
        ray.shutdown()


@pytest.mark.slow
def test_replicas_share_requests_refuse_too_many_and_outlive_bad_ones(
    served: Replicas, small: PortraitAnimator
) -> None:
    """Two replicas work and two requests wait; of the others some are refused, and all that were taken are right."""
    expected = made(small, REQUEST)
    files = {"../ada.png": ADA}
    with pytest.raises(SettingsError, match="not among the files"):
        served.animate(REQUEST)
    with pytest.raises(PictureError):
        served.animate(replace(REQUEST, portrait="broken.png"), {"broken.png": b"no picture"})

    def ask(_: int) -> Animation | Busy:
        try:
            return served.animate(REQUEST, files)
        except Busy as full:
            return full

    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(ask, range(12)))
    results = [answer for answer in answers if isinstance(answer, Animation)]
    assert 4 <= len(results) < 12
    assert {pixels(result) for result in results} == {pixels(expected)}


def pixels(made: Animation) -> bytes:
    with Image.open(BytesIO(made.content)) as picture:
        return b"".join(frame.convert("RGB").tobytes() for frame in ImageSequence.Iterator(picture))
