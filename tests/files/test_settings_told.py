"""What is told of settings before anything is fetched: wrong ones by their full names, doubtful ones as warnings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

import pytest

from cryocloud_core import plugin
from cryocloud_core.config import Config
from cryocloud_core.errors import ConfigError
from cryocloud_core.files.settings_told import SettingsTold
from cryocloud_core.sdk.hookspecs import hookimpl
from cryocloud_core.sdk.offers import TransferOffer
from cryocloud_core.sdk.registry import Registry, resolve
from cryocloud_core.sdk.transfer import TransferConfig
from cryocloud_core.sdk.url import Url


def told(folder: Path, text: str, *reads: str) -> SettingsTold:
    """Return what is told of a configuration of that text, of which workflows read what is named."""
    (folder / "cryocloud.toml").write_text(text)
    config = Config.load(folder, environ={}, user_file=folder / "none")
    return SettingsTold.of(Registry.of(plugin), config, reads=reads)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[HTTP]\nimutable = true", r'HTTP\.imutable: is no setting \(did you mean "immutable"\?\); correct or remove'),
        ('[HTTP]\nfast = "maybe"', r"HTTP\.fast: must be true or false, got 'maybe'"),
        ('[HTTP]\nproxy = "::bad"', r"HTTP\.proxy: names no proxy; write"),
        (
            '[HTTP."127.0.0.1:18080"]\ntimeout = "soon"',
            r"""HTTP\."127\.0\.0\.1:18080"\.timeout: must be a number of seconds above 0, got 'soon'""",
        ),
        ("[HTTP.127_0_0_1]\nTokn = 'x'", r'HTTP\.127_0_0_1\.Tokn: .*"token"'),
        ("[HTTP.h.heders]\nA = 'x'", r'HTTP\.h\.heders: .*"headers"'),
        ('[HTTP."headers.example.org"]\nfast = 7', r'HTTP\."headers\.example\.org"\.fast: must be true or false'),
        ("[HTTP]\ntokn = {env = 'X'}", r'HTTP\.tokn: is no setting .*"token"'),
        ("[SSH.h]\nhost_keys = 'no'", r"SSH\.h\.host_keys: must be 'check' or 'ignore', got 'no'"),
        ("[S3.h]\nsecure = 'perhaps'", r"S3\.h\.secure: value must be true or false"),
        ("[S3]\naws_access_key_id = 'x'", r"S3\.aws_secret_access_key: is missing .*beside S3\.aws_access_key_id"),
        ("[HTTP]\ntoken = '''a\nb'''", r"HTTP\.headers: header 'Authorization' cannot be sent"),
        ('[HTTP."::1"]\nfast = 7', r'HTTP\."::1"\.fast: must be true or false'),
        ('[HTTP."::1:8080"]\nfast = 7', r'HTTP\."::1:8080"\.fast: must be true or false'),
        ("[CryoCloud.Worker]\ntransfer_retries = 'many'", r"CryoCloud\.Worker\.transfer_retries: must be a number"),
        ("[CryoCloud.Worker]\nunpack_max_bytes = 'x'", r"CryoCloud\.Worker\.unpack_max_bytes: must be a number"),
        ("[CryoCloud.Worker]\ntrust_local = 'perhaps'", r"CryoCloud\.Worker\.trust_local: "),
    ],
)
def test_a_wrong_setting_is_an_error(tmp_path: Path, text: str, line: str) -> None:
    """Where it stands, in words of TOML, with what is meant or what it may be."""
    found = told(tmp_path, text)
    assert len(found.errors) == 1
    assert re.match(line, found.errors[0]), found.errors
    assert not found.warnings


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "[HTTP]\ntoken = {env = 'NOT_SET'}",
            "HTTP.token: environment variable NOT_SET: is not set, on this machine; ",
        ),
        ("[HTTP.h]\nheaders.A = {file = 'gone'}", "HTTP.h.headers.A: {folder}/gone: the secret cannot be read: "),
        ("[SSH]\nport = {env = 'NOT_SET'}", "SSH.port: environment variable NOT_SET: is not set"),
        ("[HTPP]\ntimeout = 3", '[HTPP] is no table that CryoCloud reads (did you mean "HTTP"?)'),
        ("[http.server]\ntokne = 'x'", '[http] is no table that CryoCloud reads (did you mean "HTTP"?)'),
        ("[s3]\nregoin = 'x'", '[s3] is no table that CryoCloud reads (did you mean "S3"?)'),
        (
            "[cryocloud.Worker]\ntempdir = '/t'",
            '[cryocloud.Worker] is no table that CryoCloud reads (did you mean "Cry',
        ),
        (
            "[CryoCloud.worker]\ntempdir = '/t'",
            '[CryoCloud.worker] is no table that CryoCloud reads (did you mean "Cry',
        ),
        (
            "[CryoCloud.Worker]\ntempdri = '/t'",
            'CryoCloud.Worker.tempdri is no setting of CryoCloud (did you mean "tem',
        ),
        ("[CryoCloud.Worker]\ntransfer_idle_timeout = 0", "CryoCloud.Worker.transfer_idle_timeout = 0: "),
        ('[HTTP."h:x"]\nfast = true', 'HTTP."h:x" is the name of no server: '),
    ],
)
def test_what_may_be_so_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, line: str) -> None:
    """A secret may be where workers are, a workflow may have tables of its own, 0 means none."""
    monkeypatch.delenv("NOT_SET", raising=False)
    found = told(tmp_path, text)
    assert not found.errors
    assert len(found.warnings) == 1
    assert found.warnings[0].startswith(line.format(folder=tmp_path)), found.warnings


@pytest.mark.parametrize(
    "text",
    [
        "",
        '[HTTP]\nfast = true\nheaders.Anything = "x"\n[HTTP."proxy.example.org"]\ntoken = "t"\nproxy = ""',
        "[S3]\naws_access_key_id = 'x'\n[S3.a]\naws_secret_access_key = 'y'\n[S3.'10.0']\naws_secret_access_key = 'z'",
        "[SSH.store_local]\nkeys = ['~/a', 'b']\nport = 22",
        "[FILE]\nanything = 1",
        "[Ocean]\ntimeout = 3\n[HTPP]\nwind = 1\n[CryoCloud.Worker]\nOcean = 1\ntransfer_idle_timeout = 5",
        "[CryoCloud.Hosts.far]\nssh = 'ssh://far'",
        '[HTTP."::1"]\nfast = true\n[SSH."fe80::1:2222"]\nport = 2222',
        "[CryoCloud.Worker]\nunpack_max_bytes = '1_000'\nunpack_max_ratio = '2.5'",
    ],
)
def test_what_is_right_is_not_told(tmp_path: Path, text: str) -> None:
    """Tables of servers with dots, halves of credentials that come together, tables of a workflow's own."""
    found = told(tmp_path, text)
    assert (found.errors, found.warnings) == ([], [])


def test_what_a_workflow_reads_is_its_own(tmp_path: Path) -> None:
    """A setting, a table or a part of one, where a transfer or CryoCloud has tables too."""
    text = (
        "[SSH]\nhost = 'far'\n[SSH.batch]\nqueue = 'long'\n[HTTP.servces.a]\nurl = 'x'\n[S3]\nbucket = 'b'\n"
        "[SMTP]\nuser = 'me'\n[CryoCloud.Costs]\nlimit = 1\n"
    )
    found = told(tmp_path, text, "SSH.host", "SSH.batch.queue", "HTTP.servces", "S3", "SMTP.user", "CryoCloud.Costs")
    assert (found.errors, found.warnings) == ([], [])


def test_what_a_workflow_does_not_read_is_told_all_the_same(tmp_path: Path) -> None:
    """A name that only begins alike is another one; a setting of ours is judged whoever reads it."""
    found = told(tmp_path, "[SSH]\nhosts = 'far'\nport = 'x'\n", "SSH.host", "SSH.port")
    assert [line.partition(": ")[0] for line in found.errors] == ["SSH.hosts", "SSH.port"]


def test_a_text_in_the_place_of_a_table_is_asked_for_without_repeating_the_table(tmp_path: Path) -> None:
    """What is in it may be secret: a server may be called as a setting is."""
    found = told(tmp_path, "[HTTP.user]\ntoken = 'Zq123secret'\n[SSH]\npassphrase = ['Zq123secret']\n")
    assert [line for line in found.errors if "Zq123" in line] == []
    assert [line.partition(";")[0] for line in found.errors] == [
        "SSH.passphrase: must be a text, got a list",
        "HTTP.user: must be a text, got a table",
    ]


def test_a_secret_is_never_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where it is no value that the setting can have: only its own machine judges it."""
    monkeypatch.setenv("A_SECRET", "Zq123secret")
    found = told(
        tmp_path, "[HTTP]\ntimeout = {env = 'A_SECRET'}\ntoken = {env = 'A_SECRET'}\n[SSH]\nport = {env = 'A_SECRET'}"
    )
    assert (found.errors, found.warnings) == ([], [])


def test_all_is_told_at_once(tmp_path: Path) -> None:
    """For all servers and for each, each once."""
    text = "[HTTP]\nfast = 2\ntimeout = 0\nimutable = 1\n[HTTP.a]\nfast = 3\nimutable = 1\n[HTTP.b]\ntoken = 't'\n"
    names = [line.partition(": ")[0] for line in told(tmp_path, text).errors]
    assert names == ["HTTP.imutable", "HTTP.fast", "HTTP.timeout", "HTTP.a.imutable", "HTTP.a.fast"]


def test_each_transfer_of_ours_tells_all_the_settings_it_reads() -> None:
    """What is judged beforehand is what is judged when a server is met."""
    told_by = [offer for offer in plugin.register_transfers() if offer.settings]
    assert [offer.name for offer in told_by] == ["s3", "ssh", "http"]
    for offer in told_by:
        assert resolve(offer.settings).names == resolve(offer.reference).settings


class SwiftSettings:
    """What the transfer of a plugin knows of its settings."""

    names: ClassVar[frozenset[str]] = frozenset({"auth", "secure"})

    @staticmethod
    def of(config: TransferConfig, url: Url) -> object:
        """Read them."""
        if config.get(url, "auth") == "none":
            raise ConfigError("must not be none", subject=f"SWIFT.{config.where(url, 'auth')}")
        return config


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        (f"{__name__}:SwiftSettings", ["SWIFT.secur: is no setting (did you mean", "SWIFT.h.auth: must not be none"]),
        ("", []),
    ],
)
def test_a_plugin_s_transfer_may_tell_its_settings(tmp_path: Path, settings: str, lines: list[str]) -> None:
    """Or not: then they are judged when a server is met."""

    class Swift:
        @hookimpl
        def register_transfers(self) -> list[TransferOffer]:
            return [TransferOffer("swift", ("swift",), "swift:Swift", settings=settings)]

    (tmp_path / "cryocloud.toml").write_text("[SWIFT]\nsecur = 1\n[SWIFT.h]\nauth = 'none'\n")
    config = Config.load(tmp_path, environ={}, user_file=tmp_path / "none")
    found = SettingsTold.of(Registry.of(plugin, Swift()), config)
    assert len(found.errors) == len(lines)
    assert all(error.startswith(line) for error, line in zip(found.errors, lines, strict=True))


@pytest.mark.parametrize("settings", ["", f"{__name__}:SwiftSettings"])
def test_a_table_that_two_transfers_share_is_judged_by_none(tmp_path: Path, settings: str) -> None:
    """Neither knows the settings of the other; each server is judged when it is met."""

    class Dav:
        @hookimpl
        def register_transfers(self) -> list[TransferOffer]:
            return [TransferOffer("dav", ("dav",), "dav:Dav", config="HTTP", settings=settings)]

    (tmp_path / "cryocloud.toml").write_text("[HTTP.h]\ndepth = 1\nfast = true\n")
    config = Config.load(tmp_path, environ={}, user_file=tmp_path / "none")
    assert SettingsTold.of(Registry.of(plugin, Dav()), config).errors == []
