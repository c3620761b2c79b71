"""Single changes of a source file, made at the place of one expression."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], tuple[str, ...]] = {
    ast.Lt: ("<=", ">="),
    ast.LtE: ("<", ">"),
    ast.Gt: (">=", "<="),
    ast.GtE: (">", "<"),
    ast.Eq: ("!=",),
    ast.NotEq: ("==",),
    ast.In: ("not in",),
    ast.NotIn: ("in",),
    ast.Is: ("is not",),
    ast.IsNot: ("is",),
}
OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "//",
    ast.FloorDiv: "*",
    ast.Div: "*",
    ast.Mod: "*",
    ast.LShift: ">>",
    ast.RShift: "<<",
    ast.BitAnd: "|",
    ast.BitOr: "&",
    ast.Pow: "*",
}
NAMES = {
    "min": "max", "max": "min", "any": "all", "all": "any", "ceil": "floor", "floor": "ceil",
    "minimum": "maximum", "maximum": "minimum", "argmin": "argmax", "argmax": "argmin",
    "repeat": "tile", "cumsum": "sort", "rint": "trunc", "round": "trunc", "abs": "int",
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change.

    Attributes:
        file: path within the checkout.
        line: where it begins.
        before, after: what stands there, and what takes its place.
        span: first and last byte of it.
    """

    file: str
    line: int
    before: str
    after: str
    span: tuple[int, int]

    def applied(self, source: str) -> str:
        """The whole file with the change.

        Raises:
            SyntaxError: the file no longer compiles.
        """
        begin, end = self.span
        content = source.encode()
        changed = (content[:begin] + self.after.encode() + content[end:]).decode()
        compile(changed, self.file, "exec")
        return changed

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {_short(self.before)} -> {_short(self.after)}"


def mutants(file: str, source: str) -> Iterator[Mutant]:
    """Every change of a file; docstrings, annotations and messages stay."""
    tree, content = ast.parse(source), source.encode()
    starts = _line_starts(source)
    for node in _code(tree):
        for after in _changes(node):
            begin, end = _span(starts, node)
            yield Mutant(file, node.lineno, content[begin:end].decode(), after, (begin, end))  # type: ignore[attr-defined]


def _short(text: str) -> str:
    one = " ".join(text.split())
    return one if len(one) <= 60 else f"{one[:57]}..."


def _code(node: ast.AST) -> Iterator[ast.AST]:
    """Expressions that are computed: no annotations, no decorators, no raised messages."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        if isinstance(node, ast.Raise | ast.Import | ast.ImportFrom):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr):
                yield child
                yield from _code(child)


def _changes(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            for other in COMPARISONS.get(type(op), ()):
                yield f"({ast.unparse(left)} {other} {ast.unparse(right)})"
        case ast.Compare(left=left, ops=[first, second], comparators=[middle, right]):
            texts = [ast.unparse(e) for e in (left, middle, right)]
            signs = [_sign(first), _sign(second)]
            for place, op in enumerate((first, second)):
                for other in COMPARISONS.get(type(op), ())[:1]:
                    chosen = [other if i == place else s for i, s in enumerate(signs)]
                    yield f"({texts[0]} {chosen[0]} {texts[1]} {chosen[1]} {texts[2]})"
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            yield f"(({ast.unparse(left)}) {OPERATORS[type(op)]} ({ast.unparse(right)}))"
        case ast.BoolOp(op=op, values=values):
            other = " or " if isinstance(op, ast.And) else " and "
            yield "(" + other.join(f"({ast.unparse(v)})" for v in values) + ")"
            for place in range(len(values)):
                rest = [v for i, v in enumerate(values) if i != place]
                sign = " and " if isinstance(op, ast.And) else " or "
                yield "(" + sign.join(f"({ast.unparse(v)})" for v in rest) + ")"
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield f"({ast.unparse(operand)})"
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield f"(({ast.unparse(orelse)}) if ({ast.unparse(test)}) else ({ast.unparse(body)}))"
        case ast.Constant(value=bool() as value):
            yield str(not value)
        case ast.Constant(value=int() as value):
            yield f"({value + 1})"
            yield f"({value - 1})"
        case ast.Constant(value=float() as value):
            yield f"({value * 2 + 1})"
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in NAMES:
            yield ast.unparse(node)[: -len(name)] + NAMES[name]
        case _:
            return


def _sign(op: ast.cmpop) -> str:
    text = ast.unparse(ast.Compare(ast.Name("a"), [op], [ast.Name("b")]))
    return text.removeprefix("a ").removesuffix(" b")


def _line_starts(source: str) -> list[int]:
    """Bytes before each line."""
    found = [0]
    for line in source.encode().splitlines(keepends=True):
        found.append(found[-1] + len(line))
    return found


def _span(starts: list[int], node: ast.AST) -> tuple[int, int]:
    first, last = (getattr(node, name) for name in ("lineno", "end_lineno"))
    begin, end = (getattr(node, name) for name in ("col_offset", "end_col_offset"))
    return starts[first - 1] + begin, starts[last - 1] + end
