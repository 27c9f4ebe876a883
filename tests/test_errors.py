"""The words that messages share."""

import pytest

from followyouremoji.errors import first_line, some_of


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
