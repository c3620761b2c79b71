"""Reads checkpoints without ever running what they contain."""

import os
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from snncc.diagnostics import Finding, SnnccError
from snncc.frontends.weights.archives import MOST_PICKLE, Archive, ArchiveStorages, BadArchive
from snncc.frontends.weights.file_kinds import format_of, what_else
from snncc.frontends.weights.harmless import is_harmless, plain_number
from snncc.frontends.weights.legacy import LegacyStorages
from snncc.frontends.weights.pickles import BadPickle, Made, Seen, read_pickle
from snncc.frontends.weights.safetensors_file import BadSafetensors, IsAProgram, read_safetensors
from snncc.frontends.weights.tensors import BadTensor, Bytes, TensorReader
from snncc.frontends.weights.values import converted, dense_values, doubts
from snncc.frontends.weights.weight_sets import choose_weights

HELP = "give a file that torch.save or safetensors wrote, with a state_dict in it"
NAMESPACES = ("argparse.Namespace", "types.SimpleNamespace")
NO_CHECKSUMS = (
    "the file is in the format of PyTorch before 1.6, which has no checksums: damage to its "
    "numbers cannot be seen"
)
SHOWN = 8
LONGEST_NAME = 1024


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds.

    Attributes:
        state: tensors by the names that the file gives them, dense and finite.
        path: the file.
        arguments: the training script's options, if they are there.
        weights: key under which the tensors stand; "" where the file holds nothing else.
        notes: what was chosen or is doubtful, for the user.
    """

    state: dict[str, torch.Tensor]
    path: Path
    arguments: Mapping[str, object] = field(default_factory=dict[str, object])
    weights: str = ""
    notes: tuple[str, ...] = ()


def load_checkpoint(path: Path, weights: str | None = None) -> Checkpoint:
    """Reads a state_dict from .safetensors or from what torch.save wrote.

    What the file is is told from its content, not from its name.

    Args:
        path: of the file.
        weights: which of several sets: "ema", "plain" or a key of the file; None for the plain one.

    Raises:
        SnnccError: SNN010 when it cannot be read, SNN011 when it would run code (nothing runs),
            SNN034 when a tensor holds NaN or infinity, naming every such tensor, SNN090 when it
            holds several sets of weights and it is not clear which one is meant.
    """
    if not os.path.isfile(path):  # unlike the path's own, it never raises
        what = "it is a folder" if os.path.isdir(path) else "there is no such file"
        raise SnnccError("SNN010", f"{path} cannot be read", why=what, help=HELP)
    with ExitStack() as stack:
        try:
            content, read = _content(path, stack)
        except IsAProgram as error:
            raise _not_a_checkpoint(
                path, str(error), "snncc run, verify and inspect take it"
            ) from error
        except (BadArchive, BadPickle, BadSafetensors, BadTensor) as error:
            raise _not_a_checkpoint(path, str(error)) from error
        except OSError as error:
            raise SnnccError("SNN010", f"{path} cannot be read", why=str(error)) from error
        chosen, notes = choose_weights(content, weights, path.name)
        state = _tensors(chosen.tensors, read, path)
    notes += [*converted(chosen.tensors), *doubts(state)]
    if isinstance(read, LegacyStorages):
        notes.append(NO_CHECKSUMS)
    return Checkpoint(state, path, _arguments(content), chosen.key, tuple(notes))


def _content(path: Path, stack: ExitStack) -> tuple[object, Bytes | None]:
    """What the file describes, and what gives its storages; None where tensors are there."""
    match format_of(path):
        case "safetensors":
            return read_safetensors(path), None
        case "zip":
            return _zip(path, stack)
        case "pickle":
            seen = Seen()
            try:
                storages = LegacyStorages(path.read_bytes(), seen)
            finally:
                _refuse_code(seen, path)
            return storages.described, storages
        case _:
            why, help_ = what_else(path)
            raise SnnccError("SNN010", f"{path} is not a checkpoint", why=why, help=help_ or HELP)


def _zip(path: Path, stack: ExitStack) -> tuple[object, Bytes]:
    archive = stack.enter_context(closing(Archive(path)))
    names = archive.names()
    if names and all(name.endswith(".npy") for name in names):
        raise _not_a_checkpoint(
            path,
            "it is a NumPy archive (.npz), which holds data",
            "save the state_dict with torch.save",
        )
    if archive.has("constants.pkl"):
        raise _not_a_checkpoint(
            path,
            "it is a TorchScript archive, which is a program",
            "load it with torch.jit.load and save its state_dict() with torch.save",
        )
    seen = Seen()
    try:
        described = read_pickle(archive.stream("data.pkl", MOST_PICKLE), seen)
    finally:
        _refuse_code(seen, path)
    archive.check_rest()
    return described, ArchiveStorages(archive)


def _refuse_code(seen: Seen, path: Path) -> None:
    """Raises SnnccError (SNN011) for whatever a pickle asks for that is no plain data."""
    unsafe = sorted(name for name in seen.names if not is_harmless(name))
    if unsafe:
        shown = ", ".join(name[:80].encode("unicode_escape").decode() for name in unsafe[:SHOWN])
        more = f" and {len(unsafe) - SHOWN} more" if len(unsafe) > SHOWN else ""
        raise SnnccError(
            "SNN011",
            f"{path} would run code when it is loaded",
            why=f"it asks for {shown}{more}; nothing was run",
            help="save the state_dict alone, as .safetensors or with torch.save",
        )


def _not_a_checkpoint(path: Path, why: str, help_: str = HELP) -> SnnccError:
    return SnnccError("SNN010", f"{path} is not a checkpoint", why=why, help=help_)


def _tensors(records: Mapping[str, Any], read: Bytes | None, path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a set, dense and finite; every one that is not is named."""
    findings: list[Finding] = []
    state: dict[str, torch.Tensor] = {}
    reader = None if read is None else TensorReader(read)
    for name, record in records.items():
        if len(name) > LONGEST_NAME or not name.isprintable():
            raise _not_a_checkpoint(path, "a tensor's name is no plain text")
        try:
            tensor = record if reader is None else reader.tensor(record)
            state[name] = dense_values(tensor)
        except (BadTensor, BadArchive, BadPickle) as error:
            findings.append(
                Finding(
                    "SNN010", f"{path.name}: tensor {name} cannot be read", None, str(error), HELP
                )
            )
    findings += [
        Finding("SNN034", f"{path.name}: tensor {name} holds NaN or infinity", help="retrain")
        for name, tensor in state.items()
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
    ]
    if findings:
        raise SnnccError.of(findings)
    return state


def _arguments(content: object) -> dict[str, object]:
    """The training script's options, which are data beside the weights."""
    given = content.get("args") if isinstance(content, dict) else None  # pyright: ignore[reportUnknownVariableType,reportUnknownMemberType]
    if isinstance(given, Made) and given.name in NAMESPACES:
        given = given.state
    if not isinstance(given, dict):
        return {}
    return {str(k): plain_number(v) for k, v in dict[object, object](given).items()}  # pyright: ignore[reportUnknownArgumentType]
