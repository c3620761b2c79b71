"""Vectors as values in compiled code: loads, additions, shifts, comparisons, selections.

Numba's own loops over arrays leave it to the compiler whether sums stay in registers. Here they do:
a vector is one value of LLVM, which every machine has (narrower registers take several each).
There is no multiplication among these, and no floating point.

Addresses are int64; the caller answers for them.
"""

import os
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending
from numba.core import cgutils, types

Builder = Any  # llvmlite's; it comes without types
declare: Any = cgutils.get_or_insert_function


def intrinsic(function: Callable[..., Any]) -> Any:
    """Numba's decorator, with a type; who calls the function leaves `context` out."""
    made: Any = extending.intrinsic
    return made(function)


class Vector(types.Type):
    """`lanes` integers of `bits` each, in registers."""

    def __init__(self, bits: int, lanes: int) -> None:
        self.bits = bits
        self.lanes = lanes
        super().__init__(name=f"i{bits}x{lanes}")

    @property
    def llvm(self) -> Any:
        return ir.VectorType(ir.IntType(self.bits), self.lanes)

    def full(self, value: int) -> Any:
        return ir.Constant(self.llvm, [value] * self.lanes)


@extending.register_model(Vector)
class _VectorModel(extending.models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Vector) -> None:
        made: Any = super().__init__
        made(manager, kind, kind.llvm)


SHORTS = Vector(16, 32)
INTS = Vector(32, 16)
LONGS = Vector(64, 16)
OCTET = Vector(64, 8)
FLAGS = Vector(1, 16)
LONG = types.int64


def _pointer(builder: Builder, address: Any, kind: Any) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


def _read(builder: Builder, address: Any, kind: Any) -> Any:
    value = builder.load(_pointer(builder, address, kind))
    value.align = 1
    return value


def _write(builder: Builder, address: Any, value: Any) -> None:
    builder.store(value, _pointer(builder, address, value.type)).align = 1


def _vector_load(bits: int, kind: Vector) -> Any:
    """As many integers of `bits` as `kind` has lanes, each widened with its sign."""

    @intrinsic
    def load(context: Any, address: Any) -> Any:
        def build(_context: Any, builder: Builder, _signature: Any, args: Any) -> Any:
            value = _read(builder, args[0], ir.VectorType(ir.IntType(bits), kind.lanes))
            return value if bits == kind.bits else builder.sext(value, kind.llvm)

        return kind(LONG), build

    return load


def _scalar_load(bits: int, signed: bool) -> Any:
    @intrinsic
    def load(context: Any, address: Any) -> Any:
        def build(_context: Any, builder: Builder, _signature: Any, args: Any) -> Any:
            value, wide = _read(builder, args[0], ir.IntType(bits)), ir.IntType(64)
            if bits == 64:
                return value
            return builder.sext(value, wide) if signed else builder.zext(value, wide)

        return LONG(LONG), build

    return load


def _store(bits: int) -> Any:
    """Writes a vector, or an int64, as integers of `bits`."""

    @intrinsic
    def store(context: Any, address: Any, value: Any) -> Any:
        def build(_context: Any, builder: Builder, signature: Any, args: Any) -> Any:
            kind = signature.args[1]
            if isinstance(kind, Vector):
                narrow: Any = ir.VectorType(ir.IntType(bits), kind.lanes)
            else:
                narrow = ir.IntType(bits)
            same = narrow == args[1].type
            _write(builder, args[0], args[1] if same else builder.trunc(args[1], narrow))
            return _context.get_dummy_value()

        return types.void(LONG, value), build

    return store


def _binary(name: str) -> Any:
    """An instruction on two vectors, lane by lane."""

    @intrinsic
    def operation(context: Any, a: Any, b: Any) -> Any:
        def build(_context: Any, builder: Builder, _signature: Any, args: Any) -> Any:
            return getattr(builder, name)(args[0], args[1])

        return a(a, b), build

    return operation


def _compare(sign: str) -> Any:
    @intrinsic
    def compare(context: Any, a: Any, b: Any) -> Any:
        def build(_context: Any, builder: Builder, _signature: Any, args: Any) -> Any:
            return builder.icmp_signed(sign, args[0], args[1])

        return FLAGS(a, b), build

    return compare


load8_shorts = _vector_load(8, SHORTS)
load8 = _vector_load(8, INTS)
load16 = _vector_load(16, INTS)
load32 = _vector_load(32, INTS)
load32_longs = _vector_load(32, LONGS)
load64 = _vector_load(64, LONGS)
octet8 = _vector_load(8, OCTET)
octet32 = _vector_load(32, OCTET)
octet64 = _vector_load(64, OCTET)
read8 = _scalar_load(8, True)
read16 = _scalar_load(16, True)
read32 = _scalar_load(32, True)
read64 = _scalar_load(64, True)
index16 = _scalar_load(16, False)
word32 = _scalar_load(32, False)
store8 = _store(8)
store16 = _store(16)
store32 = _store(32)
store64 = _store(64)
add = _binary("add")
sub = _binary("sub")
xor = _binary("xor")
both = _binary("and_")
shift_left = _binary("shl")
shift_right = _binary("ashr")
at_least = _compare(">=")
above = _compare(">")


@intrinsic
def has_bit(context: Any, value: Any, bit: Any) -> Any:
    """Flags of the lanes that have any bit of the second in common with it."""

    def build(_context: Any, builder: Builder, _signature: Any, args: Any) -> Any:
        return builder.icmp_signed("!=", builder.and_(*args), INTS.full(0))

    return FLAGS(INTS, INTS), build


@intrinsic
def no_shorts(context: Any) -> Any:
    """Zeros."""

    def build(_context: Any, _builder: Builder, _signature: Any, _args: Any) -> Any:
        return SHORTS.full(0)

    return SHORTS(), build


def _splat(kind: Vector) -> Any:
    """The same number in every lane."""

    @intrinsic
    def splat(context: Any, value: Any) -> Any:
        def build(_context: Any, builder: Builder, _signature: Any, args: Any) -> Any:
            one = args[0] if kind.bits == 64 else builder.trunc(args[0], ir.IntType(kind.bits))
            first = ir.Constant(ir.IntType(32), 0)
            empty = ir.Constant(kind.llvm, ir.Undefined)
            lanes = ir.Constant(ir.VectorType(ir.IntType(32), kind.lanes), [0] * kind.lanes)
            return builder.shuffle_vector(builder.insert_element(empty, one, first), empty, lanes)

        return kind(LONG), build

    return splat


shorts = _splat(SHORTS)
ints = _splat(INTS)
longs = _splat(LONGS)
octet = _splat(OCTET)


@intrinsic
def lower(context: Any, value: Any) -> Any:
    """The first 16 of 32 shorts, as ints."""
    return INTS(SHORTS), _half(0)


@intrinsic
def upper(context: Any, value: Any) -> Any:
    """The last 16 of 32 shorts, as ints."""
    return INTS(SHORTS), _half(16)


def _half(first: int) -> Any:
    def build(_context: Any, builder: Builder, _signature: Any, args: Any) -> Any:
        places = list(range(first, first + INTS.lanes))
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), INTS.lanes), places)
        half = builder.shuffle_vector(args[0], ir.Constant(SHORTS.llvm, ir.Undefined), lanes)
        return builder.sext(half, INTS.llvm)

    return build


@intrinsic
def select(context: Any, flags: Any, yes: Any, no: Any) -> Any:
    """Where a flag is set the first, elsewhere the second."""

    def build(_context: Any, builder: Builder, _signature: Any, args: Any) -> Any:
        return builder.select(*args)

    return yes(FLAGS, yes, no), build


@intrinsic
def bits_of(context: Any, flags: Any) -> Any:
    """16 flags as the low bits of an int64, the first lane lowest."""

    def build(_context: Any, builder: Builder, _signature: Any, args: Any) -> Any:
        return builder.zext(builder.bitcast(args[0], ir.IntType(16)), ir.IntType(64))

    return LONG(FLAGS), build


def _where_bits(kind: Vector) -> Any:
    """A vector where the low bits of an int64 are set, zero elsewhere."""

    @intrinsic
    def where(context: Any, word: Any, value: Any) -> Any:
        def build(_context: Any, builder: Builder, _signature: Any, args: Any) -> Any:
            narrow = builder.trunc(args[0], ir.IntType(kind.lanes))
            flags = builder.bitcast(narrow, ir.VectorType(ir.IntType(1), kind.lanes))
            return builder.select(flags, args[1], kind.full(0))

        return kind(LONG, kind), build

    return where


shorts_where = _where_bits(SHORTS)
ints_where = _where_bits(INTS)


@intrinsic
def bytes_with_bit(context: Any, address: Any, bit: Any) -> Any:
    """An int64 whose bits say which of 64 bytes have a bit set."""

    def build(_context: Any, builder: Builder, _signature: Any, args: Any) -> Any:
        kind = ir.VectorType(ir.IntType(8), 64)
        moved = builder.shl(ir.Constant(ir.IntType(8), 1), builder.trunc(args[1], ir.IntType(8)))
        one = builder.insert_element(
            ir.Constant(kind, ir.Undefined), moved, ir.Constant(ir.IntType(32), 0)
        )
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), 64), [0] * 64)
        every = builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), lanes)
        found = builder.and_(_read(builder, args[0], kind), every)
        flags = builder.icmp_unsigned("!=", found, ir.Constant(kind, [0] * 64))
        return builder.bitcast(flags, ir.IntType(64))

    return LONG(LONG, LONG), build


@intrinsic
def list_bits(context: Any, word: Any, base: Any, out: Any) -> Any:
    """Writes base + place of every set bit, ascending, as uint16; returns how many.

    Up to 64 places are overwritten whatever the count.
    """

    def build(_context: Any, builder: Builder, _signature: Any, args: Any) -> Any:
        word, base, out = args
        i32, i64 = ir.IntType(32), ir.IntType(64)
        flags_type = ir.VectorType(ir.IntType(1), 32)
        compress = declare(
            builder.module,
            ir.FunctionType(SHORTS.llvm, [SHORTS.llvm, flags_type, SHORTS.llvm]),
            "llvm.experimental.vector.compress.v32i16",
        )
        empty = ir.Constant(SHORTS.llvm, ir.Undefined)
        one = builder.insert_element(
            empty, builder.trunc(base, ir.IntType(16)), ir.Constant(i32, 0)
        )
        zeros = ir.Constant(ir.VectorType(i32, 32), [0] * 32)
        start = builder.shuffle_vector(one, empty, zeros)
        total = ir.Constant(i64, 0)
        for half in (0, 32):
            part = builder.trunc(builder.lshr(word, ir.Constant(i64, half)), i32)
            places = ir.Constant(SHORTS.llvm, [half + lane for lane in range(32)])
            flags = builder.bitcast(part, flags_type)
            packed = builder.call(compress, [builder.add(start, places), flags, empty])
            _write(builder, builder.add(out, builder.shl(total, ir.Constant(i64, 1))), packed)
            total = builder.add(total, builder.zext(builder.ctpop(part), i64))
        return total

    return LONG(LONG, LONG, LONG), build


@intrinsic
def cell(context: Any, record: Any, field: Any) -> Any:
    """A number of a row of an int64 table, by the row's address."""

    def build(_context: Any, builder: Builder, _signature: Any, args: Any) -> Any:
        place = builder.add(args[0], builder.shl(args[1], ir.Constant(ir.IntType(64), 3)))
        return _read(builder, place, ir.IntType(64))

    return LONG(LONG, LONG), build


@intrinsic
def record(context: Any, table: Any, row: Any, size: Any) -> Any:
    """The address of a row of an int64 table of `size` columns."""

    def build(_context: Any, builder: Builder, _signature: Any, args: Any) -> Any:
        cells = builder.mul(args[1], args[2])
        return builder.add(args[0], builder.shl(cells, ir.Constant(ir.IntType(64), 3)))

    return LONG(LONG, LONG, LONG), build


@intrinsic
def ones_in(context: Any, word: Any) -> Any:
    """How many bits of an int64 are set."""

    def build(_context: Any, builder: Builder, _signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return LONG(LONG), build


@intrinsic
def take(context: Any, address: Any, amount: Any) -> Any:
    """Adds to a shared int64 and returns what it was; no two threads get the same."""

    def build(_context: Any, builder: Builder, _signature: Any, args: Any) -> Any:
        cell = _pointer(builder, args[0], ir.IntType(64))
        return builder.atomic_rmw("add", cell, args[1], "seq_cst")

    return LONG(LONG, LONG), build


@intrinsic
def look(context: Any, address: Any) -> Any:
    """What other threads have made of a shared int64."""

    def build(_context: Any, builder: Builder, _signature: Any, args: Any) -> Any:
        return builder.load_atomic(
            _pointer(builder, args[0], ir.IntType(64)), "seq_cst", 8, typ=ir.IntType(64)
        )

    return LONG(LONG), build


@intrinsic
def rest(context: Any) -> Any:
    """Lets another thread run, where the system has a call for it."""

    def build(_context: Any, builder: Builder, _signature: Any, _args: Any) -> Any:
        if os.name == "posix":
            kind = ir.FunctionType(ir.IntType(32), [])
            builder.call(declare(builder.module, kind, "sched_yield"), [])
        return _context.get_dummy_value()

    return types.void(), build
