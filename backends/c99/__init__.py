"""Integer programs as portable C99: one header, one source, static memory, no library.

Every op has one function, in the file of its family, which `table.FORM` lists; `source` puts them
together. The code has no floating point and no `*`, `/` or `%`, on indices either; what compilers
make of it is for `object_code` to look at.
"""

from snncc.backends.c99 import (
    currents,
    delays,
    gates,
    inputs,
    moves,
    neurons,
    projections,
    readout,
    state_neurons,
    thresholds,
    windows,
)
from snncc.backends.c99.table import FORM

FAMILIES = (
    *(inputs, projections, currents, windows, moves, gates, delays),
    *(neurons, state_neurons, thresholds, readout),
)
"""The files that fill the table: importing them is what does it."""

__all__ = ["FAMILIES", "FORM"]
