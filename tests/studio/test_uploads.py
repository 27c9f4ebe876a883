"""Files of strangers: bounded before they are decoded, and never more than a file."""

from __future__ import annotations

import resource
import struct
import sys
import zlib
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from followyouremoji.jobs import bounds
from followyouremoji.jobs.bounds import MOST_FRAMES
from followyouremoji.media.decoding import AnimationSource
from followyouremoji.requests.bundled import EXAMPLES, portrait_path
from followyouremoji.studio import store as store_module
from tests.studio.conftest import Served

if TYPE_CHECKING:
    from playwright.sync_api import Page

ADA = portrait_path("bundled:ada")


def send(client: TestClient, kind: str, name: str, content: object) -> tuple[int, str]:
    """The answer's status, and the sentence or the name that it says."""
    answer = client.post("/studio/materials", params={"kind": kind, "name": name}, content=content)
    said = answer.json()
    return answer.status_code, said.get("detail") or said["name"]


def limited(studio: Served, monkeypatch: pytest.MonkeyPatch, **limits: int) -> None:
    """Have the studio take less."""
    monkeypatch.setattr(studio.studio, "settings", replace(studio.studio.settings, **limits))


def nothing_kept(studio: Served, client: TestClient) -> bool:
    """Whether a visitor's folder holds no upload, finished or not."""
    folders = (studio.studio.store.folder / "visitors").glob("*/incoming/*")
    return not list(folders) and client.get("/studio/materials").json() == []


def png(width: int, height: int) -> bytes:
    """A whole picture, one bit a pixel, all black, of little more than a thousandth of its size."""
    packed = zlib.compressobj(9)
    rows = b"\0" * (1 + (width + 7) // 8) * 100
    data = b"".join(packed.compress(rows) for _ in range(height // 100)) + packed.flush()
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)),
        (b"IDAT", data),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def animation(frames: int) -> bytes:
    """A GIF of 32x32 pixels, two pictures in turn."""
    first, second = (Image.new("L", (32, 32), colour) for colour in (0, 255))
    written = BytesIO()
    first.save(written, "GIF", save_all=True, append_images=[second], duration=20, loop=0)
    content = written.getvalue()
    begin = content.index(b"\x21\xf9")
    again = content.index(b"\x21\xf9", begin + 1)
    both = content[begin:-1]
    return content[:begin] + both * (frames // 2) + content[begin:again] * (frames % 2) + content[-1:]


def still_clip(path: Path, size: tuple[int, int], frames: int, rate: int, codec: str) -> bytes:
    """A clip of one grey picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = "gray" if codec == "png" else "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.full(size[::-1], 99, np.uint8), format="gray")
        for _ in range(frames):
            container.mux(stream.encode(picture.reformat(format=stream.pix_fmt)))
        container.mux(stream.encode())
    return path.read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is in other units")
def test_bombs_are_refused_before_they_are_decoded(
    studio: Served, client: TestClient, tmp_path: Path
) -> None:
    files = {
        "bomb.png": png(50_000, 50_000),
        "large.png": png(9000, 6000),
        "large.mp4": still_clip(tmp_path / "large.mp4", (7680, 7680), 1, 25, "mpeg4"),
    }
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, content in files.items():
        assert len(content) < 1_000_000
        for kind in ("portrait", "driving") if name.endswith(".png") else ["driving"]:
            status, sentence = send(client, kind, name, content)
            assert status == 422
            assert name in sentence
            assert "megapixels" in sentence
    assert nothing_kept(studio, client)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000  # kilobytes


def test_long_animations_and_clips_are_read_as_far_as_they_are_taken(
    client: TestClient, tmp_path: Path, studio: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited(studio, monkeypatch, clip_seconds=1)
    long = animation(1000)
    assert send(client, "portrait", "long.gif", long)[0] == 201  # its first picture, without a face
    assert "no face" in send(client, "driving", "long.gif", long)[1].lower()
    fast = still_clip(tmp_path / "fast.mp4", (64, 64), 1500, 1000, "mpeg4")
    assert "no face" in send(client, "driving", "fast.mp4", fast)[1].lower()


def test_animations_and_clips_of_too_many_frames_are_refused(
    client: TestClient, tmp_path: Path, studio: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AnimationSource, "__init__", None)  # would decode all
    long = animation(MOST_FRAMES + 1)
    status, sentence = send(client, "driving", "long.gif", long)
    assert status == 422
    assert f"long.gif has {MOST_FRAMES + 1} frames of 32x32 pixels" in sentence
    monkeypatch.setattr(bounds, "MOST_DECODED", 100 * 32 * 32 - 1)
    for name, content in (
        ("large.gif", animation(100)),
        ("large.mp4", still_clip(tmp_path / "large.mp4", (32, 32), 100, 25, "mpeg4")),
    ):
        status, sentence = send(client, "driving", name, content)
        assert status == 422
        assert f"{name} has 100 frames" in sentence
        assert "cut it" in sentence


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../../etc/passwd.png", "passwd.png"),
        ("..\\..\\boot.png", "boot.png"),
        ("/absolute.png", "absolute.png"),
        ("a\0b.png", "ab.png"),
        ("x.p\0ng", "x.png"),
        ("photo\u202egnp.exe", "photognp.exe"),
        ("line\r\nSet-Cookie: a=b.png", "lineSet-Cookie: a=b.png"),
        ("<img src=x onerror=alert(1)>.png", "<img src=x onerror=alert(1)>.png"),
        ("x" * 10_000 + ".png", "x" * 96 + ".png"),
        ("..", ".."),
        ("", "file"),
        ("\ud800.png", "?.png"),
        ("..png" * 3, "..png..png..png"),
        ("x.m3u8:http", "x.m3u8:http"),
    ],
)
def test_names_are_for_people_alone(studio: Served, client: TestClient, name: str, kept: str) -> None:
    content = png(100, 100)
    assert send(client, "portrait", name.encode("utf-8", "replace").decode(), content) == (201, kept)
    (material,) = client.get("/studio/materials").json()
    view = client.get(f"/studio/materials/{material['id']}/view")
    assert view.headers["content-type"] == "image/webp"
    (given,) = (studio.studio.store.folder / "visitors").glob(f"*/materials/{material['id']}/given*")
    assert given.read_bytes() == content
    assert given.name in ("given", "given.png", "given.exe")


@pytest.mark.parametrize("name", ["list.m3u8", "list.mp4", "list.ts", "list.ffconcat", "list.mpd", "list"])
def test_a_playlist_leads_nowhere(client: TestClient, tmp_path: Path, name: str) -> None:
    """FFmpeg would open what a playlist names, on this machine and elsewhere."""
    secret = tmp_path / "secret.ts"
    still_clip(secret, (64, 64), 10, 25, "mpeg2video")
    lists = (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://{secret}\n#EXT-X-ENDLIST\n",
        f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{secret}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile {secret}\n",
        "ffconcat version 1.0\nfile given.mp4\n",
        f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet>'
        f'<Representation id="1"><BaseURL>file://{secret}</BaseURL></Representation></AdaptationSet></Period></MPD>',
    )
    for text in lists:
        status, sentence = send(client, "driving", name, text.encode())
        assert status == 422
        assert "cannot be read as a clip" in sentence
        assert str(secret) not in sentence


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.png", b"", "empty"),
        ("text.png", b"hello", "picture"),
        ("cut.png", ADA.read_bytes()[:5000], "cut"),
        ("cut.jpg", b"\xff\xd8\xff\xe1\x10\x00Exif", "picture"),  # in the header, which is looked at first
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "picture"),
        ("drawing.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\n", "picture"),
        ("drawing.qoi", b"qoif\0\0\0\x40\0\0\0\x40\3\0", "QOI"),
        ("page.html", b"<script>alert(1)</script>", "picture"),
    ],
)
def test_what_is_no_picture_is_refused_by_its_name(
    studio: Served, client: TestClient, name: str, content: bytes, words: str
) -> None:
    status, sentence = send(client, "portrait", name, content)
    assert status == 422
    assert name in sentence
    assert words in sentence
    assert str(studio.studio.store.folder) not in sentence
    assert nothing_kept(studio, client)


@pytest.mark.parametrize("name", ["x.npy", "x.fyemotion", "x.npz", "x.pt", "x.pkl"])
def test_nothing_is_unpickled(client: TestClient, tmp_path: Path, name: str) -> None:
    import pickle

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return open, (str(tmp_path / "sprung"), "w")  # type: ignore[return-value]

    plain = BytesIO()
    np.save(plain, np.array([Trap()], object), allow_pickle=True)
    for content in (pickle.dumps(Trap()), plain.getvalue()):
        (tmp_path / "sprung").unlink(missing_ok=True)  # np.save copied it
        assert send(client, "driving", name, content)[0] == 422
        assert not (tmp_path / "sprung").exists()


def pieces(megabytes: int) -> Iterator[bytes]:
    for _ in range(megabytes):
        yield b" " * 1_000_000


@pytest.mark.parametrize("length", ["said", "not said"])
def test_an_upload_is_given_up_when_it_is_too_large(
    studio: Served, client: TestClient, monkeypatch: pytest.MonkeyPatch, length: str
) -> None:
    limited(studio, monkeypatch, upload_megabytes=2)
    content = pieces(4) if length == "not said" else b"".join(pieces(4))
    status, sentence = send(client, "driving", "long.mp4", content)
    assert (status, sentence) == (422, "long.mp4 is too large: up to 2 MB are taken here")
    assert nothing_kept(studio, client)


def test_an_upload_needs_room(studio: Served, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studio.studio.store, "visitor_bytes", 1_500_000)
    status, sentence = send(client, "driving", "long.mp4", pieces(3))
    assert status == 422
    assert "delete some results" in sentence
    monkeypatch.setattr(store_module, "LEAST_FREE", 1 << 60)
    status, sentence = send(client, "driving", "short.mp4", pieces(1))
    assert status == 422
    assert "disk is full" in sentence
    assert nothing_kept(studio, client)


def test_a_motion_is_taken(client: TestClient) -> None:
    assert send(client, "driving", "hello.fyemotion", (EXAMPLES / "hello.fyemotion").read_bytes())[0] == 201


def test_a_browser_hears_why_before_it_has_sent_all(
    studio: Served, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited(studio, monkeypatch, upload_megabytes=1)
    refused = page.evaluate(
        """async () => {
            const body = new Blob([new Uint8Array(40_000_000)]);
            const answer = await fetch("/studio/materials?kind=driving&name=long.mp4", { method: "POST", body });
            return [answer.status, (await answer.json()).detail];
        }"""
    )
    assert refused == [422, "long.mp4 is too large: up to 1 MB are taken here"]
