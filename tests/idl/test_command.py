"""The command lines of IDL and GDL, built without either."""

from __future__ import annotations

import pytest

from cryocloud_idl.command import Command, Dialect, command_for

#: what a module of the original system passes
WIND = ["-IDL_STARTUP", "' '", "-IDL_PATH", "'+/lib/idl:<IDL_DEFAULT>'", "-e", "wind, '/in/a b', 'it''s'"]


def gdl(cmd: list[str], env: dict[str, str] | None = None, unbuffer: str | None = "/stdbuf") -> Command:
    """Return the command for GDL."""
    return command_for(Dialect.GDL, "/gdl", cmd, folder="/code", env=env or {}, unbuffer=unbuffer)


def test_idl_gets_its_words_without_the_shells_quotes() -> None:
    """Quotes around preferences go, for no shell takes them away; the statement keeps its own."""
    command = command_for(Dialect.IDL, "/idl", WIND, folder="/code", env={"A": "b"}, unbuffer="/stdbuf")

    preferences = ("-IDL_STARTUP", " ", "-IDL_PATH", "+/lib/idl:<IDL_DEFAULT>")
    assert command == Command(("/idl", *preferences, "-e", "wind, '/in/a b', 'it''s'"), {"A": "b"})


def test_gdl_gets_no_preference_and_tells_at_once() -> None:
    """GDL would do nothing for a word it does not know; the path goes into its variable, the folder first."""
    assert gdl(WIND) == Command(
        ("/stdbuf", "-oL", "/gdl", "-quiet", "-e", "wind, '/in/a b', 'it''s'"),
        {"GDL_PATH": "/code:+/lib/idl:<GDL_DEFAULT>"},
    )


@pytest.mark.parametrize(
    ("cmd", "words"),
    [
        (["proc, 1"], ["-e", "proc, 1"]),
        (["-e", "-1"], ["-e", "-1"]),
        (["batch.pro", "-quiet"], ["batch.pro"]),
        (["-idl_cpu_tpool_nthreads", "4", "-queue", "-e", "x"], ["-e", "x"]),
        (["-e", "x", "-args", "-IDL_PATH", "y"], ["-e", "x", "-args", "-IDL_PATH", "y"]),
        (["-arg", "-queue", "-e", "x"], ["-arg", "-queue", "-e", "x"]),
        (["-e"], ["-e"]),
    ],
)
def test_gdl_gets_the_words_it_knows(cmd: list[str], words: list[str]) -> None:
    """Values and arguments are passed on whatever they look like; a lone text is a statement, two are not."""
    assert list(gdl(cmd, unbuffer=None).argv) == ["/gdl", "-quiet", *words]


@pytest.mark.parametrize("word", ["-rt=wind.sav", "-vm=wind.sav", "-rt"])
def test_gdl_refuses_compiled_programs(word: str) -> None:
    """The error says what to do."""
    with pytest.raises(ValueError, match="compiled program, which GDL cannot; install IDL"):
        gdl([word])


@pytest.mark.parametrize(
    ("env", "path"),
    [
        ({}, "/code:<GDL_DEFAULT>"),
        ({"GDL_PATH": "/g"}, "/code:/g"),
        ({"IDL_PATH": "+/i:<IDL_DEFAULT>"}, "/code:+/i:<GDL_DEFAULT>"),
        ({"IDL_PATH": "/i", "GDL_PATH": "/g:/code"}, "/code:/g"),
    ],
)
def test_gdl_looks_where_the_user_says(env: dict[str, str], path: str) -> None:
    """GDL's own variable before IDL's, the folder before both."""
    assert gdl(["x"], env).env == {**env, "GDL_PATH": path}


@pytest.mark.parametrize("dialect", Dialect)
def test_nothing_to_run_is_an_error(dialect: Dialect) -> None:
    """An empty cmd would start an interpreter that waits for a person."""
    with pytest.raises(ValueError, match="cmd is missing"):
        command_for(dialect, "/x", [], folder="/", env={}, unbuffer=None)
