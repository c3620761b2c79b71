"""Reads checkpoints without ever running what they contain."""

import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from snncc.diagnostics import Finding, SnnccError

HELP = "give a file that torch.save or safetensors wrote, with a state_dict in it"
CONTAINERS = ("model", "state_dict", "model_state_dict")


class _Inert:
    """Stands in for argparse.Namespace in a checkpoint: holds values, does nothing."""

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds.

    Attributes:
        state: tensors by name, without a "module." prefix.
        arguments: the training script's options, if they are there.
        path: the file.
    """

    state: dict[str, torch.Tensor]
    path: Path
    arguments: Mapping[str, object] = field(default_factory=dict[str, object])


def load_checkpoint(path: Path) -> Checkpoint:
    """Reads a state_dict from .safetensors or from what torch.save wrote.

    Raises:
        SnnccError: SNN010 when it cannot be read, SNN011 when it would run code (nothing runs),
            SNN034 when a tensor holds NaN or infinity, naming every such tensor.
    """
    if not path.is_file():
        what = "it is a folder" if path.is_dir() else "there is no such file"
        raise SnnccError("SNN010", f"{path} cannot be read", why=what, help=HELP)
    content = _safetensors(path) if path.suffix == ".safetensors" else _torch(path)
    state, arguments = _state_of(content, path)
    _check_finite(state, path)
    return Checkpoint(state, path, arguments)


def _safetensors(path: Path) -> object:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise SnnccError(
            "SNN010", f"{path} is not a safetensors file", why=_first_line(error), help=HELP
        ) from error


def _torch(path: Path) -> object:
    """torch.load that only builds tensors and plain containers."""
    allowed: list[Any] = [(_Inert, "argparse.Namespace")]
    try:
        with torch.serialization.safe_globals(allowed):
            loaded: object = torch.load(path, map_location="cpu", weights_only=True)
            return loaded
    except Exception as error:  # torch raises many types on a damaged file
        unsafe = _unsafe_globals(path)
        if unsafe:
            raise SnnccError(
                "SNN011",
                f"{path} would run code when it is loaded",
                why=f"it asks for {', '.join(unsafe)}; nothing was run",
                help="save the state_dict alone, as .safetensors or with torch.save",
            ) from error
        raise SnnccError(
            "SNN010", f"{path} is not a checkpoint", why=_reason(path, error), help=HELP
        ) from error


def _unsafe_globals(path: Path) -> list[str]:
    """What a pickle asks for beyond tensors, found by reading it, not by loading it."""
    try:
        found = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # not a checkpoint at all
        return []
    return sorted(set(found) - {"argparse.Namespace"})


def _reason(path: Path, error: Exception) -> str:
    if path.stat().st_size == 0:
        return "the file is empty"
    if zipfile.is_zipfile(path):
        return _first_line(error)
    return "it is damaged, cut off, or of another kind"


def _first_line(error: BaseException) -> str:
    text = str(error).strip().split("\n")[0]
    return re.sub(r"\s+", " ", text)[:200] or type(error).__name__


def _state_of(content: object, path: Path) -> tuple[dict[str, torch.Tensor], dict[str, object]]:
    arguments: dict[str, object] = {}
    if isinstance(content, dict):
        record: dict[object, object] = dict(content)
        given = record.get("args")
        if isinstance(given, _Inert):
            arguments = dict(vars(given))
        elif isinstance(given, dict):
            arguments = {str(k): v for k, v in dict[object, object](given).items()}
        for key in CONTAINERS:
            inner = record.get(key)
            if isinstance(inner, dict):
                record = dict(inner)
                break
        tensors = {str(k): v for k, v in record.items() if isinstance(v, torch.Tensor)}
        if tensors and len(tensors) == len(record):
            return {k.removeprefix("module."): v for k, v in tensors.items()}, arguments
    raise SnnccError(
        "SNN010",
        f"{path} holds no state_dict",
        why="no mapping from names to tensors was found in it",
        help=HELP,
    )


def _check_finite(state: Mapping[str, torch.Tensor], path: Path) -> None:
    bad = [
        name
        for name, tensor in state.items()
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
    ]
    if bad:
        raise SnnccError.of(
            Finding("SNN034", f"{path.name}: tensor {name} holds NaN or infinity", help="retrain")
            for name in bad
        )
