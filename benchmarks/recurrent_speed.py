"""Networks in time beside loops over time in PyTorch, in one process and in turn.

    python benchmarks/recurrent_speed.py [--rounds 7] [--images 1 32] [--out docs]

An SHD-sized network, 700-256-256-20 over 100 steps at 5 % input activity, recurrent and not, with
neurons of one and of two states. Writes `recurrent` in speed.json and its section of speed.md; the
rest of both stays as it is. One thread each. snnTorch takes part where it is installed.
"""

import argparse
import json
import os
import re
import statistics
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TITLE = "## Networks in time"
NETWORKS = {
    "recurrent, Leaky": (True, False),
    "recurrent, Synaptic": (True, True),
    "feed-forward, Leaky": (False, False),
    "feed-forward, Synaptic": (False, True),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch
    from speed.machine import describe

    torch.set_num_threads(1)
    found: dict[str, Any] = {"machine": describe(1), "rounds": options.rounds, "tables": []}
    for name, (recurrent, synaptic) in NETWORKS.items():
        found["tables"].append(compare(name, recurrent, synaptic, options))
    path = options.out / "speed.json"
    facts = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(facts | {"recurrent": found}, indent=1) + "\n")
    page = options.out / "speed.md"
    section = render(found)
    page.write_text(placed(page.read_text() if page.exists() else "", section))
    print(section)
    return 0


def compare(
    name: str, recurrent: bool, synaptic: bool, options: argparse.Namespace
) -> dict[str, Any]:
    """All contenders on one network, for every size of a batch; and steps of a stream."""
    from speed import recurrent as nets
    from speed.rounds import (
        EQUAL,
        Contender,
        difference,
        measure,
        plain,
        ratios,
        reason,
        tell,
        times,
    )

    from snncc.runtime.simulator import Simulator

    tell(name)
    given = nets.weights(recurrent)
    simulator = Simulator(nets.program(given, synaptic), 1)
    rows: list[dict[str, Any]] = []
    for images in options.images:
        frames = nets.events(images)
        wanted = simulator.run(frames)
        contenders = [Contender("ours", lambda frames=frames: simulator.run(frames).readout)]
        refused: dict[str, str] = {}
        for label, kind in (("PyTorch loop", nets.Plain), ("snnTorch", nets.SnnTorch)):
            try:
                answer = nets.answered(kind(given, synaptic), frames)
            except ImportError as error:
                refused[label] = reason(error)
                continue
            how = difference(wanted.readout, answer())
            if how != EQUAL:
                rounded = nets.answered(nets.Plain(given, synaptic, True), frames)()
                same = difference(wanted.readout, rounded)
                how = f"{how}; the loop with states rounded as ours: {same}"
            contenders.append(Contender(label, answer, checked=how))
        ours, *others = measure(contenders, options.rounds)
        rows.append({"images": images, "name": "ours", "seconds": plain(times(ours))})
        for each in others:
            own = {"seconds": plain(times(each)), "ratio": plain(ratios(ours, each))}
            rows.append({"images": images, "name": each.contender.name, **own,
                         "checked": each.contender.checked})  # fmt: skip
        rows += [{"images": images, "name": n, "refused": why} for n, why in refused.items()]
    counts = wanted.spike_counts
    neurons = {node.name: node.type.neurons for node in simulator.graph.nodes}
    rate = sum(counts.values()) / sum(neurons[n] * nets.STEPS * images for n in counts)
    return {
        "network": name,
        "rate": float(f"{rate:.3g}"),
        "host": len(simulator.host_units),
        "rows": rows,
        "step_us": plain(stream_steps(simulator, nets.events(1)[0])),
    }


def stream_steps(simulator: Any, frames: Any) -> dict[str, float]:
    """Microseconds of one step of a stream: median, least and most but one in twenty."""
    took: list[float] = []
    for _ in range(3):
        stream = simulator.stream(frames)
        while not stream.finished:
            start = time.perf_counter()
            stream.step()
            took.append(1e6 * (time.perf_counter() - start))
    took.sort()
    return {
        "median": statistics.median(took),
        "least": took[0],
        "most": took[int(0.95 * len(took))],
    }


def render(found: dict[str, Any]) -> str:
    """The section of the page."""
    machine = found["machine"]
    lines = [
        TITLE,
        "",
        "700-256-256-20, 100 steps, 5 % of the inputs active, one thread each, in turn in one "
        f"process, {found['rounds']} rounds; on {machine['cpu']} at a load of {machine['load']:g}: "
        "other work ran beside it. Both contenders are loops over time in PyTorch, without "
        "gradients; neurons are snnTorch's default, which take the threshold off a step late. "
        "A ratio is the other's seconds over ours of the same round: median (least "
        "to most). Made by `python benchmarks/recurrent_speed.py`.",
        "",
        "| network (spike rate) | batch | contender | ms | times ours | answers |",
        "| --- | ---: | --- | ---: | ---: | --- |",
    ]
    for table in found["tables"]:
        for row in table["rows"]:
            what = (
                f"| {table['network']} ({table['rate']:.1%}) | {row['images']} | {row['name']} | "
            )
            if "refused" in row:
                lines.append(f"{what}not run | | {row['refused']} |")
                continue
            ms = f"{1e3 * row['seconds']['median']:.3g}"
            ratio, checked = row.get("ratio"), row.get("checked", "")
            times = "1" if ratio is None else spread(ratio)
            lines.append(f"{what}{ms} | {times} | {checked} |")
    lines += ["", "A step of a stream, microseconds: median (least to 95 % of all steps).", ""]
    lines += [f"- {table['network']}: {spread(table['step_us'])}" for table in found["tables"]]
    return "\n".join([*lines, ""])


def spread(found: dict[str, float]) -> str:
    return f"{found['median']:.3g} ({found['least']:.3g} to {found['most']:.3g})"


def placed(page: str, section: str, title: str = TITLE) -> str:
    """The page with this section, in place of an older one or at its end."""
    older = re.compile(rf"^{re.escape(title)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    if older.search(page):
        return older.sub(lambda _: f"{section}\n", page).rstrip("\n") + "\n"
    return f"{page.rstrip()}\n\n{section}" if page else section


if __name__ == "__main__":
    sys.exit(main())
