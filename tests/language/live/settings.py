"""Configuration while a run goes on."""

from __future__ import annotations

from cryocloud_core.testing.case import Case

ALONE = True
CASES = (
    Case(
        "a value that was changed is seen by the next task, not by the ones before",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"], "config": "Ocean.Wind", "args": {
            "x": {"config": "File"}}},
        {"module": "edit", "downstreamOf": ["A"]},
        {"module": "work", "name": "B", "downstreamOf": ["edit"], "config": "Ocean.Wind", "args": {
            "x": {"config": "File"}, "y": {"config": "Other", "default": "none"}}}
        """,
        files={"cryocloud.toml": '[Ocean.Wind]\nFile = "one"\n'},
        modules={"edit": {"inputs": {}}},
        code={
            "edit": 'with open(f"{here}/cryocloud.toml", "w") as file:\n'
            "    file.write(\"[Ocean.Wind]\\nFile = 'two'\\nOther = 2\\n\")\n"
            "time.sleep(0.6)\nreturn 100, None"
        },
        args={"A": {"x": "one"}, "B": {"x": "two", "y": 2}},
    ),
    Case(
        "a file that cannot be read any more leaves the values as they were",
        """
        {"module": "edit", "downstreamOf": ["In"]},
        {"module": "work", "name": "B", "downstreamOf": ["edit"], "config": "Ocean.Wind", "args": {
            "x": {"config": "File"}}}
        """,
        files={"cryocloud.toml": '[Ocean.Wind]\nFile = "one"\n'},
        modules={"edit": {"inputs": {}}},
        code={"edit": 'open(f"{here}/cryocloud.toml", "w").write("[[[")\ntime.sleep(0.6)\nreturn 100, None'},
        args={"B": {"x": "one"}},
    ),
)
