"""What an op gives for its inputs, kept with the op once the verifier has looked.

A pass hands most ops on as they are, and the verifier looks at the whole graph after each: type
rules, which read every constant, are asked again only where an input or a constant is another.
"""

from dataclasses import dataclass

from snncc.ir.op import Array, Context, Op, Param
from snncc.ir.types import ValueType

KEY = "_fit"


@dataclass(frozen=True, slots=True)
class _Fit:
    """Of one op: what was looked at, and the type of its result."""

    dialect: str
    steps: int
    inputs: tuple[ValueType, ...]
    arrays: tuple[Array, ...]
    result: ValueType


def known_fit(
    dialect: str, op: Op, params: tuple[Param, ...], inputs: tuple[ValueType, ...], context: Context
) -> ValueType | None:
    """The type that the verifier found right for exactly these; None where it has not looked.

    Constants are the same arrays, and nobody can write to them.
    """
    fit: _Fit | None = op.__dict__.get(KEY)
    if fit is None or (fit.dialect, fit.steps) != (dialect, context.steps) or fit.inputs != inputs:
        return None
    for param, array in zip(params, fit.arrays, strict=True):
        if context.constants.get(param.name) is not array or array.flags.writeable:
            return None
    return fit.result


def keep_fit(
    dialect: str,
    op: Op,
    params: tuple[Param, ...],
    inputs: tuple[ValueType, ...],
    context: Context,
    result: ValueType,
) -> None:
    """Keeps what the verifier found, in place of what it found before."""
    arrays = tuple([context.constants[param.name] for param in params])
    op.__dict__[KEY] = _Fit(dialect, context.steps, inputs, arrays, result)
