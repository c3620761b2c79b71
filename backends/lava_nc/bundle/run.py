"""Runs the network on images: python run.py IMAGES.npy -o OUT.npz [--record] [--progress]."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import resource
import sys
import tempfile
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent
PREFIX, SUFFIX = ".lava-", ".tmp"
"""Of files under construction; whoever writes one holds a lock on it."""
STOP_SECONDS = 20.0
"""Lava stops within a tenth of a second, or a few where a hundred processes share a core."""


def main() -> int:
    arguments = parse()
    sys.path.insert(0, str(FOLDER))
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    damaged = check_files(manifest)
    if damaged:
        print(f"error: these files of the bundle are not as exported: {damaged}", file=sys.stderr)
        return 3
    images = np.load(arguments.images, allow_pickle=False)
    raise_file_limit()
    run(manifest, images, arguments)
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run the network in Lava.")
    parser.add_argument("images", type=Path, help="uint8 [n, ...], .npy")
    parser.add_argument("-o", "--output", type=Path, required=True, help="readout, .npz")
    parser.add_argument("--record", action="store_true", help="also every spike and membrane")
    parser.add_argument("--progress", action="store_true", help="one JSON object a line on stdout")
    given = parser.parse_args()
    for path in (given.images, *FOLDER.iterdir()):
        if given.output.exists() and path.exists() and given.output.samefile(path):
            parser.error(f"the output {given.output} is {path}, which is read")
    return given


def check_files(manifest: dict) -> list[str]:
    """Names of the files whose sha256 is not the manifest's."""
    wrong = []
    for name, sha in manifest["files"].items():
        path = FOLDER / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha:
            wrong.append(name)
    return wrong


def run(manifest: dict, images: np.ndarray, arguments: argparse.Namespace) -> None:
    """Runs the network and writes the output."""
    from network import Network
    from watch import Watch

    def report(done: int) -> None:
        if arguments.progress:
            print(json.dumps({"done": done, "of": len(images)}), flush=True)

    watch = Watch()
    with Network(images, record=arguments.record) as net:
        with watch:
            net.run(report)
        arrays = {"readout": net.answers}
        for name, population in manifest["populations"].items():
            if arguments.record:
                place = 1 + list(population["axes"]).index("t")
                arrays[f"spikes:{name}"] = np.moveaxis(net.spikes[name], 1, place)
                arrays[f"membranes:{name}"] = np.moveaxis(net.membranes[name], 1, place)
        write(arguments.output, arrays)
        watch.end_within(STOP_SECONDS)


def write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Under a temporary name, which is renamed when all is written.

    The lock goes with the process, however that ends: the next run that writes into the folder
    removes what nobody holds.
    """
    path = path.resolve()  # a link stays, and what it leads to is replaced
    clear_stale(path.parent)
    handle, temporary = locked_file(path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **arrays)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def locked_file(folder: Path) -> tuple[int, str]:
    """A new file with our lock on it; another if somebody cleared it before it was locked."""
    while True:
        handle, name = tempfile.mkstemp(dir=folder, prefix=PREFIX, suffix=SUFFIX)
        with contextlib.suppress(OSError):  # where a file system has no locks, nothing is cleared
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.path.exists(name):
            return handle, name
        os.close(handle)


def clear_stale(folder: Path) -> None:
    """Removes what killed runs of this user left in a folder."""
    for path in folder.glob(f"{PREFIX}*{SUFFIX}"):
        with contextlib.suppress(OSError):  # a lock that somebody holds, a file that is gone
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if os.fstat(handle).st_uid == os.geteuid():
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()
            finally:
                os.close(handle)


def raise_file_limit() -> None:
    """A Lava process takes about six file descriptors of this one; 1024 is the usual limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
