"""Staircases: how many thresholds a current has passed."""

import numpy as np

from snncc.checker.program_file import Array, require
from snncc.checker.values import Found, NodeRecord, counted, statement

LEVEL = "threshold.level"
MOST_LEVELS = 2**12


def multi_threshold(site: NodeRecord) -> Found:
    """Gives lowest + (number of i with polarity * x >= thresholds[.., i])."""
    source, field = site.source("current"), site.fields
    require(LEVEL not in source.sizes, "the current has an axis of levels")
    names, array = site.constant("thresholds")
    require(names[-1:] == (LEVEL,), "thresholds do not end in the axis of levels")
    levels = array.shape[-1]
    require(1 <= levels <= MOST_LEVELS, "too few or too many thresholds")
    signs = () if field["polarity"] is None else site.constant("polarity")[0]
    made = source.timed(site.steps) if "t" in (*names, *signs) else source
    rows = site.over("thresholds", (*made.axes, (LEVEL, levels))).reshape(-1, levels)
    require(_ascend(rows), "thresholds do not ascend")
    polarity = site.over("polarity", made.axes, 1)
    require(set(np.unique(polarity).tolist()) <= {-1, 0, 1}, "a polarity is not -1, 0 or 1")
    require(field["above"] is None, "integers are compared by >= alone")
    lowest = field["lowest"]
    whole = type(lowest) is int and -MOST_LEVELS <= lowest <= MOST_LEVELS
    require(whole, "lowest is no whole number, or too far from 0")
    value = counted(made.axes, (lowest, lowest + levels))
    return value, statement("thresholds-passed", "compare add")


def _ascend(rows: Array) -> bool:
    return bool((rows[:, :-1] <= rows[:, 1:]).all())
