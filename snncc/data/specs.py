"""What a user means by "FILE.npz:KEY", and by a bare key beside it."""

import zipfile
from pathlib import Path

from snncc.artifact.paths import is_there
from snncc.diagnostics import SnnccError


def split_spec(spec: str) -> tuple[Path, str]:
    """A path and a key from "file.npz:KEY"; the key is "" when there is none."""
    head, _, key = spec.rpartition(":")
    if reads_as_key(spec) and not is_there(Path(spec)):
        return Path(head), key
    return Path(spec), ""


def reads_as_key(name: str) -> bool:
    """Whether a name says "FILE:KEY": a file called so would stand before the key of that file."""
    head, colon, _ = name.rpartition(":")
    return bool(colon) and (head.endswith(".npz") or is_there(Path(head)))


def check_no_key(option: str, path: Path) -> None:
    """Raises SnnccError (SNN002) for an output that is called as the key of a file is given."""
    if reads_as_key(str(path)):
        head, _, key = str(path).rpartition(":")
        raise SnnccError(
            "SNN002",
            f"{option} {path}: a name that says FILE:KEY",
            why=f"where data are given, it means {key!r} in {head}, which this file would hide",
            help="give a name without a colon",
        )


def keys_of(path: Path) -> list[str]:
    """Names of the arrays in an .npz; none for any other file."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            return [name.removesuffix(".npy") for name in names if name.endswith(".npy")]
    except (OSError, zipfile.BadZipFile, NotImplementedError):
        return []


def in_data_file(spec: str, data_spec: str) -> bool:
    """Whether a word is a key of the file that holds the images, whatever else it may name."""
    return spec in keys_of(split_spec(data_spec)[0])


def beside(spec: str, data_spec: str) -> str:
    """The full spec of labels or the like that may be a bare key in the data's own file.

    A key that this file has is that key, also where a folder or a file has its name.

    Raises:
        SnnccError: SNN001 for a bare key when the data are image files, which have none.
    """
    path = split_spec(data_spec)[0]
    if in_data_file(spec, data_spec):
        return f"{path}:{spec}"
    if is_there(Path(spec)) or ":" in spec or spec.endswith((".npy", ".npz")):
        return spec
    from snncc.data.image_folder import find_images

    if find_images(path) is not None:
        raise SnnccError(
            "SNN001",
            f"{path} holds image files and no key {spec!r}",
            help="give NPZ:KEY, or --labels folders when every class has a folder",
        )
    return f"{path}:{spec}"
