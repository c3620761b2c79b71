"""The interpreter: what an integer program means, in plain NumPy and without a multiplication.

A synapse is a selected addition: the weight rows of the active inputs are gathered and added. A
gain is shifted additions. Nothing here multiplies, divides, or uses floating point, except for the
logits' real unit at the very end, outside the program. `run_nodes` also runs on arrays that refuse
to do so (`refusing_arrays`): every array that holds data is made from one that came in.

One file a family of ops; each puts its functions into `table.VALUE`.
"""

from snncc.runtime.interpreter import (
    currents,
    delays,
    gates,
    inputs,
    moves,
    neurons,
    products,
    projections,
    readout,
    state_neurons,
    thresholds,
    windows,
)
from snncc.runtime.interpreter.program import evaluate, interpret, run_nodes
from snncc.runtime.interpreter.table import VALUE, At, Computed

FAMILIES = (
    inputs,
    projections,
    currents,
    windows,
    moves,
    gates,
    delays,
    products,
    thresholds,
    neurons,
    state_neurons,
    readout,
)
"""The files that fill the table: importing them is what does it."""

__all__ = ["FAMILIES", "VALUE", "At", "Computed", "evaluate", "interpret", "run_nodes"]
