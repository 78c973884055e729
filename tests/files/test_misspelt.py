"""Misspelt settings: refused by their full names where all names are known, else warned of when nearly known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core import plugin
from cryocloud_core.config import Config
from cryocloud_core.errors import ConfigError
from cryocloud_core.files.misspelt import WORKER, misspelt_of_workers, refuse_unknown
from cryocloud_core.files.service import FileService
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.registry import Registry
from cryocloud_core.sdk.routes import Routes
from cryocloud_core.sdk.transfer import Transfer, TransferConfig
from cryocloud_core.sdk.url import Url

SETTINGS = frozenset({"secure", "region", "headers", "user"})
URL = "s3://10.0.0.1:9000/bucket/key"


def refuse(values: Mapping[str, Any], url: str = URL) -> None:
    """Judge the settings of a server."""
    refuse_unknown(TransferConfig(values), Url.parse(url), "S3", SETTINGS)


def met(folder: Path, text: str, url: str) -> Transfer:
    """Return who serves a URL with the configuration of that text."""
    (folder / "cryocloud.toml").write_text(text)
    config = Config.load(folder, environ={}, user_file=folder / "none")
    return Transfers(Routes.of(Registry.of(plugin), config.subtree)).to(Url.parse(url))


@pytest.mark.parametrize(
    ("text", "url", "told"),
    [
        ("[S3]\nsecur = false", URL, r'^S3\.secur: is no setting \(did you mean "secure"\?\)'),
        ("[S3.10_0_0_1_9000]\nsecur = false", URL, r'^S3\.10_0_0_1_9000\.secur: .*"secure"'),
        ('[S3."10.0.0.1:9000"]\nsecur = false', URL, r'^S3\."10\.0\.0\.1:9000"\.secur: .*"secure"'),
        ("[SSH.10_0_0_1]\nkyes = '~/key'", "ssh://me@10.0.0.1/a", r'^SSH\.10_0_0_1\.kyes: .*"keys"'),
        ("[HTTP.10_0_0_1]\nTokn = 'x'", "https://10.0.0.1/a", r'^HTTP\.10_0_0_1\.Tokn: .*"token"'),
        ("[HTTP.10_0_0_1.heders]\nA = 'x'", "https://10.0.0.1/a", r'^HTTP\.10_0_0_1\.heders: .*"headers"'),
        ("[HTTP.heders]\nA = 'x'", "https://10.0.0.1/a", r'^HTTP\.heders: .*"headers"'),
    ],
)
def test_a_misspelt_setting_is_refused_when_its_server_is_met(tmp_path: Path, text: str, url: str, told: str) -> None:
    """Each of our transfers says which, what was meant, and what there is."""
    with pytest.raises(ConfigError, match=told) as caught:
        met(tmp_path, text, url)
    assert "timeout" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("[S3.other]\nsecur = false\n[S3.10_0_0_1]\nsecure = false", URL),
        ("[HTTP.host]\nheaders.Anything = 'x'\n[HTTP.headers]\nsecur = 'x'", "https://host/a"),
        ('[S3."10.0.0.1"]\nfast = true\n[S3."10.0.0.2"]\nsecure = true', URL),
        ("[FILE]\nanything = 1", "file:///a"),
    ],
)
def test_what_is_no_mistake_of_this_server_is_let_be(tmp_path: Path, text: str, url: str) -> None:
    """Other servers' tables, names of headers, and transfers that do not tell their settings."""
    met(tmp_path, text, url).close()


def test_all_mistakes_are_told_at_once() -> None:
    """Those for all servers, and those of each of the server's tables."""
    values = {"secur": 1, "10_0_0_1:9000": {"zzzzzzzz": 1}, "10_0_0_1": {"regoin": 2}}
    with pytest.raises(ConfigError) as caught:
        refuse(values)
    assert str(caught.value).startswith(
        'S3.secur: is no setting (did you mean "secure"?); neither is S3."10_0_0_1:9000".zzzzzzzz; '
        'neither is S3.10_0_0_1.regoin (did you mean "region"?)'
    )


def test_a_server_named_nearly_like_a_setting_is_a_server() -> None:
    """Its table has settings; so has that of a dotted name."""
    refuse({"users": {"secure": False}, "regions": {"example": {"org": {"secure": False}}}})
    refuse({"10": {"0": {"0": {"1": {"region": "x"}, "1:9000": {"secure": True}}}}})
    refuse_unknown(TransferConfig({"x": 1}), Url.parse(URL), "S3", ())


def test_each_server_is_judged(tmp_path: Path) -> None:
    """Not only the first; and again when asked again."""
    routes = Routes.of(Registry.of(plugin), lambda root: {"b": {"secur": 1}} if root == "S3" else {})
    transfers = Transfers(routes)
    assert transfers.to(Url.parse("s3://a/b/k")) is transfers.to(Url.parse("s3://a/b/k2"))
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"S3\.b\.secur"):
            transfers.to(Url.parse("s3://b/b/k"))
    transfers.close()


class Read(dict[str, Any]):
    """A configuration that remembers what it was asked for."""

    asked: set[str]

    def get(self, name: str, default: Any = None) -> Any:
        """Note the name."""
        self.asked.add(name)
        return super().get(name, default)


def test_the_known_settings_of_workers_are_those_that_are_read() -> None:
    """All of them, and no other."""
    config = Read()
    config.asked = set()
    FileService.of(config, "here", Transfers())
    assert config.asked == WORKER


def test_names_that_are_nearly_known_are_told() -> None:
    """Modules' own settings are not."""
    lines = misspelt_of_workers({"tempdri": "/t", "TempDir": "/t", "tempdir": "/t", "gpus": 2, "Ocean": {"temp": 1}})
    assert lines == [
        f'CryoCloud.Worker.{name} is no setting of CryoCloud (did you mean "tempdir"?)'
        for name in ("tempdri", "TempDir")
    ]
