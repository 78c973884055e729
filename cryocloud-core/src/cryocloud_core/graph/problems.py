"""Everything that can be wrong with a workflow: one table of codes, and a finding with its place.

Laws: each code has one message here and nowhere else; whatever a document holds is made printable before
it enters a message; findings are collected, never raised, so that a person sees all of them at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from string import Formatter
from typing import Any, Final

from attrs import define, field, frozen

from cryocloud_core.graph.spelling import hint, printable

#: code -> message; E codes stop a start, W codes do not (W01 to W05 do with `--strict`).
CATALOGUE: Final[dict[str, str]] = {
    "E01": "not valid JSON: {why} (line {line}, column {column})",
    "E02": 'the document must be an object with a "workflow" key that holds an object, got {got}',
    "E03": 'both "nodes" and "modules" given; they are two names of one list',
    "E04": "workflow has no {key}",
    "E05": "workflow has no {missing}; nothing could ever start",
    "E06": 'node has no "module"',
    "E07": 'duplicate node name "{name}" ({first} and {second})',
    "E08": 'node is not connected: add "downstreamOf" or move it into "children"',
    "E09": 'module "{module}" is not an input module and cannot be downstream of "entry"',
    "E10": 'input module "{module}" must be downstream of "entry" only',
    "E11": 'unknown parent "{parent}"{hint}',
    "E12": '"{first}" and "{second}" are two spellings of one key and disagree',
    "E13": '"{key}" must be {expected}, got {got}',
    "E14": "cycle: {nodes}",
    "E15": 'module "{module}" not found; {why}',
    "E16": 'module "{module}" has no usable ccmodule definition: {why}',
    "E17": 'unknown argument "{argument}" for module "{module}" (knows: {known}){hint}',
    "E18": '{subject}: node "{node}" {what}{hint}',
    "E19": '{subject}: module "{module}" has no output "{key}" (has: {outputs}){hint}; '
    'add it to "outputs" or give "default"',
    "E20": "outdated argument form; write {modern}",
    "E21": "{subject}: give only one of option/output/config/stat/value, got {got}",
    "E22": '{subject}: no option "{option}" is defined{hint}',
    "E23": '{subject} uses config but neither node nor workflow has "config"',
    "E24": '{subject}: unknown stat "{stat}" (node, worker, priority, runtime, cpu_time, max_memory){hint}',
    "E25": '"{thing}" is required by {module} but no upstream node provides it (they provide: {provided}){hint}',
    "E26": 'split "{inner}" lies inside the split region of "{outer}"; merge before splitting again',
    "E27": '"merge" on "{node}" but no split upstream',
    "E28": 'region of "{split}" has two merge nodes "{first}", "{second}"',
    "E29": '"{node}" joins {what}',
    "E30": '"{key}" names "{argument}", {why}{hint}',
    "E31": '"splitOn" and "loop" name the same argument "{argument}"',
    "E32": '"ccnode": "all" cannot be combined with {other}',
    "E33": "bad runIf: {why} at column {position}",
    "E34": 'bad restriction "{restriction}": {value}: {why}',
    "E35": 'option "{option}" clashes with {what}',
    "E36": "cannot fetch definition from {url}: {why}",
    "E37": "bad {key} item: {why}",
    "E38": '"{key}" is not supported yet',
    "W01": 'key "{key}" is given twice here; the last one counts',
    "W02": '"options" belong inside "workflow"; taken from beside it',
    "W03": '"node" is an old spelling; treated as "ccnode"',
    "W04": 'key "{key}" treated as "{known}"',
    "W05": 'key "{key}" {what}{hint}',
    "W06": '"ccnode" together with "image": the tasks wait for a container on that very machine',
    "W07": '"{key}" has no effect {where}',
    "W08": 'module "{module}" found here shadows {other}',
    "W09": '{subject}: "parent.{key}" is ambiguous between {parents}; the first listed that has it wins',
    "W10": '{subject}: node "{node}" is not upstream of this node; the default will be used',
    "W11": 'module "{module}" declares no {what}, so {unchecked} unchecked',
    "W12": "parents of a global node are ignored",
    "W13": "{subject}: {what}",
    "W14": 'tempdir id "{id}" has two bases, {first} and {second}; the first to be used decides',
    "W15": 'post target {target} does not end with "/", so file names are appended to its last part',
    "W16": '{subject}: {path} is in the directory that "{input}" watches: what is written there arrives again',
    "W17": "{subject} {verdict}: {why}",
}

#: Warnings that `--strict` turns into errors: the document says something that is not its language.
STRICT: Final = frozenset({"W01", "W02", "W03", "W04", "W05"})

#: About half a second; a document with thousands of wrong names has another fault than their spelling.
_MAX_COMPARED: Final = 100_000

#: The names in each message, for those who list the catalogue.
FIELDS: Final = {code: tuple(f for _, f, _, _ in Formatter().parse(text) if f) for code, text in CATALOGUE.items()}


@frozen(order=False)
class Problem:
    """One finding in a workflow: what is wrong and where.

    `place` reads `nodes[0].children[1] "Wind"` or `options.lang`, empty for the workflow as a whole; `line`
    and `column` count from 1.
    """

    code: str
    message: str
    place: str = ""
    line: int = 1
    column: int = 1
    is_error: bool = True

    def text(self, file: str = "") -> str:
        """Return the finding as one printable line, `FILE:LINE:COL: place: E17 message`."""
        front = f"{printable(file)}:" if file else ""
        place = f"{self.place}: " if self.place else ""
        return f"{front}{self.line}:{self.column}: {place}{self.code} {self.message}"


def problem(code: str, place: str, spot: tuple[int, int], /, *, strict: bool = False, **parts: Any) -> Problem:
    """Return the finding with this code; `parts` fill its message, `spot` is line and column."""
    safe = {name: printable(str(value)) for name, value in parts.items()}
    is_error = code.startswith("E") or (strict and code in STRICT)
    return Problem(code, CATALOGUE[code].format(**safe), place, *spot, is_error)


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return findings in document order, each once."""
    return tuple(dict.fromkeys(sorted(problems, key=lambda p: (p.line, p.column, p.code, p.place))))


@define
class Findings:
    """Collects what is wrong; knows where lines start and whether the check is strict."""

    spot: Any = field(repr=False)
    strict: bool = False
    found: list[Problem] = field(factory=list)
    compared: int = 0

    def add(self, code: str, at: int, place: str, /, **parts: Any) -> None:
        """Note one finding at an offset of the text."""
        self.found.append(problem(code, place, self.spot(at), strict=self.strict, **parts))

    def guess(self, name: str, known: Collection[str]) -> str:
        """Return a did-you-mean among node names, until so many were compared that a person waits for it."""
        self.compared += len(known)
        return hint(name, known) if self.compared <= _MAX_COMPARED else ""
