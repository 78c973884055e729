"""Old spellings, respelled keys, keys switched off, control booleans."""

from __future__ import annotations

from cryocloud_core.testing.case import Case


def _node(title: str, keys: str, *problems: str, says: str = "", **then: object) -> Case:
    """Return the case of a node A with these further keys."""
    return Case(
        title,
        f'{{"module": "work", "name": "A", "downstreamOf": ["In"], {keys}}}',
        workflow={"options": {"t": {"default": "/opt"}}},
        problems=problems,
        says=(says,),
        **then,  # type: ignore[arg-type]
    )


CASES = (
    _node("dir is an old spelling of workdir", '"dir": "/data"', tasks={"A": {"workdir": "/data"}}),
    _node("dir and workdir agree", '"dir": "/data", "workdir": "/data"', tasks={"A": {"workdir": "/data"}}),
    _node("dir and workdir disagree", '"dir": "/data", "workdir": "/home"', "E12"),
    _node("node is an old spelling of ccnode", '"node": "seer3"', "W03"),
    _node("options for option in a workdir", '"workdir": {"options": "t"}', tasks={"A": {"workdir": "/opt"}}),
    _node("maxParallel", '"maxParallel": 2', "W04", says='treated as "max_parallel"'),
    _node("MAX-PARALLEL that does not fit", '"MAX-PARALLEL": 0', "W04", "E13"),
    _node("a spelling that differs from the key beside it", '"runon": "error", "runOn": "success"', "W04", "E12"),
    _node("a key switched off by its first letter", '"fvolumes": [["/a", "/b"]]', "W05", says="switched off"),
    _node("ftype, fnode and frunOnHead", '"ftype": "admin", "fnode": "x", "frunOnHead": true', "W05", "W05", "W05"),
    _node("an unknown key near a known one", '"priorty": 3', "W05", says='did you mean "priority"'),
    _node("an unknown key near nothing", '"comment": "for Anna"', "W05", says="is ignored"),
    _node("an unknown key of a retry", '"retry": {"times": 1, "wait": 3}', "W05"),
    _node("an unknown modifier", '"args": {"x": {"value": 1, "hint": "none"}}', "W05", args={"A": {"x": 1}}),
    _node("options on a node are an outdated form", '"options": {"src": "In.fullpath"}', "E20"),
    _node(
        "arguments the wrong way round are an outdated form",
        '"args": {"In.fullpath": "src"}',
        "E20",
        says='write {"src": {"output": "In.fullpath"}}',
    ),
    *(
        _node(
            f"a control boolean written as {word.replace(chr(34), chr(39))}",
            f'"deferred": {word}',
            starts=("A",),
            states={"A": "success"},
        )
        for word in ("true", "false", "1", "0", '"true"', '"False"', '"YES"', '"no"', '"1"', '"0"')
    ),
    _node("a control boolean that is a word", '"deferred": "maybe"', "E13"),
    _node("a control boolean that is a number", '"deferred": 2', "E13"),
    _node("a control boolean that is null", '"deferred": null', "E13"),
    Case(
        "a module's old spellings: capitals, run for runOn, job_type for input_type",
        """
        {"module": "oldstyle", "name": "Old", "args": {"src": "/in"}},
        {"module": "work", "name": "A", "downstreamOf": ["Old"]}
        """,
        input="",
        arrivals=(("Old", {}),),
        states={"A": "success"},
    ),
    Case(
        "run in a module's defaults means runOn",
        '{"module": "work", "name": "A", "downstreamOf": ["In"]},'
        '{"module": "handler", "name": "H", "downstreamOf": ["A"]}',
        modules={"handler": {"inputs": {}, "outputs": {}, "defaults": {"run": "error"}}},
        ends={"A": "no"},
        states={"H": "success"},
        result="error",
    ),
)
