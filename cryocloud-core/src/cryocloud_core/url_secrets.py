"""Secrets that URLs carry, covered in what people see: passwords, signatures, tokens of presigned links.

Laws: pure; only what is shown is covered, whoever compares or asks uses the text as it is; what tells one file from
another (`?id=42`, `page=2`) stays; a text that was covered is covered; the time grows with the text, not faster.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final

DOTS: Final = "•••"

#: parts of a parameter's name that say it holds a secret, wherever they stand in it
_TELLING: Final = (
    *("accesskey", "apikey", "bearer", "credential", "jwt", "passphrase", "passw", "secret", "session"),
    *("signature", "token"),
)
#: words of a name that say so when they stand alone; `sig`, `se` and `sp` are those of Azure's signatures
_WORDS: Final = frozenset(
    {"auth", "authorization", "code", "hash", "hmac", "key", "keys", "md5", "oauth", "otp", "pass", "pin", "policy"}
    | {"pw", "pwd", "sas", "se", "sid", "sig", "sp", "ticket"}
)
#: what the stores put into presigned URLs
_PREFIXES: Final = ("x-amz-", "x-goog-", "x-ms-", "x-oss-")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_NAME_TEXT = r"([?&;#])([^=&;?#\s/'\"<>]{1,100})="
#: a parameter in any text, where quotes and blanks end it, and in a text that is a URL and nothing else
_IN_TEXT = re.compile(_NAME_TEXT + r"([^&\s'\"<>]*)")
_IN_URL = re.compile(_NAME_TEXT + r"([^&]*)")
_USER = re.compile(r"(?<=://)([^/\s'\"<>]*)@")
_USER_IN_URL = re.compile(r"(?<=://)([^/]*)@")
_WEB_USER = re.compile(r"(?i)(?<=http://|ttps://)[^/@\s'\"<>:]{20,}@")
_BARE = re.compile(r"(?<=[?&])[^?&=\s'\"<>]{20,}(?=[?&]|$|[\s'\"<>])")
#: letters and digits without a break; where both cases and a digit are among them, no file is called so
_RUN = re.compile(r"[A-Za-z0-9]{32,}")
_WEB_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{10,}")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_COMPONENT = re.compile(r"[^/?]*")
#: characters below which a secret is not looked for without its URL
_SHORTEST: Final = 4
#: how deep URLs stand in parameters of URLs before the whole parameter is covered
_DEPTH = 3


def covered(text: str) -> str:
    """Return a text with dots for every secret of the URLs in it."""
    return _covered(text, is_url=False, depth=_DEPTH)


def shown_url(text: str) -> str:
    """Return a URL with dots for its secrets, which may hold blanks and quotes; any other text as `covered` does."""
    return _covered(text, is_url=_SCHEME.match(text) is not None, depth=_DEPTH)


def covered_data(data: Any) -> Any:
    """Return JSON data in whose texts every secret of a URL is dots; the names in it stay."""
    if isinstance(data, str):
        return covered(data)
    if isinstance(data, dict):
        return {name: covered_data(value) for name, value in data.items()}
    return [covered_data(item) for item in data] if isinstance(data, list | tuple) else data


def unsaid(said: str, url: str) -> str:
    """Return what somebody said about a URL without its secrets, also where they are repeated without it."""
    for secret in sorted(_spellings(url), key=len, reverse=True):
        said = said.replace(secret, DOTS)
    return covered(said)


def _spellings(url: str) -> set[str]:
    """Return the secrets in a URL as others may write them, but for those so short that words hold them by chance."""
    if shown_url(url) == url:
        return set()
    from urllib.parse import quote, quote_plus, unquote  # few errors are about such URLs

    found = {value for _, name, value in _IN_URL.findall(url) if _is_telling(name) or _value(value, True, 1) == DOTS}
    found |= {re.split("[/?]", value)[0] for before, _, value in _IN_URL.findall(url) if before == ";"}
    found |= {match[0] for match in _BARE.finditer(url)} | {match[0] for match in _WEB_USER.finditer(url)}
    odd = "surrogateescape"  # `%89` alone is no text
    plain = found | {unquote(each, errors=odd) for each in found}
    ways: list[Callable[[str], str]] = [partial(quote, errors=odd), partial(quote, safe="", errors=odd)]
    ways += [partial(quote_plus, errors=odd), lambda text: repr(text)[1:-1]]
    spelt = plain | {way(each) for each in plain for way in ways}
    return {each for each in spelt if len(each) >= _SHORTEST}


def _covered(text: str, *, is_url: bool, depth: int) -> str:
    if "://" in text:
        text = (_USER_IN_URL if is_url else _USER).sub(lambda user: f"{DOTS}@" if ":" in user[1] else user[0], text)
        text = _WEB_USER.sub(f"{DOTS}@", text)
    if "?" not in text and "=" not in text:
        return text
    text = _BARE.sub(lambda bare: DOTS if _is_opaque(bare[0]) else bare[0], text)
    return (_IN_URL if is_url else _IN_TEXT).sub(lambda found: _parameter(found, is_url, depth), text)


def _parameter(found: re.Match[str], is_url: bool, depth: int) -> str:
    before, name, value = found.groups()
    if not _is_telling(name):
        return f"{before}{name}={_value(value, is_url, depth)}"
    # In a path (`/a;jsessionid=1/b`) it ends with its component.
    in_path = before == ";" and "?" not in found.string[: found.start()]
    rest = _COMPONENT.sub("", value, count=1) if in_path else ""
    return f"{before}{name}={DOTS}{_covered(rest, is_url=is_url, depth=depth)}"


def _value(value: str, is_url: bool, depth: int) -> str:
    """Return a value of a harmless name, which may hold a URL with secrets of its own."""
    if _is_opaque(value):
        return DOTS
    if not depth:
        return DOTS if "=" in _decoded(value) else value
    decoded = _decoded(value)
    if decoded != value and _covered(decoded, is_url=True, depth=depth - 1) != decoded:
        return DOTS
    return _covered(value, is_url=is_url, depth=depth - 1)


def _is_telling(name: str) -> bool:
    name = _decoded(name)
    low = name.lower()
    if low.startswith(_PREFIXES) or any(each in low for each in _TELLING):
        return True
    return any(word.lower() in _WORDS for word in _CAMEL.findall(name))


def _is_opaque(value: str) -> bool:
    return any(map(_is_mixed, _RUN.findall(value))) or _WEB_TOKEN.search(value) is not None


def _is_mixed(run: str) -> bool:
    return not run.isalpha() and run not in (run.lower(), run.upper())


def _decoded(text: str) -> str:
    return _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text)
