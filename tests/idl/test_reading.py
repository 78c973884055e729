"""What an IDL program's lines mean."""

from __future__ import annotations

import pytest

from cryocloud_core.sdk.lines import read_line
from cryocloud_idl.reading import Complaints, Results


def told(*lines: str) -> dict[str, object]:
    """Return the outputs in plain lines; each must be one."""
    results = Results()
    assert all(results.take(line) for line in lines)
    return results.values


def test_key_value_lines_are_outputs() -> None:
    """Texts, trimmed, with everything after the first equals sign; the last one counts."""
    assert told("dst=/out/a b.nc ", "  n=1", "n=2", "eq=a=b", "empty=") == {
        "dst": "/out/a b.nc",
        "n": "2",
        "eq": "a=b",
        "empty": "",
    }


@pytest.mark.parametrize("line", ["x = 3", "a-b=1", "1x=2", "=", "", "Mean wind: 3 m/s", "if (a==b) then"])
def test_other_lines_are_none(line: str) -> None:
    """Only a name directly before the sign is an output."""
    assert not Results().take(line)


def test_ret_holds_json() -> None:
    """A map is outputs of their own, anything else is the output ret."""
    assert told('ret={"n": 1, "l": [1, null]}', "m=x") == {"n": 1, "l": [1, None], "m": "x"}
    assert told("ret=[1]") == {"ret": [1]}
    with pytest.raises(ValueError, match="ret= is not followed by JSON"):
        told("ret={n: 1}")


def test_a_return_line_counts_like_ret() -> None:
    """And its broken JSON is an error."""
    results = Results()
    results.take_return(read_line('{retval} {"a": 1}'))  # type: ignore[arg-type]

    assert results.values == {"a": 1}
    with pytest.raises(ValueError, match="is not followed by JSON"):
        results.take_return(read_line("{retval} {"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "line",
    [
        "% Execution halted at: $MAIN$",
        "% Procedure not found: NOSUCH",
        "% Parser syntax error: unexpected token: (",
        "% Syntax error.",
        "% Attempt to call undefined procedure: 'WIND'.",
    ],
)
def test_failures_are_recognised(line: str) -> None:
    """Whatever the exit status says."""
    complaints = Complaints()

    assert complaints.take(line) == "ERROR"
    assert complaints.failed


def test_noise_and_warnings_are_no_failure() -> None:
    """Display warnings and loading are for the debug log, arithmetic for a warning."""
    complaints = Complaints()
    levels = [
        complaints.take("16:43:30: Error: Unable to initialize GTK+, is DISPLAY set properly?"),
        complaints.take("% Compiled module: WORK."),
        complaints.take("% Program caused arithmetic error: Integer divide by 0"),
        complaints.take("my own % Execution halted at: nothing"),
    ]

    assert levels == ["DEBUG", "DEBUG", "WARNING", "DEBUG"]
    assert not complaints.failed


def test_the_complaint_is_told_in_one_line() -> None:
    """With the places that follow it."""
    complaints = Complaints()
    for line in [
        "% BAD: Variable is undefined: X",
        "% Execution halted at: BAD                  2 /code/bad.pro",
        "%                      $MAIN$          ",
    ]:
        complaints.take(line)

    assert complaints.text == "BAD: Variable is undefined: X; Execution halted at: BAD 2 /code/bad.pro; $MAIN$"
