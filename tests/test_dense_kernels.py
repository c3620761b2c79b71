"""Matrix products beside event kernels: the same bits."""


import numpy as np

from snncc.runtime import Execution


def same(wanted: Execution, got: Execution, where: object) -> None:
    assert np.array_equal(wanted.readout, got.readout), where
    assert wanted.spike_counts == got.spike_counts, where
    for name in wanted.spikes:
        assert np.array_equal(wanted.spikes[name], got.spikes[name]), (where, name)
        assert np.array_equal(wanted.membranes[name], got.membranes[name]), (where, name)
