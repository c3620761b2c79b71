"""Programs for reports: a deep one, and one whose names and places are hostile."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from snncc.artifact import Program
from snncc.ir import Graph, GraphBuilder, Loc, verify
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Contract, Frames, Sum

HOSTILE = (
    "</script><script>document.title = 'run'</script>",
    '"><img src=x onerror="document.title = \'run\'">',
    "' onclick='document.title = 1",
    "${7*7} {{ 7 * 7 }} $x^2$ \\frac",
    "{% raw %} &lt;b&gt; <!-- ]]>".replace("]", ""),
    "javascript:document.title='run'",
    "层 ☃ " + "long" * 110,
)
"""Names of layers; each may name a node."""


def chain(names: Sequence[str], width: int = 6, steps: int = 3) -> Graph:
    """A population for each name, one after the other; every third reads the last but one too."""
    rng = np.random.default_rng(0)
    b = GraphBuilder("integer", steps, "exact")
    before = [b.add(Frames(("f",), (width,)), (), (), "image")]
    for number, name in enumerate(names):
        terms = [
            b.add(
                Contract(weight, ("f",), ("f",)),
                [source],
                (Loc(name, name, number, name, name),),
                f"{name}.map",
            )
            for source in (before[-1:] if number % 3 else before[-2:])
            for weight in [
                b.constant("w", rng.integers(-90, 128, (width, width)).astype(np.int8), ("f", "f"))
            ]
        ]
        current = terms[0] if len(terms) == 1 else b.add(Sum(), terms, (), f"{name}.sum")
        threshold = 15000 if number == 0 else 60
        op = IntegerPopulation(b.constant("k", np.full(width, threshold), ("f",)))
        op = replace(op, membrane=op.membrane_range(b[current].type, b.context))
        place = (Loc(f"net.{name}", "net.py", number + 1, "LIF()", f"x = self.{name}(x)"),)
        before.append(b.add(op, [current], place, name))
    weight = b.constant("h", rng.integers(-9, 9, (4, width)).astype(np.int8), ("k", "f"))
    answer = b.add(Contract(weight, ("f",), ("k",)), [before[-1]], (), "answer")
    graph = b.finish(b.add(IntegerReadout(), [answer], (), "readout"))
    verify(graph)
    return graph


def hostile() -> Program:
    """Markup, quotes, templates and very long text wherever a file may hold any."""
    report = {
        "network": HOSTILE[0],
        "checkpoint": HOSTILE[1],
        "weight_bits": HOSTILE[2],
        "folds": [{"pass": n, "site": n, "fired": False, "text": n} for n in HOSTILE],
        "fidelity": {
            "by": HOSTILE[0],
            "images": HOSTILE[1],
            "populations": [{"name": n, "rate": 0.1, "flips": 0.2, "near": 0.3} for n in HOSTILE],
        },
    }
    return Program(chain(HOSTILE), report)


def deep(layers: int = 140) -> Program:
    """As many layers as the largest networks have."""
    return Program(chain([f"stage.{i // 10}.block.{i % 10}.lif" for i in range(layers)]), {})


def pixels(count: int, width: int = 6) -> np.ndarray:
    """Images of these programs."""
    return np.random.default_rng(1).integers(0, 256, (count, width), dtype=np.uint8)
