"""The verifier: a graph is legal when every node matches its dialect's table and type rules."""

from collections.abc import Iterable

import numpy as np

from snncc.ir.codec import shown
from snncc.ir.cycles import loop_without_neurons
from snncc.ir.dialects.dialect import DIALECTS, TRACED
from snncc.ir.fits import keep_fit, known_fit
from snncc.ir.graph import Graph, Node, params_of
from snncc.ir.limits import Found, limit_problems
from snncc.ir.names import is_name
from snncc.ir.op import WIDEST, TypeRuleError, is_integer
from snncc.ir.program_rules import program_problems
from snncc.ir.types import Kind


class VerifyError(ValueError):
    """A graph breaks a rule of its dialect.

    Attributes:
        problems: one line for each broken rule, with the node's name and place.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class LimitError(VerifyError):
    """A graph is larger than the stated limits; docs/program_rules.md lists them."""


def verify(graph: Graph) -> None:
    """Checks a whole graph and reports every problem at once.

    What later checks rely on is checked first: order and names, then sizes, then the form of a
    program, then every node's type rule.

    Raises:
        LimitError: naming everything that exceeds a limit.
        VerifyError: naming every node that breaks a rule.
    """
    if _is_known(graph):
        return
    problems = _name_problems(graph) or _structure_problems(graph)
    if problems:
        raise VerifyError(problems)
    if graph.dialect != TRACED.name:
        problems = _placed(graph, limit_problems(graph))
        if problems:
            raise LimitError(problems)
    if DIALECTS[graph.dialect].integer:
        problems = _foreign(graph) or _placed(graph, program_problems(graph))
    if not problems:
        problems = [text for node in graph.nodes for text in _node_problems(graph, node)]
    if problems:
        raise VerifyError(problems)
    graph.__dict__[KNOWN] = tuple(graph.constants.items())


KNOWN = "_constants_when_verified"


def _is_known(graph: Graph) -> bool:
    """Whether a graph has been found legal and nothing can have changed since.

    A graph is frozen; its constants are the same arrays, and cannot be written to.
    """
    known = graph.__dict__.get(KNOWN, ())
    if len(known) != len(graph.constants) or not known:
        return False
    pairs = zip(known, graph.constants.items(), strict=True)
    return all(a is b and n == m and not b.flags.writeable for (n, a), (m, b) in pairs)


def _name_problems(graph: Graph) -> list[str]:
    """Names that the messages below could not show as they are."""
    if graph.dialect not in DIALECTS:
        return [f"unknown dialect {graph.dialect!r}"]
    if not DIALECTS[graph.dialect].integer:
        return []
    names = (graph.output, *(name for node in graph.nodes for name in (node.name, *node.inputs)))
    wrong = [name for name in dict.fromkeys(names) if not is_name(name)]
    return [
        f"{shown(name)} cannot be a name: it is not printable, has brackets, or is too long"
        for name in wrong
    ]


def _placed(graph: Graph, found: Iterable[Found]) -> list[str]:
    """What is wrong, with the place in the user's model where it is known."""
    return [f"{_place(graph[n])}: {text}" if n in graph.by_name else text for n, text in found]


def _place(node: Node) -> str:
    return f"%{node.name} ({node.locs[0]})" if node.locs else f"%{node.name}"


def _foreign(graph: Graph) -> list[str]:
    """Ops that the dialect does not have; nothing more can be said about a graph with them."""
    return [text for node in graph.nodes for text in _op_problems(graph, node)]


def _op_problems(graph: Graph, node: Node) -> list[str]:
    dialect = DIALECTS[graph.dialect]
    if dialect.has(node.op):
        return []
    return [f"{_place(node)}: {node.op.mnemonic} is not an op of the {dialect.name} dialect"]


def _structure_problems(graph: Graph) -> list[str]:
    found: list[str] = []
    if graph.steps < 1:
        found.append(f"a program needs at least one time step, not {graph.steps}")
    seen: set[str] = set()
    for node in graph.nodes:
        if node.name in seen:
            found.append(f"%{node.name}: the name is used twice")
        known = graph.by_name if node.op.looks_back else seen
        found += [
            f"%{node.name}: reads %{i} before it exists" for i in node.inputs if i not in known
        ]
        seen.add(node.name)
    if graph.output not in seen:
        found.append(f"the output %{graph.output} does not exist")
    elif graph.dialect != "traced" and graph[graph.output].type.kind is not Kind.READOUT:
        found.append(f"the output %{graph.output} is {graph[graph.output].type}, not a readout")
    return found or _loop_problems(graph)


def _loop_problems(graph: Graph) -> list[str]:
    node = loop_without_neurons(graph)
    if node is None:
        return []
    what = "reads itself through delays and no neurons: that is a neuron's state, not wiring"
    return [f"{_place(node)}: {what}"]


def _node_problems(graph: Graph, node: Node) -> list[str]:
    dialect = DIALECTS[graph.dialect]
    params, inputs = params_of(node.op), graph.input_types(node)
    if node.type == known_fit(graph.dialect, node.op, params, inputs, graph.context):
        return []
    place = _place(node)
    found = _op_problems(graph, node)
    for param in params:
        array = graph.constants.get(param.name)
        if array is None:
            found.append(f"{place}: constant @{param.name} is missing")
        elif dialect.integer and not is_integer(array):
            found.append(f"{place}: @{param.name} is {array.dtype}, the dialect is integer")
        elif not dialect.integer and not np.isfinite(array).all():
            found.append(f"{place}: @{param.name} holds a value that is not finite")
    if found:
        return found
    try:
        inferred = node.op.infer(inputs, graph.context)
        node.op.verify(inputs, graph.context)
    except (TypeRuleError, ValueError, KeyError) as error:
        return [f"{place}: {node.op.mnemonic}: {error}"]
    if inferred != node.type:
        found.append(f"{place}: the type says {node.type}, the type rule gives {inferred}")
    if inferred.range is not None and max(map(_bits, inferred.range)) > WIDEST:
        found.append(f"{place}: {inferred} needs more than {WIDEST} bits")
    if not found:
        keep_fit(graph.dialect, node.op, params, inputs, graph.context, inferred)
    return found


def _bits(value: int) -> int:
    return (value if value >= 0 else ~value).bit_length() + 1
