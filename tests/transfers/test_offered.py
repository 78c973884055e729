"""What core offers: four transfers, each found by its schemes and imported by nobody before its first URL."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cryocloud_core import plugin
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.registry import Registry, resolve
from cryocloud_core.sdk.routes import Routes
from cryocloud_core.sdk.transfer import Abilities, Transfer, TransferConfig
from cryocloud_core.sdk.url import Url

SCHEMES = {"s3": "s3", "ssh": "ssh", "http": "http", "https": "http", "file": "file"}
URLS = {"s3": "s3://store/b/k", "ssh": "ssh://host/a", "http": "http://host/a", "https": "https://host/a"}
MISSING = """
import sys
sys.modules["{library}"] = None
from cryocloud_core import plugin
from cryocloud_core.errors import StagingError
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.registry import Registry
from cryocloud_core.sdk.routes import Routes
from cryocloud_core.sdk.url import Url
try:
    Transfers(Routes.of(Registry.of(plugin), lambda _: {{}})).to(Url.parse("{url}"))
except StagingError as error:
    print(error)
"""


def test_each_scheme_has_its_transfer() -> None:
    """And its root of settings."""
    routes = Routes.of(Registry.of(plugin), lambda root: {"root": root}).by_scheme
    assert {scheme: route.name for scheme, route in routes.items()} == SCHEMES
    assert {route.root for route in routes.values()} == {"S3", "SSH", "HTTP", "FILE"}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_reference_is_a_transfer(scheme: str) -> None:
    """Made without settings, with abilities of its own."""
    kind = resolve(Routes.of(Registry.of(plugin), lambda _: {}).by_scheme[scheme].reference)
    assert issubclass(kind, Transfer)
    assert isinstance(kind.abilities, Abilities)
    kind(TransferConfig()).close()


@pytest.mark.parametrize(("scheme", "library"), [("s3", "s3fs"), ("ssh", "asyncssh"), ("https", "aiohttp")])
def test_a_library_that_is_missing_is_named(scheme: str, library: str) -> None:
    """With the command that installs it; core itself does without."""
    code = MISSING.format(library=library, url=URLS[scheme])
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"{scheme}:// needs {library}, which cannot be imported here" in run.stdout
    assert f"pip install {library}" in run.stdout


def test_a_transfer_is_made_once_and_closed() -> None:
    """One for all URLs of its schemes."""
    transfers = Transfers(Routes.of(Registry.of(plugin), lambda _: {}))
    made = transfers.to(Url.parse("http://a/x"))
    assert transfers.to(Url.parse("https://b/y")) is made
    transfers.close()
    assert transfers.to(Url.parse("http://a/x")) is not made
    transfers.close()
