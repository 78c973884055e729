"""The page on remote places: every setting that the code reads stands there, with its default, and no other."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from cryocloud_core import plugin
from cryocloud_core.sdk.transfer import TransferConfig
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers import http_settings, s3_access, ssh_settings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "remote-places.md").read_text(encoding="utf-8")
#: where settings are read, by the heading of their table; S3 reads them through functions of the same names
READ = re.compile(r"\b(?:found\.)?(?:text|texts|path|paths|port|seconds|choice|truth)\(['\"](\w+)['\"]")
MODULES = {"SSH": ssh_settings, "HTTP": http_settings, "S3": s3_access}


def table(root: str) -> dict[str, str]:
    """Return the names of a table with their defaults."""
    section = PAGE.split(f"### `{root}`\n")[1].split("###")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    return {name: row[-1] for row in rows for name in re.findall(r"`(\w+)`", row[0])}


@pytest.mark.parametrize(("root", "module"), MODULES.items())
def test_every_setting_has_its_row(root: str, module: ModuleType) -> None:
    """And no row is about a setting that nobody reads."""
    assert set(table(root)) == set(READ.findall(inspect.getsource(module))) == module.SETTINGS


def test_every_way_to_write_a_server_is_read() -> None:
    """Each table of the page's example is in force for the server."""
    [block] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    names = re.findall(r"^\[S3\.(.*?)\]", block, re.MULTILINE)
    assert len(names) == 4
    for name in names:
        values = tomllib.loads(f"[{name}]\nsecure = false")
        assert TransferConfig(values).get(Url.parse("s3://10.0.0.4:9000/bucket/key"), "secure") is False, name


@pytest.mark.parametrize(("root", "module"), MODULES.items())
def test_times_are_those_of_the_code(root: str, module: ModuleType) -> None:
    """In seconds."""
    usual = {
        name.removesuffix("_S").lower(): value for name, value in vars(module).items() if name.endswith("TIMEOUT_S")
    }
    assert usual
    assert {name: float(table(root)[name]) for name in usual} == usual


def test_every_scheme_of_core_is_on_the_page() -> None:
    """As an address."""
    for offer in plugin.register_transfers():
        assert all(f"`{scheme}://" in PAGE for scheme in offer.schemes)
