"""Any number of mutated files of events: `python tests/helpers/fuzz_events.py --count 100000`."""

import argparse
import tempfile
import time
from pathlib import Path

from event_fuzzer import fuzz


def main() -> None:
    """Says how many mutants were valid, and how many were which error; a crash ends it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        outcomes = fuzz(Path(folder), given.count, given.seed)
    print(f"{given.count:,} mutants in {time.perf_counter() - start:.0f} s: {dict(outcomes)}")


if __name__ == "__main__":
    main()
