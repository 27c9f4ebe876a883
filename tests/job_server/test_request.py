"""What a client of the server may not ask for."""

from __future__ import annotations

import json

import pytest

from followyouremoji.config import parse
from followyouremoji.errors import SettingsError
from followyouremoji.job_server.request import JobSettings, settings_schema


@pytest.mark.parametrize("name", ["path", "certificate", "private_key", "timestamp_authority"])
def test_a_client_names_no_file_of_the_server_and_nobody_to_ask(name: str) -> None:
    text = json.dumps({"output": {name: "http://169.254.169.254/"}})
    with pytest.raises(SettingsError, match=name):
        parse(JobSettings, text, "the settings")
    assert name not in settings_schema("#/")["$defs"]["Output"]["properties"]
