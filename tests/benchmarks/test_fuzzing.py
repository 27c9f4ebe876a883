"""Every reader of others' files, whatever is in them: a value or a short UserError, within bounds of memory and time.

`python -m benchmarks.fuzz` does the same for long, guided by coverage.
"""

import tempfile
from collections.abc import Iterator
from random import Random

import pytest

pytest.importorskip("resource", reason="this system does not tell the memory that a process has held")

from benchmarks.fuzzing.reader import checksums_passed_over, judged
from benchmarks.fuzzing.table import names_like, reader
from hypothesis import given, settings
from hypothesis import strategies as st

SHARP = (
    b"\0",
    b"\xff" * 4,
    b"\x80",
    b"-",
    b"9" * 30,
    b"1e999",
    b"NaN",
    b"null",
    b"[" * 200,
    b'"\x1b[2J"',
    b"../",
)
"""What breaks readers of numbers, texts, sizes and names."""

edits = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.sampled_from((0, 1, 4, 8, 1 << 20)),
        st.sampled_from(SHARP) | st.binary(max_size=8),
    ),
    max_size=5,
)
"""None, or where, as a share of the file, how many bytes are taken out there, and what is put in."""


@pytest.fixture(scope="module", autouse=True)
def _files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("fuzzed")))
        yield


@pytest.mark.parametrize("name", names_like("all"))
def test_whatever_the_bytes_a_reader_gives_a_value_or_says_what_is_wrong(name: str) -> None:
    fuzzed = reader(name)
    whole_files = list(fuzzed.seeds())
    for whole in whole_files:
        fuzzed.read(whole)

    @settings(max_examples=30, deadline=None)
    @given(st.sampled_from(whole_files), edits, st.integers(0))
    def holds(whole: bytes, changes: list[tuple[float, int, bytes]], seed: int) -> None:
        content = bytearray(whole if fuzzed.mutate is None else fuzzed.mutate(whole, Random(seed)))
        for share, removed, put in changes:
            place = int(share * len(content))
            content[place : place + removed] = put
        with checksums_passed_over():
            verdict = judged(fuzzed, bytes(content))
        assert verdict.fault is None, verdict.details

    holds()
