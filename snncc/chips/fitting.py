"""Does a program fit a chip? All limits at once, whatever is broken or unknown."""

from snncc.chips.facts import Chip
from snncc.chips.fields import LAYERS, SYNAPSES
from snncc.chips.needs import Needs, needs_of
from snncc.chips.rules.layer_cores import judge_layer_cores
from snncc.chips.rules.memory_tables import judge_memory_tables
from snncc.chips.rules.neurons import judge_neurons
from snncc.chips.rules.synapse_memory import judge_synapse_memory
from snncc.chips.unrolling import MOST_SYNAPSES, Unrolled, unroll
from snncc.chips.verdicts import PROGRAM, Fit, Judge, Unsaid
from snncc.ir import Graph


class Fitter:
    """A program, unrolled once for all chips.

    Args:
        graph: integer dialect.
    """

    def __init__(self, graph: Graph) -> None:
        self.unrolled: Unrolled = unroll(graph)
        self.needs: tuple[Needs, ...] = needs_of(self.unrolled)

    def fit(self, chip: Chip) -> Fit:
        """The answer for one chip."""
        judge = Judge(chip)
        for finding in self.unrolled.refused:
            why = f"{finding.message}: {finding.why}; {finding.help}"
            judge.unsaid.append(Unsaid(PROGRAM, "synapses", "", why))
        if self.unrolled.too_many:
            why = f"more than {MOST_SYNAPSES:,} synapses: they are counted and not unrolled"
            judge.unsaid.append(Unsaid(PROGRAM, "synapses", "", why))
        for each in self.needs:
            judge_neurons(judge, each)
        if chip.family == SYNAPSES:
            judge_synapse_memory(judge, self.unrolled, self.needs)
        elif chip.family == LAYERS:
            judge_layer_cores(judge, self.unrolled.graph, self.needs)
        else:
            judge_memory_tables(judge, self.needs)
        return judge.answer(self.needs)
