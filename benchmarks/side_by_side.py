"""Our simulator beside everything that one would run instead, in one process.

Writes speed.json, speed.md and plots: to docs/, or to build/speed/ with --quick, which is for a
look and not for the page. Networks are made once and kept in build/speed/.

    python benchmarks/side_by_side.py [--quick] [--network MLP-SPE-T ...] [--images 1 8]

Needs benchmarks/requirements.txt.
"""

import argparse
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("digits", "MNIST", "MLP-SPE-T", "MLP-S", "MLP-SPE-S", "MLP-SPE-B")
PARTS = ("networks", "lava", "brian", "sweeps", "instructions")
SCHEMA = 1


def options_given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="digits alone, small sweeps")
    parser.add_argument("--network", nargs="+", help="of " + ", ".join(NAMES))
    parser.add_argument("--images", type=int, nargs="+", help="batches")
    parser.add_argument("--repeats", type=int, help="rounds")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--parts", nargs="+", choices=PARTS)
    parser.add_argument("--compile-limit", type=float, help="seconds in all for torch.compile")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    quick = options.quick
    options.network = options.network or (["digits"] if quick else ["MLP-SPE-T", "MNIST", "digits"])
    options.images = options.images or ([1] if quick else [1, 8])
    options.repeats = options.repeats or (3 if quick else 7)
    options.parts = options.parts or (PARTS[:-1] if quick else PARTS)
    if options.compile_limit is None:
        options.compile_limit = 0.0 if quick else 300.0
    options.out = options.out or ROOT / ("build/speed" if quick else "docs")
    unknown = sorted(set(options.network) - set(NAMES))
    if unknown:
        parser.error(f"no network is called {unknown[0]}")
    return options


def main() -> int:
    options = options_given()
    # Read when numba and torch are imported, so before anything that imports them.
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(ROOT / "build/speed/inductor"))
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    import torch
    from recurrent_speed import placed
    from recurrent_speed import render as section
    from speed.machine import describe, limits
    from speed.page import render
    from speed.plots import plot
    from state_space_speed import TITLE as STATE_SPACES
    from state_space_speed import render as of_state_spaces

    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    make_folders(options.out)
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "machine": describe(options.threads),
        "rounds": options.repeats,
        "limits": limits(),
    }
    found |= networks(options)
    found["brian"] = brian(options) if "brian" in options.parts else {}
    found |= sweeps(options, found)
    found["instructions"] = counted(options) if "instructions" in options.parts else {}
    page = render(found, plot(found, options.out))
    kept = options.out / "speed.json"
    before = json.loads(kept.read_text()) if kept.exists() else {}
    if "recurrent" in before:  # what recurrent_speed.py has measured stays
        found["recurrent"] = before["recurrent"]
        page = placed(page, section(found["recurrent"]))
    if "state_spaces" in before:
        found["state_spaces"] = before["state_spaces"]
        page = placed(page, of_state_spaces(found["state_spaces"]), STATE_SPACES)
    kept.write_text(json.dumps(found, indent=1) + "\n")
    (options.out / "speed.md").write_text(page)
    print(page)
    return 0


def make_folders(out: Path) -> None:
    """Where results go, and where networks are kept: a fresh clone has no build/."""
    for folder in (out, ROOT / "build/speed"):
        folder.mkdir(parents=True, exist_ok=True)


def networks(options: argparse.Namespace) -> dict[str, Any]:
    """The comparisons, and Lava on the first small network."""
    from speed.comparison import CompileTime, compare
    from speed.networks import NETWORKS
    from speed.rounds import Refused, tell

    tables: list[dict[str, Any]] = []
    missing: dict[str, str] = {}
    compile_time = CompileTime(options.compile_limit)
    for name in options.network if "networks" in options.parts else ():
        try:
            network = NETWORKS[name]()
        except Refused as error:
            missing[name] = str(error)
            continue
        for batch in options.images:
            tell(f"{name}, batch {batch}")
            tables.append(compare(network, batch, options.threads, options.repeats, compile_time))
    lava = beside_lava(options, tables) if "lava" in options.parts else {}
    return {"tables": tables, "missing": missing, "lava": lava}


def beside_lava(options: argparse.Namespace, tables: list[dict[str, Any]]) -> dict[str, Any]:
    """Lava on the fixture, against ours from its table."""
    from speed.comparison import OURS
    from speed.lava_contender import lava_seconds
    from speed.networks import NETWORKS
    from speed.rounds import reason, tell

    name = "digits"
    table = next((t for t in tables if (t["network"], t["batch"]) == (name, 1)), None)
    if table is None:
        return {"network": name, "refused": "it needs the comparison on digits, batch 1"}
    tell("Lava")
    try:
        seconds = lava_seconds(NETWORKS[name]())
    except Exception as error:  # whatever is missing there is the reason given
        return {"network": name, "refused": reason(error)}
    ours = next(row for row in table["rows"] if row["name"] == OURS)["seconds"]["median"]
    return {"network": name, "seconds": seconds, "ratio": seconds / ours}


def brian(options: argparse.Namespace) -> dict[str, Any]:
    """Brian2's three code generators on a chain of dense layers."""
    from speed import brian_network as chain
    from speed.comparison import Field
    from speed.rounds import tell

    tell("Brian2")
    program = chain.chain(options.quick)
    entered = Field()
    entered.enter("ours", lambda: chain.ours(program, options.threads))
    folder = ROOT / "build/speed/brian"
    entered.enter("Brian2, C++", lambda: chain.brian_standalone(program, folder))
    for target in ("numpy",) if options.quick else ("numpy", "cython"):
        entered.enter(f"Brian2, {target}", lambda target=target: chain.brian(program, target))
    shape = program.shape
    what = (
        f"{shape.depth} layers of {shape.width} x {shape.width} synapses behind a population, "
        f"T = {shape.steps}, {program.measured_rate(program.images):.0%} fire at a step"
    )
    return {"what": what, "rows": entered.rows(options.repeats)}


def sweeps(options: argparse.Namespace, found: dict[str, Any]) -> dict[str, Any]:
    """Sweeps of ours and the roofline of all that was measured."""
    from speed.roofline import roofline
    from speed.rounds import tell
    from speed.sweeps import BASE, SMALL, proportion, sweep

    rows: list[dict[str, Any]] = []
    if "sweeps" in options.parts:
        tell("sweeps")
        rows = sweep(options.threads, options.repeats, options.quick)
    base = SMALL if options.quick else BASE
    return {
        "sweeps": rows,
        "sweep_shape": f"{base.depth} layers of {base.width} x {base.width} synapses at "
        f"{base.tokens} tokens, T = {base.steps}",
        "proportion": proportion(rows) if rows else {},
        "roofline": roofline(found["limits"], found["tables"], rows, options.threads),
    }


def counted(options: argparse.Namespace) -> dict[str, Any]:
    """Instructions of the fixture, or why there are none."""
    from speed.instructions import instructions
    from speed.networks import NETWORKS
    from speed.rounds import Refused, tell

    tell("instructions")
    try:
        return instructions(NETWORKS["digits"]())
    except Refused as error:
        return {"refused": str(error)}


if __name__ == "__main__":
    sys.exit(main())
