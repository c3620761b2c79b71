"""Integer programs on tensors of torch, on a CPU or a GPU: an executor for whole data sets.

The same bits as the interpreter's. Maps are matrix products of `forms.py`: in int8, float32 or
float64 where proved bounds say that no partial sum is rounded, whatever its order, else sums of
int64. No convolution of a library is called: its algorithms (Winograd, FFT) add up numbers that no
bound here speaks of; windows are laid out as rows instead. All other numbers are int64.

`forms.py` chooses the forms and `checking.py` proves them again, by other code. The package imports
torch: nothing imports the package before somebody asks for this executor. One file a family of ops;
each puts its functions into `table.VALUE`.
"""

from snncc.backends.torch_tensors import elements, neurons, projections, state_neurons

FAMILIES = (projections, elements, neurons, state_neurons)
"""The files that fill the table: importing them is what does it."""
