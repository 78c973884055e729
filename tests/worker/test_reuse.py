"""Files of earlier results: measured when they are made, looked at before they are used again."""

from __future__ import annotations

from pathlib import Path

from attrs import evolve

from cryocloud_core.task import Reuse
from cryocloud_core.worker.reuse import measured, still_there


def nowhere(_url: str) -> None:
    """Look at a URL in vain."""


def test_a_result_is_there_while_each_file_is_as_big_as_it_was(tmp_path: Path) -> None:
    """One path, a list of them, directories with all that is in them, null."""
    (tmp_path / "d" / "deep").mkdir(parents=True)
    for name, text in {"a": "12", "b": "", "d/deep/c": "345"}.items():
        (tmp_path / name).write_text(text)
    here = str(tmp_path)
    outputs = {"one": f"{here}/a", "many": [f"{here}/b", None, f"{here}/d"], "none": None, "other": "/nowhere"}
    files = ("one", "many", "none", "missing")
    sizes = measured(outputs, files, nowhere)
    reuse = Reuse(files, outputs, sizes, known=True)

    assert sizes == {f"{here}/a": 2, f"{here}/b": 0, f"{here}/d": 3}
    assert still_there(reuse, nowhere)
    assert not still_there(evolve(reuse, known=False), nowhere)
    (tmp_path / "d" / "deep" / "c").write_text("3456")
    assert not still_there(reuse, nowhere)
    (tmp_path / "d" / "deep" / "c").write_text("543")
    assert still_there(reuse, nowhere)
    (tmp_path / "b").unlink()
    assert not still_there(reuse, nowhere)


def test_what_cannot_be_looked_at_counts_as_changed() -> None:
    """Addresses, relative paths, numbers, names that no file can have."""
    for value in ("s3://h/b/k", "relative", 3, {"a": 1}, "/a\0b", "", ["/dev/null", "x"]):
        sizes = measured({"dst": value}, ("dst",), nowhere)

        assert not still_there(Reuse(("dst",), {"dst": value}, sizes, known=True), nowhere), value


def test_what_was_sent_elsewhere_is_looked_at_there() -> None:
    """Its size is what the other side says."""
    sizes = {"s3://h/b/k": 7, "ssh://h/a": None}
    outputs = {"dst": list(sizes)}
    reuse = Reuse(("dst",), {"dst": "s3://h/b/k"}, {"s3://h/b/k": 7}, known=True)

    assert measured(outputs, ("dst",), sizes.get) == {"s3://h/b/k": 7}
    assert still_there(reuse, sizes.get)
    assert not still_there(reuse, lambda _: 8)
