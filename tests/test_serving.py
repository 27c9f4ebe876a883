"""Where web applications listen."""

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
