"""The op that neurons of a loop become."""

import numpy as np
import torch
from numpy.typing import NDArray

from snncc.frontends.torch_recorder.axis_solver import Dim
from snncc.frontends.torch_recorder.loops.neuron_variants import joined
from snncc.frontends.torch_recorder.loops.states import States, Varied
from snncc.frontends.torch_recorder.steps import Build, Naming
from snncc.ir import Op, Param
from snncc.ir.dialects import traced as ops
from snncc.ir.dialects.neurons import neuron


def built(op: ops.Lif | States | Varied, dims: tuple[Dim, ...]) -> tuple[str, Build]:
    """How the op of neurons is called and built, over the dimensions of one step."""
    if isinstance(op, ops.Lif):
        return "lif", lambda _n: op

    def build(n: Naming) -> Op:
        def store(what: str, values: NDArray[np.float64]) -> Param:
            kept = [i for i in range(-values.ndim, 0) if values.shape[i] != 1]
            return n.param(what, torch.from_numpy(values), *(dims[i] for i in kept))

        one = joined(op, store) if isinstance(op, Varied) else op
        return neuron(n.builder, n.stem, one.states, one.form, one.fire, read=one.read)

    return "neuron", build
