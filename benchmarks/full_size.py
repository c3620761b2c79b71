"""The networks of the paper at 224x224, compiled and run: time, memory, size, equal bits.

No trained checkpoint of theirs is public: weights are random, BatchNorms are calibrated on images
and every layer fires at about 9 %. Writes docs/full_size.md.

    python benchmarks/full_size.py [--network MLP-SPE-T ...] [--steps 4] [--images 16]
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from snncc.artifact import load_program
from snncc.backends.cpu.streams.state import load_state, save_state
from snncc.frontends.mixer_snn.neuron import LIF
from snncc.frontends.mixer_snn.untrained import SIZES, untrained_mixer
from snncc.ir import Graph
from snncc.runtime import ALL, interpret
from snncc.runtime.simulator import Simulator

ROOT = Path(__file__).resolve().parent.parent
MEAN, STD = 0.45, 0.22
TEST = 2
COLUMNS = (
    ("network", "network"),
    ("steps", "T"),
    ("gain", "gain"),
    ("images", "calibration images"),
    ("parameters", "parameters"),
    ("neurons", "neurons"),
    ("populations", "populations"),
    ("slowest_rate", "spike rates"),
    ("compile_s", "compile, s"),
    ("compile_gb", "compile, GB"),
    ("megabytes", "program, MB"),
    ("run_s", "first image, s"),
    ("run_gb", "run, GB"),
    ("next_s", "next image, s"),
    ("verify_s", "verify, s"),
    ("equal", "interpreter = simulator"),
    ("ways", "threads, batches, products, resumed streams: same bits"),
)


def smooth_images(count: int, seed: int) -> np.ndarray:
    """Images with structure at several scales, uint8 [n, 3, 224, 224]."""
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(count, 3, 224, 224)
    for side, weight in ((4, 0.6), (28, 0.7), (224, 0.3)):
        noise = torch.randn(count, 3, side, side, generator=generator)
        total += weight * torch.nn.functional.interpolate(noise, 224, mode="bilinear")
    return ((total * STD + MEAN) * 255).clamp(0, 255).round().to(torch.uint8).numpy()


def make_checkpoint(name: str, steps: int, folder: Path) -> tuple[Path, list[float]]:
    """The untrained network as the public training script would save it, and its spike rates."""
    path = folder / f"{name}-{steps}.pth"
    images = (torch.from_numpy(smooth_images(TEST, 1)).float() / 255 - MEAN) / STD
    net = untrained_mixer(SIZES[name], images, steps)
    rates: list[float] = []
    for module in net.modules():
        if isinstance(module, LIF):
            module.register_forward_hook(lambda _m, _a, out: rates.append(float(out.mean())))
    with torch.no_grad():
        net(images.unsqueeze(0).expand(steps, *images.shape))
    torch.save({"model": net.state_dict(), "args": argparse.Namespace(T=steps)}, path)
    return path, rates


PEAK = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(done.returncode)
"""
"""Runs a command. A process that this one starts has its peak to begin with: hence one between."""


def measured(*command: object) -> tuple[float, float, str]:
    """Seconds, peak gigabytes and output of a command in a process of its own."""
    start = time.perf_counter()
    snncc = [sys.executable, "-m", "snncc", *map(str, command)]
    done = subprocess.run([sys.executable, "-c", PEAK, *snncc], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"snncc {command[0]} ended with status {done.returncode}: {done.stderr}")
    seconds = time.perf_counter() - start
    return seconds, int(done.stderr.split()[-1]) / 1e6, done.stdout


def row(name: str, steps: int, gain: str, count: int, folder: Path) -> dict[str, Any]:
    checkpoint, rates = make_checkpoint(name, steps, folder)
    data, out = folder / "images.npz", folder / f"{name}-{steps}-{gain}.snncc"
    np.savez(data, cal=smooth_images(max(1, count), 2), test=smooth_images(TEST, 3))
    calibrate = ("--calibrate", f"{data}:cal") if count else ()
    compile_s, compile_gb, told = measured(
        *("compile", checkpoint, "-o", out, "--normalize", f"{MEAN},{STD}", "--gain", gain),
        *(*calibrate, "--json"),
    )
    report = json.loads(told)
    verify_s, _, _ = measured("verify", out)
    run_s, run_gb, _ = measured("run", out, f"{data}:test", "--limit", 1, "--json")
    graph = load_program(out).graph
    images, simulator = np.load(data)["test"], Simulator(graph)
    simulator.run(images[:1])
    start = time.perf_counter()
    simulator.run(images[1:])
    next_s = time.perf_counter() - start
    differing, populations = 0, 0
    for image in images:
        fast = simulator.run(image[None], ALL)
        slow = interpret(graph, image[None], ALL)
        populations = len(slow.spikes)
        differing += sum(
            not np.array_equal(slow.spikes[n], fast.spikes[n])
            or not np.array_equal(slow.membranes[n], fast.membranes[n])
            for n in slow.spikes
        )
    ways = differing_ways(graph, images, folder)
    neurons = sum(
        node.type.neurons for node in graph.nodes if node.op.mnemonic == "integer_population"
    )
    return {
        "network": name,
        "steps": steps,
        "gain": gain,
        "images": count,
        "parameters": f"{report['parameters']:,}",
        "neurons": f"{neurons:,}",
        "populations": populations,
        "slowest_rate": f"{min(rates):.1%} to {max(rates):.1%}",
        "compile_s": f"{compile_s:.0f}",
        "compile_gb": f"{compile_gb:.1f}",
        "megabytes": f"{out.stat().st_size / 1e6:.1f}",
        "run_s": f"{run_s:.1f}",
        "run_gb": f"{run_gb:.2f}",
        "next_s": f"{next_s:.3f}",
        "verify_s": f"{verify_s:.1f}",
        "equal": f"yes, {TEST} images" if differing == 0 else f"NO: {differing} populations",
        "ways": f"NO: {', '.join(ways)}" if ways else "yes",
    }


def differing_ways(graph: Graph, images: np.ndarray, folder: Path) -> list[str]:
    """Ways to run the program that give another answer or another spike than the first."""
    wanted = Simulator(graph, 1).run(images)
    runs = {
        "2 threads": Simulator(graph, 2).run(images),
        "2 threads on one image": Simulator(graph, 2).run(images[:1]),
        "matrix products": Simulator(graph, 2, kernels="dense").run(images),
    }
    wrong = [
        name
        for name, run in runs.items()
        if not np.array_equal(run.readout, wanted.readout[: len(run.readout)])
        or (len(run.readout) == len(images) and run.spike_counts != wanted.spike_counts)
    ]
    stream = Simulator(graph).stream(images[0])
    stream.step()
    save_state(folder / "state.npz", stream.state())
    resumed = Simulator(graph).resume(load_state(folder / "state.npz"))
    answers = [step.readout for step in resumed]
    if not np.array_equal(answers[-1], wanted.readout[0]):
        wrong.append("a resumed stream")
    return wrong


def table(rows: list[dict[str, Any]]) -> str:
    lines = ["| " + " | ".join(title for _, title in COLUMNS) + " |", "|" + " --- |" * len(COLUMNS)]
    lines += ["| " + " | ".join(str(r.get(key, "")) for key, _ in COLUMNS) + " |" for r in rows]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", choices=SIZES, nargs="+", default=["MLP-SPE-T"])
    parser.add_argument("--steps", type=int, nargs="+", default=[4])
    parser.add_argument("--gain", choices=["shift-add", "unshared"], default="shift-add")
    parser.add_argument("--images", type=int, default=16, help="For calibration; 0 for none.")
    parser.add_argument("--folder", type=Path, default=ROOT / "build/full_size")
    parser.add_argument("--facts", type=Path, default=ROOT / "docs/full_size.json")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    known: list[dict[str, Any]] = (
        json.loads(options.facts.read_text()) if options.facts.exists() else []
    )
    for name in options.network:
        for steps in options.steps:
            found = row(name, steps, options.gain, options.images, options.folder)
            print(table([found]), flush=True)
            same = ("network", "steps", "gain", "images")
            known = [r for r in known if any(r[k] != found[k] for k in same)] + [found]
            options.facts.write_text(json.dumps(known, indent=1) + "\n")
    text = (ROOT / "docs/full_size.md").read_text().partition("| network |")[0]
    (ROOT / "docs/full_size.md").write_text(text + table(known) + "\n")


if __name__ == "__main__":
    main()
