"""Where the products of a compiled kernel go: a walk over definitions and uses of its LLVM IR.

A multiplication (or division) is address arithmetic when its result reaches nothing but addresses,
loop bounds and sizes of memory. It is a product of data when its result, through any chain of
additions, shifts, selections and conversions, reaches a stored value, a result of a function, a
function that is not known, or, with an operand that was read from memory, a comparison: that is
how a membrane would meet its threshold.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from llvmlite import binding

Value = Any  # llvmlite's ValueRef; it comes without types

PRODUCTS = {"mul", "sdiv", "udiv", "srem", "urem"}
FLOATS = re.compile(r"\b(half|bfloat|float|double|x86_fp80|fp128|ppc_fp128)\b")
FLOAT_OPS = {
    *("fadd", "fsub", "fmul", "fdiv", "frem", "fneg", "fcmp", "fpext", "fptrunc"),
    *("sitofp", "uitofp", "fptosi", "fptoui"),
}
CONSTANT = re.compile(r"mul [a-z ]*i\d+ [^,]+, (-?\d+)$")
PASSING = {
    *PRODUCTS,
    *("add", "sub", "shl", "lshr", "ashr", "and", "or", "xor", "sext", "zext", "trunc", "phi"),
    *("select", "freeze", "bitcast", "insertelement", "extractelement", "shufflevector"),
    *("insertvalue", "extractvalue"),
}
"""The result of these depends on the operand."""
SIZED = re.compile(
    r"llvm\.(memset|memcpy|memmove)\.|NRT_(MemInfo_)?[Aa]lloc|allocate_sched$|do_scheduling_"
)
"""Take sizes of memory or of a parallel loop."""
PASSING_CALLS = re.compile(
    r"llvm\.([su](max|min)|abs|[us](add|sub)\.(sat|with\.overflow)|fsh[lr])\."
)
GLUE = re.compile(
    r"NRT_|Py(Arg|Bytes|Err|Eval|Long|Number_Long|Object|Sequence|Tuple|Unicode)(_|$)"
    r"|(Py_(IncRef|DecRef)|numba_(gil_(ensure|release)|parallel_for|do_raise|unpickle"
    r"|runtime_build_excinfo_struct)|allocate_sched|deallocate_sched|do_scheduling_(un)?signed"
    r"|get_sched_size|[gs]et_(num_threads|parallel_chunksize)|printf|sched_yield)$"
    r"|llvm\.(memset|memcpy|memmove|lifetime|assume|[su](max|min)|abs|ctpop|cttz|ctlz|fsh[lr]|bswap"
    r"|[us](add|sub)\.(sat|with\.overflow)|expect|prefetch|experimental\.noalias|stepvector"
    r"|vector\.(insert|extract)|vector\.reduce\.(add|and|or|xor|[su](max|min))"
    r"|masked\.(load|store|gather|scatter|expandload|compressstore)|x86\.atomic"
    r"|experimental\.vector\.compress|vector\.compress)\."
)
"""The language's runtime and intrinsics that neither multiply nor divide."""
WRAPPER = re.compile(r"_ZN7cpython|cfunc\.|__gufunc__\.")
"""Written by numba around a kernel; they raise exceptions through a pointer to a function."""
SCHEDULE = "arg.sched."
"""Where the parallel scheduler leaves the bounds of a thread's part of a loop."""


@dataclass(frozen=True)
class Offence:
    """An instruction that must not be there.

    Attributes:
        function: in which it stands.
        instruction: its text.
        reason: why it is not allowed.
    """

    function: str
    instruction: str
    reason: str


@dataclass(frozen=True)
class Walk:
    """What was found in one module.

    Attributes:
        instructions: how many were looked at.
        addresses: multiplications and divisions that are address arithmetic.
        stores: how many values are written to memory; a kernel without any was not compiled.
        offences: all others, floating point and unknown calls.
    """

    instructions: int
    addresses: int
    stores: int
    offences: tuple[Offence, ...]


def walk(ir: str) -> Walk:
    """Looks at every instruction of a module's text."""
    module: Any = binding.parse_assembly(ir)
    code = _Code(module)
    offences: list[Offence] = []
    addresses = 0
    for function, instruction in code.instructions:
        reason = code.plain_reason(function, instruction)
        if instruction.opcode in PRODUCTS and not reason and not _is_shift(instruction):
            reason = code.product_reason(instruction)
            addresses += not reason
        if reason:
            offences.append(Offence(function, str(instruction).strip(), reason))
    stores = sum(instruction.opcode == "store" for _, instruction in code.instructions)
    return Walk(len(code.instructions), addresses, stores, tuple(offences))


def _is_shift(product: Value) -> bool:
    """Whether it multiplies by plus or minus a power of two: a shift, and a negation."""
    found = CONSTANT.search(str(product))
    if product.opcode != "mul" or found is None:
        return False
    factor = abs(int(found[1]))
    return factor & (factor - 1) == 0


class _Code:
    """Instructions, definitions and uses of one module."""

    def __init__(self, module: Any) -> None:
        self.functions = {f.name: f for f in module.functions if not f.is_declaration}
        self.instructions: list[tuple[str, Value]] = [
            (name, instruction)
            for name, function in self.functions.items()
            for block in function.blocks
            for instruction in block.instructions
        ]
        # An operand does not know that it is an instruction: these do.
        self.definitions = {i: i for _, i in self.instructions}
        self.users: defaultdict[Value, list[tuple[Value, int]]] = defaultdict(list)
        for _, instruction in self.instructions:
            for place, operand in enumerate(instruction.operands):
                self.users[operand].append((instruction, place))

    def plain_reason(self, function: str, instruction: Value) -> str:
        """Why an instruction is not allowed wherever it stands, or ""."""
        operands = list(instruction.operands)
        types = " ".join(str(v.type) for v in (instruction, *operands))
        if instruction.opcode in FLOAT_OPS or FLOATS.search(types):
            return "floating point"
        if instruction.opcode != "call":
            return ""
        callee = operands[-1]
        if callee.value_kind is not binding.ValueKind.function:
            return "" if WRAPPER.match(function) else "it calls whatever a pointer points to"
        if callee.name in self.functions or GLUE.match(callee.name):
            return ""
        return f"it calls {callee.name}, which is not known to be free of multiplication"

    def product_reason(self, product: Value) -> str:
        """Why a product is not address arithmetic, or ""."""
        seen: set[Value] = {product}
        pending = [product]
        while pending:
            for user, place in self.users.get(pending.pop(), []):
                following, reason = self._reach(product, user, place)
                if reason:
                    return reason
                if following is not None and following not in seen:
                    seen.add(following)
                    pending.append(following)
        return ""

    def _reach(self, product: Value, user: Value, place: int) -> tuple[Value | None, str]:
        """What a use of a value leads to: another value to follow, or a reason to refuse."""
        if user.opcode in ("getelementptr", "inttoptr", "br", "switch"):
            return None, ""
        if user.opcode in PASSING:
            return user, ""
        if user.opcode == "icmp":
            loaded = self._reads_memory(product)
            return None, "a product of values from memory is compared" if loaded else ""
        if user.opcode == "call":
            callee = list(user.operands)[-1].name
            if callee in self.functions:
                return list(self.functions[callee].arguments)[place], ""
            if SIZED.match(callee):
                return None, ""
            if PASSING_CALLS.match(callee):
                return user, ""
        return None, f"a product reaches: {str(user).strip()}"

    def _reads_memory(self, product: Value) -> bool:
        """Whether a product depends on a value read from an array, within its function."""
        seen: set[Value] = set()
        pending = [product]
        while pending:
            value = self.definitions.get(pending.pop())
            if value is None or value in seen:
                continue
            seen.add(value)
            if value.opcode == "load" and not self._is_schedule(next(iter(value.operands))):
                return True
            if value.opcode in PASSING or value.opcode == "call":
                pending += list(value.operands)
        return False

    def _is_schedule(self, pointer: Value) -> bool:
        step = self.definitions.get(pointer)
        while step is not None and step.opcode == "getelementptr":
            pointer = next(iter(step.operands))
            step = self.definitions.get(pointer)
        return str(pointer.name).startswith(SCHEDULE)
