"""Whether what came is data at all: pages for people and errors in the place of files are not; pure.

Laws: only a place that names media types can answer with a page; a checksum that holds overrules what it looks like.
"""

from __future__ import annotations

import re

from cryocloud_core.errors import TransferError
from cryocloud_core.sdk.transfer import RemoteFile
from cryocloud_core.sdk.url import Url

#: an error document of an object store is a few hundred bytes
ERROR_BYTES = 64 * 1024
#: how much of a file is looked at
HEAD_BYTES = 4096
_HEAD = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*\?>)?\s*(?:<!--.*?-->\s*)*<Error(?:\s[^>]*)?>", re.DOTALL)
_CODE = re.compile(rb"<(Code|Message)>([^<]{1,200})<")
_PAGES = ("text/html", "application/xhtml+xml")
_PAGE_NAMES = (".htm", ".html", ".xhtml")


def refuse_page(url: Url, told: RemoteFile) -> None:
    """Raise TransferError when a web page is answered for a name that is none's."""
    name = url.name.partition("?")[0] if url.scheme.startswith("http") else url.name
    if told.media_type in _PAGES and not name.lower().endswith(_PAGE_NAMES):
        raise TransferError(
            f"answered with a web page ({told.media_type}), not with the file",
            subject=str(url),
            remedy="look at the URL in a browser: it may want a login, or be in maintenance",
            repeat=True,
        )


def refuse_error(url: Url, told: RemoteFile, head: bytes) -> None:
    """Raise TransferError when a small file is the error document of an object store. `head` is how it begins."""
    if not told.media_type or (told.size_bytes or 0) > ERROR_BYTES or _HEAD.match(head) is None:
        return
    said = {name: text.decode("utf-8", "replace").strip() for name, text in _CODE.findall(head)}
    if b"Code" not in said:
        return
    message = f": {said[b'Message']}" if b"Message" in said else ""
    raise TransferError(f"answered with the error {said[b'Code']}{message}", subject=str(url), repeat=True)
