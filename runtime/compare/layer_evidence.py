"""What is known of the first layer that differs, from both sides."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from snncc.ir import Array
from snncc.ir.dialects.neuron_rule import NeuronRule
from snncc.runtime.compare.layer_inputs import LayerInputs
from snncc.runtime.compare.neuron_rules import Replay, replay
from snncc.runtime.compare.program_differences import ConstantDifference


@dataclass(frozen=True)
class LayerSide:
    """One side's view of a layer; arrays [batch, t, ...].

    Attributes:
        label: "A" or "B".
        spikes: recorded.
        levels: recorded membranes in the units of this side's program, or None.
        inputs: what reached the neurons, None where there is no program to say it.
        rule: how the program's neurons step, None likewise.
    """

    label: str
    spikes: Array
    levels: Array | None
    inputs: LayerInputs | None
    rule: NeuronRule | None

    @cached_property
    def expected(self) -> Replay | None:
        """What the program gives after this side's own history."""
        if self.inputs is None or self.rule is None:
            return None
        return replay(self.inputs.drive, self.inputs.thresholds, self.rule, self.spikes)

    def follows(self) -> bool | None:
        """Whether what was recorded is what the program gives; None where that is not known."""
        expected = self.expected
        if expected is None:
            return None
        same_levels = self.levels is None or np.array_equal(self.levels, expected.levels)
        return same_levels and np.array_equal(self.spikes, expected.spikes)


@dataclass(frozen=True)
class LayerEvidence:
    """What is known of the first layer that differs.

    Attributes:
        own: the side whose program explains; `other` is the one to be explained.
        same_program: both ran the same integers.
        place: image, step and neuron of the first difference.
        constants: what differs between two programs here; None where they are not built alike.
    """

    own: LayerSide
    other: LayerSide
    same_program: bool
    place: tuple[int, ...]
    constants: tuple[ConstantDifference, ...] | None = None

    @property
    def same_currents(self) -> bool:
        """Whether both programs give the same current for the same spikes, in the same unit."""
        known = self.constants is not None and not any(c.currents for c in self.constants)
        return self.same_program or known
