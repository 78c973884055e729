"""The commands as a person meets them: help, mistakes, exit codes."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

import cryocloud_core
from cryocloud_core.cli import main as cli
from cryocloud_core.errors import DocumentError, LockedError


def lines_of(capsys: pytest.CaptureFixture[str]) -> tuple[list[str], list[str]]:
    """Return what was printed, as lines of stdout and of stderr."""
    out, err = capsys.readouterr()
    return out.splitlines(), err.splitlines()


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` prints the version of the package."""
    assert cli.invoke(["--version"]) == 0
    assert lines_of(capsys) == ([f"cryocloud {cryocloud_core.__version__}"], [])


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Help names each command with a whole sentence, and ends well."""
    assert cli.invoke(["--help"]) == 0
    out, _ = lines_of(capsys)
    listed = [line.split(maxsplit=1) for line in out if line.startswith("  ") and not line.startswith("  -")]
    commands = {words[0]: words[1] for words in listed if len(words) == 2}

    assert {"run", "check", "modules", "run-module", "new-module"} <= set(commands)
    assert all(commands[name].endswith(".") and "..." not in commands[name] for name in ("run", "check", "modules"))


def test_nothing_asked_shows_help_and_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """An empty command line explains itself, on stderr."""
    assert cli.invoke([]) == 2
    out, err = lines_of(capsys)

    assert out == []
    assert err[0].startswith("Usage: cryocloud ")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["chekc"], "cryocloud: no such command 'chekc'. Did you mean 'check'? (see cryocloud --help)"),
        (
            ["run", "--fresj"],
            "cryocloud run: no such option: --fresj; did you mean --fresh? (see cryocloud run --help)",
        ),
        (
            ["run", "--resume=contine"],
            (
                "cryocloud run: invalid value for '--resume': 'contine' is not one of 'continue', 'drop'; "
                "did you mean continue? (see cryocloud run --help)"
            ),
        ),
        (
            ["graph", "--format", "png"],
            (
                "cryocloud graph: invalid value for '--format': 'png' is not one of 'text', 'mermaid', 'dot', 'svg' "
                "(see cryocloud graph --help)"
            ),
        ),
        (["run", "--wat"], "cryocloud run: no such option: --wat (see cryocloud run --help)"),
        (["run", "--grace"], "cryocloud run: option '--grace' requires an argument (see cryocloud run --help)"),
        (["run"], "cryocloud run: missing argument 'FILE...' (see cryocloud run --help)"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_one_line_and_exit_2(args: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake in the command line is told in one line, with the nearest right word."""
    assert cli.invoke(args) == 2
    assert lines_of(capsys) == ([], [said])


def test_an_unreadable_file_is_told_before_its_unknown_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With no file there is no option either: the file comes first."""
    missing = tmp_path / "no.json"

    assert cli.invoke(["run", str(missing), "--lang", "en"]) == 2
    _, err = lines_of(capsys)
    assert err[0] == f"{missing}: cannot be read: No such file or directory"
    assert err[1].startswith("cryocloud run: no such option: --lang ")


def test_expected_errors_are_lines_and_their_own_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error raised on purpose is one line without a traceback; control characters in it are written out."""
    error = LockedError("owned by pid 7", subject="state \x1b[31m directory", remedy="stop it")
    monkeypatch.setattr("cryocloud_core.cli.listing.list_modules", lambda: (_ for _ in ()).throw(error))

    assert cli.invoke(["modules"]) == 3
    assert lines_of(capsys) == ([], [r"state \x1b[31m directory: owned by pid 7; stop it"])


def test_all_problems_of_a_document_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each problem is a line of its own."""
    error = DocumentError("2 problems", problems=("a.json:1:1: E02 x", "a.json:2:1: E05 y"))
    monkeypatch.setattr("cryocloud_core.cli.listing.list_modules", lambda: (_ for _ in ()).throw(error))

    assert cli.invoke(["modules"]) == 2
    assert lines_of(capsys)[1] == ["a.json:1:1: E02 x", "a.json:2:1: E05 y"]


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody raised on purpose is not made pretty."""
    monkeypatch.setattr("cryocloud_core.cli.listing.list_modules", lambda: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        cli.invoke(["modules"])


def test_a_command_looks_for_circles_of_objects_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's own threshold costs a head with many pebbles a tenth of its time."""
    before = gc.get_threshold()
    monkeypatch.setattr(sys, "argv", ["cryocloud", "--version"])
    try:
        with pytest.raises(SystemExit):
            cli.main()
        assert gc.get_threshold() == cli.COLLECT_AT
    finally:
        gc.set_threshold(*before)


@pytest.mark.parametrize("alias", ["ccworkflow", "cctestrun", "ccmockworker"])
def test_aliases_are_installed_and_call_themselves_so(alias: str) -> None:
    """The old names exist beside `cryocloud` and take the same flags as what they stand for."""
    shown = subprocess.run([Path(sys.executable).parent / alias, "--help"], capture_output=True, text=True, check=True)

    assert shown.stdout.startswith(f"Usage: {alias} ")
    assert ("--fresh" in shown.stdout) == (alias == "ccworkflow")


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    """`cryocloud --help | true` ends without a complaint."""
    command = f"'{Path(sys.executable).parent}/cryocloud' run --help | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, cwd=tmp_path)

    assert done.stderr == ""
