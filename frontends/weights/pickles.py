"""Reads a pickle as data: what it would call is noted by name, and nothing is ever called.

A pickle is a program for a stack machine. This one knows the stack and none of the functions: a
call becomes a `Made`, a class or function a `Global`. `tensors.py` knows what some of them mean.
"""

import io
import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

MOST_OPCODES = 1 << 20
"""A network of 1,000 tensors with its optimiser has about 100,000; more is a log or an attack."""
MAPPINGS = frozenset(
    f"{module}.{name}"
    for module, name in (
        *(("collections", name) for name in ("OrderedDict", "defaultdict", "Counter")),
        *((module, "dict") for module in ("builtins", "__builtin__")),
    )
)
LARGEST_KEY = 1 << 53
"""Larger integers can be chosen so that all of them fall into one place of a hash table."""
FAULTS = (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, EOFError)
"""What reading a damaged pickle ends in."""


class BadPickle(ValueError):
    """A pickle is damaged, or larger than any that is read."""


@dataclass(frozen=True, slots=True)
class Global:
    """A class or function by its full name; it is not imported."""

    name: str


@dataclass(eq=False, slots=True)
class Made:
    """What a call would have made.

    Attributes:
        name: full name of the class or function.
        arguments: of the call.
        state: what would have been put into the result, None for nothing.
    """

    name: str
    arguments: tuple[Any, ...]
    state: Any = None


@dataclass(eq=False, slots=True)
class Stored:
    """A reference to something outside the pickle, such as a tensor's numbers."""

    key: Any


@dataclass
class Seen:
    """What stands in pickles, also in one that turns out to be damaged later.

    Attributes:
        names: full names of every class and function that is asked for.
        stored: every reference to something outside.
    """

    names: set[str] = field(default_factory=set[str])
    stored: list[Stored] = field(default_factory=list[Stored])


@dataclass
class _Machine:
    """The stack, the memo, and what was seen."""

    seen: Seen
    stack: list[Any] = field(default_factory=list[Any])
    memo: dict[int, Any] = field(default_factory=dict[int, Any])

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise BadPickle("a mark stands where a value should")
        return value

    def since_mark(self) -> list[Any]:
        """Everything above the topmost mark, which goes too."""
        at = len(self.stack) - 1
        while self.stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise BadPickle("a mark is missing")
        values = self.stack[at + 1 :]
        del self.stack[at:]
        return values

    def named(self, module: str, name: str) -> Global:
        full = f"{module}.{name}"
        self.seen.names.add(full)
        return Global(full)

    def made(self, function: Any, arguments: Any) -> Any:
        """What a call would give: a dictionary for the known mappings, otherwise a record."""
        if not isinstance(function, Global) or not isinstance(arguments, tuple):
            raise BadPickle("a call of something that has no name")
        if function.name in MAPPINGS:
            given = [a for a in arguments if isinstance(a, dict | list)]
            return _mapping(given[0]) if given else dict[Any, Any]()
        return Made(function.name, arguments)

    def reference(self, key: Any) -> None:
        stored = Stored(key)
        self.seen.stored.append(stored)
        self.stack.append(stored)


_MARK = object()


def read_pickle(stream: io.BytesIO, seen: Seen) -> Any:
    """What the pickle at the stream's position describes; the stream stands behind it then.

    Args:
        stream: all of it in memory, so that a length in the pickle cannot ask for more.
        seen: gets what stands in the pickle.

    Raises:
        BadPickle: it is damaged, or has more than `MOST_OPCODES` instructions.
    """
    machine = _Machine(seen)
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if count >= MOST_OPCODES:
                raise BadPickle(f"it has more than {MOST_OPCODES:,} instructions")
            if opcode.name == "STOP":
                return machine.pop()
            step = _STEPS.get(opcode.name)
            if step is None:
                raise BadPickle(f"instruction {opcode.name} is not of a checkpoint")
            step(machine, argument)
    except BadPickle:
        raise
    except FAULTS as error:
        raise BadPickle(str(error).partition("\n")[0][:200] or "it is damaged") from error
    raise BadPickle("it is cut off")


def _plain_key(key: Any) -> Any:
    """A key that can be compared without running anything or descending into anything."""
    parts = key if isinstance(key, tuple) else (key,)
    for part in parts:
        if isinstance(part, int) and abs(part) > LARGEST_KEY:
            raise BadPickle("a key of a dictionary is no plain number")
        if not isinstance(part, str | int | float | bytes | Global | Made | Stored | None):
            raise BadPickle("a key of a dictionary is not plain")
    return key


def _mapping(given: dict[Any, Any] | list[Any]) -> dict[Any, Any]:
    if isinstance(given, dict):
        return dict(given)
    return {_plain_key(key): value for key, value in given}


def _value(machine: _Machine, argument: Any) -> None:
    machine.stack.append(argument)


def _constant(make: Callable[[], Any]) -> "Step":
    return lambda machine, _: machine.stack.append(make())


def _tuple_of(count: int) -> "Step":
    def step(machine: _Machine, _: Any) -> None:
        values = tuple(machine.pop() for _ in range(count))[::-1]
        machine.stack.append(values)

    return step


def _from_mark(make: Callable[[list[Any]], Any]) -> "Step":
    return lambda machine, _: machine.stack.append(make(machine.since_mark()))


def _dict_of(items: list[Any]) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    _put_items(made, items)
    return made


def _put_items(target: Any, items: list[Any]) -> None:
    """Items of a dictionary, as key, value, key, value."""
    if len(items) % 2:
        raise BadPickle("a key without a value")
    if isinstance(target, dict):
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[_plain_key(key)] = value
    elif not isinstance(target, Made):
        raise BadPickle("items for something that is no dictionary")


def _append(machine: _Machine, _: Any) -> None:
    _extend(machine, [machine.pop()])


def _appends(machine: _Machine, _: Any) -> None:
    _extend(machine, machine.since_mark())


def _extend(machine: _Machine, values: list[Any]) -> None:
    target = machine.stack[-1]
    if isinstance(target, list):
        target.extend(values)
    elif not isinstance(target, Made):
        raise BadPickle("elements for something that is no list")


def _set_item(machine: _Machine, _: Any) -> None:
    value, key = machine.pop(), machine.pop()
    _put_items(machine.stack[-1], [key, value])


def _set_items(machine: _Machine, _: Any) -> None:
    items = machine.since_mark()
    _put_items(machine.stack[-1], items)


def _reduce(machine: _Machine, _: Any) -> None:
    arguments, function = machine.pop(), machine.pop()
    machine.stack.append(machine.made(function, arguments))


def _new_with_keywords(machine: _Machine, _: Any) -> None:
    keywords, arguments, function = machine.pop(), machine.pop(), machine.pop()
    made = machine.made(function, arguments)
    if keywords and isinstance(made, Made):
        made.arguments = (*made.arguments, keywords)
    machine.stack.append(made)


def _build(machine: _Machine, _: Any) -> None:
    """State of an object; that of a dictionary says nothing about its items."""
    state, target = machine.pop(), machine.stack[-1]
    if isinstance(target, Made):
        target.state = state
    elif not isinstance(target, dict):
        raise BadPickle("state for something that has none")


def _get(machine: _Machine, argument: Any) -> None:
    machine.stack.append(machine.memo[int(argument)])


def _put(machine: _Machine, argument: Any) -> None:
    key = len(machine.memo) if argument is None else int(argument)
    machine.memo[_plain_key(key)] = machine.stack[-1]


def _global(machine: _Machine, argument: Any) -> None:
    machine.stack.append(machine.named(*str(argument).split(" ", 1)))


def _stack_global(machine: _Machine, _: Any) -> None:
    name, module = machine.pop(), machine.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        raise BadPickle("a name that is no text")
    machine.stack.append(machine.named(module, name))


def _instance(machine: _Machine, argument: Any) -> None:
    arguments = tuple(machine.since_mark())
    function = machine.named(*str(argument).split(" ", 1))
    machine.stack.append(machine.made(function, arguments))


def _object(machine: _Machine, _: Any) -> None:
    function, *arguments = machine.since_mark()
    machine.stack.append(machine.made(function, tuple(arguments)))


def _pop_mark(machine: _Machine, _: Any) -> None:
    machine.since_mark()


def _nothing(machine: _Machine, _: Any) -> None:
    """Says something about the pickle itself."""


Step = Callable[[_Machine, Any], None]
_STEPS: dict[str, Step] = {
    **dict.fromkeys(("PROTO", "FRAME"), _nothing),
    **dict.fromkeys(("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"), _value),
    **dict.fromkeys(("FLOAT", "BINFLOAT", "STRING", "BINSTRING", "SHORT_BINSTRING"), _value),
    **dict.fromkeys(("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"), _value),
    **dict.fromkeys(("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"), _value),
    "NONE": _constant(lambda: None),
    "NEWTRUE": _constant(lambda: True),
    "NEWFALSE": _constant(lambda: False),
    "MARK": _constant(lambda: _MARK),
    "EMPTY_LIST": _constant(list),
    "EMPTY_DICT": _constant(dict),
    "EMPTY_TUPLE": _constant(tuple),
    "EMPTY_SET": _constant(lambda: Made("builtins.set", ())),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "TUPLE": _from_mark(tuple),
    "LIST": _from_mark(list),
    "DICT": _from_mark(_dict_of),
    "FROZENSET": _from_mark(lambda _: Made("builtins.frozenset", ())),
    "APPEND": _append,
    "APPENDS": _appends,
    "ADDITEMS": _appends,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    "POP": lambda machine, _: machine.stack.pop(),
    "POP_MARK": _pop_mark,
    "DUP": lambda machine, _: machine.stack.append(machine.stack[-1]),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _get),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _put),
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "REDUCE": _reduce,
    "NEWOBJ": _reduce,
    "NEWOBJ_EX": _new_with_keywords,
    "INST": _instance,
    "OBJ": _object,
    "BUILD": _build,
    "PERSID": lambda machine, argument: machine.reference(argument),
    "BINPERSID": lambda machine, _: machine.reference(machine.pop()),
}
