"""Writes what the registries know into README.md and docs/layers.md.

    python docs/tools/layers_table.py

A test holds that both are as this writes them.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from snncc.backends.cpu.plan.hosting import COMPILED
from snncc.backends.onnx_graph.table import FORM
from snncc.diagnostics import CODES
from snncc.frontends.nir.conventions import CONVENTIONS
from snncc.frontends.torch_recorder.calls.functions import HANDLERS as FUNCTIONS
from snncc.frontends.torch_recorder.neurons.known import HANDLERS as NEURONS
from snncc.ir.dialects.dialect import INTEGER
from snncc.targets.registry import PROFILES, TARGETS

ROOT = Path(__file__).resolve().parents[2]
PAGE, README = ROOT / "docs/layers.md", ROOT / "README.md"
MARKS = "<!-- made by docs/tools/layers_table.py -->", "<!-- end -->"
FAMILIES = {
    "linear": "linear maps, matrix products, BatchNorm",
    "convolutions": "convolutions",
    "pooling": "pooling",
    "arithmetic": "arithmetic and reductions",
    "activations": "clipping and rounding, ReLUs",
    "logic": "spikes compared: powers and magnitudes of them and of their differences",
    "time_windows": "some of the time steps, and the largest of all",
    "moves": "parts, moves, padding, upsampling",
    "shapes": "shapes, copies, casts, joins",
}
"""What the files of handlers are about; a file that is not here ends in a KeyError."""
OF_MODELS = range(20, 37)
"""Numbers of the codes that say what cannot be compiled."""


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def functions() -> list[tuple[str, str]]:
    """Torch functions that have a handler, by family."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name, handler in FUNCTIONS.items():
        found[handler.__module__.rpartition(".")[2]].append(f"`{name}`")
    if unknown := set(found) - set(FAMILIES):
        raise KeyError(*unknown)
    return [(what, " ".join(sorted(found[file]))) for file, what in FAMILIES.items()]


def neurons() -> list[tuple[str, str]]:
    """Classes of neurons that have a handler, by package."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for package, name in NEURONS:
        found[package].append(f"`{name}`")
    return [(package, " ".join(names)) for package, names in sorted(found.items())]


def ops() -> list[tuple[str, str, str, str]]:
    """Ops of integer programs: what they are, and where they run."""
    rows: list[tuple[str, str, str, str]] = []
    for name, op in INTEGER.ops.items():
        refusal = FORM.refusal(op)
        what = (op.__doc__ or "").split("\n")[0].replace("|", "\\|")
        compiled = "compiled" if op in COMPILED else "on the host, between compiled units"
        rows.append((f"`{name}`", what, compiled, "yes" if refusal is None else refusal.why))
    return rows


def short() -> list[str]:
    """The table of the README."""
    rows = [*functions(), *((f"neurons of {package}", names) for package, names in neurons())]
    return table(("what", "by name"), rows)


def page() -> str:
    """The page."""
    refused = [
        (f"[`{code}`](diagnostics.md)", entry.title)
        for code, entry in CODES.items()
        if int(code[3:]) in OF_MODELS
    ]
    lines = [
        "# What is supported",
        "",
        "`python docs/tools/layers_table.py` writes this page from the registries of the compiler",
        "itself. A model is run once, and what counts is the functions that it calls,",
        "under whatever name of a layer: `nn.Conv2d` is `conv2d`, `x.flatten(1)` is `flatten`.",
        "`snncc verify --model package.module:factory` says of a model what of it compiles.",
        "",
        "## Functions of torch",
        "",
        *table(("what", "by name"), functions()),
        "",
        "A handler can still refuse a call, with the reason: `clamp` is of a neuron's membrane,",
        "`mul` is by a constant or by spikes.",
        "",
        "## Neurons",
        "",
        *table(("package", "classes"), neurons()),
        "",
        "Other neurons, by whomever, are read by algebra where what they do is linear once their",
        "spikes are known: [neurons.md](neurons.md).",
        "",
        "## NIR",
        "",
        *table(
            ("`--convention`", "whose spikes"),
            [(f"`{k}`", c.about) for k, c in CONVENTIONS.items()],
        ),
        "",
        "## Ops of integer programs",
        "",
        "The interpreter computes all of them; the simulator has compiled units for some and asks",
        "the interpreter for the others, with the same bits.",
        "",
        *table(("op", "what it is", "simulator", "ONNX"), ops()),
        "",
        "## Targets and profiles",
        "",
        f"Targets: {', '.join(f'`{name}`' for name in TARGETS)}. "
        f"Profiles: {', '.join(f'`{name}`' for name in PROFILES)}. See [targets.md](targets.md).",
        "",
        "## What is refused",
        "",
        *table(("code", "what"), refused),
        "",
    ]
    return "\n".join(lines)


def readme(text: str) -> str:
    """The README with the table between its marks."""
    start, end = MARKS
    pattern = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(text):
        raise ValueError("README.md has no place for the table")
    return pattern.sub(lambda _: "\n".join([start, *short(), end]), text)


if __name__ == "__main__":
    PAGE.write_text(page())
    README.write_text(readme(README.read_text()))
