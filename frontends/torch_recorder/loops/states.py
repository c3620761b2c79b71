"""What neurons of several states are, before they are ops."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snncc.frontends.torch_recorder.loops.forms import Form
from snncc.frontends.torch_recorder.loops.timing import Place
from snncc.ir.dialects.neurons import Fire, Number, State


@dataclass(frozen=True)
class States:
    """What a general neuron is, before it is an op.

    Attributes:
        states: in the order in which a step computes them.
        form: what is compared or given, by number of the state.
        fire: None where it never fires.
        read: what is given of the states after the reset; None where spikes are, or the form.
    """

    states: tuple[State, ...]
    form: Mapping[int, Number]
    fire: Fire | None
    read: Mapping[int, Number] | None = None

    @property
    def gives_current(self) -> bool:
        return self.fire is None or self.read is not None

    @property
    def gives_bits(self) -> bool:
        """Whether what it gives is 0 or 1."""
        fire = self.fire
        return fire is not None and self.read is None and fire.most == 1 and fire.below is None


@dataclass(frozen=True, eq=False)
class Varied:
    """Neurons of several kinds.

    Attributes:
        kinds: what each is; they differ in numbers only.
        which: the kind of each neuron, over the last dimensions of a step's tensor.
    """

    kinds: tuple[States, ...]
    which: NDArray[np.intp]


@dataclass(frozen=True)
class Read:
    """A general neuron with what it reads.

    Attributes:
        op: what it is.
        currents: by form, with a gain each.
        offset: what is added to what it gives.
        gives: the calls that give that.
    """

    op: States
    currents: Mapping[Form, float]
    offset: float
    gives: frozenset[Place]
