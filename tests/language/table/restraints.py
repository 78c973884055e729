"""Restrictions: tasks and pebbles that wait for status values."""

from __future__ import annotations

from cryocloud_core.testing.case import Case

_THREE = (("In", {}),) * 3
_CHAIN = """
{"module": "work", "name": "A", "downstreamOf": ["In"]}, {"module": "work", "name": "B", "downstreamOf": ["A"]}"""


def _held(title: str, restrictions: str, **then: object) -> Case:
    """Return the case of a node that waits beside another."""
    return Case(
        title,
        f'{{"module": "work", "name": "A", "downstreamOf": ["In"], "restrictions": {{{restrictions}}}}},'
        '{"module": "work", "name": "B", "downstreamOf": ["In"]}',
        **then,  # type: ignore[arg-type]
    )


def _waits(title: str, restrictions: str, before: object, after: object, **then: object) -> Case:
    return _held(
        title,
        restrictions,
        status={"Feed:n": before},
        changes={"B": {"Feed:n": after}},
        starts=("B", "A"),
        **then,
    )


def _goes(title: str, restrictions: str, **then: object) -> Case:
    return _held(title, restrictions, starts=("A", "B"), **then)


CASES = (
    _waits("a task waits at three and goes at two", '"Feed:n": "<3"', 3, 2, blocked=("Feed:n <3: it is 3",)),
    _waits("a text that says a number is a number", '"Feed:n": ">= 10"', "9", "10.0"),
    _waits("a text is compared as a text", '"Feed:n": "==Idle"', "Busy", "Idle", blocked=("it is Busy",)),
    _waits("another text than that", '"Feed:n": "!= Busy"', "Busy", None),
    _waits("a value that is null is zero", '"Feed:n": ">0"', None, 1, blocked=("it is 0",)),
    _waits("what looks like code is a text like any other", '"Feed:n": "!=__import__(\'os\')"', "__import__('os')", ""),
    _goes("null is less than one", '"Feed:n": "<1"', status={"Feed:n": None}),
    _goes("what nobody ever heard of holds nobody up", '"Feed:never": "<0", "Nobody:x": "==1"'),
    _held(
        "all of them must hold",
        '"Feed:n": "<3", "Feed:m": ">1", "Feed:k": "==on"',
        status={"Feed:n": 1, "Feed:m": 1, "Feed:k": "on"},
        changes={"": {"Feed:m": 2}},
        starts=("B", "A"),
        blocked=("Feed:m >1: it is 1",),
    ),
    _held(
        "the name ends at the first colon",
        '"NodeController.seer3:disk:free": ">5"',
        status={"NodeController.seer3:disk:free": 1},
        changes={"": {"NodeController.seer3:disk:free": 6}},
        starts=("B", "A"),
    ),
    _held(
        "a value that is not good any more lets what runs go on",
        '"Feed:n": "<3"',
        status={"Feed:n": 1},
        changes={"B": {"Feed:n": 9}},
        order=("B", "A"),
        starts=("A", "B"),
    ),
    _held(
        "it is judged again for every attempt",
        '"Feed:n": "<3"',
        status={"Feed:n": 1},
        changes={"A": {"Feed:n": 9}, "": {"Feed:n": 1}},
        ends={"A": "no"},
        result="error",
        starts=("A", "B"),
    ),
    Case(
        "what it holds back itself does not count as pending",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "restrictions": {"case:A.pending": "<1"}}',
        arrivals=_THREE,
        attempts={"A": 1, "2:A": 1, "3:A": 1},
    ),
    Case(
        "so many at once",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "restrictions": {"case:A.processing": "<2"}}',
        arrivals=_THREE,
        at_once={"A": 2},
        attempts={"3:A": 1},
        blocked=("case:A.processing <2: it is 2",),
    ),
    Case(
        "two nodes that keep each other out",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"], "restrictions": {"case:B.processing": "<1"}},
        {"module": "work", "name": "B", "downstreamOf": ["In"], "restrictions": {"case:A.processing": "<1"}}
        """,
        order=("A", "B"),
        starts=("A", "B"),
        at_once={"A": 1, "B": 1},
    ),
    Case(
        "a node waits until another's queue is short",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"], "priority": "high",
         "restrictions": {"case:B.pending": "<2"}},
        {"module": "work", "name": "B", "downstreamOf": ["In"], "max_parallel": 1}
        """,
        arrivals=_THREE,
        order=("B", "A"),
        starts=("B", "2:B", "A", "2:A", "3:A", "3:B"),
    ),
    Case(
        "a workflow's name with spaces is written as it is, or with underscores",
        """
        {"module": "work", "name": "A b", "downstreamOf": ["In"], "restrictions": {"My flow:A b.processing": "<1"}},
        {"module": "work", "name": "C", "downstreamOf": ["In"], "restrictions": {"My_flow:C.processing": "<1"}}
        """,
        workflow={"name": "My flow"},
        arrivals=_THREE,
        at_once={"A b": 1, "C": 1},
    ),
    Case(
        "the parts of a split wait one by one",
        '{"module": "work", "name": "W", "downstreamOf": ["In"], "splitOn": "f", "merge": true,'
        '"args": {"f": [1, 2, 3]}, "restrictions": {"case:W.processing": "<1"}}',
        at_once={"W": 1},
        attempts={"W.0": 1, "W.2": 1},
    ),
    Case(
        "when it opens the more urgent goes first, then the older pebble",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"], "restrictions": {"Feed:n": "<1"}},
        {"module": "work", "name": "B", "downstreamOf": ["In"], "restrictions": {"Feed:n": "<1"}, "priority": 90},
        {"module": "work", "name": "C", "downstreamOf": ["In"]}
        """,
        arrivals=_THREE,
        workers=1,
        status={"Feed:n": 1},
        changes={"3:C": {"Feed:n": 0}},
        starts=("C", "2:C", "3:C", "B", "2:B", "3:B", "A", "2:A", "3:A"),
    ),
    Case(
        "an input that is restricted keeps new pebbles waiting",
        _CHAIN + ', {"module": "work", "name": "C", "downstreamOf": ["Now"]}',
        input='{"module": "cmdline", "name": "In", "restrictions": {"Feed:n": "<1"}},'
        '{"module": "cmdline", "name": "Now"}',
        arrivals=(("In", {}), ("Now", {})),
        status={"Feed:n": 1},
        changes={"": {"Feed:n": 0}},
        starts=("2:C", "A", "B"),
        blocked=("Feed:n <1: it is 1",),
    ),
    Case(
        "a pebble that was let in goes on, the next one waits",
        _CHAIN,
        input='{"module": "cmdline", "name": "In", "restrictions": {"case:A.processing": "<1", "Feed:n": "<1"}}',
        arrivals=(("In", {}), ("In", {})),
        status={"Feed:n": 0},
        changes={"A": {"Feed:n": 1}, "": {"Feed:n": 0}},
        starts=("A", "B", "2:A", "2:B"),
    ),
    Case(
        "what a pebble that was given up still has to do waits as well",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "D", "downstreamOf": ["In"], "deferred": true, "restrictions": {"Feed:n": "<1"}}
        """,
        cancel="A",
        status={"Feed:n": 1},
        changes={"": {"Feed:n": 0}},
        states={"A": "cancelled", "D": "success"},
        starts=("A", "D"),
        result="cancelled",
    ),
)
