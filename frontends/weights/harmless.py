"""Names in checkpoints that stand for data: they are kept as inert records, never imported.

Anything else that a pickle asks for is a reason to refuse it: a class of the user's may mean that
the weights are not the whole story, and a function is an attack.
"""

import struct
from typing import Any

from snncc.frontends.weights.pickles import MAPPINGS, Made
from snncc.frontends.weights.tensors import REBUILDERS

_PLAIN: dict[str, tuple[str, ...]] = {
    "argparse": ("Namespace",),
    "types": ("SimpleNamespace",),
    "_codecs": ("encode",),
    "collections": ("deque",),
    "datetime": ("datetime", "date", "time", "timedelta", "timezone"),
    "decimal": ("Decimal",),
    "fractions": ("Fraction",),
    "uuid": ("UUID",),
    "pathlib": ("Path", "PosixPath", "WindowsPath", "PurePath", "PurePosixPath", "PureWindowsPath"),
    "numpy": ("dtype", "ndarray"),
    "torch": ("Size", "device", "Tensor", "Generator"),
    "torch.nn.parameter": ("Parameter", "Buffer"),
    "torch.serialization": ("_get_layout",),
    **dict.fromkeys(
        ("builtins", "__builtin__"),
        (
            *("set", "frozenset", "bytearray", "bytes", "complex", "slice", "range", "int"),
            *("float", "str", "bool", "list", "tuple", "object", "unicode", "long", "type"),
        ),
    ),
    **dict.fromkeys(("copyreg", "copy_reg"), ("_reconstructor",)),
    **dict.fromkeys(
        ("numpy.core.multiarray", "numpy._core.multiarray"), ("scalar", "_reconstruct")
    ),
    **dict.fromkeys(("numpy.core.numeric", "numpy._core.numeric"), ("_frombuffer",)),
}
_NAMES = frozenset(f"{module}.{name}" for module, names in _PLAIN.items() for name in names)
_SCALARS = {
    **{f"{kind}{width}": None for kind in "iu" for width in (1, 2, 4, 8)},
    **{"f2": "e", "f4": "f", "f8": "d", "b1": None},
}
NUMPY_SCALARS = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")


def is_harmless(name: str) -> bool:
    """Whether a full name in a pickle stands for plain data or a tensor."""
    module, _, last = name.rpartition(".")
    if name in _NAMES or name in MAPPINGS or name in REBUILDERS:
        return True
    if module == "pathlib._local":
        return f"pathlib.{last}" in _NAMES
    if module in ("torch", "torch.cuda", "torch.storage"):
        return last.isidentifier() and (last.endswith("Storage") or _is_number_type(last))
    if module == "numpy":
        return last.rstrip("0123456789_") in (
            "int",
            "uint",
            "float",
            "bool",
            "complex",
            "str",
            "bytes",
        )
    return module == "numpy.dtypes" and last.endswith("DType")


def _is_number_type(name: str) -> bool:
    stems = ("float", "bfloat", "int", "uint", "bool", "complex", "half", "double", "long", "qint")
    return name.startswith(("quint", "per_tensor_", "per_channel_", "sparse_", *stems))


def plain_number(value: Any) -> Any:
    """A NumPy scalar as a number of Python; everything else as it is."""
    match value:
        case Made(name=name, arguments=(Made(arguments=(str() as kind, *_)), content)) if (
            name in NUMPY_SCALARS and kind in _SCALARS
        ):
            raw = _bytes_of(content)
            if raw is None or len(raw) != int(kind[1:]):
                return value
            form = _SCALARS[kind]
            if form is not None:
                return struct.unpack(f"<{form}", raw)[0]
            number = int.from_bytes(raw, "little", signed=kind[0] == "i")
            return bool(number) if kind == "b1" else number
        case _:
            return value


def _bytes_of(content: Any) -> bytes | None:
    """The few bytes of a scalar; protocol 2 writes them as text in Latin-1."""
    match content:
        case bytes():
            return content
        case Made(name="_codecs.encode", arguments=(str() as text, *_)) if len(text) <= 16:
            try:
                return text.encode("latin-1")
            except UnicodeEncodeError:
                return None
        case _:
            return None
