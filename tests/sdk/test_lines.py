"""The line protocol: what each form of line means, and that any stream of bytes becomes lines within the limits."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.sdk.lines import (
    CUT,
    LINE_LIMIT,
    ErrorStream,
    LineSplitter,
    LogLine,
    PlainLine,
    ReturnLine,
    StatusLine,
    number,
    read_line,
)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[progress] 40", StatusLine("progress", "40")),
        ("[a.b-c_1]  x y ", StatusLine("a.b-c_1", "x y")),
        ("[progress]", StatusLine("progress", "")),
        ("[two words] 1", PlainLine("[two words] 1")),
        ("[] 1", PlainLine("[] 1")),
        ("<info> hello", LogLine("INFO", "hello")),
        ("<WARNING>no space", LogLine("WARNING", "no space")),
        ("<Exception> it broke", LogLine("ERROR", "it broke")),
        ("<nonsense> text", LogLine("INFO", "text")),
        ("<b>", LogLine("INFO", "")),
        ('{retval} {"dst": "/a"}', ReturnLine({"dst": "/a"})),
        ("{retval}3", ReturnLine(3)),
        ("plain", PlainLine("plain")),
        ("", PlainLine("")),
        (" [progress] 40", PlainLine(" [progress] 40")),
    ],
)
def test_each_form_of_line_is_understood(text: str, line: object) -> None:
    """Status, log, return value, plain: as the table in the module's docstring says."""
    assert read_line(text) == line


def test_a_bad_return_value_says_what_it_got() -> None:
    """The error names the keyword and shows the text."""
    line = read_line("{retval} {oops")

    assert isinstance(line, ReturnLine)
    assert "not followed by JSON" in line.error
    assert "{oops" in line.error


def test_stderr_is_an_error_from_the_traceback_on() -> None:
    """Chatter before is DEBUG, everything after the word is ERROR."""
    stream = ErrorStream()

    levels = [
        stream.level(text) for text in ("chatter", "Traceback (most recent call last):", "  File x", "ValueError")
    ]
    assert levels == ["DEBUG", "ERROR", "ERROR", "ERROR"]


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))), st.data())
def test_lines_come_out_however_the_stream_is_chopped(texts: list[str], data: st.DataObject) -> None:
    """The chunks' borders are invisible, at CR LF too."""
    ends = [data.draw(st.sampled_from(["\n", "\r\n"])) for _ in texts]
    stream = "".join(text + end for text, end in zip(texts, ends, strict=True)).encode()
    splitter = LineSplitter()

    lines: list[str] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        lines += splitter.feed(stream[:size])
        stream = stream[size:]
    assert lines + splitter.rest() == texts


@given(st.binary())
def test_any_bytes_become_text(noise: bytes) -> None:
    """No bytes are refused, and what comes out can be written as UTF-8."""
    splitter = LineSplitter()

    for line in [*splitter.feed(noise), *splitter.rest()]:
        line.encode()


def test_a_carriage_return_ends_a_line() -> None:
    """Progress bars that never write a line feed are seen as they move."""
    splitter = LineSplitter()

    assert splitter.feed(b"10%\r20%\r") == ["10%", "20%"]
    assert splitter.feed(b"\nnext\n") == ["next"]


def test_a_long_line_is_cut_and_the_next_one_is_whole() -> None:
    """64 KiB of a line are kept, with a mark; nothing more is held."""
    splitter = LineSplitter()

    lines = []
    for _ in range(3):
        lines += splitter.feed(b"x" * 50_000)
    lines += splitter.feed(b"\nshort\n")
    assert lines == ["x" * LINE_LIMIT + CUT, "short"]


def test_a_return_value_may_be_long_even_when_its_keyword_arrives_in_pieces() -> None:
    """The limit of a return value is 16 MiB, not that of a log line."""
    value = ["y" * 100] * 5_000
    stream = b"{retval} " + json.dumps(value).encode() + b"\n"
    splitter = LineSplitter()

    lines = splitter.feed(stream[:3]) + splitter.feed(stream[3:70_000]) + splitter.feed(stream[70_000:])
    assert [read_line(line) for line in lines] == [ReturnLine(value)]


@pytest.mark.parametrize(("text", "value"), [("40", 40.0), (" 1e1 ", 10.0), ("nan", None), ("inf", None), ("x", None)])
def test_a_number_is_finite(text: str, value: float | None) -> None:
    """What is no finite number is None."""
    assert number(text) == value
