"""The graph IR: values with named axes, ops in three dialects, graphs, text form, verifier."""

from snncc.ir.dialects.dialect import DIALECTS, INTEGER, SPIKING, TRACED, Dialect
from snncc.ir.graph import Graph, GraphBuilder, Node, params_of
from snncc.ir.loc import Loc, fuse
from snncc.ir.op import Array, Context, Op, Param, TooWide, TypeRuleError
from snncc.ir.types import TIME, Axis, Kind, ValueType
from snncc.ir.verifier import LimitError, VerifyError, verify

__all__ = [
    "DIALECTS",
    "INTEGER",
    "SPIKING",
    "TIME",
    "TRACED",
    "Array",
    "Axis",
    "Context",
    "Dialect",
    "Graph",
    "GraphBuilder",
    "Kind",
    "LimitError",
    "Loc",
    "Node",
    "Op",
    "Param",
    "TooWide",
    "TypeRuleError",
    "ValueType",
    "VerifyError",
    "fuse",
    "params_of",
    "verify",
]
