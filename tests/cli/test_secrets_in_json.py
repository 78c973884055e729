"""Secrets of URLs in every form of output: what is told has none, only the values that programs read are whole."""

from __future__ import annotations

import json
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.cli import json_lines, main
from cryocloud_core.cli.explain_showing import Live, lines_of
from cryocloud_core.cli.lines import Wait
from cryocloud_core.cli.log_showing import parts_of
from cryocloud_core.cli.status_showing import json_of, show_asked, shown, write_series
from cryocloud_core.engine.explain import AttemptTold, PartsTold, PebbleTold, RunTold, WaitTold
from cryocloud_core.engine.reasons import ArgumentTold
from cryocloud_core.head.board import StatusValue
from cryocloud_core.head.retelling import Story, without_secrets
from cryocloud_core.head.view import BlockedView, RunView
from cryocloud_core.sdk.observed import LogRecord, PebbleSeen, TaskSeen
from cryocloud_core.url_secrets import covered_data
from cryocloud_core.wire import to_data

CRYOCLOUD = str(Path(sys.executable).parent / "cryocloud")
SECRETS = st.text(string.ascii_letters + string.digits + "-_.~+/=%", max_size=30).map(lambda text: f"Zq{text}9x")
PLACES = ("token={}", "X-Amz-Date=1&X-Amz-Signature={}", "sig={}&page=2", "next=http%3A%2F%2Fb%2F%3Fkey%3D{}")
URLS = st.builds(
    lambda secret, place: (secret, f"https://web/a.tif?id=1&{place.format(quote(secret))}"),
    SECRETS,
    st.sampled_from(PLACES),
)


def holds(text: str, secret: str) -> bool:
    """Return True when a text has a secret, as it is or as URLs write it."""
    return any(each in text for each in (secret, quote(secret), quote(secret, safe="")))


def story_of(url: str) -> PebbleTold:
    """Return a story in which every text that is told, and every value, has a URL."""
    said, wait = f"says {url} to us", WaitTold(f"waits for {url}", due_at=5.0)
    attempt = AttemptTold(1, "42/W/1", 1e9, result="error", error=said)
    run = RunTold("W", "W", "", "error", said, said, wait, (ArgumentTold("src", "In.url", url),), (attempt,))
    run = attrs.evolve(run, outputs={"dst": [url], "error": f"also {url}"})
    parts = attrs.evolve(run, parts=PartsTold(3, 3, {"error": 3}, (run,), (run,), run))
    return PebbleTold(42, "Flow", "In", url, 1e9, "main", "error", said, said, wait, (run, parts))


def values_apart(data: Any) -> Iterator[Any]:
    """Yield the values of a story's JSON, taken out of it: arguments, outputs, the key."""
    if isinstance(data, list):
        for each in data:
            yield from values_apart(each)
    elif isinstance(data, dict):
        for name in ("value", "key"):
            yield data.pop(name, None)
        for name in list(data.get("outputs", ())):
            if name != "error":
                yield data["outputs"].pop(name)
        for each in data.values():
            yield from values_apart(each)


@given(URLS)
def test_a_story_as_json_has_secrets_in_values_alone(found: tuple[str, str]) -> None:
    """Whatever of it is told: reasons, errors, waits, also of parts; arguments, outputs and the key are whole."""
    secret, url = found
    told = without_secrets(story_of(url), ())
    data = to_data(Story(told, "open"))
    values = [each for each in values_apart(data) if each is not None]
    assert not holds(json.dumps(data), secret)
    assert len(values) == 1 + 5 * 2
    assert all(each in (url, [url]) for each in values)
    assert not holds("\n".join(lines_of(Story(told, "open"), Live())), secret)


@given(URLS)
def test_the_lines_of_a_run_as_json_have_no_secrets(found: tuple[str, str]) -> None:
    """Ends, log records, waits, counters, warnings: all of it is told."""
    secret, url = found
    said = f'says "{url}", and more'
    lines = [
        json_lines.line_of(PebbleSeen("Flow", 1, "In", 1.0, "error", said)),
        json_lines.line_of(TaskSeen("Flow", 1, "W", "1/W/1", "error", 1.0, error=said)),
        json_lines.line_of(LogRecord(1.0, "INFO", said)),
        json_lines.line_of_wait(Wait(BlockedView("Flow", "W", 1, said), 11.0, over=False), 1.0),
        json_lines.line_of_counts(RunView(("Flow",), f"paused: {said}", 1.0, 0.0)),
    ]
    for line in lines:
        assert not holds(line, secret)
        assert "and more" in line
        assert json.loads(line)


@given(URLS)
def test_status_and_log_have_no_secrets_but_for_who_names_a_value(found: tuple[str, str]) -> None:
    """As text, as JSON, and inside of other values."""
    secret, url = found
    for value in (url, [url], {"url": {"at": url}}):
        put = StatusValue("Flow", "now", value, 1.0)
        assert not holds(json_of(put) + shown(value), secret)
        assert json.loads(json_of(put, is_whole=True))["value"] == value
    assert not holds(str(parts_of(LogRecord(1.0, "INFO", url), "", many=False, worker=True)), secret)


def test_a_series_has_no_secrets_and_a_value_that_is_named_is_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Named by a program, that is: a person is shown dots."""
    values = [StatusValue("Flow", "now", url, 1.0) for url in (URL, [URL])]
    assert write_series(tmp_path / "series.csv", values) == 0
    written = (tmp_path / "series.csv").read_text()
    assert written.count("token=•••") == 2
    assert "Zq123" not in written
    assert show_asked(["Flow:now"], values[:1], is_json=True) == 0
    assert json.loads(capsys.readouterr().out)["value"] == URL
    assert show_asked(["Flow:now"], values[:1], is_json=False) == 0
    assert "Zq123" not in capsys.readouterr().out


def test_of_data_the_texts_are_covered_and_the_rest_stays() -> None:
    """Numbers, nulls and names are as they were."""
    data = {"a=b?token=1": [1, None, True, 2.5, "http://w/a?token=Zq1"], "b": ("x",)}
    assert covered_data(data) == {"a=b?token=1": [1, None, True, 2.5, "http://w/a?token=•••"], "b": ["x"]}


def test_a_list_of_settings_as_json_has_no_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who asks for the one setting gets it whole."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cryocloud.toml").write_text('[Site]\nurl = "http://web/?token=Zq123"\nnumber = 3\n')
    assert main.invoke(["config", "list", "Site", "--json"]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {each["name"]: each["value"] for each in listed} == {
        "Site.url": "http://web/?token=•••",
        "Site.number": 3,
    }
    assert main.invoke(["config", "get", "Site.url", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["value"] == "http://web/?token=Zq123"


URL = "http://web/a?token=Zq123&id=3"
SAYS = """
ccmodule = {"description": "Says", "inputs": {"src": ""}, "outputs": {"src": "", "error": ""}}


def process_task(worker, task):
    url = task["args"]["src"]
    worker.status["now"] = url
    worker.log.info("logs %s", url)
    return 100, {"src": url, "error": f"says {url}"}
"""
NODES: list[dict[str, Any]] = [
    {"module": "cmdline", "name": "In", "downstreamOf": ["entry"]},
    {"module": "fine", "name": "Fine", "downstreamOf": ["In"], "args": {"src": {"option": "src"}}},
    {"module": "communicate", "name": "Meet", "downstreamOf": ["In", "If"], "args": {"msgid": {"option": "src"}}},
    {"module": "fine", "name": "If", "downstreamOf": ["In"], "runIf": "option:src == 3"},
]
#: what is told in each form, and has a URL in it
FORMS = {
    "run": "run flow.json",
    "run as json": "run flow.json --json",
    "log": "log",
    "log as json": "log --json",
    "status": "status",
    "status as json": "status --json",
    "status as a series": "status --series -",
    "pebbles": "pebbles",
    "pebbles as json": "pebbles --json",
    "explain": "explain 1",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give the folder of a workflow whose nodes and pebbles come to speak of a URL in every way."""
    flow = {"name": "Flow", "description": "Says", "options": {"src": {"default": ""}}, "nodes": NODES}
    (tmp_path / "flow.json").write_text(json.dumps({"workflow": flow}))
    (tmp_path / "fine.py").write_text(SAYS)
    return tmp_path


def typed(folder: Path, command: str) -> str:
    """Run a command in a folder and return all that it said."""
    words = [CRYOCLOUD, *command.split(), "--state-dir", "state"]
    if command.startswith("run "):
        words += ["--src", URL]
    done = subprocess.run(words, capture_output=True, timeout=60, check=False, cwd=folder, text=True)
    return done.stdout + done.stderr


@pytest.mark.system
def test_no_form_of_output_tells_a_secret(folder: Path) -> None:
    """Of errors that modules return, of what the engine says of values, of status; values in a story are whole."""
    said = {form: typed(folder, command) for form, command in FORMS.items()}
    assert [form for form, text in said.items() if "Zq123" in text] == []
    for form in ("run", "run as json", "log", "log as json", "pebbles", "pebbles as json", "explain"):
        assert "no partner for msgid" in said[form], form
    assert "ended: error: no partner for msgid" in said["run"]
    assert "says http://web/a?token=•••&id=3" in said["explain"]

    story = json.loads(typed(folder, "explain 1 --json"))
    values = [each for each in values_apart(story) if each is not None]
    assert "Zq123" not in json.dumps(story)
    assert values.count(URL) == 2
