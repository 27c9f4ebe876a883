"""Where web applications listen."""

import signal
import subprocess
import sys
from urllib.request import urlopen

import pytest

pytest.importorskip("uvicorn", reason="web applications need uvicorn")

from followyouremoji.errors import SettingsError
from followyouremoji.serving import address_of, is_local, listen


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_addresses_of_this_machine_alone(host: str) -> None:
    assert is_local(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org", ""])
def test_addresses_that_others_reach(host: str) -> None:
    assert not is_local(host)


def test_listening_where_nothing_else_does() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert address_of("127.0.0.1", taken) == f"http://127.0.0.1:{port}/"
        assert address_of("::1", taken) == f"http://[::1]:{port}/"
        with pytest.raises(SettingsError, match="--port"):
            listen("127.0.0.1", port)
    with pytest.raises(SettingsError, match="cannot listen on"):
        listen("no.such.host.invalid", 0)


BUSY = """
import atexit, socket, threading, time
from followyouremoji.serving import address_of, listen, serve

async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})

if "busy" in ARGUMENTS:
    threading.Thread(target=time.sleep, args=(600,)).start()  # as one that loads a model
with listen("127.0.0.1", 0) as listening:
    print(address_of("127.0.0.1", listening), flush=True)
    serve(app, listening)
print("ended", flush=True)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("state", ["idle", "busy"])
def test_a_signal_ends_a_server_whatever_its_threads_are_at(how: signal.Signals, state: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY.replace("ARGUMENTS", repr([state]))], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        with urlopen(address) as answer:
            assert answer.read() == b"hello"
        process.send_signal(how)
        printed, _ = process.communicate(timeout=60)
        assert (process.returncode, printed) == (0, "ended\n")
    finally:
        process.kill()
