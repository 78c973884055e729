"""From files to linked workflows: reading, looking modules up, option values.

Laws: each file is read once a call; a module is looked up where the workflow's own directory, the given paths
and the installed packages say; nothing is started.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from cryocloud_core.errors import DocumentError, OptionError
from cryocloud_core.graph.refs import Argument, ConfigRef, Literal, OptionRef

if TYPE_CHECKING:
    from cryocloud_core.config import Config
    from cryocloud_core.graph.draft import Draft, Linked
    from cryocloud_core.graph.workflow import Option, Workflow
    from cryocloud_core.sdk.registry import Registry

StrPath = str | os.PathLike[str]

#: The long flags of `cryocloud run`, which a workflow's options must not take.
FLAGS: Final = frozenset(
    """
    address admin-workers allow-stub-code debug estimate force-inputs fresh gpus grace help import-modules json
    kubernetes loglevel max-task-time metrics-port module-paths name nocache node once profile reset-counters resume
    scheduler standalone state-dir strict threads workers
    """.split()  # noqa: SIM905 -- a list of 32 quoted words is harder to read
)


@frozen
class Reading:
    """How workflows are read.

    `strict` makes errors of the warnings about spelling; `module_paths` are searched for modules too;
    `profile` puts `cryocloud.NAME.toml` in front; `import_modules` allows a `ccmodule` that only running
    the module can make.
    """

    strict: bool = False
    module_paths: tuple[str, ...] = ()
    profile: str | None = None
    import_modules: bool = False


@frozen(eq=False)
class ReadFile:
    """A workflow file that was read: where it is and how it was named, its option values, what linking gave."""

    path: Path
    named: Path
    options: Mapping[str, Any]
    config: Config
    linked: Linked

    def lines(self, *, errors: bool) -> tuple[str, ...]:
        """Return its errors, or its warnings, as printable lines."""
        return tuple(each.text(str(self.named)) for each in self.linked.problems if each.is_error == errors)


def draft_of(path: StrPath, *, strict: bool = False) -> Draft:
    """Return what the file says before any module is looked up. Raises DocumentError when it cannot be read."""
    from cryocloud_core.graph.load import parse

    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise DocumentError(f"cannot be read: {error.strerror}", place=os.fspath(path)) from error
    return parse(text, strict=strict, flags=FLAGS)


def read(path: StrPath, given: Mapping[str, Any], reading: Reading) -> ReadFile:
    """Return one file, read and linked. Raises what `read_all` raises."""
    from cryocloud_core.sdk.registry import Registry

    return read_all([path], given, reading, Registry.installed())[0]


def read_all(
    paths: Sequence[StrPath], given: Mapping[str, Any], reading: Reading, registry: Registry
) -> list[ReadFile]:
    """Return every file, read and linked, with the values of its options.

    Raises:
        DocumentError: a file cannot be read.
        OptionError: `given` holds a name that no file declares, or a text that is not of its option's type; or one
            flag would mean different things for two files.
        ConfigError: a configuration file is wrong.
    """
    drafts = [(Path(path), draft_of(path, strict=reading.strict)) for path in paths]
    refuse_differing({str(path): draft for path, draft in drafts}, {f"--{name}" for name in given})
    refuse_unknown([draft for _, draft in drafts], given)
    configs = _configs((path for path, _ in drafts), reading)
    return [_link(path, draft, given, reading, registry, config=configs[path]) for path, draft in drafts]


def _configs(paths: Iterable[Path], reading: Reading) -> dict[Path, Config]:
    """Return the configuration of each file: that of its own directory, which files beside each other share."""
    from cryocloud_core.config import Config

    by_folder: dict[Path, Config] = {}
    found = {}
    for path in paths:
        folder = path.absolute().parent
        if folder not in by_folder:
            by_folder[folder] = Config.load(folder, reading.profile)
        found[path] = by_folder[folder]
    return found


def _link(
    path: Path, draft: Draft, given: Mapping[str, Any], reading: Reading, registry: Registry, *, config: Config
) -> ReadFile:
    from cryocloud_core.files.foreseen import Foreseen
    from cryocloud_core.graph.load import link
    from cryocloud_core.modules.find import Finder, look_up

    folder = path.absolute().parent
    values = option_values(draft, given)
    finder = Finder(folder, registry, tuple(map(Path, reading.module_paths)), import_modules=reading.import_modules)
    found = look_up(draft.wanted(), finder, lambda wanted: _workdir(wanted.workdir, values, config))
    foresight = Foreseen(registry, config.subtree, values)
    return ReadFile(path.absolute(), path, values, config, link(draft, found, foresight=foresight))


def _workdir(argument: Argument | None, values: Mapping[str, Any], config: Config) -> str | None:
    """Return the directory of a node's own modules; None when it names none, or only a running pebble knows it."""
    if argument is None:
        return None
    match argument.source:
        case Literal(value=value):
            pass
        case OptionRef(name=name):
            value = values.get(name)
        case ConfigRef(name=name):
            value = config.get(name)
        case _:
            return None
    if value is None and argument.has_default:
        value = argument.default
    return value if isinstance(value, str) and value else None


def option_values(draft: Draft, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of every option; texts are read as on the command line, other values are taken as they are.

    Raises:
        OptionError: a text cannot be read as its option's type.
    """
    from cryocloud_core.graph.options import read_option

    values = {}
    for name, option in draft.options.items():
        value = given.get(name)
        as_typed = value is None or isinstance(value, str | bool)
        values[name] = read_option(option, value, _file_text) if as_typed else value
    return values


def refuse_differing(drafts: Mapping[str, Draft], used: Collection[str]) -> None:
    """Raise OptionError for a flag that is used and takes a value in one file (by name) and none in another.

    Texts, lists and JSON share a flag: each file reads the text as its own type says.
    """
    flags: dict[str, tuple[str, Option, bool]] = {}
    for file, draft in drafts.items():
        for name, option in draft.options.items():
            is_bool = option.kind == "bool"
            for flag in (f"--{name}", f"--no-{name}") if is_bool else (f"--{name}",):
                there, other, was_bool = flags.setdefault(flag, (file, option, is_bool))
                if flag in used and there != file and (was_bool, other.name) != (is_bool, name):
                    raise OptionError(
                        f"it comes from option {other.name!r} ({other.kind}) of {there} and from option {name!r} "
                        f"({option.kind}) of {file}",
                        subject=flag,
                        remedy="give one of them another name, or run the files apart",
                    )


def refuse_unknown(drafts: Sequence[Draft], given: Mapping[str, Any]) -> None:
    """Raise OptionError for a given option that none of the workflows declares; not while one has errors anyway."""
    from cryocloud_core.graph.spelling import hint

    declared = {name for draft in drafts for name in draft.options}
    if any(problem.is_error for draft in drafts for problem in draft.problems):
        return
    for name in given:
        if name not in declared:
            raise OptionError(f"no workflow here declares it{hint(name, declared)}", subject=f"option {name!r}")


def sound(files: Sequence[ReadFile]) -> list[Workflow]:
    """Return the workflows of the files. Raises DocumentError with every error of every file."""
    problems = tuple(line for file in files for line in file.lines(errors=True))
    workflows = [file.linked.workflow for file in files if file.linked.workflow is not None]
    if problems or len(workflows) < len(files):
        place = ", ".join(str(file.path) for file in files)
        raise DocumentError(f"{len(problems)} problems", problems=problems, place=place)
    return workflows


def _file_text(path: str) -> str | None:
    """Return the text of an existing file, None where there is none."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
