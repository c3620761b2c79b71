"""What a file is, told from its first bytes, whatever its name says."""

from collections.abc import Sequence
from pathlib import Path

LEAD = 512
TAR = (257, b"ustar")
_OTHERS: Sequence[tuple[bytes, str, str]] = (
    (
        b"version https://git-lfs",
        "it is a pointer of Git LFS, not the file itself",
        "fetch the file with git lfs pull",
    ),
    (b"<", "it is a web page or XML", "download the file itself"),
    (b"{", "it is JSON text", "give the file that holds the tensors; its parts have to be joined"),
    (
        b"\x93NUMPY",
        "it is a NumPy array (.npy)",
        "give the checkpoint first, data with --calibrate",
    ),
    (b"\x89HDF", "it is an HDF5 file, as Keras writes it", "save a state_dict from PyTorch"),
    (b"\x1f\x8b", "it is compressed with gzip", "unpack it first"),
    (b"GGUF", "it is a GGUF file", "save a state_dict from PyTorch"),
    (b"\x89PNG", "it is a PNG image", "give the checkpoint first"),
    (b"\xff\xd8\xff", "it is a JPEG image", "give the checkpoint first"),
)


def format_of(path: Path) -> str:
    """One of "zip", "safetensors", "pickle", "other"."""
    with path.open("rb") as file:
        lead = file.read(LEAD)
    header = int.from_bytes(lead[:8], "little")
    if lead[8:9] == b"{" and header <= path.stat().st_size - 8:
        return "safetensors"
    if lead.startswith(b"PK"):
        return "zip"
    if lead.startswith(b"\x80"):
        return "pickle"
    return "safetensors" if lead and path.suffix.lower() == ".safetensors" else "other"


def what_else(path: Path) -> tuple[str, str]:
    """Why a file of another kind is no checkpoint, and what to do; "" where that is not known."""
    with path.open("rb") as file:
        lead = file.read(LEAD)
    if lead[TAR[0] :].startswith(TAR[1]):
        return (
            "it is a tar archive, as PyTorch wrote it before version 0.1.10",
            "load it with torch.load and save its state_dict again",
        )
    if not lead:
        return "the file is empty", "copy or save it again"
    for start, why, help_ in _OTHERS:
        if lead.lstrip().startswith(start):
            return why, help_
    return "it is damaged, cut off, or of another kind", ""
