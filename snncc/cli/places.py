"""Before a command does anything: what it would write is none of what it reads.

A program that was compiled onto its own checkpoint, or results that were written over the images,
took with them what nothing brings back.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from snncc.artifact.kinds import FOLDER, IMAGE, NUMPY, PROGRAM, kind_of
from snncc.artifact.paths import is_folder
from snncc.cli.output import say
from snncc.cli.path_types import ModelName, OutputFile, OutputOfTarget, PathType, Place
from snncc.data.specs import check_no_key, split_spec
from snncc.diagnostics import Finding, SnnccError

FOREIGN = frozenset(
    {
        ".pth",
        ".pt",
        ".ckpt",
        ".safetensors",
        ".onnx",
        ".npz",
        ".npy",
        ".snncc",
        ".json",
        ".toml",
        ".py",
    }
    | {".png", ".jpg", ".jpeg"}
)
"""What files of these names are is known, so no other kind of file is written under them."""


def check_places(command: click.Command, given: Mapping[str, Any]) -> None:
    """Refuses a call whose outputs are not apart from its inputs and from each other.

    Raises:
        SnnccError: SNN002, naming both; also for names that belong to other kinds of files.
    """
    found = places_of(command, given)
    findings: dict[tuple[str, Path], Finding] = {}  # of a store, not of each file beside it
    for number, place in enumerate(found):
        for other in found[:number]:
            output, second = (place, other) if place.writes else (other, place)
            if output.writes and (why := _why_not_apart(output, second)):
                finding = _refused(output, second, why)
                findings.setdefault((output.option, second.path), finding)
    if findings:
        raise SnnccError.of(findings.values())
    for place in found:
        if place.writes:
            check_no_key(place.option, place.path)
    for param in command.params:
        value = given.get(param.name or "")
        kind = param.type.file_in(given) if isinstance(param.type, OutputOfTarget) else param.type
        if isinstance(kind, OutputFile) and value is not None:
            _check_name(option_of(param), value, kind)


def check_order(given: Mapping[str, Any]) -> None:
    """Raises SnnccError (SNN001) when program and data are given the other way round."""
    program, data = given.get("program"), given.get("data")
    if program is None or data is None:
        return
    first = kind_of(split_spec(str(program))[0])
    if first in (NUMPY, IMAGE, FOLDER) and kind_of(Path(data)) == PROGRAM:
        raise SnnccError(
            "SNN001",
            f"PROGRAM {program} and DATA {data} are swapped",
            why=f"the first is {first}, the second a compiled program",
            help="give the program first, then the data",
        )


def places_of(command: click.Command, given: Mapping[str, Any]) -> list[Place]:
    """All files and folders that a call names."""
    found: list[Place] = []
    for param in command.params:
        value = given.get(param.name or "")
        if isinstance(param.type, PathType | ModelName) and value is not None:
            for one in value if param.nargs == -1 or param.multiple else (value,):
                found += param.type.places(one, option_of(param), given)
    return found


def option_of(param: click.Parameter) -> str:
    """A parameter as the user knows it."""
    if isinstance(param, click.Argument):
        return param.human_readable_name
    return next((name for name in param.opts if name.startswith("--")), param.opts[0])


def same_place(one: Path, two: Path) -> bool:
    """Whether two paths lead to one file: by links of either kind, another spelling, a mount."""
    if os.path.realpath(one) == os.path.realpath(two):
        return True
    try:
        return one.samefile(two)
    except OSError:  # one of them does not exist
        return False


def _why_not_apart(output: Place, other: Place) -> str:
    """What an output has in common with another file or folder of a call; "" for nothing."""
    if same_place(output.path, other.path):
        return f"both are one {'folder' if is_folder(output.path) else 'file'}"
    if other.writes and _differ_by_case(output.path, other.path):
        return "their names differ by case alone, which not every disk sees"
    for outer, inner in ((output, other), (other, output)):
        if outer.folder and any(same_place(above, outer.path) for above in _above(inner.path)):
            return f"{inner.path} is in the folder {outer.path}"
    return ""


def _above(path: Path) -> Iterable[Path]:
    """The folders that hold a path, by its name and by where its links lead."""
    named = Path(os.path.realpath(path.parent)) / path.name
    yield from named.parents
    real = Path(os.path.realpath(path))
    if real != named:
        yield from real.parents


def _differ_by_case(one: Path, two: Path) -> bool:
    paths = [os.path.realpath(each) for each in (one, two)]
    return paths[0].casefold() == paths[1].casefold()


def _check_name(option: str, path: Path, kind: OutputFile) -> None:
    """Refuses a name that says something else; tells of one that says nothing."""
    suffix = path.suffix.lower()
    if suffix == kind.suffix:
        return
    if suffix in FOREIGN:
        raise SnnccError(
            "SNN002",
            f"{option} {path}: a name that ends in {path.suffix}",
            why=f"what is written is {kind.what}",
            help=f"give a name that ends in {kind.suffix}",
        )
    say(f"note: {option} {path}: the usual ending is {kind.suffix}", err=True)


def _refused(output: Place, other: Place, why: str) -> Finding:
    what = "the output" if other.writes else "the input"
    return Finding(
        "SNN002",
        f"{output.option} {output.path} is not apart from {what} {other.option} {other.path}",
        None,
        why,
        f"give {output.option} a path of its own; nothing was read or written",
    )
