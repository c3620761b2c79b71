"""How many bits each map's weights get: given by name, or the fewest that keep an agreement."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

from snncc.diagnostics import SnnccError
from snncc.ir import Graph
from snncc.ir.dialects.projections import Contract, Convolve
from snncc.quantize.units import Bits

FEWEST, MOST = 2, 16
"""Where the search looks; 16 bits already agree with the real-valued network nearly always."""


@dataclass(frozen=True)
class Trial:
    """One thing that the search tried.

    Attributes:
        text: which bits.
        agreement: share of images with the network's own answer.
    """

    text: str
    agreement: float


def bits_by_layer(graph: Graph, bits: int, layers: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Bits of every projection: those of the last pattern that fits its name, else `bits`.

    Raises:
        SnnccError: SNN001 for a pattern that fits no projection, or decides for none.
    """
    found = {node.name: bits for node in graph.select(Contract, Convolve)}
    deciding: dict[str, str] = {}
    for pattern, own in layers:
        names = [name for name in found if fnmatchcase(name, pattern)]
        if not names:
            near = get_close_matches(pattern, found, 3) or [next(iter(found))]
            raise SnnccError(
                "SNN001",
                f"--layer-bits: no map with weights is called {pattern!r}",
                help=f"names are those of `snncc inspect`, for example {', '.join(near)}",
            )
        found.update(dict.fromkeys(names, own))
        deciding.update(dict.fromkeys(names, pattern))
    vain = [pattern for pattern, _ in layers if pattern not in deciding.values()]
    if vain:
        raise SnnccError(
            "SNN001",
            f"--layer-bits {vain[0]} has no effect here",
            why="later ones decide for every map that it fits",
            help="leave it out, or give it after them",
        )
    return found


def search_bits(
    graph: Graph, wanted: float, agreement_of: Callable[[Bits], float], most: int = MOST
) -> tuple[dict[str, int], tuple[Trial, ...]]:
    """The fewest bits with which a share of images is answered as the network does.

    First one width for all, by bisection; then the largest maps get one bit less, as many of them
    as the agreement allows, by bisection again.

    Args:
        graph: spiking dialect, folded.
        wanted: the agreement to keep, in 0..1.
        agreement_of: lowers with these bits and measures.
        most: bits that a weight may have.

    Raises:
        SnnccError: SNN001 when even so many bits do not keep it.
    """
    sizes = {n.name: _weights(graph, n.name) for n in graph.select(Contract, Convolve)}
    by_size = sorted(sizes, key=lambda name: (-sizes[name], name))
    trials: list[Trial] = []

    def keeps(bits: Bits, text: str) -> bool:
        trials.append(Trial(text, agreement_of(bits)))
        return trials[-1].agreement >= wanted

    if not keeps(dict.fromkeys(sizes, most), f"{most} bits"):
        raise SnnccError(
            "SNN001",
            f"no width up to {most} bits keeps {wanted:.1%} of the answers",
            why=f"{most} bits keep {trials[-1].agreement:.1%}",
            help="ask for less (--agreement), or give more calibration images",
        )
    low, high = FEWEST, most
    while low < high:
        middle = (low + high) // 2
        if keeps(dict.fromkeys(sizes, middle), f"{middle} bits"):
            high = middle
        else:
            low = middle + 1
    if high == FEWEST:
        return dict.fromkeys(sizes, high), tuple(trials)
    few, many = 0, len(by_size)
    while few < many:
        middle = (few + many + 1) // 2
        mixed = _mixed(by_size, middle, high)
        if keeps(mixed, f"{high} bits, {high - 1} for the {middle} largest maps"):
            few = middle
        else:
            many = middle - 1
    return _mixed(by_size, few, high), tuple(trials)


def _mixed(by_size: Sequence[str], count: int, bits: int) -> dict[str, int]:
    return {name: bits - (i < count) for i, name in enumerate(by_size)}


def _weights(graph: Graph, name: str) -> int:
    op = graph[name].op
    return graph.constants[op.weight.name].size if isinstance(op, Contract | Convolve) else 0
