"""`cryocloud config`: values read, set, listed and traced; comments and secrets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cryocloud_core.cli import main as cli
from cryocloud_core.config import Config

PROJECT = """\
# The site's settings; ask Njål before you change them.
top = 1

[Ocean.Wind]   # of the wind chain
File = "/data/wind.nc"  # renewed every night
Level = 3

[Ocean]
token = {env = "OCEAN_TOKEN"}   # never here
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a directory below a project's file; give that file."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OCEAN_TOKEN", "hunter2-hunter2")
    file = tmp_path / "site" / "cryocloud.toml"
    (tmp_path / "site" / "flows").mkdir(parents=True)
    file.write_text(PROJECT, encoding="utf-8")
    monkeypatch.chdir(tmp_path / "site" / "flows")
    return file


def out(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> list[str]:
    """Run the command and return its lines."""
    assert cli.invoke(["config", *words]) == code
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        ("get Ocean.Wind.File", ["/data/wind.nc"]),
        ("Ocean.Wind.File", ["/data/wind.nc"]),
        ("get Ocean.Wind", ['Ocean.Wind.File = "/data/wind.nc"', "Ocean.Wind.Level = 3"]),
        ("get Ocean.Wind.Level top", ["3", "1"]),
        ("get Ocean.token", ["•••"]),
        ("--json Ocean.Wind.Level", ['{"name": "Ocean.Wind.Level", "value": 3, "source": "FILE"}']),
        ("where Ocean.Wind.File", ["Ocean.Wind.File: FILE"]),
        ("where Ocean.token", ["Ocean.token: FILE"]),
    ],
)
def test_values_are_read(words: str, lines: list[str], project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A value alone for scripts, a table's values with their names, a secret as dots, with its file on demand."""
    assert out(capsys, *words.split()) == [line.replace("FILE", str(project)) for line in lines]


def test_what_is_not_set_is_exit_1_with_the_nearest_name(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing on stdout, so that a script does not take it for a value."""
    assert cli.invoke(["config", "get", "Ocean.Wind.Fil"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("Ocean.Wind.Fil is not set")
    assert "Ocean.Wind.File" in shown.err


def test_a_list_tells_every_value_and_its_source(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of the environment and of a profile; no secret; words choose."""
    monkeypatch.setenv("CRYOCLOUD_CFG__Ocean__Wind__Level", "9")
    project.with_name("cryocloud.night.toml").write_text("night = true\n")

    text = "\n".join(out(capsys, "list", "--profile", "night"))
    for name, value, source in (
        ("Ocean.Wind.Level", "9", "environment variable CRYOCLOUD_CFG__Ocean__Wind__Level"),
        ("night", "true", str(project.with_name("cryocloud.night.toml"))),
        ("Ocean.token", "•••", str(project)),
    ):
        assert any(line.split(maxsplit=2) == [name, value, source] for line in text.splitlines())
    assert "hunter2" not in text
    assert [json.loads(line)["name"] for line in out(capsys, "--json", "list", "WIND")] == [
        "Ocean.Wind.File",
        "Ocean.Wind.Level",
    ]


def test_a_set_changes_one_value_and_keeps_what_people_wrote(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Comments, order and blanks stay; the file is told."""
    project.chmod(0o640)
    assert out(capsys, "set", "Ocean.Wind.Level=4") == [f"Ocean.Wind.Level is set in {project}"]

    assert project.read_text(encoding="utf-8") == PROJECT.replace("Level = 3", "Level = 4")
    assert project.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in project.parent.iterdir() if path.name.startswith(".cc-")] == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("2.5", 2.5),
        ("true", True),
        ('"5"', "5"),
        ("/data/a b=c", "/data/a b=c"),
        ("ends = here", "ends = here"),
        ("", ""),
        ('["a", 1]', ["a", 1]),
        ("null", "null"),
        ("two\nlines = 1", "two\nlines = 1"),
    ],
)
def test_values_are_set_as_what_they_look_like(text: str, value: object) -> None:
    """As TOML, then as JSON, else as text; new tables are made; what was written is what is read."""
    assert cli.invoke(["config", f"New.deep.er.name={text}", f"top={text}"]) == 0

    config = Config.load(".")
    assert (config.get("New.deep.er.name"), config.get("top")) == (value, value)
    assert config.get("Ocean.Wind.File") == "/data/wind.nc"


@pytest.mark.parametrize("text", ['{env = "OCEAN_TOKEN"}', '{"env": "OCEAN_TOKEN"}'])
def test_a_secret_is_set_as_a_handle(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In either notation; it is dots from then on and can be replaced."""
    assert cli.invoke(["config", f"Ocean.other={text}"]) == 0
    capsys.readouterr()

    assert out(capsys, "Ocean.other") == ["•••"]
    assert Config.load(".").get("Ocean.other").reveal() == "hunter2-hunter2"
    assert cli.invoke(["config", "Ocean.other=plain"]) == 0
    assert Config.load(".").get("Ocean.other") == "plain"


def test_a_value_is_set_where_it_is_or_where_it_is_asked_to_be(
    project: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The file that has it, else the project's; --user the user's own; --directory another project."""
    mine = tmp_path / "home" / "cryocloud" / "config.toml"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine = 1\n")
    empty = tmp_path / "empty"
    empty.mkdir()

    assert out(capsys, "mine=2", "fresh=3", "--directory", str(project.parent)) == [
        f"mine is set in {mine}",
        f"fresh is set in {project}",
    ]
    assert cli.invoke(["config", "set", "top", "7", "--user"]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"top is set in {mine}\n"
    assert shown.err == f"top is still taken from {project}, which goes first\n"
    assert out(capsys, "a.b=1", "--directory", str(empty)) == [f"a.b is set in {empty / 'cryocloud.toml'}"]
    assert (empty / "cryocloud.toml").read_text() == "[a]\nb = 1\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["set", "Ocean=1"], "Ocean: is a table; set a value in it"),
        (["set", "top.deeper=1"], "top: is a value, not a table"),
        (["set", "a..b=1"], "'a..b': is no dotted name"),
        (["set", "novalue"], "novalue: has no value; write novalue=VALUE"),
        (["set"], "set what?"),
        (["get"], "get what?"),
        (["list", "--profile", "none"], "there is no cryocloud.none.toml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_one_line_and_changes_nothing(
    words: list[str], told: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, and the file is as it was."""
    assert cli.invoke(["config", *words]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert project.read_text(encoding="utf-8") == PROJECT


def test_a_file_that_is_no_toml_is_named_with_its_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Reading and setting refuse it alike."""
    project.write_text("a = 1\nb = = 2\n")
    for words in (["list"], ["a=2"]):
        assert cli.invoke(["config", *words]) == 2
        assert f"{project}:2:5: not valid TOML" in capsys.readouterr().err
    assert project.read_text() == "a = 1\nb = = 2\n"
