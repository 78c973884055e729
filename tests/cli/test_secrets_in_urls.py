"""Secrets of URLs are not on the screen: in a pebble's story, in status rows, in errors, in the bar of a transfer."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from cryocloud_core.cli import main as cli
from cryocloud_core.cli.explain_showing import Live, lines_of
from cryocloud_core.cli.status_showing import shown
from cryocloud_core.cli.transfer_bar import bar
from cryocloud_core.engine.explain import PebbleTold, RunTold
from cryocloud_core.engine.reasons import ArgumentTold
from cryocloud_core.files.moving import Moving
from cryocloud_core.head.retelling import Story
from cryocloud_core.sdk.url import Url
from tests.services.httpserver import HttpServer

URL = "https://web/a.zip?id=42&token=Zq123"
SHOWN = "https://web/a.zip?id=42&token=•••"


class Screen(io.StringIO):
    """A terminal of a hundred columns."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


def test_a_story_tells_no_secret_of_a_url() -> None:
    """Of an argument, an output, the place where post left a file, the value that a condition saw."""
    value = ArgumentTold("src", "In.url", value=URL)
    ran = RunTold("W", "W", "", "success", f"{URL} == 1", args=(value,), outputs={"dst": [URL]}, posted=("dst",))
    told = PebbleTold(42, "Flow", "In", URL, 1e9, "main", "", "In", "success", None, (ran,))
    lines = "\n".join(lines_of(Story(told, "finished"), Live()))
    assert lines.count(SHOWN) == 4
    assert "Zq123" not in lines


def test_status_rows_tell_no_secret_of_a_url() -> None:
    """Also inside other values."""
    assert shown(URL) == SHOWN
    assert shown([URL]) == f'["{SHOWN}"]'


def test_the_bar_tells_no_secret_of_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the file, with what tells it from others."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    screen = Screen()
    with bar(screen) as show:
        show(Moving(Url.parse(URL), 1, 2))
        show(Moving(Url.parse("s3://store/bucket/folder/"), 1, 2))
    assert "a.zip?id=42&token=•••" in screen.getvalue()
    assert "folder" in screen.getvalue()
    assert "Zq123" not in screen.getvalue()


def test_errors_of_stage_tell_no_secret(
    http_server: HttpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a file that is not there, and of two that would take each other's place."""
    monkeypatch.chdir(tmp_path)
    gone = http_server.url("gone")
    assert cli.invoke(["stage", f"{gone}?token=Zq123"]) == 1
    assert cli.invoke(["stage", f"{gone}?token=Zq123", f"{gone}?token=Zq456", "--to", "out"]) == 2
    said = capsys.readouterr().err
    assert said.count("/gone?token=•••") == 3
    assert "Zq" not in said
