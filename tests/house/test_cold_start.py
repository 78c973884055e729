"""What a start loads: a person who asks for help waits for nothing that help does not need."""

from __future__ import annotations

import subprocess
import sys

#: Each of these costs between 10 and 200 ms; help and a bare import need none of them.
HEAVY = frozenset({"aiohttp", "asyncio", "cattrs", "fsspec", "importlib.metadata", "sqlite3"})
#: A run on local files needs none of these before a node asks for them.
REMOTE = frozenset({"aiohttp", "asyncssh", "botocore", "jsonschema", "obstore", "pycurl", "s3fs", "sshfs"})
TERMINAL = frozenset({"click", "rich", "typer"})

HELP = """
import sys
sys.argv = ["cryocloud", "--help"]
from cryocloud_core.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""


def loaded_by(code: str) -> set[str]:
    """Return the modules that a fresh Python has loaded after some code, less those that its own start loads."""

    def run(text: str) -> set[str]:
        command = [sys.executable, "-c", f"{text}\nimport sys\nprint('\\n=', *sys.modules, sep='\\n')"]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return set(shown.rpartition("\n=\n")[2].split())

    return run(code) - run("")


def test_the_measure_sees_what_is_loaded() -> None:
    """A module that is imported is reported, one that Python loads anyway is not."""
    loaded = loaded_by("import sqlite3")

    assert "sqlite3" in loaded
    assert "site" not in loaded


def test_importing_the_package_loads_nothing_heavy() -> None:
    """`import cryocloud_core` alone is nearly free."""
    assert loaded_by("import cryocloud_core") & (HEAVY | TERMINAL) == set()


def test_help_loads_nothing_heavy() -> None:
    """`cryocloud --help` imports no event loop, no journal, no file system and scans no entry points."""
    assert loaded_by(HELP) & HEAVY == set()


def test_a_worker_process_loads_no_terminal_and_no_remote_files() -> None:
    """A worker starts without typer and rich, and without the libraries of remote files."""
    assert loaded_by("import cryocloud_core.worker.__main__") & (TERMINAL | REMOTE) == set()


def test_a_head_loads_no_remote_files() -> None:
    """A run on local files does not pay for s3, ssh, http or JSON Schema."""
    assert loaded_by("import cryocloud_core.head.head") & REMOTE == set()


JUDGE = """
from pathlib import Path
from cryocloud_core.config import Config
from cryocloud_core.files.settings_told import SettingsTold
from cryocloud_core.sdk.registry import Registry
tables = {f"CRYOCLOUD_CFG__{root}__timeout": "0" for root in ("HTTP", "SSH", "S3")}
told = SettingsTold.of(Registry.installed(), Config.load("/", environ=tables, user_file=Path("/none")))
assert len(told.errors) == 3, told
"""


def test_settings_are_judged_without_remote_files() -> None:
    """`check` and the start of a run read the settings of transfers and import none."""
    assert loaded_by(JUDGE) & REMOTE == set()
