"""What `cryocloud new-module` does: the template of a plugin package, with a name put in.

Laws: nothing is ever written over; a package appears whole or not at all.
"""

from __future__ import annotations

import keyword
import re
import shutil
import tempfile
from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Final

from cryocloud_core.errors import UsageError

SUFFIX: Final = ".tmpl"
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class PackageTemplate(Template):
    """A text with `%%{name}` places, so that the dollars and braces of code stay as they are."""

    delimiter = "%%"


def make_package(name: str, directory: Path) -> int:
    """Write the package of one module below `directory`, say what to do next, and return the exit code.

    Raises:
        UsageError: the name cannot be a module's, the directory is missing, or its folder exists already.
    """
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise UsageError(
            f"{name!r} cannot be a module's name", remedy="use small letters, digits and _, a letter first"
        )
    words = names_of(name)
    target = directory / words["distribution"]
    if not directory.is_dir():
        raise UsageError("is no directory", subject=str(directory))
    if target.exists():
        raise UsageError("exists already", subject=str(target), remedy="choose another name or --directory")
    with as_file(template()) as source, tempfile.TemporaryDirectory(dir=directory, prefix=".cc-") as draft:
        render(source, Path(draft) / "package", words)
        (Path(draft) / "package").rename(target)
    print(f"{target}: a package with the module {name!r}")
    print(f"next: {installer()} install -e {target} && cryocloud modules {name}")
    return 0


def installer() -> str:
    """Return what installs into this environment; one made by uv has no pip, and another pip installs elsewhere."""
    return "pip" if find_spec("pip") is not None else "uv pip"


def names_of(name: str) -> dict[str, str]:
    """Return what the template calls things, for a module of this name."""
    return {
        "name": name,
        "package": f"cryocloud_{name}",
        "distribution": f"cryocloud-{name.replace('_', '-')}",
        "title": name.replace("_", " ").capitalize(),
    }


def template() -> Traversable:
    """Return the template's directory inside the installed package."""
    return files("cryocloud_core").joinpath("templates", "module-package")


def render(source: Path, target: Path, words: dict[str, str]) -> None:
    """Write every file of the template with the words put in, in its contents and in its name."""
    for path in sorted(source.rglob("*")):
        if not path.is_file():
            continue
        name = PackageTemplate(str(path.relative_to(source)).removesuffix(SUFFIX)).substitute(words)
        written = target / name
        written.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == SUFFIX:
            written.write_text(PackageTemplate(path.read_text(encoding="utf-8")).substitute(words), encoding="utf-8")
        else:
            shutil.copyfile(path, written)
