"""Settings of transfers: a server's own, then those of all; names of servers that begin like a setting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.config import Config
from cryocloud_core.errors import ConfigError
from cryocloud_core.sdk.transfer import TransferConfig
from cryocloud_core.sdk.url import Url
from cryocloud_core.transfers.http import HttpTransfer
from cryocloud_core.transfers.http_settings import CREDENTIALS, HttpSettings

SETTINGS = frozenset({"proxy", "user", "headers", "token"})
HERE, OTHER = Url.parse("https://proxy.example.org/a"), Url.parse("https://other.org/a")


def settings(folder: Path, text: str, url: Url, *, is_named: bool = True) -> HttpSettings:
    """Return what a configuration of that text says of a server of the web."""
    (folder / "cryocloud.toml").write_text(text)
    config = Config.load(folder, environ={}, user_file=folder / "none")
    transfer = HttpTransfer(TransferConfig(config.subtree("HTTP"), "HTTP"))
    return HttpSettings.of(transfer.config, url, is_named=is_named)


OWN = '[HTTP."proxy.example.org"]\ntoken = "t"\n'


@pytest.mark.parametrize("port", ["", ":443"])
def test_a_server_that_is_called_like_a_setting_has_its_own(tmp_path: Path, port: str) -> None:
    """With the setting and without; no other server has anything of it."""
    both = f'[HTTP]\nproxy = "http://p:1"\n{OWN}'.replace(".org", f".org{port}")
    url = Url.parse(f"https://proxy.example.org{port}/a")
    mine = settings(tmp_path, both, url)
    assert (mine.proxy, mine.headers) == ("http://p:1", {"Authorization": "Bearer t"})
    theirs = settings(tmp_path, both, OTHER)
    assert (theirs.proxy, theirs.headers) == ("http://p:1", {})
    alone = OWN.replace(".org", f".org{port}")
    assert settings(tmp_path, alone, url).headers == {"Authorization": "Bearer t"}
    assert settings(tmp_path, alone, OTHER) == settings(tmp_path, "", OTHER)


def test_a_table_that_is_a_setting_holds_no_server(tmp_path: Path) -> None:
    """`headers` of all servers, beside a server whose name begins so; a secret is a value."""
    secret = tmp_path / "secret"
    secret.write_text("s")
    text = f'[HTTP.headers]\nA = "1"\nuser = {{file = "{secret}"}}\n[HTTP."headers.example.org"]\nheaders.B = "2"\n'
    assert settings(tmp_path, text, OTHER).headers == {"A": "1", "user": "s"}
    assert settings(tmp_path, text, Url.parse("https://headers.example.org/a")).headers == {"B": "2"}


@pytest.mark.parametrize("name", CREDENTIALS)
def test_a_server_that_we_are_redirected_to_keeps_its_own(tmp_path: Path, name: str) -> None:
    """And gets nothing that is meant for all."""
    text = f'[HTTP."{name}.example.org"]\ntoken = "mine"\n[HTTP.other_org]\ntimeout = 1\n'
    general = '[HTTP.headers]\nAll = "x"\n' if name != "headers" else '[HTTP]\ntoken = "all"\n'
    url = Url.parse(f"https://{name}.example.org/a")
    assert settings(tmp_path, general + text, url, is_named=False).headers == {"Authorization": "Bearer mine"}
    assert settings(tmp_path, general + text, OTHER, is_named=False).headers == {}


def test_tables_of_unknown_settings_are_left_as_they_are() -> None:
    """A transfer that does not tell its settings may have tables in tables."""
    values: dict[str, Any] = {"options": {"retry": {"token": 3}}}
    assert TransferConfig(values).get(OTHER, "options") == {"retry": {"token": 3}}
    assert TransferConfig(values, "", SETTINGS).get(OTHER, "options", "usual") == "usual"


def test_a_wrong_value_is_still_told(tmp_path: Path) -> None:
    """A table that is no server's."""
    with pytest.raises(ConfigError, match=r"^HTTP\.proxy: must be a text"):
        settings(tmp_path, '[HTTP.proxy]\nurl = "x"\n', OTHER)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", "127_0_0_1_18081.token"),
        ('[HTTP."127.0.0.1:18081"]\nfast = true', '"127.0.0.1:18081".token'),
        ('[HTTP]\ntoken = "all"', "token"),
        ('[HTTP]\ntoken = "all"\n[HTTP.127_0_0_1]\nfast = true', "token"),
        ('[HTTP]\ntoken = "all"\n[HTTP.127_0_0_1]\ntoken = "own"', "127_0_0_1.token"),
        ('[HTTP.token."example.org"]\nfast = true', "127_0_0_1_18081.token"),
    ],
)
def test_a_setting_is_named_where_it_stands_in_words_of_toml(text: str, key: str, tmp_path: Path) -> None:
    """Else where it belongs; what is told can be written so, and is then what is read."""
    url = Url.parse("http://127.0.0.1:18081/a")
    file = tmp_path / "cryocloud.toml"

    def config() -> TransferConfig:
        values = Config.load(tmp_path, environ={}, user_file=tmp_path / "none").subtree("HTTP")
        return HttpTransfer(TransferConfig(values, "HTTP")).config

    file.write_text(text)
    assert config().where(url, "token") == key
    if config().get(url, "token") is None:
        file.write_text(f'HTTP.{key} = "new"\n')
        assert config().get(url, "token") == "new"
