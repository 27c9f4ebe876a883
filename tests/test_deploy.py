"""The container's files name what is there, and start a command that parses."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import typer

from followyouremoji.apps.cli import app
from followyouremoji.job_server.settings import ServerSettings

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"


def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile: the word that each begins with, and the rest on one line."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines) if word]


def test_the_image_copies_what_is_there_and_not_ignored() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [source for word, rest in instructions() if word == "COPY" for source in rest.split()[:-1]]
    assert copied
    assert set(copied) == kept
    for source in copied:
        assert (ROOT / source).exists(), source


def test_the_image_serves_without_rights_and_is_looked_after() -> None:
    words = dict(instructions())
    assert words["USER"] == "10001"
    start = [*json.loads(words["ENTRYPOINT"]), *json.loads(words["CMD"])]
    serve = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]
    assert start[:2] == ["fye", "serve"]
    given = serve.make_context("serve", start[2:]).params
    assert given["host"] == "0.0.0.0"
    assert words["EXPOSE"] == str(given["port"])
    assert f"127.0.0.1:{given['port']}/healthz" in words["HEALTHCHECK"]


def test_compose_builds_that_image_and_gives_jobs_their_grace() -> None:
    yaml = pytest.importorskip("yaml")
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    for service in compose["services"].values():
        context = DEPLOY / service["build"]["context"]
        assert context.resolve() == ROOT
        assert (context / service["build"]["dockerfile"]).samefile(DEPLOY / "Dockerfile")
        assert f"ARG {next(iter(service['build']['args']))}=" in (DEPLOY / "Dockerfile").read_text()
        assert service["read_only"] is True
        assert service["volumes"] == ["data:/data"]
        assert float(service["stop_grace_period"].removesuffix("s")) > ServerSettings().grace
    commands = re.findall(r"run --rm fye (.*)", (DEPLOY / "compose.yaml").read_text())
    assert [shlex.split(one) for one in commands] == [["key", "add", "app"]]


def test_a_cluster_is_given_commands_that_parse() -> None:
    """What KubeRay and Slurm start; all containers of the former are of one image."""
    yaml = pytest.importorskip("yaml")
    job = yaml.safe_load((DEPLOY / "kuberay.yaml").read_text())["spec"]
    slurm = (DEPLOY / "slurm.sbatch").read_text().partition(" -- ")[2]
    batch = typer.main.get_command(app).commands["batch"]  # type: ignore[attr-defined]
    for command in (job["entrypoint"], slurm):
        name, kind, *words = shlex.split(command)
        assert (name, kind) == ("fye", "batch")
        assert batch.make_context("batch", words).params["cluster"] == "auto"
    cluster = job["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    containers = [one for group in groups for one in group["template"]["spec"]["containers"]]
    assert len({one["image"] for one in containers}) == 1
