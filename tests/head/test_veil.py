"""The veil: secrets in texts, data and outcomes."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.head.veil import SHORTEST, Veil
from cryocloud_core.secrets import MARK, SHOWN, Secret
from cryocloud_core.task import Cancelled, Declined, Failed, Lost, Succeeded, TimedOut

SECRET = "pa$$ wörd/\"'\\\n+2"


@pytest.fixture
def veil() -> Veil:
    """Give a veil over one nasty secret."""
    veil = Veil()
    veil.know(SECRET)
    return veil


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        repr(SECRET),
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        f"https://h/?token={quote(SECRET)}&a=1",
        f"https://h/?token={quote(SECRET, safe='')}",
        f"https://h/?token={quote_plus(SECRET)}",
        f"KeyError: {SECRET!r}",
    ],
)
def test_a_secret_is_covered_however_it_is_quoted(veil: Veil, text: str) -> None:
    """What is left holds neither the secret nor its middle."""
    shown = veil.text(f"before {text} after")

    assert SHOWN in shown
    assert "rd" not in shown.replace("word", "")
    assert shown.startswith("before ")
    assert shown.endswith(" after")


@given(st.text(min_size=SHORTEST, max_size=8), st.text(max_size=20), st.text(max_size=20))
def test_no_text_keeps_a_secret(secret: str, before: str, after: str) -> None:
    """Whatever stands around it."""
    veil = Veil()
    veil.know(secret)

    assert secret not in veil.text(before + secret + after) or secret in SHOWN


def test_a_longer_secret_is_covered_whole() -> None:
    """One that holds another leaves no rest."""
    veil = Veil()
    veil.know("pass")
    veil.know("password")

    assert veil.text("password and pass") == f"{SHOWN} and {SHOWN}"


def test_nothing_is_covered_without_secrets_and_short_ones_tear_nothing_apart() -> None:
    """A secret of three characters would cover half of every text."""
    veil = Veil()
    assert not veil
    veil.know("a", "", "abc", None, True, 12)

    assert not veil
    assert veil.text("abc a 12") == "abc a 12"


def test_data_is_covered_in_keys_and_values_and_other_kinds_stay(veil: Veil) -> None:
    """Nested texts are covered; numbers and the shape stay."""
    data = {SECRET: [SECRET, 1, None, {"a": f"x{SECRET}"}]}

    assert veil.data(data) == {SHOWN: [SHOWN, 1, None, {"a": f"x{SHOWN}"}]}


def test_outcomes_tell_no_secret_but_keep_what_a_module_returned(veil: Veil) -> None:
    """Errors, traces and reasons are covered; outputs are the module's own data."""
    outputs = {"url": SECRET}
    told = f"bad: {SECRET}"

    assert veil.outcome(Succeeded(outputs)) == Succeeded(outputs)
    assert veil.outcome(Failed(told, outputs, trace=told)) == Failed(f"bad: {SHOWN}", outputs, trace=f"bad: {SHOWN}")
    assert veil.outcome(Succeeded({"error": told, "n": 1})) == Succeeded({"error": f"bad: {SHOWN}", "n": 1})
    assert veil.outcome(Failed("x", {"error": told})) == Failed("x", {"error": f"bad: {SHOWN}"})
    assert veil.outcome(TimedOut(told)) == TimedOut(f"bad: {SHOWN}")
    assert veil.outcome(Cancelled(told)) == Cancelled(f"bad: {SHOWN}")
    assert veil.outcome(Lost("h", told)) == Lost("h", f"bad: {SHOWN}")
    assert veil.outcome(Declined(told, "h")) == Declined(f"bad: {SHOWN}", "h")


def test_handles_are_followed_to_what_they_stand_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In any depth; one that cannot be read now is passed over."""
    (tmp_path / "a").write_text("from a file\n")
    (tmp_path / "b").write_text('["in a list", 123456, {"k": "in a map"}]\n')
    monkeypatch.setenv("TOKEN", "from the environment")
    data = {
        "a": Secret({MARK: {"file": str(tmp_path / "a")}}),
        "b": [{MARK: {"json": str(tmp_path / "b")}}],
        "c": {"d": {MARK: {"env": "TOKEN"}}},
        "e": {MARK: {"env": "NOT_SET_ANYWHERE"}},
    }
    veil = Veil()
    veil.know_handles(data)

    for secret in ("from a file", "in a list", "123456", "in a map", "from the environment"):
        assert veil.text(f"<{secret}>") == f"<{SHOWN}>"


def test_what_was_revealed_is_known(tmp_path: Path) -> None:
    """The text that a task was given is the one that is covered, also when the file has changed since."""
    handle = {MARK: {"file": str(tmp_path / "gone")}}
    veil = Veil()
    veil.know_revealed({"a": [handle, "plain"]}, {"a": ["old secret", "plain"]})

    assert veil.text("old secret, plain") == f"{SHOWN}, plain"
