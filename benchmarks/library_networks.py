"""Spiking networks of SpikingJelly at a given size, compiled and run beside SpikingJelly itself.

Weights are random and no checkpoint is read: BatchNorms have the statistics of random images, gains
of both signs, and offsets at which neurons fire as often as in trained networks. Times are those of
one processor; every image is run by both in turn, and ratios are medians of the pairs, so that what
else the machine does is in both. Writes docs/library_networks.md from docs/library_networks.json.

    python benchmarks/library_networks.py [--network SEW-ResNet-34 ...] [--size 224] [--note TEXT]
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from spikingjelly.activation_based import functional, neuron
from torch import nn

import snncc
from snncc.ir.populations import population_nodes
from snncc.mfi import prove
from snncc.runtime.simulator import Simulator

ROOT = Path(__file__).resolve().parent.parent
PAGE, FACTS = ROOT / "docs/library_networks.md", ROOT / "docs/library_networks.json"
STEPS, CLASSES, BITS, PAIRS = 4, 1000, 8, 5
COLUMNS = (
    ("network", "network"),
    ("size", "image"),
    ("parameters", "parameters"),
    ("level", "level"),
    ("rates", "spike rates"),
    ("compile_s", "compile, s"),
    ("compile_gb", "compile, GB"),
    ("megabytes", "program, MB"),
    ("prove_s", "verdict, s"),
    ("event_ms", "event kernels, ms"),
    ("auto_ms", "auto, ms"),
    ("torch_ms", "SpikingJelly, ms"),
    ("event_ratio", "SpikingJelly / event"),
    ("auto_ratio", "SpikingJelly / auto"),
)


def without_torchvision() -> None:
    """The models ask torchvision for a download helper alone, which nothing here calls."""
    try:
        import torchvision  # noqa: F401
    except ImportError:
        for name in ("torchvision", "torchvision.models", "torchvision.models.utils",
                     "torchvision._internally_replaced_utils"):  # fmt: skip
            sys.modules[name] = types.ModuleType(name)
            vars(sys.modules[name])["load_state_dict_from_url"] = None


def network(name: str, size: int) -> nn.Module:
    """The library's own model."""
    without_torchvision()
    from spikingjelly.activation_based.model import sew_resnet, spikformer, spiking_vgg

    torch.manual_seed(0)
    if name == "SEW-ResNet-34":
        return sew_resnet.sew_resnet34(cnf="ADD", spiking_neuron=neuron.IFNode, num_classes=CLASSES)
    if name == "spiking VGG-16":
        return spiking_vgg.spiking_vgg16_bn(
            spiking_neuron=neuron.LIFNode, tau=2.0, num_classes=CLASSES
        )
    patch = 16 if size >= 128 else 4
    return spikformer.Spikformer(
        T=STEPS, img_size_h=size, img_size_w=size, patch_size=patch, num_classes=CLASSES,
        embed_dims=384, num_heads=12, depths=8,
    )  # fmt: skip


NETWORKS = ("SEW-ResNet-34", "spiking VGG-16", "Spikformer-8-384")


def prepared(name: str, size: int) -> nn.Module:
    model = network(name, size)
    functional.set_step_mode(model, "m")
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = 1.0
            module.weight.data.uniform_(0.5, 1.5)
            module.weight.data[::7] *= -1
            module.bias.data.uniform_(-0.8, 0.0)
    with torch.no_grad():
        model.train()(torch.rand(2, 3, size, size).unsqueeze(0).repeat(STEPS, 1, 1, 1, 1))
    functional.reset_net(model)
    return model.eval()


def timed(call: Callable[[], Any]) -> float:
    """Milliseconds of this process."""
    start = time.process_time()
    call()
    return 1e3 * (time.process_time() - start)


def measured(name: str, size: int) -> dict[str, Any]:
    """All there is to say of one network, in a process of its own."""
    torch.set_num_threads(1)
    model = prepared(name, size)
    found: dict[str, Any] = {"network": name, "size": f"{size} x {size}"}
    found["parameters"] = sum(each.numel() for each in model.parameters())
    compiled: list[snncc.Program] = []
    shape = (3, size, size)
    found["compile_s"] = timed(
        lambda: compiled.append(
            snncc.compile(model, weight_bits=BITS, input_shape=shape, steps=STEPS)
        )
    ) / 1e3  # fmt: skip
    found["compile_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    program = compiled[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p.snncc"
        program.save(path)
        found["megabytes"] = path.stat().st_size / 1e6
    levels: list[str] = []
    found["prove_s"] = timed(lambda: levels.append(prove(program.graph).level.name.lower())) / 1e3
    found["level"] = levels[0]
    return found | beside(model, program, size)


def beside(model: nn.Module, program: snncc.Program, size: int) -> dict[str, Any]:
    """Both kernels and SpikingJelly on one image, in turn."""
    image = np.random.default_rng(1).integers(0, 256, (3, size, size), dtype=np.uint8)
    given = (torch.from_numpy(image).float() / 255)[None, None].repeat(STEPS, 1, 1, 1, 1)
    events, auto = (Simulator(program.graph, 1, kernels=kind) for kind in ("event", "auto"))
    ran = events.run(image[None])
    if not np.array_equal(ran.readout, auto.run(image[None]).readout):
        raise AssertionError("kernels differ")

    def library() -> None:
        functional.reset_net(model)
        with torch.no_grad():
            model(given)

    library()
    rows = [
        (timed(lambda: events.run(image[None])), timed(lambda: auto.run(image[None])),
         timed(library))
        for _ in range(PAIRS)
    ]  # fmt: skip
    rates = [
        ran.spike_counts[node.name] / (node.type.neurons * STEPS)
        for node in population_nodes(program.graph)
    ]
    event, other, torch_ms = (median(column) for column in zip(*rows, strict=True))
    return {
        "rates": f"{min(rates):.1%} to {max(rates):.1%}, mean {sum(rates) / len(rates):.1%}",
        "event_ms": event,
        "auto_ms": other,
        "torch_ms": torch_ms,
        "event_ratio": median(row[2] / row[0] for row in rows),
        "auto_ratio": median(row[2] / row[1] for row in rows),
        "dense": len(auto.dense_layers),
    }


def shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if value >= 100 else f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def page(rows: list[dict[str, Any]], note: str) -> str:
    lines = [
        "# Networks of SpikingJelly, beside SpikingJelly",
        "",
        (__doc__ or "").split("\n\n")[1].replace("\n", " ").rpartition(" Writes ")[0],
        f"T = {STEPS}, {CLASSES:,} classes, {BITS}-bit weights, one thread. {note}",
        "",
        "| " + " | ".join(title for _, title in COLUMNS) + " |",
        "| " + " | ".join("---" for _ in COLUMNS) + " |",
        *("| " + " | ".join(shown(row[key]) for key, _ in COLUMNS) + " |" for row in rows),
    ]
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", nargs="*", default=NETWORKS, choices=NETWORKS)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--note", default="")
    parser.add_argument("--one", action="store_true", help="in this process, to standard output")
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measured(asked.network[0], asked.size)))
        return
    kept = json.loads(FACTS.read_text()) if FACTS.exists() else {"rows": [], "note": ""}
    for name in asked.network:
        command = [sys.executable, __file__, "--one", "--network", name, "--size", str(asked.size)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        row = json.loads(done.stdout.splitlines()[-1])
        same = (row["network"], row["size"])
        kept["rows"] = [r for r in kept["rows"] if (r["network"], r["size"]) != same] + [row]
        kept["note"] = asked.note or kept["note"]
        FACTS.write_text(json.dumps(kept, indent=1) + "\n")
        PAGE.write_text(page(kept["rows"], kept["note"]))


if __name__ == "__main__":
    main()
