"""Fields that files say in other words than ops: what was written stays as it was, byte for byte.

To a file, a leak's rounding is "floor" (or not there) where it is exact for the comparison, up with
"gt" as it is down with "ge", and "zero" otherwise.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.neuron_rule import Rounding
from snncc.ir.op import Op


@dataclass(frozen=True)
class StoredWords:
    """One field whose words in files are not the op's.

    Attributes:
        field: its name.
        written: the file's word for an op; None where the field is left out.
        read: the op's word for the fields of a file; None where files have no such word.
    """

    field: str
    written: Callable[[Any], str | None]
    read: Callable[[Mapping[str, Any]], str | None]


def _write_rounding(op: IntegerPopulation) -> str | None:
    return None if op.rounding is Rounding.exact_for(op.compare) else op.rounding.value


def _read_rounding(fields: Mapping[str, Any]) -> str | None:
    exact = Rounding.exact_for(fields.get("compare", "ge"))
    known = (("floor", exact), ("zero", Rounding.TO_ZERO))
    word = fields.get("rounding", "floor")
    return next((rounding.value for said, rounding in known if word == said), None)


WORDS: Mapping[type[Op], StoredWords] = {
    IntegerPopulation: StoredWords("rounding", _write_rounding, _read_rounding)
}
