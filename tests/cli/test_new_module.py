"""`cryocloud new-module` writes a package that works as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from cryocloud_core.cli import main as cli
from cryocloud_core.cli import scaffolding


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a directory to write into; the template is a small one."""
    source = tmp_path / "template"
    (source / "src" / "%%{package}").mkdir(parents=True)
    (source / "src" / "%%{package}" / "%%{name}.py.tmpl").write_text("# ${x} {} %%{title}\n")
    (source / "README.md.tmpl").write_text("pip install %%{distribution}\n")
    (source / "logo.bin").write_bytes(b"\xff\x00%%{name}")
    monkeypatch.setattr(scaffolding, "template", lambda: source)
    target = tmp_path / "out"
    target.mkdir()
    return target


def test_a_package_is_written_whole(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names are put into paths and texts; other files are copied as they are; the next step is told."""
    assert cli.invoke(["new-module", "sea_ice", "--directory", str(small)]) == 0
    package = small / "cryocloud-sea-ice"

    assert (package / "src/cryocloud_sea_ice/sea_ice.py").read_text() == "# ${x} {} Sea ice\n"
    assert (package / "README.md").read_text() == "pip install cryocloud-sea-ice\n"
    assert (package / "logo.bin").read_bytes() == b"\xff\x00%%{name}"
    assert [path.name for path in small.iterdir()] == ["cryocloud-sea-ice"]
    assert "pip install -e" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["Sea", "2sea", "sea-ice", "class", "../x", ""])
def test_names_that_cannot_be_modules_are_refused(name: str, small: Path) -> None:
    """A name must be usable in workflows, packages and imports."""
    assert cli.invoke(["new-module", name, "--directory", str(small)]) == 2
    assert list(small.iterdir()) == []


def test_nothing_is_written_over(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An existing folder of that name stays as it is."""
    (small / "cryocloud-wind").mkdir()

    assert cli.invoke(["new-module", "wind", "--directory", str(small)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert list((small / "cryocloud-wind").iterdir()) == []


def test_a_missing_directory_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The directory must exist."""
    assert cli.invoke(["new-module", "wind", "--directory", str(tmp_path / "no")]) == 2
    assert "is no directory" in capsys.readouterr().err
