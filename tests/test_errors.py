"""The words that messages share, and what counts as a number."""

import math

import pytest

from followyouremoji.errors import first_line, is_number, some_of


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


@pytest.mark.parametrize("value", [0, -3, 2.5, 10**400])
def test_what_is_a_number(value: object) -> None:
    assert is_number(value)


@pytest.mark.parametrize("value", [True, False, None, "1", [1], math.inf, -math.inf, math.nan])
def test_what_is_no_number_to_a_user(value: object) -> None:
    assert not is_number(value)
