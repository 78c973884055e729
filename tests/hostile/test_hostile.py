"""Whatever a web server does wrong, no wrong file gets a final name, and nobody waits for ever."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from attrs import evolve

from cryocloud_core.files.layer import Layer
from cryocloud_core.files.layer_settings import LayerSettings
from cryocloud_core.sdk.url import Url
from tests.hostile.cases import LIMIT_S, TRANSFERS, Case, play
from tests.hostile.server import Fault, HostileServer, Offers

#: the first seeds of the campaign (`tasks.py hostile`)
SOME = 60
_MIB = 1024 * 1024
#: what a reset takes with it is as much as the kernels hold, several MB each time
_BREAKS = {Fault.CUT: 4, Fault.FREEZE: 4, Fault.RESET: 1}


@pytest.mark.parametrize("seed", range(SOME))
def test_a_random_case_ends_in_time_with_a_whole_file_or_none(seed: int, tmp_path: Path) -> None:
    """Nothing, what was there, or one whole version; and the current one as soon as the server behaves."""
    verdict = play(Case.of(seed), tmp_path)
    assert not verdict.wrong, f"{verdict.wrong}; {verdict.case}"


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("parallel", [False, True], ids=["one stream", "several"])
def test_each_fault_alone_is_got_over(fault: Fault, parallel: bool, tmp_path: Path) -> None:
    """One wrong answer in the middle costs at most more tries where length, validator and checksum are offered."""
    case = Case(7, 1_500_000, Offers(checksum=True), ((Fault.NONE, 0.0), (fault, 0.6)), parallel, True, None)
    verdict = play(case, tmp_path)
    assert not verdict.wrong
    assert verdict.seconds < LIMIT_S
    assert verdict.failed == (fault is Fault.MISSING or (fault is Fault.UNSATISFIED and not parallel))


@pytest.mark.parametrize("fast", [True, False], ids=["libcurl", "aiohttp"])
@pytest.mark.parametrize("fault", Fault)
def test_each_fault_among_a_list_is_got_over(fault: Fault, fast: bool, tmp_path: Path) -> None:
    """What one wrong answer among many takes with it is fetched alone, and comes."""
    faults = ((Fault.NONE, 0.0), (fault, 0.6), (Fault.NONE, 0.0), (fault, 0.3))
    case = Case(9, 70_000, Offers(checksum=True), faults, False, True, None, others=9, fast=fast)
    verdict = play(case, tmp_path)
    assert not verdict.wrong
    assert not verdict.failed


@pytest.mark.parametrize("fault", _BREAKS, ids=lambda fault: fault.value)
def test_less_than_a_tenth_of_a_large_file_is_sent_again(fault: Fault, tmp_path: Path) -> None:
    """What came before the connection broke is kept: 64 MB, broken off in the middle."""
    faults = [(Fault.NONE, 0.0), *((fault, random.Random(share).random()) for share in range(_BREAKS[fault]))]
    server = HostileServer(3, 64 * _MIB, Offers(), faults)
    try:
        settings = LayerSettings(tmp_path / "tmp", retry_wait_s=0.01, idle_timeout_s=0.5, retries=10)
        target = Layer(TRANSFERS[True], settings).fetch(Url.parse(server.url), tmp_path / "large.bin")
        assert target.read_bytes() == server.version.content
    finally:
        server.close()
    assert server.sent < math.ceil(64 * _MIB * 1.1)


def test_a_case_goes_wrong_when_a_wrong_file_gets_the_name(tmp_path: Path) -> None:
    """The judgement sees a mixture of two versions where nothing offered can tell it from one."""
    case = Case(5, 70_000, Offers(validator=False), ((Fault.NONE, 0.0), (Fault.CHANGE_MIDWAY, 0.5)), False, False, None)
    assert "a wrong file of 70000 bytes" in play(case, tmp_path).wrong
    (tmp_path / "again").mkdir()
    sound = evolve(case, offers=Offers(validator=False, checksum=True))
    assert not play(sound, tmp_path / "again").wrong


def test_a_list_goes_wrong_when_one_wrong_file_gets_its_name(tmp_path: Path) -> None:
    """As for one file: a mixture is seen where nothing offered can tell it, and does not come where something can."""
    faults = ((Fault.NONE, 0.0), (Fault.NONE, 0.0), (Fault.CHANGE_MIDWAY, 0.5))
    case = Case(5, 70_000, Offers(validator=False), faults, False, False, None, others=9)
    for at, (offers, is_wrong) in enumerate(
        [(case.offers, True), (Offers(), False), (Offers(validator=False, checksum=True), False)]
    ):
        (folder := tmp_path / str(at)).mkdir()
        assert ("a wrong file of 70000 bytes" in play(evolve(case, offers=offers), folder).wrong) == is_wrong
