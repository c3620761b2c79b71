"""Ops and locations as JSON-like values: one codec for the text form and for the artefact."""

import dataclasses
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Any, cast

from snncc.ir.loc import Loc
from snncc.ir.op import Op, Param
from snncc.ir.stored_words import WORDS
from snncc.ir.types import Axis, ValueType, kind_of

Json = Any
"""None, bool, int, float, str, list of these, or dict from str to these."""


HINTS: dict[type[Op], dict[str, Any]] = {}
"""Annotations of the fields of ops that were decoded."""


class CodecError(ValueError):
    """A JSON value does not describe what it should."""


def encode_op(op: Op) -> dict[str, Json]:
    """Fields of an op that differ from their defaults, constants as {"@": name, "axes": [...]}."""
    fields = {
        f.name: encode_value(getattr(op, f.name))
        for f in dataclasses.fields(op)
        if f.default is dataclasses.MISSING or getattr(op, f.name) != f.default
    }
    words = WORDS.get(type(op))
    if words is not None:
        fields.pop(words.field, None)
        word = words.written(op)
        fields |= {} if word is None else {words.field: word}
    return fields


def decode_op(cls: type[Op], fields: Mapping[str, Json]) -> Op:
    """The op of a class from its fields.

    Raises:
        CodecError: a field is unknown, missing or of the wrong form.
    """
    if cls not in HINTS:
        HINTS[cls] = typing.get_type_hints(cls)
    hints = HINTS[cls]
    known = {f.name: f for f in dataclasses.fields(cls)}
    unknown = set(fields) - set(known)
    if unknown:
        raise CodecError(f"{cls.mnemonic} has no field {sorted(unknown)}")
    missing = [n for n, f in known.items() if f.default is dataclasses.MISSING and n not in fields]
    if missing:
        raise CodecError(f"{cls.mnemonic} lacks {missing}")
    told, words = dict(fields), WORDS.get(cls)
    if words is not None:
        told[words.field] = words.read(fields)
        if told[words.field] is None:
            said = shown(fields[words.field])
            raise CodecError(f"field {words.field!r} is {said}, which no program has")
    return cls(**{name: _decode(told[name], hints[name], name) for name in told})


def encode_value(value: object) -> Json:
    if isinstance(value, Param):
        return {"@": value.name, "axes": list(value.axes)}
    if isinstance(value, tuple):
        return [encode_value(v) for v in typing.cast("tuple[object, ...]", value)]
    return value.value if isinstance(value, Enum) else value


def _decode(value: Json, hint: Any, name: str) -> Any:
    """A field's value, held against its annotation, so that no other type can slip in."""
    options = typing.get_args(hint) if _is_union(hint) else (hint,)
    for option in options:
        found = _decode_one(value, option)
        if found is not _NO:
            return found
    raise CodecError(f"field {name!r} is {shown(value)}, which is not {hint}")


_NO = object()


def _decode_one(value: Json, hint: Any) -> Any:
    if hint is type(None):
        return None if value is None else _NO
    if hint is Param:
        return _decode_param(value)
    if typing.get_origin(hint) is tuple:
        return _decode_tuple(value, typing.get_args(hint))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return next((member for member in hint if member.value == value), _NO)
    if hint is float and type(value) is int:
        return float(value)
    return value if type(value) is hint else _NO


def _decode_param(value: Json) -> Any:
    if not isinstance(value, dict):
        return _NO
    record = typing.cast("dict[str, Json]", value)
    if set(record) != {"@", "axes"}:
        return _NO
    name, axes = record["@"], record["axes"]
    if not isinstance(name, str) or not isinstance(axes, list):
        return _NO
    names = typing.cast("list[object]", axes)
    return Param(name, tuple(map(str, names))) if all(isinstance(a, str) for a in names) else _NO


def _decode_tuple(value: Json, items: tuple[Any, ...]) -> Any:
    if not isinstance(value, list):
        return _NO
    values = typing.cast("list[object]", value)
    hints = items[:1] * len(values) if items[1:] == (Ellipsis,) else items
    if len(hints) != len(values):
        return _NO
    decoded = tuple(_decode_one(v, h) for v, h in zip(values, hints, strict=True))
    return _NO if _NO in decoded else decoded


def _is_union(hint: Any) -> bool:
    return type(None) in typing.get_args(hint)


def encode_type(value: ValueType) -> dict[str, Json]:
    record: dict[str, Json] = {
        "kind": value.word,
        "axes": [[a.name, a.size] for a in value.axes],
    }
    if value.range is not None:
        record["range"] = list(value.range)
    return record


def decode_type(record: Json) -> ValueType:
    """Raises CodecError when the record is not what `encode_type` writes."""
    try:
        axes = tuple(_axis(each) for each in record["axes"])
        bounds = record.get("range")
        value = ValueType(
            kind_of(record["kind"]), axes, None if bounds is None else _interval(bounds)
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise CodecError(f"not a type: {shown(record)}") from error
    if set(record) != set(encode_type(value)) or record["kind"] != value.word:
        raise CodecError(f"not a type: {shown(record)}")
    return value


def shown(record: Json) -> str:
    """A record in a message: on one line, without control characters, not too long."""
    text = ascii(record)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _axis(record: Json) -> Axis:
    name, size = record
    if type(name) is not str or type(size) is not int:
        raise CodecError(f"not an axis: {shown(record)}")
    return Axis(name, size)


def _interval(record: Json) -> tuple[int, int]:
    low, high = record
    if type(record) is not list or type(low) is not int or type(high) is not int:
        raise CodecError(f"not an interval: {shown(record)}")
    return low, high


def encode_loc(loc: Loc) -> list[Json]:
    return [loc.module_path, loc.file, loc.line, loc.call, loc.source]


def _items(record: Json) -> list[Any]:
    """What stands in a list; nothing stands in other values."""
    return [*cast("list[object]", record)] if isinstance(record, list) else []


def decode_loc(record: Json) -> Loc:
    """Raises CodecError when the record is no location."""
    forms = [str, str, int, str, str]
    parts = _items(record)
    if [type(part) for part in parts] != forms:
        raise CodecError(f"not a location: {shown(record)}")
    return Loc(*parts)
