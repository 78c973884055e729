"""Secrets from end to end: a module gets them, and nothing that is kept or shown has them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

BIN = Path(sys.executable).parent
#: what must never be seen, and where each comes from
TYPED, DEFAULT, LISTED = "typed-öö-secret", "default-secret-0815", "listed-secret-1,listed-secret-2"
ENV, FILED, WORKERS = 'env\'s "secret"/+4711', "filed-secret-42", "workers-secret-99"
SECRETS = (TYPED, DEFAULT, *LISTED.split(","), ENV, FILED, WORKERS)

CONFIG = """
[Site]
env = {env = "THE_SECRET"}
file = {file = "filed"}
[CryoCloud.Worker]
password = {env = "WORKERS"}
"""

MODULE = """
import json, pathlib, sys
ccmodule = {"description": "Tells everything it knows",
            "inputs": {"typed": "", "default": "", "listed": "", "env": "", "file": "", "mode": ""}, "outputs": {}}


def process_task(worker, task):
    args = task["args"]
    got = [args["typed"], args["default"], *args["listed"], args["env"], args["file"], worker.cfg["password"]]
    pathlib.Path(__file__).with_name(args["mode"] + ".got").write_text(json.dumps(got))
    for secret in got:
        worker.log.info("here is %s", secret)
        worker.log.error(repr({"token": secret}))
        worker.status["seen"] = secret
        print("stdout:", secret)
        print("https://host/?token=" + secret, file=sys.stderr, flush=True)
    if args["mode"] == "raise":
        raise KeyError(" ".join(got))
    if args["mode"] == "error":
        return 50, {"error": " ".join(got)}
    return 100, {}
"""


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    """Give a workflow whose nodes succeed, fail and raise with every kind of secret in their hands."""
    (tmp_path / "teller.py").write_text(MODULE)
    (tmp_path / "filed").write_text(FILED + "\n")
    (tmp_path / "cryocloud.toml").write_text(CONFIG)
    args = {
        "typed": {"option": "typed"},
        "default": {"option": "default"},
        "listed": {"option": "listed"},
        "env": {"config": "env"},
        "file": {"config": "file"},
    }
    nodes = [
        {"module": "teller", "name": mode, "downstreamOf": ["In"], "config": "Site", "args": {**args, "mode": mode}}
        for mode in ("fine", "error", "raise")
    ]
    options = {
        "typed": {"help": "a token", "secret": True},
        "default": {"help": "another", "default": DEFAULT, "secret": True},
        "listed": {"type": "list", "secret": True},
        "pins": {"type": "json", "secret": True},
    }
    first = {"module": "cmdline", "name": "In", "downstreamOf": ["entry"]}
    workflow = {"name": "Flow", "description": "Tells", "options": options, "nodes": [first, *nodes]}
    (tmp_path / "flow.json").write_text(json.dumps({"workflow": workflow}))
    return tmp_path / "flow.json"


def run(flow: Path, command: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a command as a user would, with the secrets in the environment alone."""
    home = flow.parent / "home"
    environment = {**os.environ, "XDG_STATE_HOME": str(home / "state"), "XDG_CONFIG_HOME": str(home / "config")}
    environment |= {"THE_SECRET": ENV, "WORKERS": WORKERS}
    typed = [str(BIN / command), *map(str, words)]
    return subprocess.run(
        typed, env=environment, cwd=flow.parent, capture_output=True, text=True, check=False, timeout=90
    )


def spellings(secret: str) -> set[str]:
    """Return a secret as it is and as quotes write it."""
    return {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}


def assert_clean(text: str, what: object) -> None:
    """Fail when a secret can be read in a text."""
    found = [secret for secret in SECRETS if any(each in text for each in spellings(secret))]
    assert found == [], f"in {what}"


def assert_directory_is_clean(directory: Path) -> None:
    """Fail when a file of a state directory, other than the secrets' own, holds a secret."""
    files = [path for path in directory.rglob("*") if path.is_file() and path.parent.name != "secrets"]
    assert {"journal.db", "records.db", "status.db"} <= {path.name for path in files}
    for path in files:
        assert_clean(path.read_bytes().decode("utf-8", "replace"), path)
    for path in (directory / "secrets").iterdir():
        assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("json_lines", [False, True], ids=["lines", "json"])
def test_secrets_reach_modules_and_nothing_else(flow: Path, json_lines: bool) -> None:
    """Output, log, status, journal and every file of the state directory show dots where a module told them."""
    flags = ["--json"] if json_lines else []
    ended = run(flow, "cryocloud", "run", flow, "--typed", TYPED, "--listed", LISTED, "--loglevel", "debug", *flags)

    assert ended.returncode == 1, ended.stderr
    for mode in ("fine", "error", "raise"):
        expected = [TYPED, DEFAULT, *LISTED.split(","), ENV, FILED, WORKERS]
        assert json.loads((flow.parent / f"{mode}.got").read_text()) == expected
    assert_clean(ended.stdout + ended.stderr, "what the run printed")
    assert "•••" in ended.stdout or json.dumps("•••")[1:-1] in ended.stdout
    for command in ("cclog", "ccstatus"):
        for more in ([], ["--json"]):
            shown = run(flow, command, "Flow", *more)
            assert shown.returncode == 0
            assert "•••" in shown.stdout or json.dumps("•••")[1:-1] in shown.stdout
            assert_clean(shown.stdout + shown.stderr, (command, more))
    assert_directory_is_clean(flow.parent / "home" / "state" / "cryocloud" / "Flow")


def test_a_suspended_run_goes_on_with_its_secrets_and_keeps_none(flow: Path) -> None:
    """The next start needs no secret typed again, and what it tells of the old ones is covered as well."""
    document = json.loads(flow.read_text())
    document["workflow"]["nodes"][1:] = [
        {"module": "noop", "name": "Wait", "downstreamOf": ["In"], "args": {"time": {"option": "wait"}}},
        {**document["workflow"]["nodes"][3], "downstreamOf": ["Wait"]},
    ]
    document["workflow"]["options"]["wait"] = {"default": 1.5}
    flow.write_text(json.dumps(document))
    home = flow.parent / "home"
    environment = {**os.environ, "XDG_STATE_HOME": str(home / "state"), "XDG_CONFIG_HOME": str(home / "config")}
    environment |= {"THE_SECRET": ENV, "WORKERS": WORKERS}
    command = [str(BIN / "cryocloud"), "run", str(flow), "--typed", TYPED, "--listed", LISTED, "--grace", "0"]
    with subprocess.Popen(command, env=environment, cwd=flow.parent, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert "arrived" in first.stdout.readline()
        first.send_signal(signal.SIGINT)
        assert first.wait(30) == 130
    assert_directory_is_clean(home / "state" / "cryocloud" / "Flow")

    ended = run(flow, "cryocloud", "run", flow, "--typed", "another one", "--listed", "other")

    assert ended.returncode == 1, ended.stderr
    assert json.loads((flow.parent / "raise.got").read_text())[0] == TYPED
    assert_clean(ended.stdout + ended.stderr, "what the second run printed")
    assert_directory_is_clean(home / "state" / "cryocloud" / "Flow")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["run", "FILE", "--help"], 0),
        (["check", "FILE", "--typed", TYPED], 0),
        (["config", "list"], 0),
        (["config", "get", "Site", "CryoCloud"], 0),
        (["config", "--json"], 0),
        (["run", "FILE", "--typed", TYPED, "--pins", "[" + FILED], 2),
        (["run", "FILE", "--typed", TYPED, "--pins", FILED, "--debug"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_no_command_shows_a_secret(flow: Path, words: list[str], code: int) -> None:
    """Help, check, config and the errors about a secret's own value show none."""
    shown = run(flow, "cryocloud", *(str(flow) if word == "FILE" else word for word in words))

    assert shown.returncode == code, shown.stderr
    assert shown.stdout + shown.stderr != ""
    assert_clean(shown.stdout + shown.stderr, words)


def test_a_secret_that_cannot_be_read_is_an_error_that_names_its_place_only(flow: Path) -> None:
    """The task fails and says which variable is missing; the others work on."""
    (flow.parent / "cryocloud.toml").write_text(CONFIG.replace('"WORKERS"', '"MISSING"'))
    ended = run(flow, "cryocloud", "run", flow, "--typed", TYPED, "--listed", LISTED)

    assert ended.returncode == 1
    assert "environment variable MISSING: is not set" in ended.stdout
    assert_clean(ended.stdout + ended.stderr, "what the run printed")


def test_a_failure_is_told_once_with_its_traceback(flow: Path) -> None:
    """The log has one traceback for an exception and one line for the end of the node."""
    run(flow, "cryocloud", "run", flow, "--typed", TYPED, "--listed", LISTED)
    texts = [
        json.loads(line)["text"] for line in run(flow, "cclog", "Flow", "--json", "--node", "raise").stdout.splitlines()
    ]

    assert len([text for text in texts if text.startswith("Traceback")]) == 1
    assert len([text for text in texts if text.startswith("error: ")]) == 1
