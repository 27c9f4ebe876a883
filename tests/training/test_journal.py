"""A run's logs where they are damaged: what is a row stays, and nothing else."""

from pathlib import Path

import pytest

from followyouremoji.training.journal import append, rewind

ROWS = ["step,loss\r\n", "1,0.5\r\n", "2,0.4\r\n", "3,0.3\r\n"]


@pytest.mark.parametrize(
    "damage",
    [
        b"\0" * 4000,  # of a power cut
        b"\xff\xfe\x80\r\n",
        b'2,"0.1\r\n' + b"9" * 200_000,  # csv's own reader has a bound
        "²,0.1\r\n".encode(),  # a digit, and no number
        b"9" * 5000 + b",0.1\r\n",
        b"2,0.",  # a row that was not written to its end
    ],
)
def test_rows_up_to_a_step_stay_as_they_are(tmp_path: Path, damage: bytes) -> None:
    log = tmp_path / "log.csv"
    log.write_bytes("".join(ROWS).encode() + damage)
    rewind(log, 2)
    whole, left = "".join(ROWS[:3]).encode(), log.read_bytes()
    assert left in (whole, whole + b'2,"0.1\r\n')
    append(log, {"step": 3, "loss": 0.2})
    assert log.read_bytes().endswith(b"\r\n3,0.2\r\n")


def test_a_log_whose_beginning_is_damaged_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_bytes(b"\xff" * 200_000)
    append(tmp_path / "log.csv", {"step": 1, "loss": 0.5})
    assert (tmp_path / "log.csv").read_text() == "step,loss\n1,0.5\n"
    assert (tmp_path / "log.1.csv").read_bytes() == b"\xff" * 200_000
