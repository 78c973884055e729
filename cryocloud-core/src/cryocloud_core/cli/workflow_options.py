"""The options that a workflow declares, as flags of the command that is given its file.

Laws: a file is found wherever it stands among the flags, but an option before it must be written `--o=value`;
what a value means is decided by `graph.options`, here it stays what was typed; a file that cannot be read or
has problems declares nothing, and the command itself says why.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from typer.core import TyperOption

from cryocloud_core.cli.command import Mistake, PlainCommand, told
from cryocloud_core.errors import DocumentError

if TYPE_CHECKING:
    from cryocloud_core.graph.draft import Draft
    from cryocloud_core.graph.workflow import Option

#: Where a context keeps the drafts by file, and the typed values by option name.
DRAFTS = "cryocloud.drafts"
TYPED = "cryocloud.typed"
#: Set while the command's own flags are listed, without those of its workflows.
OWN_ONLY = "cryocloud.own_only"
_PREFIX = "workflow_option_"
#: A slash and a semicolon part the two names of a flag.
_WRITABLE = re.compile(r"[^\s=,/;\-][^\s=/;]*")


class WorkflowCommand(PlainCommand):
    """A command whose arguments are workflow files; it takes their options as flags."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line once the flags of its workflows are known. Raises OptionError, DocumentError."""
        from cryocloud_core.api.reading import refuse_differing

        drafts, problems = find_drafts(args, super().get_params(ctx))
        if not ctx.resilient_parsing:
            refuse_differing(drafts, {word.partition("=")[0] for word in args})
        ctx.meta[DRAFTS] = drafts
        try:
            rest: list[str] = super().parse_args(ctx, args)
        except Mistake as mistake:
            # A flag may be unknown only because its workflow cannot be read: both are told.
            if not problems:
                raise
            problems.append(told(mistake, ctx.command_path))
            raise DocumentError("the workflow cannot be read", problems=tuple(problems)) from mistake
        typed = {name: ctx.params.pop(name) for name in list(ctx.params) if name.startswith(_PREFIX)}
        ctx.meta[TYPED] = {
            option.name: typed[_parameter_name(number)]
            for number, option in enumerate(declared(ctx.meta[DRAFTS]))
            if typed.get(_parameter_name(number)) is not None
        }
        return rest

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the command's own parameters and those of its workflows; a flag of both is the command's."""
        own: list[Any] = super().get_params(ctx)
        if ctx.meta.get(OWN_ONLY):
            return own
        taken = {name for param in own for name in names_of(param)}
        options = enumerate(declared(ctx.meta.get(DRAFTS, {})))
        free = ((number, option) for number, option in options if f"--{option.name}" not in taken)
        return [*own, *(_flag_of(option, _parameter_name(number)) for number, option in free)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the workflows' options, each workflow under its own heading, above the command's own."""
        for file, draft in ctx.meta.get(DRAFTS, {}).items():
            records = [help_record(option) for option in draft.options.values()]
            if records:
                with formatter.section(f"Options of {_plain(file)}"):
                    formatter.write_dl(records)
        ctx.meta[OWN_ONLY] = True
        super().format_options(ctx, formatter)
        ctx.meta[OWN_ONLY] = False

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write the workflows' descriptions where there are files, the command's own help otherwise."""
        drafts = ctx.meta.get(DRAFTS, {})
        if not drafts:
            super().format_help_text(ctx, formatter)
        for draft in drafts.values():
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(f"{_plain(draft.name)}: {_plain(draft.description)}")


def find_drafts(args: Sequence[str], params: Iterable[Any]) -> tuple[dict[str, Draft], list[str]]:
    """Return the drafts of the workflow files named in `args`, by what was typed, and the errors in those files."""
    from cryocloud_core.api.reading import draft_of

    problems: list[str] = []
    takes_value = {name: not param.is_flag for param in params for name in names_of(param)}
    drafts: dict[str, Draft] = {}
    for word, is_surely_a_file in words_of(args, takes_value):
        try:
            draft = draft_of(word)
        except DocumentError as error:
            problems += [str(error)] if is_surely_a_file else []
            continue
        drafts[word] = draft
        problems += [problem.text(word) for problem in draft.problems if problem.is_error]
        takes_value = {f"--{each.name}": each.kind != "bool" for each in draft.options.values()} | takes_value
    return drafts, problems


def words_of(args: Sequence[str], takes_value: Mapping[str, bool]) -> Iterator[tuple[str, bool]]:
    """Yield the words that are no flags and no values of known flags; False for one that follows an unknown flag."""
    rest = iter(args)
    is_sure = True
    for word in rest:
        if word == "--":
            return
        if not word.startswith("-") or word == "-":
            yield word, is_sure
            is_sure = True
        elif takes_value.get(word, False):
            next(rest, None)
        else:
            is_sure = word in takes_value or "=" in word


def names_of(param: Any) -> tuple[str, ...]:
    """Return how a parameter is written as a flag; empty for an argument."""
    return (*param.opts, *param.secondary_opts) if param.param_type_name == "option" else ()


def declared(drafts: Mapping[str, Draft]) -> list[Option]:
    """Return every option that can be a flag, each name once: the first declaration counts."""
    options: dict[str, Option] = {}
    for draft in drafts.values():
        for name, option in draft.options.items():
            if can_be_flag(option, draft):
                options.setdefault(name, option)
    return list(options.values())


def can_be_flag(option: Option, draft: Draft) -> bool:
    """Tell whether an option's name can be typed and is free; one for which this is not so is a problem of its file."""
    from cryocloud_core.api.reading import FLAGS
    from cryocloud_core.graph.options import clash

    return _WRITABLE.fullmatch(option.name) is not None and clash(option, FLAGS, draft.options.values()) is None


def _parameter_name(number: int) -> str:
    return f"{_PREFIX}{number}"


def _flag_of(option: Option, name: str) -> TyperOption:
    """Return the option as a flag; its help is for completion, which has one line."""
    if option.kind == "bool":
        return TyperOption(
            param_decls=[name, f"--{option.name}/--no-{option.name}"],
            is_flag=True,
            default=None,
            help=_plain(option.help),
        )
    return TyperOption(param_decls=[name, f"--{option.name}"], type=str, default=None, help=_plain(option.help))


def help_record(option: Option) -> tuple[str, str]:
    """Return what help shows of an option: how it is typed, what it means, its default (never a secret one)."""
    values = {"text": " TEXT", "list": " A,B,…", "json": " FILE|JSON", "bool": f" / --no-{option.name}"}
    parts = [_plain(option.help), *_default(option)]
    return _plain(f"--{option.name}{values[option.kind]}"), "  ".join(part for part in parts if part)


def _default(option: Option) -> Iterator[str]:
    if option.default is None:
        return
    if option.secret:
        yield "[default: •••]"
    elif option.kind == "list":
        yield f"[default: {_plain(','.join(map(str, option.default)))}]"
    elif option.kind == "json" and not isinstance(option.default, str):
        import json

        yield f"[default: {json.dumps(option.default)}]"
    else:
        shown = str(option.default).lower() if isinstance(option.default, bool) else str(option.default)
        yield f"[default: {_plain(shown)}]"


def _plain(text: str) -> str:
    from cryocloud_core.cli.text import plain

    return plain(text)
