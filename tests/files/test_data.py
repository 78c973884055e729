"""What is no data: pages and error documents where a file should be."""

from __future__ import annotations

import pytest

from cryocloud_core.errors import TransferError
from cryocloud_core.files.data import refuse_error, refuse_page
from cryocloud_core.sdk.transfer import RemoteFile
from cryocloud_core.sdk.url import Url

HTML = RemoteFile("", media_type="text/html")
XML = RemoteFile("", 200, media_type="application/xml")
DENIED = (
    b"<?xml version='1.0' encoding='UTF-8'?>\n<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>"
)


@pytest.mark.parametrize("path", ["/a.tif", "/get?file=a.html", "/", "/a.html.gz", "/a.htmlx"])
def test_a_web_page_is_no_file(path: str) -> None:
    """Where the name is no page's, a page says that something is wrong."""
    with pytest.raises(TransferError, match="web page"):
        refuse_page(Url.parse(f"https://h{path}"), HTML)


@pytest.mark.parametrize("path", ["/a.html", "/a.HTM", "/a.html?x=1"])
def test_a_page_is_one_under_its_own_name(path: str) -> None:
    """Who asks for a page gets it."""
    refuse_page(Url.parse(f"https://h{path}"), HTML)
    refuse_page(Url.parse("s3://h/b/a?b.html"), HTML)


def test_other_types_pass() -> None:
    """Only pages are refused."""
    refuse_page(Url.parse("https://h/a"), RemoteFile("", media_type="text/plain"))


@pytest.mark.parametrize(
    "head", [DENIED, b"\xef\xbb\xbf" + DENIED, b"\n  " + DENIED, b"<Error xmlns='x'>" + DENIED[45:]]
)
def test_an_error_document_is_no_file(head: bytes) -> None:
    """What an object store says of itself is told, not kept."""
    with pytest.raises(TransferError, match=r"AccessDenied: Access Denied\."):
        refuse_error(Url.parse("s3://h/b/k"), XML, head)


@pytest.mark.parametrize(
    ("told", "head"),
    [
        (RemoteFile("", 200), DENIED),
        (RemoteFile("", 10_000_000, media_type="application/xml"), DENIED),
        (XML, b"<Errors><Code>x</Code></Errors>"),
        (XML, b"<Error>no code</Error>"),
        (XML, b"<data>" + DENIED),
        (XML, b""),
    ],
)
def test_data_that_looks_a_little_so_passes(told: RemoteFile, head: bytes) -> None:
    """A file system has no error documents, a large file is none, another root is none."""
    refuse_error(Url.parse("s3://h/b/k"), told, head)
