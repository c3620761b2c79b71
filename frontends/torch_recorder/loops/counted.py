"""Calls that take or write the step's own element of a value of all steps."""

from snncc.frontends.torch_recorder.loops.forms import Call, Counted, Form, Literal


def counted_at(call: Call) -> tuple[int, int] | None:
    """Which dimension a call takes the step's own element of, and how far off the step."""
    given, named = call.form
    if named or len(given) < 2:
        return None
    if call.entry.name == "select":
        index = given[2] if len(given) > 2 else None
        if not isinstance(given[1], Literal) or not isinstance(index, Counted):
            return None
        return int(given[1].value), index.offset
    index = given[1]
    if isinstance(index, Counted):
        return 0, index.offset
    if not isinstance(index, tuple) or not all(
        isinstance(part, Counted) or _is_whole(part) for part in index
    ):
        return None
    counted = [i for i, part in enumerate(index) if isinstance(part, Counted)]
    dots = [i for i, part in enumerate(index) if _is_dots(part)]
    if len(counted) != 1 or len(dots) > 1:
        return None
    behind = bool(dots) and dots[0] < counted[0]
    return (counted[0] - len(index) if behind else counted[0]), index[counted[0]].offset


def _is_dots(part: Form) -> bool:
    return isinstance(part, Literal) and part.value is Ellipsis


def _is_whole(part: Form) -> bool:
    """Whether a part of an index is `:` or `...`."""
    if isinstance(part, tuple):
        return [getattr(p, "value", 0) for p in part] == ["slice", None, None, None]
    return _is_dots(part)
