"""Play many hostile cases, several at a time: `python -m tests.hostile.run_hostile --cases 1000 --seed 0`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.hostile.cases import Case, Verdict, close_transfers, play


def one(seed: int) -> Verdict:
    """Play the case of a seed in a directory that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="cc-hostile-") as folder:
        return play(Case.of(seed), Path(folder))


def main() -> int:
    """Play them and say what came of them; 1 when one went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=8)
    asked = parser.parse_args()
    began = time.monotonic()
    with ThreadPoolExecutor(asked.at_once) as pool:
        verdicts = list(pool.map(one, range(asked.seed, asked.seed + asked.cases)))
    close_transfers()
    wrong = [verdict for verdict in verdicts if verdict.wrong]
    for verdict in wrong:
        sys.stdout.write(f"WRONG: {verdict.wrong}; {verdict.case}\n")
    failed = sum(verdict.failed for verdict in verdicts)
    longest = max(verdicts, key=lambda verdict: verdict.seconds)
    sys.stdout.write(
        f"seeds {asked.seed} to {asked.seed + asked.cases - 1}: {len(verdicts)} cases in"
        f" {time.monotonic() - began:.0f} s, {failed} gave up with an error, {len(wrong)} wrong;"
        f" the longest took {longest.seconds:.1f} s (seed {longest.case.seed})\n"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
