"""`fye bench weights` against a server of the test's own."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import typer
from typer.testing import CliRunner, Result

from followyouremoji.apps.bench_weights import weights
from followyouremoji.benchmark.metrics import published
from followyouremoji.benchmark.metrics.published import NETWORKS
from followyouremoji.errors import SettingsError, WeightsError

CONTENT = b"a network " * 100


class Server(ThreadingHTTPServer):
    content = CONTENT

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Request(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content)


@pytest.fixture
def server(tmp_path, monkeypatch) -> Iterator[Server]:
    """Serves SFace's file, of another content and checksum."""
    server = Server(("127.0.0.1", 0), Request)
    monkeypatch.setenv("FYE_HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    checksum = hashlib.sha256(CONTENT).hexdigest()
    register = tuple(
        replace(one, url=f"{server.address}/{one.file}", sha256=checksum, size=len(CONTENT))
        if one.name == "sface"
        else one
        for one in NETWORKS
    )
    monkeypatch.setattr(published, "NETWORKS", register)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def run(*arguments: str, answer: str = "") -> Result:
    app = typer.Typer()
    app.command()(weights)
    return CliRunner().invoke(app, arguments, input=answer, env={"COLUMNS": "200"})


def test_lists_every_network_with_its_licence(server, tmp_path) -> None:
    shown = run().stdout
    for network in NETWORKS:
        line = next(line for line in shown.splitlines() if line.startswith(f"{network.name} "))
        assert line.split()[1] == "no"
        assert f" {network.commercial} " in line
        assert network.metrics[0] in line
        assert network.licence[:12] in line
    assert str(tmp_path / "metrics") in shown


def test_download_shows_licence_and_size_asks_and_fetches(server, tmp_path) -> None:
    file = tmp_path / "metrics" / "face_recognition_sface_2021dec.onnx"
    refused = run("--download", "sface", answer="n\n")
    assert "Apache-2.0; commercial use: yes" in refused.stdout
    assert "0 MB" in refused.stdout
    assert not file.exists()
    assert refused.exit_code == 1
    fetched = run("--download", "sface", answer="y\n")
    assert fetched.exit_code == 0
    assert file.read_bytes() == CONTENT
    assert "it measures identity_sface" in fetched.stdout
    assert "sface      yes" in run().stdout


def test_a_download_of_another_checksum_is_not_kept(server, tmp_path) -> None:
    server.content = CONTENT[::-1]
    error = run("--download", "sface", "--yes").exception
    assert isinstance(error, WeightsError)
    assert "damaged or not the file it was" in str(error)
    assert not any(path.is_file() for path in (tmp_path / "metrics").iterdir())


def test_a_network_without_a_published_checksum_is_not_fetched_nor_those_beside_it(server, tmp_path) -> None:
    error = run("--download", "sface", "--download", "hyperiqa", "--yes").exception
    assert isinstance(error, WeightsError)
    assert "by hand" in str(error)
    assert str(tmp_path / "metrics") in str(error)
    assert not (tmp_path / "metrics").exists()


def test_an_unknown_name_lists_the_known_ones(server) -> None:
    error = run("--download", "arcfaces").exception
    assert isinstance(error, SettingsError)
    assert "vgg16, i3d, inception, sface, arcface, hyperiqa" in str(error)


def test_a_file_of_another_checksum_shows_in_the_list(server, tmp_path) -> None:
    path = tmp_path / "metrics" / "vgg16.pt"
    path.parent.mkdir()
    path.write_bytes(b"something else")
    shown = run()
    assert shown.exit_code == 0
    assert "another file" in shown.stdout
    assert f"{path} is damaged" in shown.stdout.replace("\n", " ")
