"""`cryocloud stage` and `put` when something fails: what comes all the same, and what people and programs are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cryocloud_core.cli import main as cli
from tests.services.httpserver import HttpServer


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the current directory; its configuration keeps copies in `tmp`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cryocloud.toml").write_text(f'[CryoCloud.Worker]\ntempdir = "{tmp_path}/tmp"\n')
    return tmp_path


def test_json_has_an_object_for_each_source(
    http_server: HttpServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the order of the command line; what is here already is its own path; what failed has its error."""
    (http_server.files / "one").write_text("1")
    (folder / "two").write_text("2")
    urls = [http_server.url("one"), http_server.url("none"), f"{folder}/two"]

    assert cli.invoke(["stage", "--json", *urls]) == 1
    told = capsys.readouterr()
    one, none, two = map(json.loads, told.out.splitlines())
    assert [each["url"] for each in (one, none, two)] == urls
    assert [Path(*each["paths"]).read_text() for each in (one, two)] == ["1", "2"]
    assert two == {"url": urls[2], "paths": [urls[2]]}
    assert none == {"url": urls[1], "paths": [], "error": told.err.rstrip("\n")}
    assert told.err.startswith(f"{urls[1]}: ")


def test_what_fails_does_not_keep_the_others(
    http_server: HttpServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their paths are printed, each failure has a line, and the exit code is that of all failures, or 1."""
    names = ("first", "second")
    for name in names:
        (http_server.files / name).write_text(name)
    good, missing = list(map(http_server.url, names)), list(map(http_server.url, ("no-a", "no-b")))

    for to in ([], ["--to", "out"]):
        assert cli.invoke(["stage", *to, good[0], missing[0], "gopher://h/a", missing[1], good[1]]) == 1
        told = capsys.readouterr()
        assert [Path(path).read_text() for path in told.out.splitlines()] == list(names)
        lines = told.err.splitlines()
        assert [line.partition(": ")[0] for line in lines] == [missing[0], "gopher://h/a", missing[1]]
    assert cli.invoke(["stage", good[0], "gopher://h/a"]) == 2
    assert cli.invoke(["stage", good[0], missing[0]]) == 1


@pytest.mark.parametrize(
    ("words", "code", "urls"),
    [
        (["stage", "gopher://h/a", "rel"], 2, ["gopher://h/a", "rel"]),
        (["stage", "--to", "out", "/x/f", "/y/f"], 2, ["/x/f", "/y/f"]),
        (["stage", "--profile", "none", "/x/f"], 2, ["/x/f"]),
        (["put", "none", "ssh://h/d/"], 1, ["ssh://h/d/none"]),
        (["put", "cryocloud.toml", "gopher://h/a"], 2, ["gopher://h/a"]),
        (["put", "cryocloud.toml", "s3://h/"], 2, ["s3://h/"]),
    ],
    ids=str,
)
def test_json_tells_what_failed(
    words: list[str], code: int, urls: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An object a source on stdout, whatever failed; stderr says the same to people."""
    assert cli.invoke([*words, "--json"]) == code
    told = capsys.readouterr()
    objects = [json.loads(line) for line in told.out.splitlines()]
    assert [each["url"] for each in objects] == urls
    assert set(told.err.splitlines()) == {each["error"] for each in objects}
