"""URLs are taken apart by hand and keep every character of their paths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.errors import ResolutionError
from cryocloud_core.sdk.url import Url, scheme_of

PARTS = {
    "ssh://me@host:22/abs/a b": ("ssh", "host", 22, "me", "/abs/a b"),
    "ssh://[fe80::1]:2222/x": ("ssh", "fe80::1", 2222, None, "/x"),
    "ssh://[::1]/x": ("ssh", "::1", None, None, "/x"),
    "S3://store:9000/bucket//key#1?v=%20": ("s3", "store", 9000, None, "/bucket//key#1?v=%20"),
    "s3://store/bucket": ("s3", "store", None, None, "/bucket"),
    "https://host/path?query=a/b": ("https", "host", None, None, "/path?query=a/b"),
    "file:///abs/a b": ("file", "", None, None, "/abs/a b"),
    "file://localhost/x": ("file", "localhost", None, None, "/x"),
    "memory://host": ("memory", "host", None, None, ""),
}


@pytest.mark.parametrize("text", PARTS)
def test_url_parts_are_as_written(text: str) -> None:
    """Scheme, host, port, user and path come out as they stand."""
    url = Url.parse(text)
    assert (url.scheme, url.host, url.port, url.user, url.path) == PARTS[text]
    assert str(url) == text


WRONG = {
    "/a/path": "is no URL",
    "s3:///bucket/key": "names no host",
    "file://:22/x": "names no host",
    "file://me@/x": "names no host",
    "ssh://[::1/x": "broken",
    "ssh://[::1]x/x": "broken",
    "http://host:/x": "no valid port",
    "http://host:0/x": "no valid port",
    "http://host:99999/x": "no valid port",
    "http://host/a\0b": "NUL",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_url_is_refused_with_the_reason(text: str) -> None:
    """The error names the text and what is wrong with it."""
    with pytest.raises(ResolutionError, match=WRONG[text]):
        Url.parse(text)


@pytest.mark.parametrize("password", ["hunter2", "hunter2/x", "hun@ter2", "hunter2?#:"])
def test_a_password_is_refused_and_not_repeated(password: str) -> None:
    """A URL ends up in logs, so it cannot carry a secret, and neither can the error about it."""
    with pytest.raises(ResolutionError, match=r"^ssh://•••@host/….*holds a password") as caught:
        Url.parse(f"ssh://me:{password}@host/x")
    assert "ter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["ssh://me:pw1@[::1/x", "http://h:pw1\0@host/x", "s3://me:pw1@:9/x"])
def test_a_broken_url_is_refused_without_its_password(text: str) -> None:
    """Whatever else is wrong with it."""
    with pytest.raises(ResolutionError) as caught:
        Url.parse(text)
    assert "pw1" not in str(caught.value)


def test_what_people_see_of_a_url_is_without_its_secrets() -> None:
    """What is compared and asked for is whole."""
    url = Url.parse("https://h/a?id=42&token=abc")
    assert (url.shown, str(url)) == ("https://h/a?id=42&token=•••", "https://h/a?id=42&token=abc")
    assert url != Url.parse("https://h/a?id=42&token=other")


@given(st.text(st.characters(exclude_characters="\0")))
def test_any_path_survives(path: str) -> None:
    """Whatever a path holds, it is the path that comes out and the text that goes in."""
    url = Url.parse(f"s3://h:1/{path}")
    assert (url.path, str(url), scheme_of(str(url))) == (f"/{path}", f"s3://h:1/{path}", "s3")
    assert url.with_path("/x").server == "h:1"
