"""Every workflow under templates/workflows passes the check and runs, as a person would run it."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.httpserver import HttpServer

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = ROOT / "templates" / "workflows"
NAMES = sorted(path.parent.name for path in WORKFLOWS.glob("*/workflow.json"))
DEM = WORKFLOWS / "shaded_relief" / "data" / "rmnp-dem.tif"

pytestmark = pytest.mark.system


def cryocloud(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command with these words and return what it said."""
    command = [Path(sys.executable).with_name("cryocloud"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=90)


def run_workflow(name: str, folder: Path, *flags: str | Path) -> None:
    """Run a workflow to its end in a state directory of its own; anything but success fails the test."""
    done = cryocloud("run", WORKFLOWS / name / "workflow.json", "--once", "--state-dir", folder / "state", *flags)
    assert done.returncode == 0, done.stdout + done.stderr


def make_folders(folder: Path) -> tuple[Path, Path]:
    """Create a directory to watch and name one for the results."""
    (folder / "in").mkdir()
    return folder / "in", folder / "out"


def used_tempdirs(state: Path) -> set[Path]:
    """Return the pebbles' temporary directories that a run's journal speaks of, in outputs of its tasks."""
    journal = sqlite3.connect(f"file:{state / 'journal.db'}?mode=ro", uri=True)
    with contextlib.closing(journal):
        nonces = [nonce for (nonce,) in journal.execute("SELECT nonce FROM pebbles")]
        bodies = " ".join(body for (body,) in journal.execute("SELECT body FROM events"))
    return {Path(found) for nonce in nonces for found in re.findall(rf'"(/[^"]*/cc-{nonce}[^/"]*)', bodies)}


@pytest.mark.parametrize("name", NAMES)
def test_the_check_finds_no_problem(name: str) -> None:
    """`cryocloud check` ends with 0 and warns of nothing."""
    checked = cryocloud("check", WORKFLOWS / name / "workflow.json")

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "warning" not in (checked.stdout + checked.stderr).lower()


@pytest.mark.parametrize("name", NAMES)
def test_every_workflow_has_a_run_here(name: str) -> None:
    """A workflow that is added gets a test that runs it, named after it."""
    assert f"test_{name}_" in Path(__file__).read_text(encoding="utf-8")


def test_hello_runs_without_any_option(tmp_path: Path) -> None:
    """The smallest workflow needs nothing and succeeds."""
    run_workflow("hello", tmp_path)


def test_watch_directory_keeps_a_copy_and_removes_the_original(tmp_path: Path) -> None:
    """Each file is in the archive afterwards, with its content, and gone from where it arrived."""
    arriving, kept = make_folders(tmp_path)
    for name in ("a.txt", "b.txt"):
        (arriving / name).write_text(name, encoding="utf-8")
    run_workflow("watch_directory", tmp_path, "--in", arriving, "--out", kept)

    assert {file.name: file.read_text(encoding="utf-8") for file in kept.iterdir()} == {
        "a.txt": "a.txt",
        "b.txt": "b.txt",
    }
    assert list(arriving.iterdir()) == []


def test_watch_directory_can_keep_the_original(tmp_path: Path) -> None:
    """With --keep the condition is false and the file stays where it was."""
    arriving, kept = make_folders(tmp_path)
    (arriving / "a.txt").touch()
    run_workflow("watch_directory", tmp_path, "--in", arriving, "--out", kept, "--keep")

    assert [file.name for file in kept.iterdir()] == ["a.txt"]
    assert [file.name for file in arriving.iterdir()] == ["a.txt"]


def test_from_anywhere_lists_a_product_of_this_machine(tmp_path: Path) -> None:
    """The list of an archive's files stands where it is wanted; the archive stays."""
    (tmp_path / "p.SAFE").mkdir()
    (tmp_path / "p.SAFE" / "manifest").write_text("m", encoding="utf-8")
    product = shutil.make_archive(str(tmp_path / "product"), "zip", tmp_path, "p.SAFE")
    run_workflow("from_anywhere", tmp_path, "--src", product, "--dst", f"{tmp_path}/out/")

    [listed] = (tmp_path / "out").iterdir()
    files = json.loads(listed.read_text(encoding="utf-8"))["files"]
    assert listed.name == "product.zip.json"
    assert [(each["name"], each["bytes"]) for each in files] == [("p.SAFE/manifest", 1)]
    assert Path(product).exists()


def test_from_anywhere_fetches_a_product_from_the_web(
    tmp_path: Path, http_server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same workflow, another address."""
    monkeypatch.setenv("CRYOCLOUD_CFG__CryoCloud__Worker__tempdir", str(tmp_path / "tmp"))
    (http_server.files / "from-the-web").write_text("web", encoding="utf-8")
    flags = ("--src", http_server.url("from-the-web"), "--dst", f"{tmp_path}/out/")
    run_workflow("from_anywhere", tmp_path, *flags)

    listed = json.loads((tmp_path / "out" / "from-the-web.json").read_text(encoding="utf-8"))
    assert [(each["name"], each["bytes"]) for each in listed["files"]] == [("from-the-web", 3)]


def test_shaded_relief_draws_what_arrives_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """The zipped model becomes a picture and statistics; the archive stays, the temporary directory goes."""
    arriving, results = make_folders(tmp_path)
    shutil.make_archive(str(arriving / "dem"), "zip", DEM.parent, DEM.name)
    run_workflow("shaded_relief", tmp_path, "--in", arriving, "--out", results)
    used = used_tempdirs(tmp_path / "state")
    numbers = json.loads((results / "rmnp-dem_statistics.json").read_text(encoding="utf-8"))

    assert (results / "rmnp-dem_relief.png").read_bytes().startswith(b"\x89PNG")
    assert numbers["elevation_m"]["maximum"] == 4261
    assert (arriving / "dem.zip").exists()
    assert len(used) == 1
    assert [str(path) for path in used if path.exists()] == []
