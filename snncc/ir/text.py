"""The text form of a graph: one line a node, readable, and it parses back to the same graph."""

import json
import re
from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from snncc.ir.codec import CodecError, decode_op, encode_op
from snncc.ir.dialects.dialect import DIALECTS
from snncc.ir.graph import Graph, Node
from snncc.ir.loc import Loc
from snncc.ir.op import Array
from snncc.ir.types import Axis, ValueType, kind_of


class ParseError(ValueError):
    """A text is not a graph's text form.

    Attributes:
        line: number of the line, from 1.
    """

    def __init__(self, line: int, text: str, reason: str) -> None:
        super().__init__(f"line {line}: {reason}\n    {text.strip()}")
        self.line = line


_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*")
_HEAD = re.compile(r"(\w+) graph \(steps (\d+)(?:, profile (\S+))?\) \{")


def print_graph(graph: Graph) -> str:
    """The text form; constants are named, with a table of their shapes at the end."""
    profile = f", profile {graph.profile}" if graph.profile else ""
    lines = [f"{graph.dialect} graph (steps {graph.steps}{profile}) {{"]
    lines += [f"  {print_node(node)}" for node in graph.nodes]
    lines += [f"  return %{_word(graph.output)}", "}"]
    lines += [_print_constant(name, graph.constants[name]) for name in graph.constants]
    return "\n".join(lines) + "\n"


def print_node(node: Node) -> str:
    """One node: %name = op(%inputs) {fields} : type at places."""
    inputs = ", ".join(f"%{_word(name)}" for name in node.inputs)
    fields = ", ".join(f"{key} = {_value(value)}" for key, value in encode_op(node.op).items())
    text = f"%{_word(node.name)} = {node.op.word}({inputs})"
    text += f" {{{fields}}}" if fields else ""
    text += f" : {_print_type(node.type)}"
    return text + "".join(f" at {_print_loc(loc)}" for loc in node.locs)


def same_graph(left: Graph, right: Graph) -> bool:
    """Whether two graphs are equal to the last bit, types of constants included."""

    def rest(graph: Graph) -> tuple[object, ...]:
        return graph.dialect, graph.steps, graph.profile, graph.output, graph.nodes

    return (
        rest(left) == rest(right)
        and set(left.constants) == set(right.constants)
        and all(
            array.dtype == right.constants[name].dtype
            and array.shape == right.constants[name].shape
            and array.tobytes() == right.constants[name].tobytes()
            for name, array in left.constants.items()
        )
    )


def _word(text: str) -> str:
    return text if _WORD.fullmatch(text) else json.dumps(text)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        record = cast("dict[str, Any]", value)
        return f"@{_word(record['@'])}[{', '.join(map(_word, record['axes']))}]"
    if isinstance(value, list):
        items = cast("list[object]", value)
        return f"[{', '.join(map(_value, items))}]"
    if isinstance(value, str) and value not in ("null", "true", "false"):
        return _word(value)
    return json.dumps(value)


def _print_type(value: ValueType) -> str:
    axes = ", ".join(f"{_word(a.name)}:{a.size}" for a in value.axes)
    bounds = "" if value.range is None else f"{{{value.range[0]}..{value.range[1]}}}"
    return f"{value.word}[{axes}]{bounds}"


def _print_loc(loc: Loc) -> str:
    parts = (loc.module_path, loc.file, loc.line, loc.call, loc.source)
    return f"<{', '.join(map(json.dumps, parts))}>"


def _print_constant(name: str, array: Array) -> str:
    span = f" {array.min()}..{array.max()}" if array.size else ""
    return f"@{_word(name)}: {array.dtype}[{', '.join(map(str, array.shape))}]{span}"


def parse_graph(text: str, constants: Mapping[str, Array]) -> Graph:
    """The graph of a text form, with its constants given by name.

    Raises:
        ParseError: with the line, when the text is no graph or names an unknown constant.
    """
    lines = text.split("\n")
    head = _HEAD.fullmatch(lines[0].strip())
    if head is None or head[1] not in DIALECTS:
        raise ParseError(1, lines[0], "expected '<dialect> graph (steps N) {'")
    nodes: list[Node] = []
    for number, line in enumerate(lines[1:], 2):
        scanner = _Scanner(line.strip(), number)
        if scanner.accept("return "):
            output = scanner.name("%")
            used = {n: np.asarray(a) for n, a in constants.items()}
            return Graph(head[1], int(head[2]), tuple(nodes), output, used, head[3] or "")
        nodes.append(scanner.node(head[1]))
    raise ParseError(len(lines), lines[-1], "expected 'return %name'")


class _Scanner:
    """Reads one line from left to right."""

    def __init__(self, text: str, number: int) -> None:
        self.text = text
        self.number = number
        self.at = 0

    def fail(self, reason: str) -> ParseError:
        return ParseError(self.number, self.text, f"{reason} at column {self.at + 1}")

    def accept(self, token: str) -> bool:
        if self.text.startswith(token, self.at):
            self.at += len(token)
            return True
        return False

    def expect(self, token: str) -> None:
        if not self.accept(token):
            raise self.fail(f"expected {token!r}")

    def name(self, mark: str = "") -> str:
        self.expect(mark)
        if self.text.startswith('"', self.at):
            found = self.json()
            if not isinstance(found, str):
                raise self.fail("expected a name")
            return found
        word = _WORD.match(self.text, self.at)
        if word is None:
            raise self.fail("expected a name")
        self.at = word.end()
        return word[0]

    def json(self) -> Any:
        try:
            value, self.at = json.JSONDecoder().raw_decode(self.text, self.at)
        except json.JSONDecodeError as error:
            raise self.fail("expected a value") from error
        return value

    def node(self, dialect: str) -> Node:
        name = self.name("%")
        self.expect(" = ")
        mnemonic = self.name()
        op = DIALECTS[dialect].named(mnemonic)
        if op is None:
            raise self.fail(f"{mnemonic} is not an op of the {dialect} dialect")
        inputs = self.listed("(", ")", lambda: self.name("%"))
        fields: dict[str, Any] = {}
        if self.accept(" {"):
            self.at -= 1
            fields = dict(self.listed("{", "}", self.field))
        self.expect(" : ")
        result = self.type()
        locs: list[Loc] = []
        while self.accept(" at "):
            path, file, line, call, source = self.listed("<", ">", self.json)
            locs.append(Loc(path, file, line, call, source))
        if self.at != len(self.text):
            raise self.fail("unexpected text")
        try:
            node = Node(name, decode_op(op, fields), tuple(inputs), result, tuple(locs))
        except CodecError as error:
            raise self.fail(str(error)) from error
        if node.op.word != mnemonic:
            raise self.fail(f"with these fields it is called {node.op.word}")
        return node

    def listed(self, start: str, end: str, item: Any) -> list[Any]:
        self.expect(start)
        found: list[Any] = []
        while not self.accept(end):
            if found:
                self.expect(", ")
            found.append(item())
        return found

    def field(self) -> tuple[str, Any]:
        key = self.name()
        self.expect(" = ")
        return key, self.value()

    def value(self) -> Any:
        if self.accept("@"):
            name = self.name()
            return {"@": name, "axes": self.listed("[", "]", self.name)}
        if self.text.startswith("[", self.at):
            return self.listed("[", "]", self.value)
        word = _WORD.match(self.text, self.at)
        if word is not None and word[0] not in ("null", "true", "false", "NaN", "Infinity"):
            self.at = word.end()
            return word[0]
        return self.json()

    def type(self) -> ValueType:
        kind = self.name()
        axes = self.listed("[", "]", self.axis)
        bounds: tuple[int, int] | None = None
        found = re.compile(r"\{(-?\d+)\.\.(-?\d+)\}").match(self.text, self.at)
        if found is not None:
            bounds, self.at = (int(found[1]), int(found[2])), found.end()
        try:
            value = ValueType(kind_of(kind), tuple(axes), bounds)
        except ValueError as error:
            raise self.fail(f"unknown kind {kind!r}") from error
        if value.word != kind:
            raise self.fail(f"this is called {value}")
        return value

    def axis(self) -> Axis:
        name = self.name()
        self.expect(":")
        size = self.json()
        if not isinstance(size, int):
            raise self.fail("expected a length")
        return Axis(name, size)
