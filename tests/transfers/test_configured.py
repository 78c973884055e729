"""Settings of servers: found for the right one, judged before anything is sent, told by their full names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.config import Config
from cryocloud_core.errors import ConfigError
from cryocloud_core.sdk.transfer import TransferConfig
from cryocloud_core.sdk.url import Url
from cryocloud_core.secrets import Secret
from cryocloud_core.transfers.http_settings import HttpSettings
from cryocloud_core.transfers.ssh_settings import SshSettings

URL = Url.parse("ssh://data.example.org:2222/a")
WEB = Url.parse("https://data.example.org:8443/a")


def ssh(values: Mapping[str, Any], url: Url = URL) -> SshSettings:
    """Return the settings of a server."""
    return SshSettings.of(TransferConfig(values), url)


def http(values: Mapping[str, Any], url: Url = WEB) -> HttpSettings:
    """Return the settings of a server."""
    return HttpSettings.of(TransferConfig(values), url)


def test_a_server_s_own_settings_win() -> None:
    """With its port, then without, then those of all."""
    values = {
        "user": "all",
        "timeout": 7,
        "data_example_org": {"user": "host", "keys": "~/key"},
        "data_example_org:2222": {"user": "port", "known_hosts": ["a", "/b"]},
    }
    found = ssh(values)
    assert (found.user, found.timeout_s) == ("port", 7.0)
    assert (found.keys, found.known_hosts) == ((str(Path("~/key").expanduser()),), ("a", "/b"))
    assert ssh(values, Url.parse("ssh://data.example.org/a")).user == "host"
    assert ssh(values, Url.parse("ssh://other/a")).user == "all"


@pytest.mark.parametrize("name", ["data.example.org:2222", "data.example.org"])
def test_a_server_s_name_may_have_dots(tmp_path: Path, name: str) -> None:
    """Quoted in the file, where each dot begins a table, or as one name; a table of its own for the domain stays."""
    (tmp_path / "cryocloud.toml").write_text(f'[SSH."{name}"]\nuser = "me"\n[SSH."data.example"]\nuser = "no"\n')
    nested = Config.load(tmp_path, environ={}, user_file=tmp_path / "none").subtree("SSH")
    for values in (nested, {name: {"user": "me"}}):
        assert ssh(values).user == "me"
        assert TransferConfig(values).section(URL) == f'"{name}"'
        assert ssh(values, Url.parse("ssh://data.example/a")).user == ("no" if values is nested else None)
    assert ssh(nested | {"data_example_org": {"user": "first"}}).user == ("me" if ":" in name else "first")


def test_what_a_url_says_wins() -> None:
    """Its user and its port."""
    found = ssh({"user": "all", "port": 7}, Url.parse("ssh://me@data.example.org:2222/a"))
    assert (found.user, found.port) == ("me", 2222)
    assert ssh({"port": "7"}, Url.parse("ssh://host/a")).port == 7


def test_nothing_is_configured_by_default() -> None:
    """What is None is left to the user's own ssh files; host keys are checked."""
    found = ssh({})
    assert (found.user, found.keys, found.known_hosts, found.agent, found.config) == (None,) * 5
    assert found.checks_host_key
    assert http({}).headers == {}


WRONG: list[tuple[str, Any, str]] = [
    ("timeout", "soon", "SSH.\"data_example_org:2222\".timeout: must be a number of seconds above 0, got 'soon'"),
    ("timeout", 0, "number of seconds"),
    ("timeout", True, "number of seconds"),
    ("connect_timeout", "inf", "number of seconds"),
    ("port", 70_000, "from 1 to 65535"),
    ("port", "ssh", "from 1 to 65535"),
    ("user", ["me"], "must be a text"),
    ("user", True, "must be a text"),
    ("keys", {"a": 1}, "a path or a list of paths"),
    ("keys", [""], "a path or a list of paths"),
    ("host_keys", "no", "must be 'check' or 'ignore', got 'no'"),
    ("verify", False, "'auto' or 'always' or 'never'"),
]


@pytest.mark.parametrize(("name", "value", "told"), WRONG)
def test_a_wrong_setting_is_told(name: str, value: Any, told: str) -> None:
    """By its full name, with what it may be and what it is."""
    values = {"data_example_org:2222": {name: value}} if name != "port" else {name: value}
    url = URL if name != "port" else Url.parse("ssh://data.example.org/a")
    with pytest.raises(ConfigError) as caught:
        ssh(values, url)
    assert told in str(caught.value)


def test_a_wrong_setting_of_the_web_is_told() -> None:
    """Values of headers are not repeated: they may be secrets."""
    for values in ({"headers": "secret"}, {"headers": {"Authorization": ["secret"]}}):
        with pytest.raises(ConfigError, match=r"^HTTP\.headers: must be a table") as caught:
            http(values)
        assert "secret" not in str(caught.value)
    with pytest.raises(ConfigError, match="allow_downgrade: must be true or false"):
        http({"allow_downgrade": "perhaps"})


def test_secrets_are_revealed_and_not_shown(tmp_path: Path) -> None:
    """A file, in any of the places where one may stand."""
    (tmp_path / "token").write_text("open sesame\n")
    secret = Secret.read({"file": "token"}, tmp_path)
    found = http({"token": secret})
    assert found.headers == {"Authorization": "Bearer open sesame"}
    assert "sesame" not in repr(found)
    assert ssh({"passphrase": secret}).passphrase == "open sesame"
    assert "sesame" not in repr(ssh({"passphrase": secret}))


@pytest.mark.parametrize(
    ("values", "setting"),
    [
        (lambda lost: {"data_example_org": {"passphrase": lost}}, "SSH.data_example_org.passphrase"),
        (lambda lost: {"passphrase": lost}, "SSH.passphrase"),
    ],
)
def test_a_secret_that_is_lost_is_told_with_its_setting(
    values: Callable[[Any], dict[str, Any]], setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server's own or that of all, beside the variable or the file that is not there."""
    monkeypatch.delenv("NO_SUCH_SECRET", raising=False)
    variable, file = (Secret.read(each, tmp_path) for each in ({"env": "NO_SUCH_SECRET"}, {"file": "gone"}))

    told = rf"^{re.escape(setting)}: environment variable NO_SUCH_SECRET: is not set; a secret is read from it$"
    with pytest.raises(ConfigError, match=told):
        SshSettings.of(TransferConfig(values(variable), "SSH"), URL)
    told = rf"^{re.escape(f'{setting}: {tmp_path}/gone')}: the secret cannot be read: .*No such file"
    with pytest.raises(ConfigError, match=told):
        SshSettings.of(TransferConfig(values(file), "SSH"), URL)


def test_headers_of_one_s_own_win() -> None:
    """Whatever their case; beside other headers a token is added."""
    assert http({"headers": {"authorization": "mine"}, "token": "t"}).headers == {"authorization": "mine"}
    assert http({"headers": {"X-A": "1"}, "token": "t"}).headers == {"X-A": "1", "Authorization": "Bearer t"}


def test_the_environment_s_proxy_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """By scheme; `no_proxy` and our own setting win."""
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    assert http({}).proxy == "http://proxy:3128"
    assert http({"proxy": ""}).proxy is None
    monkeypatch.setenv("no_proxy", "example.org")
    assert http({}).proxy is None
