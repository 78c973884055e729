"""Where copies lie: readable places that no two URLs share and that no name leads out of."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.files.targets import copy_place, datadir_place, place_apart
from cryocloud_core.sdk.url import Url

TMP = Path("/tmp/w")
ROOT = TMP / "cc"
PARTS = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "",
                ".",
                "..",
                "a",
                "a?",
                "?a",
                "index",
                "%2E",
                "%2E%2E",
                "%2F",
                ".cc-x",
                "cc-x",
                "x" * 300,
                "é" * 200,
                "b.nc",
            ]
        ),
        st.sampled_from([f"a%{'0' * 32}", f"a%{'0' * 32}.nc", f"%{'f' * 32}"]),
        st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), max_size=8),
    ),
    min_size=1,
    max_size=5,
)


def place(text: str) -> str:
    """Return the place of a URL's copy below the temporary directory."""
    return str(copy_place(Url.parse(text), ROOT).relative_to(TMP))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://store:9000/in/a.zip", "cc/s3/store:9000/in/a.zip"),
        ("s3://store/in/day 1/a#b?c%20d\ne.nc", "cc/s3/store/in/day 1/a#b?c%20d\ne.nc"),
        ("s3://store/in/æ/日本.nc", "cc/s3/store/in/æ/日本.nc"),
        ("s3://store/in/a/../b", "cc/s3/store/in/a/%2E%2E/b"),
        ("s3://store/in//a", "cc/s3/store/in/%2F/a"),
    ],
)
def test_an_object_lies_under_server_bucket_and_key(url: str, expected: str) -> None:
    """Names stay as they are, but for those that would lead elsewhere."""
    assert place(url) == expected


@pytest.mark.parametrize(
    ("url", "folder", "name"),
    [
        ("https://h/", "cc/http/h", "index"),
        ("https://h", "cc/http/h", "index"),
        ("ssh://me@h:2222/d/a.nc", "cc/ssh/me@h:2222", "a.nc"),
        ("s3://store/in/prefix/", "cc/s3/store", "prefix"),
        ("gopher://h/x/y/", "cc/gopher/h", "y"),
    ],
)
def test_everything_else_lies_in_a_folder_of_its_own_under_its_name(url: str, folder: str, name: str) -> None:
    """The folder's name follows from the whole URL."""
    found = copy_place(Url.parse(url), ROOT).relative_to(TMP)

    assert (str(found.parent.parent), found.name) == (folder, name)
    assert copy_place(Url.parse(f"{url}z"), ROOT).parent != copy_place(Url.parse(url), ROOT).parent


def test_what_lies_in_one_directory_of_a_web_server_lies_beside_each_other() -> None:
    """A header beside its image; what is asked for in another way lies elsewhere, also a file of the same name."""
    texts = (
        "http://h:8080/d/a%20b.nc?t=x/y",
        "http://h:8080/d/c.nc?t=x/y",
        "http://h:8080/d/c.nc?t=z",
        "http://h:8080/d/c.nc",
        "http://h:8080/d/e/c.nc",
        "https://h:8080/d/c.nc",
        "http://me@h:8080/d/c.nc",
        "http://h:8080/d/",
        "http://h:8080/d",
    )
    places = [copy_place(Url.parse(text), ROOT) for text in texts]

    assert str(places[0].relative_to(ROOT).parent.parent) == "http/h:8080"
    assert [each.name for each in places] == ["a%20b.nc", *["c.nc"] * 6, "d", "d"]
    assert places[0].parent == places[1].parent
    assert len({each.parent for each in places}) == len(places) - 1
    one, other = (copy_place(Url.parse(f"gopher://h/x/{name}?z"), ROOT) for name in "ab")
    assert (one.parent, one.name, other.name) == (other.parent, "a?z", "b?z"), "what plugins serve has no queries"


@given(st.sampled_from(["s3", "http", "gopher"]), PARTS, PARTS)
def test_no_two_urls_share_a_place_and_none_leaves_it(scheme: str, one: list[str], other: list[str]) -> None:
    """Whatever their paths are; each name is one that a disk can hold and that no sweep takes for ours."""
    first, second = (Url.parse(f"{scheme}://store/{'/'.join(parts)}") for parts in (one, other))
    place = copy_place(first, ROOT)

    assert (place == copy_place(second, ROOT)) == (first == second)
    inside = place.relative_to(TMP / "cc" / scheme / "store")
    assert ".." not in inside.parts
    assert all(len(os.fsencode(part)) <= 255 and not part.startswith(".cc-") for part in inside.parts)


@given(PARTS, st.sampled_from(["s3", "ssh", "http"]))
def test_a_place_apart_is_nobody_elses(parts: list[str], scheme: str) -> None:
    """Not that of an object, not that of what lies below it."""
    url = Url.parse(f"{scheme}://store/{'/'.join(parts)}")
    apart = place_apart(url, ROOT)

    plain = copy_place(url, ROOT)
    assert apart == plain or (apart not in plain.parents and plain not in apart.parents)
    assert len(apart.relative_to(TMP).parts) == 5


def test_a_long_name_keeps_its_extension() -> None:
    """Programs look at it."""
    found = copy_place(Url.parse(f"s3://store/in/{'x' * 400}.tar.gz"), ROOT).name

    assert found.endswith(".gz")
    assert found.startswith("xxxx")
    assert len(found) <= 255


def test_a_key_that_no_path_can_hold_lies_apart() -> None:
    """Thousands of components are still one short path."""
    found = copy_place(Url.parse(f"s3://store/in/{'a/' * 2000}b"), ROOT)

    assert found.name == "b"
    assert len(str(found)) < 200


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/data/a b.nc", "/mnt/data/a b.nc"),
        ("/data/p.SAFE/", "/mnt/data/p.SAFE"),
        ("/data//a", "/mnt/data/a"),
        ("/data/../etc/passwd", None),
        ("/data/.cc-1", None),
        (f"/data/{'x' * 300}", None),
        ("/", None),
        ("", None),
    ],
)
def test_a_file_of_another_machine_lies_under_its_own_path(path: str, expected: str | None) -> None:
    """Below `datadir`, where it can."""
    found = datadir_place(Url.parse(f"ssh://h{path}"), Path("/mnt"))

    assert found == (None if expected is None else Path(expected))
