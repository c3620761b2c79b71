"""A spiking state space model beside its PyTorch step form, in one process and in turn.

    python benchmarks/state_space_speed.py [--rounds 5] [--sequences 1 32] [--out docs]

1,024 steps, 128 channels of 32 complex poles, two blocks; two threads each. Writes `state_spaces`
in speed.json and its section of speed.md; the rest of both stays as it is. Seconds are those of the
processor, both threads added up, beside those of the clock: where other work runs, the first say
more.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
TITLE = "## State spaces"
THREADS = 2
SIZES = (128, 32, 2)
SHORT = 16
"""Steps that the interpreter computes, too."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sequences", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--steps", type=int, default=1024)
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    options = parser.parse_args()
    import torch
    from recurrent_speed import placed
    from speed.machine import describe

    torch.set_num_threads(THREADS)
    found: dict[str, Any] = {"machine": describe(THREADS), "rounds": options.rounds}
    found |= measured(options)
    path = options.out / "speed.json"
    facts = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(facts | {"state_spaces": found}, indent=1) + "\n")
    page, section = options.out / "speed.md", render(found)
    page.write_text(placed(page.read_text() if page.exists() else "", section, TITLE))
    print(section)
    return 0


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of both for every size of a batch, how answers differ, and steps of a stream."""
    from recurrent_speed import stream_steps
    from speed import state_spaces as nets
    from speed.rounds import difference, plain, tell

    from snncc.runtime import interpret
    from snncc.runtime.simulator import Simulator

    tell("compiling")
    net = nets.network(*SIZES)
    graph = nets.program(net, options.steps)
    simulator = Simulator(graph, THREADS)
    one = nets.sequences(1, options.steps)
    simulator.run(one)  # to warm both up
    nets.answered(net, one)()
    rows: list[dict[str, Any]] = []
    for count in options.sequences:
        frames = nets.sequences(count, options.steps)
        ways: dict[str, Callable[[], NDArray[Any]]] = {
            "ours": lambda frames=frames: simulator.run(frames).logits,
            "PyTorch": nets.answered(net, frames),
        }
        seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        answers: dict[str, Any] = {}
        for _ in range(options.rounds):
            for name, answer in ways.items():
                tell(f"{count} sequences, {name}")
                began, work = time.perf_counter(), time.process_time()
                answers[name] = answer()
                taken = time.perf_counter() - began, time.process_time() - work
                seconds[name].append(taken)
        for name, each in seconds.items():
            wall, work = (float(np.median(part)) for part in zip(*each, strict=True))
            row: dict[str, Any] = {"sequences": count, "name": name, "wall": wall, "work": work}
            if name != "ours":
                row["answers"] = difference(answers["ours"], answers[name])
            rows.append(row)
    short = nets.program(net, SHORT)
    wanted = interpret(short, one[:, :SHORT]).readout
    exact = np.array_equal(wanted, Simulator(short, THREADS).run(one[:, :SHORT]).readout)
    return {
        "rows": rows,
        "steps": options.steps,
        "host": len(simulator.host_units),
        "as_interpreter": exact,
        "step_us": plain(stream_steps(simulator, one[0])),
    }


def render(found: dict[str, Any]) -> str:
    """The section of the page."""
    from recurrent_speed import spread

    machine, (width, states, blocks) = found["machine"], SIZES
    exact = "the interpreter's bits" if found["as_interpreter"] else "NOT the interpreter's bits"
    lines = [
        TITLE,
        "",
        f"{found['steps']:,} steps, {width} channels of {states} complex poles, {blocks} blocks "
        f"with spike gates, weights of 12 bits; {THREADS} threads each, in turn in one process, "
        f"{found['rounds']} rounds; on {machine['cpu']} at a load of {machine['load']:g}: beyond 2 "
        "other work ran beside it. PyTorch runs the step form in "
        f"complex float32, without gradients. {found['host']} nodes are the host's, answers of "
        f"{SHORT} steps are {exact}; PyTorch's differ by rounding. Made by "
        "`python benchmarks/state_space_speed.py`.",
        "",
        "| sequences | contender | clock, s | processor, s | processor, times ours | answers |",
        "| ---: | --- | ---: | ---: | ---: | --- |",
    ]
    ours = {row["sequences"]: row["work"] for row in found["rows"] if row["name"] == "ours"}
    lines += [
        f"| {row['sequences']} | {row['name']} | {row['wall']:.3g} | {row['work']:.3g} | "
        f"{row['work'] / ours[row['sequences']]:.3g} | {row.get('answers', '')} |"
        for row in found["rows"]
    ]
    steps = spread(found["step_us"])
    lines += [
        "",
        f"A step of a stream, microseconds: median (least to 95 % of all steps): {steps}.",
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
