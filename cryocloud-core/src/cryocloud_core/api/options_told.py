"""What can be told of a run's options before anything starts, so that a watched directory is not silent until it fails.

Laws: nothing here ends a run; a line names the option, who takes it, and what will come of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cryocloud_core.graph.refs import Argument, OptionRef
from cryocloud_core.graph.workflow import PostItem, Workflow


def told_of_options(workflow: Workflow, given: Mapping[str, Any]) -> list[str]:
    """Return a line for each option without a value that something is taken from, or with one that is likely wrong."""
    users: dict[str, list[str]] = {}
    for node in workflow.nodes.values():
        for name, argument in node.args.items():
            option = _option(argument)
            if option is not None and given.get(option) is None and not argument.has_default:
                users.setdefault(option, []).append(f"{node.name}.{name}")
    lines = [
        f"option --{option} was not given and has no default: {', '.join(names)} will be null"
        for option, names in users.items()
    ]
    posts = ((node.name, item) for node in workflow.nodes.values() for item in node.post)
    return lines + [line for name, item in posts for line in _told_of_post(name, item, given)]


def _told_of_post(node: str, item: PostItem, given: Mapping[str, Any]) -> Iterator[str]:
    option = _option(item.target)
    if option is None:
        return
    value = given.get(option)
    what = f"{node}: the post of {item.output!r}"
    if value is None and not item.target.has_default:
        yield f"option --{option} was not given and has no default: {what} will fail"
    elif item.basename and isinstance(value, str) and value and not value.endswith("/"):
        yield f'option --{option} does not end with "/": {what} appends file names to its last part'


def _option(argument: Argument) -> str | None:
    return argument.source.name if isinstance(argument.source, OptionRef) else None
