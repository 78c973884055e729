"""Module `read_geojson`: reads features from GeoJSON files, to split on them or to fan out their properties."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from typing import Any

from cryocloud_core.sdk.processor import Worker, as_list, flag
from cryocloud_modules_builtin.jsonparse import read_json

ccmodule = {
    "description": "Read features from GeoJSON",
    "depends": [],
    "provides": [],
    "inputs": {
        "src": "GeoJSON file, or a list of them: a FeatureCollection, one feature, or a list of features",
        "keys": "Return one list for each of these properties instead of the features; name them in the node's outputs",
        "max_posts": "At most this many features (default: all)",
        "shuffle": "In random order, the same for every attempt (default false)",
        "dst": "Stands for $DST in is_done",
        "is_done": "Skip a feature when this path exists: $DST/$NAME.tif; $NAME and ${property} come from the feature",
    },
    "outputs": {"features": "The features, without keys; with keys there is one list for each key, null where missing"},
    "defaults": {"priority": 50, "runOn": "success"},
}

PLACEHOLDER = re.compile(r"\$(?:(\w+)|\{([^}]*)\})")


def process_task(worker: Worker, task: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Return `features`, or one aligned list for each of `keys`. Raises ValueError or OSError naming file and place."""
    args = task["args"]
    sources = [source for source in as_list(args.get("src")) if source is not None]
    if not sources:
        raise ValueError("read_geojson: src is missing")
    features = [feature for source in sources for feature in _features(source)]
    if flag(args.get("shuffle"), name="shuffle"):
        random.Random(f"{task.get('itemid')}").shuffle(features)  # noqa: S311 - not a secret
    pattern = args.get("is_done")
    todo = [feature for feature in features if not (pattern and _is_done(pattern, feature, args.get("dst")))]
    posts = todo[: _count(args.get("max_posts"))]
    worker.log.info("read_geojson: %d of %d features, %d done", len(posts), len(features), len(features) - len(todo))
    keys = _keys(args.get("keys"))
    return 100, {key: [value_of(each, key) for each in posts] for key in keys} if keys else {"features": posts}


def value_of(feature: dict[str, Any], key: str) -> Any:
    """Return a property of a feature, else its own member of that name (id, geometry), else None."""
    properties = feature.get("properties") or {}
    return properties[key] if key in properties else feature.get(key)


def _features(source: str) -> Iterator[dict[str, Any]]:
    content = read_json(source, "read_geojson")
    found = content
    if isinstance(content, dict):
        found = content.get("features") if content.get("type") == "FeatureCollection" else [content]
    if not isinstance(found, list):
        raise ValueError(f"read_geojson: {source!r} holds neither a FeatureCollection nor a list")  # noqa: TRY004
    for number, feature in enumerate(found):
        if not isinstance(feature, dict) or not isinstance(feature.get("properties") or {}, dict):
            raise ValueError(f"read_geojson: {source!r}: features[{number}] is no feature: {str(feature)[:60]}")  # noqa: TRY004
        yield feature


def _is_done(pattern: str, feature: dict[str, Any], dst: str | None) -> bool:
    def fill(match: re.Match[str]) -> str:
        name = match[1] or match[2] or ""
        value = dst if name == "DST" else _name(feature) if name == "NAME" else value_of(feature, name)
        if value is None:
            raise ValueError(
                f"read_geojson: is_done {pattern!r}: a feature has no {name!r}; known: $DST, $NAME, properties"
            )
        return str(value)

    return os.path.exists(PLACEHOLDER.sub(fill, pattern))


def _name(feature: dict[str, Any]) -> Any:
    named = (value_of(feature, key) for key in ("name", "NAME", "Name", "id"))
    return next((value for value in named if value is not None), None)


def _keys(value: Any) -> list[str]:
    words = value.split(",") if isinstance(value, str) else as_list(value)
    return [str(word).strip() for word in words if str(word).strip()]


def _count(value: Any) -> int | None:
    try:
        count = None if value is None else int(value)
    except (TypeError, ValueError):
        count = -1
    if count is not None and count < 0:
        raise ValueError(f"read_geojson: max_posts must be a whole number, 0 or more, got {value!r}")
    return count
