"""The network that a file holds: one Input, one Output, nodes in order between them."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from snncc.diagnostics import Finding, SnnccError
from snncc.frontends.nir.inlining import Inlined, inlined
from snncc.frontends.nir.node_checks import node_findings
from snncc.frontends.nir.records import (
    FROM_WRITER,
    INVALID,
    NO_FORM,
    Edge,
    NirFile,
    NirNode,
)
from snncc.ir import Loc


@dataclass(frozen=True)
class Network:
    """Nodes in an order in which each comes after what it reads, but for edges back.

    Attributes:
        nodes: those that lead to the Output.
        reads: by node, what it reads, in order of names; without the edges back.
        back: the edges that close loops.
        version: as in the file.
        notes: what was repaired or left out.
    """

    nodes: tuple[NirNode, ...]
    reads: dict[str, tuple[str, ...]]
    back: tuple[Edge, ...]
    version: str
    notes: tuple[str, ...]

    @property
    def input(self) -> NirNode:
        return next(node for node in self.nodes if node.kind == "Input" and not node.inner)

    @property
    def output(self) -> NirNode:
        return next(node for node in self.nodes if node.kind == "Output" and not node.inner)


def network_of(file: NirFile) -> Network:
    """The network of a file.

    Raises:
        SnnccError: with everything that is wrong with its nodes and edges, SNN151, and SNN153 for
            several inputs or outputs.
    """
    flat = inlined(file.graph)
    findings = [*node_findings(file.graph), *flat.findings]
    findings += _ends(flat)
    if findings:
        raise SnnccError.of(findings)
    sources = _sources(flat.edges)
    leading = _leading(sources, next(n.name for n in _outer(flat, "Output")))
    findings += _silent(flat, sources, leading)
    if findings:
        raise SnnccError.of(findings)
    notes = [*file.notes, *flat.notes]
    aside = [node.name for node in flat.nodes if node.name not in leading]
    if aside:
        notes.append(f"nodes that do not lead to the Output are left out: {', '.join(aside[:8])}")
    order, back = _ordered(_outer(flat, "Input")[0].name, leading, sources)
    by_name = {node.name: node for node in flat.nodes}
    reads = {
        name: tuple(each for each in sources.get(name, ()) if (each, name) not in back)
        for name in order
    }
    nodes = tuple(by_name[name] for name in order)
    return Network(nodes, reads, tuple(sorted(back)), file.version, tuple(notes))


def _outer(flat: Inlined, kind: str) -> list[NirNode]:
    return [node for node in flat.nodes if node.kind == kind and not node.inner]


def _ends(flat: Inlined) -> list[Finding]:
    findings: list[Finding] = []
    for kind in ("Input", "Output"):
        ends = _outer(flat, kind)
        if not ends:
            why = "where the network begins and ends is not said"
            findings.append(Finding(INVALID, f"the graph has no {kind}", None, why, FROM_WRITER))
        for node in ends[1:]:
            told = f"{node.title} beside {ends[0].name!r}: a program has one {kind.lower()}"
            help_ = "join them into one before the file is written"
            findings.append(node.finding(NO_FORM, told, help=help_))
    into, out_of = Counter(b for _, b in flat.edges), Counter(a for a, _ in flat.edges)
    for node in flat.nodes:
        if node.inner:
            continue
        if (node.kind == "Input" and into[node.name]) or (
            node.kind == "Output" and out_of[node.name]
        ):
            told = f"{node.title} has an edge that leads {'to' if node.kind == 'Input' else 'from'}"
            findings.append(node.finding(INVALID, f"{told} it", help=FROM_WRITER))
    return findings


def _sources(edges: Sequence[Edge]) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for source, target in sorted(edges):
        found[target].append(source)
    return found


def _leading(sources: dict[str, list[str]], output: str) -> set[str]:
    """Everything from which the Output can be reached."""
    found: set[str] = set()
    pending = [output]
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += sources.get(name, [])
    return found


def _silent(flat: Inlined, sources: dict[str, list[str]], leading: set[str]) -> list[Finding]:
    """Nodes that lead to the Output and that nothing of the Input reaches."""
    start = _outer(flat, "Input")[0]
    order, _ = _ordered(start.name, leading, sources)
    findings = [
        node.finding(
            INVALID,
            f"{node.title} reads nothing"
            if not sources.get(node.name)
            else f"{node.title} is idle",
            "no way leads to it from the Input",
            FROM_WRITER,
        )
        for node in flat.nodes
        if node.name in leading - {*order}
    ]
    if start.name not in leading and not findings:
        why = "no way leads from it to the Output"
        findings.append(Finding(INVALID, f"{start.title} is not used", Loc(start.name), why))
    return findings


def _ordered(
    start: str, leading: set[str], sources: dict[str, list[str]]
) -> tuple[list[str], set[Edge]]:
    """Names that can be reached so that sources come first, and the edges that close loops.

    An edge leads back where it leads to a node from which its own source was reached: whatever is
    left out, each node still reads something.
    """
    readers = _sources(
        [(target, source) for target in leading for source in sources.get(target, [])]
    )
    order: list[str] = []
    back: set[Edge] = set()
    done: dict[str, bool] = {start: False}
    stack = [(start, iter(readers.get(start, [])))]
    while stack:
        name, rest = stack[-1]
        following = next(rest, None)
        if following is None:
            done[name] = True
            order.append(name)
            stack.pop()
        elif following not in done:
            done[following] = False
            stack.append((following, iter(readers.get(following, []))))
        elif not done[following]:
            back.add((name, following))
    return order[::-1], back
