"""jsonparse and read_geojson: what they return, and errors that say where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.testing.worker import LocalWorker
from cryocloud_modules_builtin import jsonparse, read_geojson


def feature(name: str, **properties: Any) -> dict[str, Any]:
    """Return a GeoJSON feature."""
    point = {"type": "Point", "coordinates": [1, 2]}
    return {"type": "Feature", "id": f"id-{name}", "geometry": point, "properties": {"name": name, **properties}}


@pytest.fixture
def src(tmp_path: Path) -> str:
    """Give a FeatureCollection of five features; only some have a height."""
    features = [feature(name, **({"height": n} if n % 2 else {})) for n, name in enumerate("abcde")]
    (tmp_path / "a.json").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return str(tmp_path / "a.json")


@pytest.mark.parametrize("content", [{"a": [1, None, "æ"]}, [], "text", None])
def test_jsonparse_returns_the_content(worker: LocalWorker, tmp_path: Path, content: Any, hostile: str) -> None:
    """Any JSON value, from a file of any name, with a byte order mark or without."""
    (tmp_path / hostile).write_text("\ufeff" + json.dumps(content), "utf-8")

    assert worker.run(jsonparse, {"path": f"{tmp_path}/{hostile}"}) == {"content": content}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'{"a": 1,\n "b" 2}', r"bad\.json:2:6: not valid JSON"),
        (b"", r"bad\.json:1:1: not valid JSON"),
        (b'"\xff"', r"is not UTF-8 \(byte 1\)"),
        (b"[NaN]", "holds NaN, which is no JSON"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_jsonparse_says_where_it_is_wrong(worker: LocalWorker, tmp_path: Path, raw: bytes, said: str) -> None:
    """File, line and column."""
    (tmp_path / "bad.json").write_bytes(raw)

    with pytest.raises(ValueError, match=said):
        worker.run(jsonparse, {"path": str(tmp_path / "bad.json")})


def test_jsonparse_without_a_file(worker: LocalWorker) -> None:
    """A missing path and a missing file are told apart."""
    with pytest.raises(ValueError, match="path of a JSON file is missing"):
        worker.run(jsonparse, {"path": None})
    with pytest.raises(FileNotFoundError, match=r"/none\.json"):
        worker.run(jsonparse, {"path": "/none.json"})


def test_read_geojson_returns_features_of_all_files(worker: LocalWorker, tmp_path: Path, src: str) -> None:
    """A collection, a plain list and a lone feature, in order."""
    (tmp_path / "b.json").write_text(json.dumps([feature("f")]))
    (tmp_path / "c.json").write_text(json.dumps(feature("g")))

    outputs = worker.run(read_geojson, {"src": [src, None, f"{tmp_path}/b.json", f"{tmp_path}/c.json"]})
    assert [each["properties"]["name"] for each in outputs["features"]] == list("abcdefg")


def test_read_geojson_with_keys_returns_aligned_lists(worker: LocalWorker, src: str) -> None:
    """Null where a feature lacks the property; id and geometry are found beside the properties."""
    outputs = worker.run(read_geojson, {"src": src, "keys": "name, height,id", "max_posts": "3"})

    assert outputs == {"name": ["a", "b", "c"], "height": [None, 1, None], "id": ["id-a", "id-b", "id-c"]}


def test_read_geojson_skips_what_is_done_before_it_counts(worker: LocalWorker, tmp_path: Path, src: str) -> None:
    """A pattern of a path, tested for existence, never run as code; max_posts counts what is posted."""
    for done in ["a.tif", "c.tif"]:
        (tmp_path / done).touch()
    args = {"src": src, "keys": ["name"], "dst": str(tmp_path), "is_done": "$DST/$NAME.tif", "max_posts": 2}

    assert worker.run(read_geojson, args) == {"name": ["b", "d"]}
    (tmp_path / "__import__('os').tif").touch()
    args["is_done"] = "$DST/${id}/__import__('os')"
    assert worker.run(read_geojson, args) == {"name": ["a", "b"]}


def test_read_geojson_shuffles_and_keeps_lists_aligned(worker: LocalWorker, src: str) -> None:
    """Another order, the same for a repeat of the task."""
    args = {"src": src, "keys": ["name", "id"], "shuffle": "true"}
    outputs = worker.run(read_geojson, args)

    assert sorted(outputs["name"]) == list("abcde") != outputs["name"]
    assert outputs["id"] == [f"id-{name}" for name in outputs["name"]]
    assert worker.run(read_geojson, args, attempt=2) == outputs


@pytest.mark.parametrize(
    ("content", "args", "said"),
    [
        ({"type": "FeatureCollection"}, {}, "neither a FeatureCollection nor a list"),
        (["x"], {}, r"features\[0\] is no feature"),
        ([{"properties": []}, {"properties": [1]}], {}, r"features\[1\] is no feature"),
        ([], {"max_posts": "many"}, "max_posts must be"),
        ([], {"src": None}, "src is missing"),
        ([{}], {"is_done": "$DST/x"}, "has no 'DST'"),
        ([{}], {"is_done": "/x/$NAME"}, "has no 'NAME'"),
    ],
)
def test_read_geojson_says_what_is_wrong(
    worker: LocalWorker, tmp_path: Path, content: Any, args: dict[str, Any], said: str
) -> None:
    """File and place, or argument."""
    (tmp_path / "x.json").write_text(json.dumps(content))

    with pytest.raises(ValueError, match=said):
        worker.run(read_geojson, {"src": str(tmp_path / "x.json"), **args})
