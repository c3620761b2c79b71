"""What an op is in ONNX: the table, what its functions are given, and what they give."""

from collections.abc import Sequence
from dataclasses import dataclass

from snncc.backends.onnx_graph.draft import Draft
from snncc.backends.onnx_graph.value import Value
from snncc.backends.onnx_graph.writer import Writer
from snncc.diagnostics import SnnccError
from snncc.ir import INTEGER, TIME, Graph, Node, ValueType
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.meaning import Meaning


@dataclass(frozen=True)
class At:
    """A node that is to be written.

    Attributes:
        draft: the graph under construction.
        node: of the program.
        sources: values of its inputs, in any order of axes.
    """

    draft: Draft
    node: Node
    sources: Sequence[Value]

    @property
    def w(self) -> Writer:
        return self.draft.w

    @property
    def graph(self) -> Graph:
        return self.draft.graph

    @property
    def inputs(self) -> tuple[ValueType, ...]:
        """Types of the sources."""
        return self.draft.graph.input_types(self.node)

    def ordered(self) -> tuple[Value, tuple[str, ...]]:
        """The first source with time in front, and its axes with time, whether it has it or not."""
        source = self.sources[0]
        rest = tuple(axis for axis in source.axes if axis != TIME)
        order = (TIME, *rest)
        return self.w.transpose(source, order if TIME in source.axes else rest), order

    def joined(self) -> tuple[str, ...]:
        """Axes over which all sources can lie: those of the widest, and time in front."""
        widest = max((source.axes for source in self.sources), key=len)
        timed = any(TIME in source.axes for source in self.sources)
        return (TIME, *widest) if timed and TIME not in widest else widest

    def refused(self, why: str) -> SnnccError:
        """The error for a node whose numbers have no form (SNN040)."""
        return SnnccError(
            "SNN040",
            f"{FORM.name} has no form for {self.node.op.mnemonic} ({self.node.name})",
            loc=self.node.loc,
            why=why,
            help="run the program with `snncc run`, or make the layer smaller",
        )


FORM: Meaning[At, Value] = Meaning("ONNX", INTEGER)
FORM.refuses(
    Delay,
    why="loops through delays are written as no graph yet",
    help="run the program with `snncc run`",
)
FORM.refuses(
    IntegerNeuron,
    why="neurons of several states are written as no graph yet",
    help="run the program with `snncc run`, or use neurons of one state",
)
