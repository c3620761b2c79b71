"""The answer: y = sum of x over T steps, and an offset; its real unit stays outside."""

import math

from snncc.checker.program_file import require
from snncc.checker.values import Found, NodeRecord, Value, narrow, statement

LARGEST_UNIT = 2.0**900


def readout(site: NodeRecord) -> Found:
    source, unit = site.source("current"), site.fields["unit"]
    require(type(unit) is float and 0 < unit < math.inf, "the unit is not positive")
    require(unit <= LARGEST_UNIT, "the unit is beyond 2^900, answers could be infinite")
    low, high = (end * site.steps for end in source.interval)
    narrow("the sum over time", low, high)
    offset = site.over("offset", source.rest)
    value = Value("readout", source.rest, (low + int(offset.min()), high + int(offset.max())))
    return value, statement("sum-over-time", "add")
