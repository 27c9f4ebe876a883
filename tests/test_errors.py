"""The words that messages share."""

import pytest

from followyouremoji.errors import UserError, first_line, lack_of_memory, shown, some_of


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("no room\n  at line 3 of a file of C++"), "no room"),
        (ValueError("\n\n  begins late\nand goes on"), "begins late"),
        (KeyError(), "KeyError"),
        (OSError("  \n"), "OSError"),
    ],
)
def test_an_error_is_told_by_its_first_line_or_its_name(error: Exception, said: str) -> None:
    assert first_line(error) == said


@pytest.mark.parametrize(
    ("names", "said"),
    [("a", "a"), ("abc", "a, b, c"), ("abcd", "a, b, c and 1 more"), ("abcdefg", "a, b, c and 4 more")],
)
def test_many_names_are_told_by_a_few(names: str, said: str) -> None:
    assert some_of(list(names)) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Zoë's smile 🙂", "Zoë's smile 🙂"),
        ("\x1b[2J\x1b]0;mine\x07", r"\x1b[2J\x1b]0;mine\x07"),
        ("one\r\ntwo\u2028three", r"one\r\ntwo\u2028three"),
        ("png.\u202egpj \ud800", r"png.\u202egpj \ud800"),
        ("a" * 80, "a" * 80),
        ("a" * 1_000_000, "a" * 77 + "..."),
    ],
)
def test_a_quoted_text_is_short_and_steers_no_terminal(text: str, said: str) -> None:
    assert shown(text) == said


def test_an_error_s_message_steers_no_terminal() -> None:
    assert str(UserError("motion\x1b[31m.npy")) == r"motion\x1b[31m.npy"


@pytest.mark.parametrize(
    "words",
    [
        "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "MPS backend out of memory (MPS allocated: 5.0 GB)",
    ],
)
def test_a_lack_of_memory_is_known_by_its_words(words: str) -> None:
    assert lack_of_memory(RuntimeError(words)) == "the GPU"
    assert lack_of_memory(RuntimeError("CUDA error: device-side assert triggered")) is None
