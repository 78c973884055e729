"""The page on files from anywhere: what it writes down is what is read."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer

from cryocloud_core.cli.app import app
from cryocloud_core.files.layer_settings import LayerSettings
from cryocloud_core.files.origins import Hosts, Origins, ThisMachine
from cryocloud_core.sdk.routes import Routes
from cryocloud_core.testing.case import Case
from cryocloud_core.testing.play import differences

PAGE = (Path(__file__).resolve().parents[2] / "docs/howto/files-from-anywhere.md").read_text(encoding="utf-8")
TABLES = [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)]
MODULE = {"inputs": {"src": "", "dem": "", "orbits": ""}, "outputs": {"dst": ""}}


def tables(*names: str) -> list[dict[str, Any]]:
    """Return what the page's configurations have under a name."""
    found: list[Any] = TABLES
    for name in names:
        found = [table[name] for table in found if name in table]
    return found


def test_every_setting_of_a_worker_is_one_that_is_read() -> None:
    """A misspelt one would change nothing."""
    given = {name: value for table in tables("CryoCloud", "Worker") for name, value in table.items()}

    for name, value in given.items():
        if name not in ("datadir", "trust_local"):
            other = f"{value}/other" if isinstance(value, str) else value + 1
            assert LayerSettings.of({name: other}) != LayerSettings(), name
    assert {"datadir", "trust_local", "tempdir"} <= given.keys()


def test_every_machine_is_reached_where_the_page_says() -> None:
    """With user and port, by protocol."""
    origins = Origins(ThisMachine("here"), Hosts(tables("CryoCloud", "Hosts")[0]))
    expected = {
        ("seer3", "ssh"): "ssh://10.0.0.3/d/a",
        ("seer4", "ssh"): "ssh://cryo@10.0.0.4:2222/d/a",
        ("archive", "ssh"): "ssh://10.0.0.5/d/a",
        ("archive", "http"): "http://10.0.0.5:8080/d/a",
    }

    assert {key: str(origins.find("/d/a", *key)) for key in expected} == expected


def test_every_table_of_credentials_belongs_to_a_transfer() -> None:
    """The name that its settings stand under."""
    from cryocloud_core.sdk.registry import Registry

    roots = {root for table in TABLES for root in table if root != "CryoCloud"}
    assert roots == set(Routes.of(Registry.installed(), lambda _: {}).config) - {"FILE"}


def test_the_fragments_are_nodes_that_link() -> None:
    """As the page writes them."""
    arguments, node = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    fetching = {"module": "wind", "name": "A", "downstreamOf": ["Input"], **json.loads(f"{{{arguments}}}")}
    source = '{"module": "watch", "name": "Input", "downstreamOf": ["entry"], "args": {"src": "/in"}}'
    options = {"options": {"archive": {"default": "/archive/"}}}
    case = Case(
        "page",
        f"{json.dumps(fetching)}, {node}",
        input=source,
        workflow=options,
        modules={"wind": MODULE},
        arrivals=(("Input", {"fullpath": "/in/a.zip"}),),
        staged={"A": {"src": "file unzip @head", "dem": "file @head", "orbits": "file @head"}},
        starts=("A", "Wind"),
    )
    watch = {"inputs": {"src": ""}, "outputs": {"fullpath": ""}, "input_type": "permanent"}

    assert list(differences(case, {"watch": watch}, ("workers",))) == []


@pytest.mark.parametrize("line", re.findall(r"^(cryocloud (?:stage|put) .*?)\s*(?:#.*)?$", PAGE, re.MULTILINE))
def test_every_command_has_only_flags_that_exist(line: str) -> None:
    """And as many arguments as it takes."""
    _, name, *words = shlex.split(line)
    group: Any = typer.main.get_command(app)
    command = group.commands[name]

    assert command.make_context(name, list(words)).params
