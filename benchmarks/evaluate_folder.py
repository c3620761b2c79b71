"""Evaluations of a folder like ImageNet's: killed and resumed, beside the simulator alone, memory.

Makes a folder of small JPEG files in class folders, and a program with the geometry of
`imagenet224`. Then:

- `snncc evaluate` is killed with SIGKILL at random moments and started again; at the end results
  must have the bytes of an evaluation that nobody killed, and no shard may have been put twice;
- images a second, and seconds of the CPU, beside the simulator on the same pixels in memory;
- memory of the process, with a quarter of the images and with all.

    python benchmarks/evaluate_folder.py [--images 800] [--kills 20] [--channels 96]
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from snncc.artifact import Program, load_program, save_program
from snncc.data.image_files import ImageFiles
from snncc.data.preprocessing import PRESETS
from snncc.ir import Graph, GraphBuilder, verify
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Contract, Convolve, Frames
from snncc.runtime.simulator import Simulator

PRESET = PRESETS["imagenet224"]
CLASSES = 100
IN_MEMORY = 256
"""Images on which the simulator alone is timed."""


def network(channels: int) -> Graph:
    """224x224 pixels, a convolution, neurons, a map to classes; four steps."""
    rng = np.random.default_rng(0)
    b = GraphBuilder("integer", 4, "exact")
    image = b.add(Frames(("c", "h", "w"), PRESET.shape, domain=(0, 255)), (), (), "image")
    kernel = rng.integers(-64, 65, (channels, 3, 8, 8)).astype(np.int8)
    weight = b.constant("kernel", kernel, ("o", "c", "p", "q"))
    conv = Convolve(weight, "c", "h", "w", "o", "y", "x", (8, 8))
    current = b.add(conv, [image], (), "current")
    levels = b.constant("level", rng.integers(2000, 9000, channels), ("o",))
    op = IntegerPopulation(levels, decay=(1, 1))
    op = replace(op, membrane=op.membrane_range(b[current].type, b.context))
    spikes = b.add(op, [current], (), "spikes")
    head = rng.integers(-127, 128, (CLASSES, channels, 28, 28)).astype(np.int8)
    matrix = b.constant("head", head, ("k", "o", "y", "x"))
    answer = b.add(Contract(matrix, ("o", "y", "x"), ("k",)), [spikes], (), "answer")
    graph = b.finish(b.add(IntegerReadout(), [answer], (), "readout"))
    verify(graph)
    return graph


def make_folder(root: Path, images: int) -> None:
    """JPEG files of several sizes, blurred noise as photographs are smooth; kept where they are."""
    for number in range(images):
        folder = root / f"n{number % CLASSES:08d}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{number:06d}.jpeg"
        if path.exists():
            continue
        rng = np.random.default_rng(number)
        small = Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8))
        size = int(rng.integers(260, 500)), int(rng.integers(260, 400))
        small.resize(size, Image.Resampling.BICUBIC).save(path, quality=85)


def call(program: Path, folder: Path, *words: str) -> list[str]:
    evaluate = [sys.executable, "-m", "snncc", "evaluate", str(program), str(folder)]
    return [*evaluate, "--labels", "folders", "--threads", "1", "--json", *words]


def ran(words: list[str]) -> tuple[dict[str, Any], float, float]:
    """What a call says, seconds of the CPU of it without its readers, and its memory in MB."""
    code = (
        "import resource, sys; from snncc.cli.main import run; code = run(sys.argv[1:]); "
        "used = resource.getrusage(resource.RUSAGE_SELF); "
        "print(used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words[3:]], capture_output=True, text=True, check=True
    )
    cpu, memory = done.stderr.split()[-2:]
    return json.loads(done.stdout), float(cpu), int(memory) / 1024


def killed(words: list[str], store: Path, kills: int, seed: int) -> int:
    """Kills a call at random moments after it has kept a shard; gives how many there were."""
    rng, died = np.random.default_rng(seed), 0
    for _ in range(kills):
        before = written(store)
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while written(store) <= before and process.poll() is None:
            time.sleep(0.005)
        time.sleep(rng.uniform(0.0, 0.6))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            died += 1
        process.wait()
    return died


def written(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def alone(program: Path, folder: Path) -> tuple[float, float]:
    """Images a second, and seconds of the CPU an image, of the simulator on pixels in memory."""
    loaded = load_program(program)
    files = tuple(sorted(folder.rglob("*.jpeg"))[:IN_MEMORY])
    images = ImageFiles(files, PRESET.shape, PRESET)[0 : len(files)]
    simulator = Simulator(loaded.graph, 1)
    simulator.run(images[:8])
    start, cpu = time.perf_counter(), time.process_time()
    for first in range(0, len(images), 64):
        simulator.run(images[first : first + 64])
    spent, worked = time.perf_counter() - start, time.process_time() - cpu
    return len(images) / spent, worked / len(images)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=800)
    parser.add_argument("--channels", type=int, default=96)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        folder = given.folder or work / "images"
        make_folder(folder, given.images)
        program = work / "p.snncc"
        save_program(program, Program(network(given.channels), {"preprocess": PRESET.name}))
        rate, each = alone(program, folder)
        print(f"simulator alone: {rate:.1f} images a second, {1e3 * each:.1f} ms of the CPU each")
        part, less, small = ran(call(program, folder, "--limit", str(given.images // 4)))
        whole, cpu, large = ran(call(program, folder, "-o", str(work / "whole.npz")))
        slope = (cpu - less) / (whole["images"] - part["images"])
        share = whole["waited"] / (whole["waited"] + whole["seconds"])
        inside = whole["images"] / (whole["seconds"] + whole["waited"])
        print(
            f"evaluate: {inside:.1f} images a second, {1e3 * slope:.1f} ms of the CPU for each "
            f"image beside its readers; {share:.1%} of its time waits for images"
        )
        print(f"memory: {small:.0f} MB for {part['images']} images, {large:.0f} for all")
        store = ["--store", str(work / "s.sqlite"), "-o", str(work / "resumed.npz")]
        words = call(program, folder, *store, "--shard-size", "8")
        died = killed(words, work / "s.sqlite", given.kills, 0)
        last, _, _ = ran(words)
        same = (work / "whole.npz").read_bytes() == (work / "resumed.npz").read_bytes()
        if not same or last["results_sha256"] != whole["results_sha256"]:
            sys.exit("results differ")
        print(
            f"{died} kills: the same bytes; the last call had {last['this_call']['images']} of "
            f"{last['images']} images left"
        )


if __name__ == "__main__":
    main()
