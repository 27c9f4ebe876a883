"""Downloads from a server of the test's own, which speaks as much of the hub's protocol as the hub's client asks
for."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from followyouremoji.checkpoints import (
    download,
    download_face_landmarker,
    download_small_decoder,
    face_landmarker_file,
    list_checkpoints,
    load_model,
    plan_download,
    released_folder,
    small_decoder_file,
    verify_checkpoint,
)
from followyouremoji.checkpoints import hub as downloads
from followyouremoji.checkpoints.hub import FACE_LANDMARKER_SHA256, FACE_LANDMARKER_SIZE
from followyouremoji.errors import WeightsError
from tests.checkpoints.small_models import RELEASED_NETWORK, SHARED, write_published

REVISION = "0123456789abcdef0123456789abcdef01234567"
BUNDLE = SHARED / "models" / "face_landmarker_v2_with_blendshapes.task"


class Hub(ThreadingHTTPServer):
    """Repositories in memory: `files[repository][path]`; `cut` breaks the next transfers off after so many bytes."""

    def __init__(self, files: dict[str, dict[str, bytes]]) -> None:
        super().__init__(("127.0.0.1", 0), HubRequest)
        self.files = files
        self.cut: list[int] = []
        self.damaged: set[str] = set()
        self.ranges: list[str] = []
        self.served: list[str] = []
        self.elsewhere: str | None = None  # where files are said to be
        self.tokens: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class HubRequest(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        self.server.tokens += self.headers.get_all("authorization", [])
        if self.server.elsewhere is not None and "/resolve/" in path:
            self.send_response(302)
            self.send_header("Location", self.server.elsewhere)
            return self.end_headers()
        for repository, files in self.server.files.items():
            if path in (f"/api/models/{repository}", f"/api/models/{repository}/revision/{REVISION}"):
                return self.answer(json.dumps(listing(repository, files)).encode())
            prefix = f"/{repository}/resolve/{REVISION}/"
            if path.startswith(prefix) and path[len(prefix) :] in files:
                return self.send_file(path[len(prefix) :], files[path[len(prefix) :]])
        return self.send_error(404)

    def answer(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def send_file(self, name: str, content: bytes) -> None:
        if name in self.server.damaged:
            content = content[:-1] + bytes([content[-1] ^ 1])
        wanted = self.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if wanted:
            self.server.ranges.append(wanted)
        self.server.served.append(name)
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        stop = start + self.server.cut.pop(0) if self.server.cut else len(content)
        self.wfile.write(content[start:stop])
        self.close_connection = True


def listing(repository: str, files: dict[str, bytes]) -> dict[str, object]:
    """What the hub answers about a repository: large files with a SHA-256, small ones with git's name of them alone."""
    siblings: list[dict[str, object]] = []
    for name, content in files.items():
        git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        entry: dict[str, object] = {"rfilename": name, "size": len(content), "blobId": git}
        if not name.endswith(".json"):
            digest = hashlib.sha256(content).hexdigest()
            entry["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 130}
        siblings.append(entry)
    return {"id": repository, "modelId": repository, "sha": REVISION, "siblings": siblings, "tags": []}


@pytest.fixture(scope="module")
def repositories(tmp_path_factory):
    folder = write_published(tmp_path_factory.mktemp("published") / "original")
    read = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    return {
        "YueMafighting/FollowYourEmoji": {
            f"ckpts/{name}": read[name] for name in read if name.endswith(".pth")
        },
        "lambdalabs/sd-image-variations-diffusers": {
            **{name: value for name, value in read.items() if name.startswith("image_encoder/")},
            "vae/config.json": b"{}",
        },
        "stabilityai/sd-vae-ft-mse": {
            name.removeprefix("vae/"): value for name, value in read.items() if name.startswith("vae/")
        },
    }


@pytest.fixture
def hub(repositories, tmp_path, monkeypatch):
    """Serves small files; what is known of the published ones does not hold for them."""
    monkeypatch.setenv("FYE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(downloads, "REVISIONS", {})
    monkeypatch.setattr(downloads, "SHA256", {})
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)  # between retries
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 500)  # bytes, of files of kilobytes
    server = Hub({repository: dict(files) for repository, files in repositories.items()})
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_plan_tells_sizes_and_checksums_and_fetches_nothing(hub, repositories) -> None:
    plan = plan_download("original", endpoint=hub.address)
    names = {f"{file.repository}/{file.path}" for file in plan.files}
    assert names == {
        "YueMafighting/FollowYourEmoji/ckpts/unet.pth",
        "YueMafighting/FollowYourEmoji/ckpts/referencenet.pth",
        "YueMafighting/FollowYourEmoji/ckpts/lmk_guider.pth",
        "lambdalabs/sd-image-variations-diffusers/image_encoder/config.json",
        "lambdalabs/sd-image-variations-diffusers/image_encoder/pytorch_model.bin",
        "stabilityai/sd-vae-ft-mse/config.json",
        "stabilityai/sd-vae-ft-mse/diffusion_pytorch_model.safetensors",
    }
    for file in plan.files:
        content = repositories[file.repository][file.path]
        assert file.size == len(content)
        if file.path.endswith(".json"):
            assert len(file.checksum) == 40  # git's
        else:
            assert file.checksum == hashlib.sha256(content).hexdigest()
        assert (file.revision, file.pinned) == (REVISION, False)
    assert plan.size == sum(file.size for file in plan.files)
    assert hub.served == []
    assert not released_folder().parent.exists()


def test_a_download_becomes_the_released_model(hub) -> None:
    plan = plan_download("original", endpoint=hub.address)
    folder = download(plan, network=RELEASED_NETWORK)
    assert folder == released_folder()
    assert load_model("released", device="cpu").config.network == RELEASED_NETWORK
    assert verify_checkpoint("released").ok
    assert not plan.staging.exists()
    row = next(row for row in list_checkpoints() if row.name == "released")
    assert (row.present, row.layout, row.where) == (True, "released", folder)
    with pytest.raises(WeightsError, match="exists already"):
        download(plan, network=RELEASED_NETWORK)


def test_an_interrupted_download_goes_on_where_it_stopped(hub) -> None:
    plan = plan_download("original", endpoint=hub.address)
    unet = next(file for file in plan.files if file.role == "denoiser")
    hub.cut = [1000, 500, *[0] * 10]  # twice something arrives and it is tried again, then nothing does
    with pytest.raises(WeightsError, match="run it again to go on"):
        download(plan, network=RELEASED_NETWORK)
    assert hub.ranges[:2] == ["bytes=1000-", "bytes=1500-"]
    assert not plan.local(unet).exists()
    assert not released_folder().exists()
    hub.cut.clear()
    hub.ranges.clear()
    assert download(plan, network=RELEASED_NETWORK, keep_originals=True) == released_folder()
    assert hub.ranges == ["bytes=1500-"]
    assert plan.local(unet).stat().st_size == unet.size

    served = len(hub.served)
    download(plan, network=RELEASED_NETWORK, overwrite=True)
    assert len(hub.served) == served  # whole files are not fetched twice


@pytest.mark.parametrize("name", ["ckpts/unet.pth", "image_encoder/config.json"])
def test_a_file_that_arrives_changed_is_not_used(hub, name) -> None:
    plan = plan_download("original", endpoint=hub.address)
    hub.damaged = {name}
    with pytest.raises(WeightsError, match="is damaged or not the file it was"):
        download(plan, network=RELEASED_NETWORK)
    assert not released_folder().exists()
    hub.damaged = set()
    assert download(plan, network=RELEASED_NETWORK).is_dir()


def test_files_come_over_tls_also_where_the_hub_leads_elsewhere(hub) -> None:
    plan = plan_download("original", endpoint=hub.address)
    hub.elsewhere = "http://store.example/file?X-Signature=secret"
    with pytest.raises(WeightsError, match=r"store\.example is not secured by TLS") as error:
        download(plan, network=RELEASED_NETWORK)
    assert "secret" not in str(error.value)
    assert hub.served == []
    with pytest.raises(WeightsError, match=r"hub\.example is not secured by TLS"):
        plan_download("original", endpoint="http://me:password@hub.example")
    hub.elsewhere = None
    assert download(plan, network=RELEASED_NETWORK).is_dir()


def test_no_more_is_fetched_than_was_promised(hub) -> None:
    plan = plan_download("original", endpoint=hub.address)
    unet = next(file for file in plan.files if file.role == "denoiser")
    hub.files[unet.repository][unet.path] += bytes(10_000)
    with pytest.raises(WeightsError, match=f"more than the {unet.size} bytes come"):
        download(plan, network=RELEASED_NETWORK)
    fetched = list(plan.local(unet).parent.iterdir())
    assert sum(file.stat().st_size for file in fetched) <= unet.size


def test_no_token_is_sent(hub, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefghijklmnop")
    download(plan_download("original", endpoint=hub.address), network=RELEASED_NETWORK)
    assert hub.served
    assert hub.tokens == []


def test_what_is_known_beforehand_outweighs_what_the_hub_says(hub, monkeypatch) -> None:
    """A file that was exchanged on the hub, with a sum that fits it there."""
    vae = "stabilityai/sd-vae-ft-mse"
    weights = "diffusion_pytorch_model.safetensors"
    right = hashlib.sha256(hub.files[vae][weights]).hexdigest()
    monkeypatch.setattr(downloads, "SHA256", {f"{vae}/{weights}": right})
    monkeypatch.setattr(downloads, "REVISIONS", {vae: REVISION})
    content = hub.files[vae][weights]
    hub.files[vae][weights] = content[:-1] + bytes([content[-1] ^ 1])
    plan = plan_download("original", endpoint=hub.address)
    assert [file.pinned for file in plan.files if file.path == weights] == [True]
    with pytest.raises(WeightsError, match=f"not {right}; it is not used"):
        download(plan, network=RELEASED_NETWORK)
    hub.files[vae][weights] = content
    assert download(plan, network=RELEASED_NETWORK).is_dir()
    monkeypatch.setattr(downloads, "REVISIONS", {vae: "f" * 40})
    with pytest.raises(WeightsError, match=f"cannot reach {vae}"):
        plan_download("original", endpoint=hub.address)


def test_without_a_network_the_error_says_what_to_fetch_and_where_to_put_it(hub) -> None:
    address = hub.address
    hub.server_close()
    for form, parts in {
        "original": (
            "unet.pth",
            "referencenet.pth",
            "lmk_guider.pth",
            "YueMafighting/FollowYourEmoji",
            "image_encoder",
        ),
        "safetensors": (
            "FYE_unet-fp16.safetensors",
            "Kijai/FollowYourEmoji-safetensors",
            "sd-image-variations-encoder",
        ),
    }.items():
        with pytest.raises(WeightsError) as caught:
            plan_download(form, endpoint=address)
        for part in (
            *parts,
            "config.json and diffusion_pytorch_model.safetensors of stabilityai/sd-vae-ft-mse",
            "huggingface.co",
            "fye weights convert",
            str(released_folder()),
        ):
            assert part in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_repository_or_file_that_is_gone_is_named(hub) -> None:
    with pytest.raises(WeightsError, match="Kijai/FollowYourEmoji-safetensors"):
        plan_download("safetensors", endpoint=hub.address)
    del hub.files["YueMafighting/FollowYourEmoji"]["ckpts/unet.pth"]
    with pytest.raises(WeightsError, match=r"YueMafighting/FollowYourEmoji no longer holds unet\.pth"):
        plan_download("original", endpoint=hub.address)


@pytest.mark.skipif(not BUNDLE.is_file(), reason="Google's face-landmark model is not beside the checkout")
def test_the_face_landmark_model_is_fetched_and_checked(hub) -> None:
    content = BUNDLE.read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (
        FACE_LANDMARKER_SIZE,
        FACE_LANDMARKER_SHA256,
    )
    hub.files["google/models"] = {"face.task": content}
    url = f"{hub.address}/google/models/resolve/{REVISION}/face.task"
    hub.damaged = {"face.task"}
    with pytest.raises(WeightsError, match="not the file it was"):
        download_face_landmarker(url=url)
    assert list(Path(face_landmarker_file().parent).iterdir()) == []
    hub.damaged = set()
    assert download_face_landmarker(url=url).read_bytes() == content
    assert (
        download_face_landmarker(url="http://127.0.0.1:9/nothing").read_bytes() == content
    )  # it is there already


def test_the_small_decoder_is_fetched_and_checked(hub, monkeypatch) -> None:
    """Bytes of our own in the place of the published ones, whose sum the code holds."""
    content = b"not TAESD, but as good for this"
    hub.files["madebyollin/taesd"] = {"diffusion_pytorch_model.safetensors": content}
    monkeypatch.setattr(downloads, "TAESD_REVISION", REVISION)
    with pytest.raises(WeightsError, match="not the file it was"):
        download_small_decoder(endpoint=hub.address, size=len(content))
    assert list(small_decoder_file().parent.iterdir()) == []
    known = {"size": len(content), "checksum": hashlib.sha256(content).hexdigest()}
    assert download_small_decoder(endpoint=hub.address, **known) == small_decoder_file()
    assert small_decoder_file().read_bytes() == content
    assert [row.name for row in list_checkpoints()] == ["bundled", "released"]  # it is no model
    served = len(hub.served)
    download_small_decoder(endpoint=hub.address, **known)  # it is there already
    assert len(hub.served) == served
