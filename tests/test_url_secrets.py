"""What URLs hold of secrets is covered in what people see, and what tells one file from another is not."""

from __future__ import annotations

import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.errors import ConfigError, TransferError
from cryocloud_core.sdk.url import Url
from cryocloud_core.url_secrets import covered, shown_url

RANDOM = "aB3" * 11
SHOWN = {
    "https://b.store/k/a.tif?X-Amz-Algorithm=A&X-Amz-Signature=d1&id=42": (
        "https://b.store/k/a.tif?X-Amz-Algorithm=•••&X-Amz-Signature=•••&id=42"
    ),
    "https://blob/c/b?sv=2020&sig=abc%3D&se=2030&sp=r": "https://blob/c/b?sv=2020&sig=•••&se=•••&sp=•••",
    "http://h/a?AWSAccessKeyId=1&Expires=3&Signature=3%2B": "http://h/a?AWSAccessKeyId=•••&Expires=3&Signature=•••",
    "http://h/a?apiToken=x&page=2": "http://h/a?apiToken=•••&page=2",
    "http://h/a?%74oken=x": "http://h/a?%74oken=•••",
    "http://h/a?token=a b'c;d&q=water": "http://h/a?token=•••&q=water",
    "http://h/a?a=1;token=x": "http://h/a?a=1;token=•••",
    "http://h/a;jsessionid=12/x?y=1": "http://h/a;jsessionid=•••/x?y=1",
    "http://h/a#access_token=x": "http://h/a#access_token=•••",
    "http://h/a?url=http%3A%2F%2Fx%2F%3Ftoken%3Dabc&z=1": "http://h/a?url=•••&z=1",
    "http://h/a?url=http://x/?token=abc": "http://h/a?url=http://x/?token=•••",
    "http://me:pw@h/a": "http://•••@h/a",
    "https://ghp_abcdefghijklmnop12345@h/a": "https://•••@h/a",
    f"http://h/a?v={RANDOM}": "http://h/a?v=•••",
    f"http://h/a?{RANDOM}": "http://h/a?•••",
    "http://h/a?t=eyJhbGciOiJIUzI1NiJ9.e30.abc": "http://h/a?t=•••",
}
KEPT = [
    "http://h/a?id=42&page=2&q=monkeys&country=DE&w=3",
    "http://h/a?id=550e8400-e29b-41d4-a716-446655440000",
    "http://h/get?S2A_MSIL1C_20200101T100311_N0208_R122_T33UUP_20200101T103055.zip",
    "http://h/get?file=LC08_L1TP_193024_20200101_20200113_01_T1.tar.gz",
    "ssh://me@host:22/a b?c#d",
    "s3://store:9000/bucket/key#1?v=%20",
    "http://me@h/a",
    "/data/a=b?c",
]


@pytest.mark.parametrize("text", SHOWN)
def test_secrets_of_urls_are_covered(text: str) -> None:
    """By telling names, by prefixes of the stores, by how random they look; passwords and tokens before the host."""
    assert shown_url(text) == SHOWN[text]


@pytest.mark.parametrize("text", KEPT)
def test_what_tells_files_apart_stays(text: str) -> None:
    """Numbers, identifiers, names of products, users."""
    assert shown_url(text) == covered(text) == text


def test_urls_are_found_in_any_text() -> None:
    """In quotes, in brackets, without scheme and host."""
    text = "Cannot GET /x?token=abc; saw 'http://h/?key=q' and (ssh://a:b@c/d), then http://h/?id=3."
    told = "Cannot GET /x?token=••• saw 'http://h/?key=•••' and (ssh://•••@c/d), then http://h/?id=3."
    assert covered(text) == told


@given(st.lists(st.sampled_from(["?", "&", ";", "=", "%3D", "%3F", "token", "a", "/", "http://", "@", ":", " ", "'"])))
def test_what_is_covered_is_covered(parts: list[str]) -> None:
    """Covering twice changes nothing more, and ends soon however deep URLs stand in each other."""
    text = "".join(parts)
    assert covered(covered(text)) == covered(text)
    assert shown_url(shown_url(text)) == shown_url(text)


def test_covering_ends_soon() -> None:
    """Also for a text that somebody made to keep it busy."""
    assert covered("http://h/" + "?a=%3Fb%3D" * 5000 + "@" * 5000)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("long", ["A" * 300_000, "aB" * 150_000, "?" * 300_000 + "="], ids=["DNA", "letters", "marks"])
def test_a_long_value_takes_no_longer_for_each_letter(long: str) -> None:
    """What is no secret is looked at once: thrice the time for each letter of thrice the text would be minutes here."""
    text = f"http://h/?q={long}&page=2"
    assert covered(text) == shown_url(text) == text


SECRETS = st.text(string.ascii_letters + string.digits + "-_.~+/=% '\"<>ø", min_size=4, max_size=40).map(
    lambda text: f"Zq{text}9x"
)
PLACES = ["http://h/a?id=1&token={}", "https://h/a?sig={}&x=1", "s3://h/b/k?X-Amz-Signature={}", "ssh://h/a?key={}&b"]


@given(SECRETS, st.sampled_from(PLACES), st.sampled_from(["{}", "no {} here", "bad token {}, sorry", "at /a?x={}&b"]))
def test_no_transfer_error_tells_a_secret_of_its_url(secret: str, place: str, words: str) -> None:
    """Neither as the subject has it nor as the other side repeats it, as it is, decoded or encoded."""
    url = Url.parse(place.format(quote(secret) if place.startswith("http") else secret.replace("&", "")))
    assert secret not in url.shown
    assert url.host == Url.parse(url.shown).host
    for said in (secret, quote(secret), quote(secret, safe=""), repr(secret)):
        error = TransferError(words.format(said), subject=str(url), remedy=words.format(said))
        assert secret not in str(error)
        assert quote(secret, safe="") not in str(error)
        assert secret not in repr(error.args)


@pytest.mark.parametrize("secret", ["a%89bc", "a\udc89bc"], ids=["escaped", "as it is"])
def test_a_secret_that_is_no_text_is_covered_too(secret: str) -> None:
    """Bytes that are no UTF-8, as they stand in the URL or as the other side repeats them."""
    error = TransferError(f"no {secret} here, nor a%89bc", subject=f"http://h/a?token={secret}")
    assert str(error) == "http://h/a?token=•••: no ••• here, nor •••"


def test_a_setting_is_told_without_its_password() -> None:
    """Errors of other kinds quote URLs too."""
    assert str(ConfigError("got 'http://me:pw@proxy:3128'")) == "got 'http://•••@proxy:3128'"
