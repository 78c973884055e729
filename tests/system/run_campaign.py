"""The campaign as a command: `python tests/system/run_campaign.py --kills 100 --stops 20 --pebbles 200`."""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path

from campaign.driver import run_campaign
from campaign.settings import Plan
from campaign.table import table


def say(text: str) -> None:
    """Tell whoever started the campaign."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Run one campaign; 0 when no promise was broken, 1 otherwise (its folder is then kept)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pebbles", type=int, default=200)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--stops", type=int, default=20)
    parser.add_argument("--work", type=int, default=20, help="milliseconds of a normal step")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--keep", action="store_true", help="keep state, evidence and output in any case")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="cryocloud-campaign-"))
    say(f"seed {given.seed}, folder {folder}")
    plan = Plan(folder, given.seed, given.pebbles, given.kills, given.stops, given.work)
    report = run_campaign(plan)
    say(table(report))
    if report.breaches or given.keep:
        say(f"kept: {folder}")
    else:
        shutil.rmtree(folder)
    return 1 if report.breaches else 0


if __name__ == "__main__":
    sys.exit(main())
