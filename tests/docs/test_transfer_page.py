"""The page on transfers: its package is installed, found, used, and passes the conformance kit."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cryocloud_core.errors import ConfigError
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.registry import Registry
from cryocloud_core.sdk.routes import Routes
from cryocloud_core.sdk.transfer import TransferConfig
from cryocloud_core.sdk.url import Url

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "howto" / "write-a-transfer.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"`([\w/.]+)`\n\n```\w+\n(.*?)```", PAGE, re.DOTALL))


def test_the_package_of_the_page_works(install: Callable[..., Path], tmp_path: Path) -> None:
    """It is found by its entry point; with the settings that the page has a worker reads a file through it."""
    [point] = re.findall(r'vault = "(.*)"', FILES["pyproject.toml"])
    install("cc-vault", {"cc_vault/__init__.py": "", **FILES}, point)
    (tmp_path / "tapes").mkdir()
    (tmp_path / "tapes" / "a b#1").write_bytes(b"12345")
    routes = Routes.of(
        Registry.installed(), lambda root: {"tapes": {"root": str(tmp_path / "tapes")}} if root == "VAULT" else {}
    )
    transfers = Transfers(routes)

    url = Url.parse("vault://tapes/a b#1")
    with transfers.to(url).read(url, 1, 3) as incoming:
        assert (b"".join(incoming.chunks), incoming.remote.size_bytes) == (b"23", 5)
    assert [each.url for each in transfers.to(url).listing(url.with_path("/"))] == [str(url)]


def test_a_misspelt_setting_of_the_page_s_transfer_is_refused(install: Callable[..., Path]) -> None:
    """Because its class tells its settings."""
    [point] = re.findall(r'vault = "(.*)"', FILES["pyproject.toml"])
    install("cc-vault", {"cc_vault/__init__.py": "", **FILES}, point)
    routes = Routes.of(Registry.installed(), lambda root: {"tapes": {"rot": "/mnt"}} if root == "VAULT" else {})
    with pytest.raises(ConfigError, match=r'VAULT\.tapes\.rot: is no setting \(did you mean "root"'):
        Transfers(routes).to(Url.parse("vault://tapes/a"))


def test_the_transfer_of_the_page_passes_the_kit(install: Callable[..., Path]) -> None:
    """Its test file, run as an author runs it."""
    site = install("cc-vault", {"cc_vault/__init__.py": "", **FILES})
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "test_vault.py"]
    run = subprocess.run(command, cwd=site, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout
    assert int(re.findall(r"(\d+) passed", run.stdout)[0]) > 15


MANY = """
import pytest
import test_vault
from cc_vault.many import ManyVaultsTransfer
from cryocloud_core.sdk.transfer import TransferConfig


class TestMany(test_vault.TestVault):
    @pytest.fixture
    def transfer(self, tmp_path):
        return ManyVaultsTransfer(TransferConfig({"tapes": {"root": str(tmp_path / "archive")}}))
"""


def test_the_transfer_of_many_small_files_passes_the_kit(install: Callable[..., Path]) -> None:
    """The class of the page that reads side by side, by the tests for that."""
    site = install("cc-vault", {"cc_vault/__init__.py": "", **FILES, "test_many.py": MANY})
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "test_many.py"]
    run = subprocess.run([*command, "-k", "small"], cwd=site, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout
    assert int(re.findall(r"(\d+) passed", run.stdout)[0]) == 6
    assert "skipped" not in run.stdout


def test_the_fsspec_class_of_the_page_reads() -> None:
    """The class as it stands."""
    [code] = re.findall(r"```python\n(from cryocloud_core.sdk.fsspec_transfer.*?)```", PAGE, re.DOTALL)
    names: dict[str, type] = {}
    exec(code, names)
    made = names["SharedMemoryTransfer"](TransferConfig())
    url = Url.parse("memory://page/a")
    made.filesystem(url).pipe_file(made.path_of(url), b"12345")

    assert made.stat(url).size_bytes == 5
    made.remove(url)


def test_every_promise_that_can_be_switched_off_is_on_the_page() -> None:
    """Class attributes of the kit, and methods of the fsspec base, that the page names."""
    for name in ("holds_any_bytes", "has_validator", "has_directories", "impossible_names"):
        assert f"`{name}`" in PAGE
    for name in ("options", "path_of", "validator_of", "move", "raised"):
        assert f"`{name}`" in PAGE
