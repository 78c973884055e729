"""What a module is given: every source of an argument, defaults, and what cannot be resolved."""

from __future__ import annotations

from cryocloud_core.task import Failed
from cryocloud_core.testing.case import Case

#: P returned n = 0 and e = null, K was switched off, nobody gave option o, the configuration knows zero.
_GIVEN = """
    {"module": "work", "name": "P", "downstreamOf": ["In"]},
    {"module": "work", "name": "K", "downstreamOf": ["In"], "runOn": "never"},
"""
_OPTIONS = {"options": {"o": {"help": "not given"}}, "config": "Ocean.Wind"}
_CONFIG = {"Ocean.Wind.zero": 0, "Ocean.Wind.no": False, "Ocean.Wind.empty": ""}


def _delivered(title: str, definition: str, value: object, *notes: str, problems: tuple[str, ...] = ()) -> Case:
    """Return the case that an argument of A, below P and K, is delivered as `value`."""
    return Case(
        title,
        _GIVEN + f'{{"module": "work", "name": "A", "downstreamOf": ["P", "K"], "args": {{"x": {definition}}}}}',
        workflow=_OPTIONS,
        config=_CONFIG,
        ends={"P": {"n": 0, "e": None}},
        args={} if problems and problems[0] != "W09" else {"A": {"x": value}},
        notes=notes,
        problems=problems,
    )


_NULL = "argument 'x' is null"

CASES = (
    # literals and data
    _delivered("a text is a text", '"7"', "7"),
    _delivered("a number is a number", "7", 7),
    _delivered("a text that says true is not converted", '"true"', "true"),
    _delivered("false is delivered", "false", False),
    _delivered("a written null is delivered without a word", "null", None),
    _delivered("a list is not searched for references", '[1, {"option": "o"}]', [1, {"option": "o"}]),
    _delivered("a map without a source is data", '{"a": 1}', {"a": 1}),
    _delivered("a default alone is data", '{"default": 3}', {"default": 3}),
    _delivered("an empty map is data", "{}", {}),
    _delivered(
        "a map with a type of its own is data",
        '{"type": "Point", "coordinates": [1, 2]}',
        {"type": "Point", "coordinates": [1, 2]},
    ),
    _delivered("references inside a data map stay as they are", '{"a": {"output": "P.n"}}', {"a": {"output": "P.n"}}),
    _delivered(
        "a path keeps its characters",
        '"/d/a b#c?d%20\\u00e6\\n.zip"',
        "/d/a b#c?d%20\u00e6\n.zip",
    ),
    _delivered("value protects what looks like a source", '{"value": {"option": "x"}}', {"option": "x"}),
    _delivered("value of null takes the default", '{"value": null, "default": 4}', 4),
    _delivered("a map under options is data", '{"options": {"a": 1}}', {"options": {"a": 1}}),
    # outputs
    _delivered("an output of zero is a value", '{"output": "P.n"}', 0),
    _delivered("an output of zero beats the default", '{"output": "P.n", "default": 5}', 0),
    _delivered("a null output takes the default", '{"output": "P.e", "default": 5}', 5),
    _delivered("a null output without default is null and told", '{"output": "P.e"}', None, _NULL),
    _delivered("a declared output that was not returned is null and told", '{"output": "P.zz"}', None, _NULL),
    _delivered("an output of a node that was skipped takes the default", '{"output": "K.x", "default": "d"}', "d"),
    _delivered("an output of a node that was skipped is null and told", '{"output": "K.x"}', None, "'K' did not run"),
    _delivered("an empty text is a good default", '{"output": "K.dst", "default": ""}', ""),
    _delivered("a default of null is a default: nothing is told", '{"output": "K.dst", "default": null}', None),
    _delivered("every node has an error, null when it went well", '{"output": "P.error"}', None, _NULL),
    _delivered("an output nobody declares is refused", '{"output": "P.nope"}', None, problems=("E19",)),
    Case(
        "an output nobody declares is let be with a default, and warned of",
        _GIVEN + '{"module": "work", "name": "A", "downstreamOf": ["P"], '
        '"args": {"x": {"output": "P.nope", "default": 1}}}',
        ends={"P": {"nope": 2}},
        problems=("W13",),
        args={"A": {"x": 2}},
    ),
    Case(
        "an output that the node itself declares is found",
        """
        {"module": "work", "name": "P", "downstreamOf": ["In"], "outputs": {"url": "where it went"}},
        {"module": "work", "name": "A", "downstreamOf": ["P"],
         "args": {"x": {"output": "P.url"}, "y": {"output": "In.key"}}}
        """,
        input='{"module": "cmdline", "name": "In", "downstreamOf": ["entry"], "outputs": {"key": "given"}}',
        arrivals=(("In", {"key": "k1", "caller": "In", "_order": 3}),),
        ends={"P": {"url": "http://h/x"}},
        args={"A": {"x": "http://h/x", "y": "k1"}},
    ),
    Case(
        "two nodes of one module each have their own outputs",
        """
        {"module": "work", "name": "P", "downstreamOf": ["In"], "outputs": {"url": ""}},
        {"module": "work", "name": "Q", "downstreamOf": ["In"]},
        {"module": "work", "name": "A", "downstreamOf": ["P", "Q"], "args": {"x": {"output": "Q.url"}}}
        """,
        problems=("E19",),
    ),
    Case(
        "undeclared keys that a module returns are kept for error and default",
        """
        {"module": "work", "name": "P", "downstreamOf": ["In"]},
        {"module": "work", "name": "A", "downstreamOf": ["P"], "runOn": "always",
         "args": {"text": {"output": "P.error"}, "x": {"output": "P.n"}}}
        """,
        ends={"P": Failed("disk full", {"n": 3})},
        args={"A": {"text": "disk full", "x": 3}},
        result="error",
    ),
    Case(
        "the longest node name wins",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "A.b", "downstreamOf": ["A"]},
        {"module": "work", "name": "Cleanup zip", "downstreamOf": ["A.b"]},
        {"module": "work", "name": "J", "downstreamOf": ["Cleanup zip"],
         "args": {"x": {"output": "A.b.n"}, "y": {"output": "A.n"}, "z": {"output": "Cleanup zip.n"}}}
        """,
        ends={"A": {"n": 1}, "A.b": {"n": 2}, "Cleanup zip": {"n": 3}},
        args={"J": {"x": 2, "y": 1, "z": 3}},
    ),
    Case(
        "a node that is not upstream cannot be referred to",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "B", "downstreamOf": ["In"], "args": {"x": {"output": "A.n"}}}
        """,
        problems=("E18",),
    ),
    Case(
        "a node that is not upstream may be referred to with a default, which is then what comes",
        """
        {"module": "work", "name": "B", "downstreamOf": ["In"], "args": {"x": {"output": "C.n", "default": 1}}},
        {"module": "work", "name": "C", "downstreamOf": ["B"]}
        """,
        problems=("W10",),
        args={"B": {"x": 1}},
    ),
    Case(
        "a node beside is never waited for and never raced with: the default comes",
        """
        {"module": "work", "name": "L", "downstreamOf": ["In"]},
        {"module": "work", "name": "R", "downstreamOf": ["In"]},
        {"module": "work", "name": "R2", "downstreamOf": ["R"], "args": {"x": {"output": "L.n", "default": 1}}}
        """,
        ends={"L": {"n": 2}},
        order=("L", "R"),
        problems=("W10",),
        args={"R2": {"x": 1}},
    ),
    Case(
        "a node that does not exist is refused with the nearest name, and the other arguments are checked too",
        """
        {"module": "work", "name": "Wind", "downstreamOf": ["In"]},
        {"module": "work", "name": "B", "downstreamOf": ["Wind"],
         "args": {"text": {"output": "Wind.error"}, "x": {"output": "Wnd.n"}, "y": {"output": "Wind.nn"}}}
        """,
        problems=("E18", "E19"),
        says=('did you mean "Wind"', 'nodes[2] "B": E18 argument "x"'),
    ),
    Case(
        "an input node has nothing upstream",
        '{"module": "work", "name": "A", "downstreamOf": ["W"]}',
        input='{"module": "watch", "name": "W", "args": {"src": {"output": "A.dst"}}}',
        problems=("E18",),
        says=("nothing upstream",),
    ),
    Case(
        "an argument the module does not know",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "args": {"srcc": 1}}',
        problems=("E17",),
        says=('did you mean "src"',),
    ),
    # options
    _delivered("an option that was not given is null and told", '{"option": "o"}', None, "option 'o' was not given"),
    _delivered("an option that was not given takes the default", '{"option": "o", "default": 1}', 1),
    _delivered("options is an old spelling of option", '{"options": "o"}', None, "option 'o' was not given"),
    _delivered("an option nobody declares", '{"option": "other"}', None, problems=("E22",)),
    # configuration
    _delivered("a configured zero is a value", '{"config": "zero", "default": 9}', 0),
    _delivered("a configured false is a value", '{"config": "no", "default": 9}', False),
    _delivered("a configured empty text is a value", '{"config": "empty", "default": 9}', ""),
    _delivered("a configuration value that is not set takes the default", '{"config": "nope", "default": 9}', 9),
    _delivered("a configuration value that is not set is null and told", '{"config": "nope"}', None, _NULL),
    Case(
        "a node's own root comes before the workflow's",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "config": "Land", "args": {"x": {"config": "File"}}}',
        workflow={"config": "Sea"},
        config={"Sea.File": "sea", "Land.File": "land"},
        args={"A": {"x": "land"}},
    ),
    Case(
        "a configuration value without any root",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "args": {"x": {"config": "File"}}}',
        problems=("E23",),
    ),
    # statistics
    Case(
        "statistics of the parent and of a node",
        """
        {"module": "work", "name": "P", "downstreamOf": ["In"]},
        {"module": "work", "name": "A", "downstreamOf": ["P"], "args": {
            "x": {"stat": "parent.runtime"}, "y": {"stat": "P.node"}, "z": {"stat": "P.worker"},
            "src": {"stat": "P.priority"}, "dir": {"stat": "In.node"}}}
        """,
        args={"A": {"x": 1.5, "y": "m1", "z": "Worker-m1_1", "src": 50, "dir": "head"}},
    ),
    Case(
        "what the parent used",
        """
        {"module": "work", "name": "P", "downstreamOf": ["In"]},
        {"module": "work", "name": "A", "downstreamOf": ["P"], "args": {
            "x": {"stat": "parent.cpu_time"}, "y": {"stat": "parent.max_memory"}, "z": {"stat": "In.runtime"}}}
        """,
        args={"A": {"x": 0.5, "y": 4096, "z": None}},
        notes=("argument 'z' is null",),
    ),
    _delivered("a statistic of a node that was skipped is null and told", '{"stat": "K.node"}', None, _NULL),
    _delivered("a statistic that does not exist", '{"stat": "P.runtim"}', None, problems=("E24",)),
    # forms that are wrong
    _delivered("two sources at once", '{"option": "o", "output": "P.n"}', None, problems=("E21",)),
    _delivered("a modifier's map with an unknown type", '{"type": "fil", "default": 1}', None, problems=("E13",)),
    _delivered("a source with an unknown type", '{"output": "P.n", "type": "folder"}', None, problems=("E13",)),
    _delivered("a source that is no name", '{"output": ["P.n"]}', None, problems=("E13",)),
    _delivered("a reference without a key", '{"output": "P"}', None, problems=("E18",)),
    Case(
        "a source key with a slip of the hand makes the map data, with a warning",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "args": {"x": {"ouput": "In.n"}}}',
        problems=("W05",),
        says=('did you mean "output"',),
        args={"A": {"x": {"ouput": "In.n"}}},
    ),
    Case(
        "a source key in capitals is data, a modifier in capitals is folded",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"],
         "args": {"x": {"Value": 1}, "y": {"value": null, "Default": 2}}}
        """,
        problems=("W05", "W04"),
        args={"A": {"x": {"Value": 1}, "y": 2}},
    ),
    Case(
        "a reference to an error keeps no other argument from being checked",
        """
        {"module": "work", "name": "P", "downstreamOf": ["In"]},
        {"module": "work", "name": "A", "downstreamOf": ["P"], "args": {
            "x": {"output": "P.error"}, "y": {"output": "P.nope"}, "z": {"output": "Q.error"}}}
        """,
        problems=("E19", "E18"),
    ),
)
