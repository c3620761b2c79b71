"""From what a pickle says of a tensor to the tensor, with every number of it checked first."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import torch

from snncc.frontends.weights.pickles import Global, Made, Stored

MOST_EXPANDED = 1 << 25
"""Elements that tensors may have beyond the numbers that the file holds (expanded, sparse)."""
MOST_AXES = 16
LONGEST = 1 << 40
REBUILDERS = frozenset(
    f"torch._utils._rebuild_{kind}"
    for kind in (
        *("tensor", "tensor_v2", "tensor_v3", "parameter", "parameter_with_state", "qtensor"),
        *("sparse_tensor", "meta_tensor_no_storage", "device_tensor_from_numpy", "nested_tensor"),
        *("device_tensor_from_cpu_tensor", "wrapper_subclass", "sparse_csr_tensor"),
        "xla_tensor",
    )
) | {"torch._tensor._rebuild_from_type_v2", "torch._tensor._rebuild_from_type"}
STORAGES = {
    "Double": torch.float64,
    "Float": torch.float32,
    "Half": torch.float16,
    "BFloat16": torch.bfloat16,
    "Long": torch.int64,
    "Int": torch.int32,
    "Short": torch.int16,
    "Char": torch.int8,
    "Byte": torch.uint8,
    "Bool": torch.bool,
    "Untyped": torch.uint8,
    "ComplexDouble": torch.complex128,
    "ComplexFloat": torch.complex64,
    "QInt8": torch.int8,
    "QUInt8": torch.uint8,
    "QInt32": torch.int32,
}
"""Numbers by the name of their storage; quantised ones by the integers that they are kept as."""
COMPRESSED = {
    f"torch.sparse_{kind}": getattr(torch, f"sparse_{kind}")
    for kind in ("csr", "csc", "bsr", "bsc")
}


class BadTensor(ValueError):
    """A tensor of the file cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class StorageRef:
    """Where a tensor's numbers are.

    Attributes:
        key: of the storage in the file.
        dtype: of its numbers.
        numel: how many there are.
        nbytes: of the whole storage.
        quantised: whether the numbers are integers of quantised values.
        start: where a view of the storage begins, in numbers.
    """

    key: str
    dtype: torch.dtype
    numel: int
    nbytes: int
    quantised: bool = False
    start: int = 0


Bytes = Callable[[StorageRef], bytearray]
"""All bytes of a storage, little-endian; their number is that of the reference."""


def is_tensor(thing: object) -> bool:
    """Whether a record stands for a tensor."""
    return isinstance(thing, Made) and thing.name in REBUILDERS


@dataclass
class TensorReader:
    """Makes tensors; storages are read when they are first needed.

    Attributes:
        read: gives a storage's bytes.
        expanded: elements made so far beyond what storages hold.
    """

    read: Bytes
    expanded: int = 0

    def __post_init__(self) -> None:
        self._storages: dict[str, bytearray] = {}

    def tensor(self, made: Made) -> torch.Tensor:
        """A dense tensor on the CPU, of the values that the file holds.

        Quantised values are integers times a scale, as float32; sparse ones have their zeros.

        Raises:
            BadTensor: its description is damaged, asks for more than the file holds, or is of a
                kind that has no values.
        """
        kind, given = made.name.rpartition("._rebuild_")[2], made.arguments
        match kind, given:
            case (("tensor" | "tensor_v2"), (Stored() as stored, offset, size, stride, *rest)):
                if len(rest) > 2 and rest[2]:
                    raise BadTensor("it is conjugated or negated in a way that is not read")
                return self._strided(storage_of(stored), offset, size, stride)
            case "tensor_v3", (Stored() as stored, offset, size, stride, _, _, Global(name), *_):
                return self._strided(_retyped(storage_of(stored), name), offset, size, stride)
            case (("parameter" | "parameter_with_state"), (Made() as data, *_)):
                return self._inner(data, made)
            case "device_tensor_from_cpu_tensor", (Made() as data, *_):
                return self._inner(data, made)
            case (("from_type" | "from_type_v2"), (Global(name), _, tuple() as inner, *_)):
                return self._inner(Made(name, inner), made)
            case "qtensor", (Stored() as stored, offset, size, stride, tuple() as how, *_):
                return self._quantised(storage_of(stored), offset, size, stride, how)
            case "sparse_tensor", (layout, tuple() as data, *_):
                return self._sparse(layout, data)
            case "meta_tensor_no_storage", _:
                raise BadTensor("it was saved from the device 'meta', without values")
            case _:
                raise BadTensor(f"tensors made by {made.name} are not read")

    def _inner(self, data: Made, outer: Made) -> torch.Tensor:
        if not is_tensor(data) or data.name.endswith(("parameter", "_state", "type", "type_v2")):
            raise BadTensor(f"{outer.name} of {data.name}")
        return self.tensor(data)

    def _plain(self, data: Made) -> torch.Tensor:
        """A part of another tensor, which has no parts itself."""
        if not data.name.startswith("torch._utils._rebuild_tensor"):
            raise BadTensor(f"a part of it is made by {data.name}")
        return self.tensor(data)

    def _strided(
        self, storage: StorageRef, offset: object, size: object, stride: object
    ) -> torch.Tensor:
        """A view of a storage.

        Raises:
            BadTensor: it reaches beyond the storage, or has far more elements.
        """
        sizes, strides, first = _lengths(size), _lengths(stride), _length(offset)
        if len(sizes) != len(strides):
            raise BadTensor("it has more lengths than strides, or fewer")
        count = prod(sizes)
        span = sum((n - 1) * s for n, s in zip(sizes, strides, strict=True)) + 1 if count else 0
        if count and first + span > storage.numel:
            raise BadTensor(f"it reaches beyond the {storage.numel} numbers that are stored")
        self._expand(count - storage.numel)
        numbers = self._numbers(storage)
        if not count:
            return torch.empty(sizes, dtype=numbers.dtype)
        view = numbers.as_strided(sizes, strides, storage.start + first)
        return view.contiguous() if count > storage.numel else view

    def _numbers(self, storage: StorageRef) -> torch.Tensor:
        """All of a storage, one-dimensional."""
        if storage.key not in self._storages:
            self._storages[storage.key] = self.read(storage)
        content = self._storages[storage.key]
        if len(content) != storage.nbytes:
            raise BadTensor(f"its storage has {len(content)} bytes, not {storage.nbytes}")
        if not content:
            return torch.empty(0, dtype=storage.dtype)
        raw = torch.frombuffer(content, dtype=torch.uint8)
        raw = raw[: len(content) - len(content) % storage.dtype.itemsize]
        return raw != 0 if storage.dtype == torch.bool else raw.view(storage.dtype)

    def _expand(self, more: int) -> None:
        self.expanded += max(more, 0)
        if self.expanded > MOST_EXPANDED:
            raise BadTensor(
                f"it has far more elements than the file has numbers (more than {MOST_EXPANDED:,} "
                "are not made from nothing)"
            )

    def _quantised(
        self, storage: StorageRef, offset: object, size: object, stride: object, how: Any
    ) -> torch.Tensor:
        """(integer - zero point) * scale, computed in float64 and rounded to float32 once."""
        if not storage.quantised:
            raise BadTensor("it is quantised, its storage is not")
        integers = self._strided(storage, offset, size, stride).to(torch.float64)
        match how:
            case (Global(scheme), float() as scale, int() as zero) if "per_tensor" in scheme:
                values = (integers - float(zero)) * scale
            case (Global(scheme), Made() as scales, Made() as zeros, int() as axis) if (
                "per_channel" in scheme and "float_qparams" not in scheme
            ):
                one_scale, one_zero = (
                    self._along(part, integers, axis) for part in (scales, zeros)
                )
                values = (integers - one_zero) * one_scale
            case _:
                raise BadTensor("its quantisation is of a kind that is not read")
        return values.to(torch.float32)

    def _along(self, made: Made, values: torch.Tensor, axis: int) -> torch.Tensor:
        """One number for each index of an axis, in a shape that goes with the values."""
        if not 0 <= axis < values.dim():
            raise BadTensor(f"it is quantised along axis {axis}, which it does not have")
        numbers = self._plain(made).to(torch.float64).reshape(-1)
        shape = [1] * values.dim()
        shape[axis] = values.shape[axis]
        if len(numbers) != shape[axis]:
            raise BadTensor("it has more scales than channels, or fewer")
        return numbers.reshape(shape)

    def _sparse(self, layout: object, data: tuple[Any, ...]) -> torch.Tensor:
        """With the zeros that a sparse tensor leaves out."""
        match layout:
            case Made(name="torch.serialization._get_layout", arguments=(str() as name,)):
                pass
            case _:
                raise BadTensor("its layout is not said")
        parts = [self._plain(p) for p in data if isinstance(p, Made) and not _is_size(p)]
        sizes = _lengths(next((p for p in data if _is_size(p)), None))
        self._expand(prod(sizes))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # "sparse CSR is in beta state"
                if name == "torch.sparse_coo" and len(parts) == 2:
                    at, numbers = parts
                    coo = torch.sparse_coo_tensor(at, numbers, sizes, check_invariants=True)
                    return coo.to_dense()
                if name in COMPRESSED and len(parts) == 3:
                    rows, columns, numbers = parts
                    return torch.sparse_compressed_tensor(
                        rows,
                        columns,
                        numbers,
                        sizes,
                        layout=COMPRESSED[name],
                        check_invariants=True,
                    ).to_dense()
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            raise BadTensor(f"its indices are damaged: {_line(error)}") from error
        raise BadTensor(f"layout {name} is not read")


def storage_of(stored: Stored) -> StorageRef:
    """The storage that a persistent id names: ("storage", type, key, place, numel[, view])."""
    match stored.key:
        case ("storage", Global(name), key, _, numel, *view) if len(view) < 2:
            module, _, kind = name.rpartition(".")
            kind = kind.removeprefix("_").removesuffix("Storage")
            if module not in ("torch", "torch.cuda", "torch.storage") or kind not in STORAGES:
                raise BadTensor(f"numbers of type {name} are not read")
            dtype, count = STORAGES[kind], _length(numel)
            ref = StorageRef(str(key), dtype, count, count * dtype.itemsize, kind.startswith("Q"))
            match view:
                case [] | [None]:
                    return ref
                case [(_, start, length)]:
                    first, size = _length(start), _length(length)
                    if first + size > ref.numel:
                        raise BadTensor("a view reaches beyond its storage")
                    return replace(ref, numel=size, start=first)
                case _:
                    raise BadTensor("a view of a storage is damaged")
        case _:
            raise BadTensor("it does not say where its numbers are")


def _retyped(storage: StorageRef, name: str) -> StorageRef:
    """Untyped bytes as numbers of a type that has no storage class of its own."""
    dtype: object = getattr(torch, name.removeprefix("torch."), None)
    if not isinstance(dtype, torch.dtype) or not name.startswith("torch."):
        raise BadTensor(f"numbers of type {name} are not read")
    width = dtype.itemsize
    if storage.dtype != torch.uint8 or storage.start % width:
        raise BadTensor("its numbers are of two types")
    return replace(storage, dtype=dtype, numel=storage.numel // width, start=storage.start // width)


def _length(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < LONGEST:
        raise BadTensor("a length, stride or offset is no sensible number")
    return value


def _is_size(value: object) -> bool:
    return isinstance(value, tuple) or (isinstance(value, Made) and value.name == "torch.Size")


def _lengths(value: object) -> tuple[int, ...]:
    if isinstance(value, Made) and value.name == "torch.Size" and len(value.arguments) == 1:
        (value,) = value.arguments
    if not isinstance(value, tuple | list):
        raise BadTensor("it has no shape")
    if len(value) > MOST_AXES:  # pyright: ignore[reportUnknownArgumentType]
        raise BadTensor(f"it has more than {MOST_AXES} axes")
    lengths = tuple(_length(v) for v in value)  # pyright: ignore[reportUnknownVariableType]
    if not 0 <= prod(lengths) < LONGEST:
        raise BadTensor("it has more elements than any memory")
    return lengths


def swapped(content: bytearray, dtype: torch.dtype) -> bytearray:
    """Big-endian bytes as little-endian ones."""
    width = dtype.itemsize // (2 if dtype.is_complex else 1)
    if width == 1:
        return content
    return bytearray(np.frombuffer(content, f"u{width}").byteswap().tobytes())


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
