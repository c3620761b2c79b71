"""What currents of every step have in a membrane that is read out, leaks and couplings included."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snncc.ir import TIME, Array, Graph, Param
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.neurons import READ, STATE

Real = NDArray[np.float64]


def response(graph: Graph, op: IntegerNeuron, index: Mapping[str, int]) -> list[float]:
    """How often the form of a neuron that never fires counts its current of each step.

    Floors and lower ends are left out: they hold a state back, whatever drives it.

    Args:
        graph: integer dialect.
        op: the neuron.
        index: of the element, with the step at which it is asked for.

    Returns:
        One factor for every step up to that one.
    """
    n = op.states(graph.context)

    def of(param: Param | None, *lead: str) -> Real:
        if param is None:
            return np.zeros([n] * len(lead))
        array: Array = graph.constants[param.name]
        rest = param.axes[len(lead) :]
        place: tuple[Any, ...] = (..., *(index[name] for name in rest))
        return np.asarray(array[place], np.float64)

    leak, gain, form = (of(param, STATE) for param in (op.leak, op.gain, op.form))
    reads = of(op.reads, STATE, READ)
    state, found = np.zeros(n), list[float]()
    for age in range(index[TIME] + 1):
        for i in range(n):
            total = leak[i] * state[i] + reads[i] @ state + (gain[i] if age == 0 else 0.0)
            state[i] = total * 2.0 ** -op.shift[i]
        found.append(float(form @ state))
    return found[::-1]
