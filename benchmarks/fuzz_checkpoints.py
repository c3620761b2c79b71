"""Damages checkpoints: every one must be refused with a code, or load as if nothing had happened.

    python benchmarks/fuzz_checkpoints.py --count 5000 --kind pth

Kinds: `pth` (zip archives of torch.save, which hold checksums), `safetensors` (damage to lengths
and header; the format has no checksum over the numbers), `legacy` (before PyTorch 1.6) and `pickle`
(archives whose description is changed and whose checksums are right). The last two cannot tell
changed numbers from others, so of them it is only asked that nothing but a coded error comes, soon.
"""

import argparse
import io
import json
import random
import struct
import sys
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save

from snncc.diagnostics import SnnccError
from snncc.frontends.checkpoint import load_checkpoint
from snncc.frontends.mixer_snn.config import MixerConfig
from snncc.frontends.mixer_snn.load import load_mixer
from snncc.frontends.mixer_snn.model import MixerSNN

State = dict[str, torch.Tensor]
Mutation = Callable[[bytes, random.Random], bytes]
CONFIG = MixerConfig(6, (1, 1), 2, 2, 8, 3, 5)
SLOWEST = 5.0
"""Seconds of processor time that one small file may take."""


def trained(seed: int = 0) -> State:
    """Tensors of a small network, none of them constant."""
    torch.manual_seed(seed)
    state = MixerSNN(CONFIG).state_dict()
    for name, tensor in state.items():
        if tensor.is_floating_point():
            state[name] = torch.rand_like(tensor) + 0.1
        else:
            state[name] = tensor + 1234
    return state


def base(kind: str) -> bytes:
    """An undamaged file."""
    state = trained()
    if kind == "safetensors":
        return save(state)
    buffer = io.BytesIO()
    content = {"model": state, "epoch": 3, "args": argparse.Namespace(T=4, out="runs")}
    torch.save(content, buffer, _use_new_zipfile_serialization=kind != "legacy")
    return buffer.getvalue()


def flip(content: bytes, rng: random.Random, stop: int | None = None) -> bytes:
    """One to three bits."""
    mutant = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        mutant[rng.randrange(stop or len(mutant))] ^= 1 << rng.randrange(8)
    return bytes(mutant)


def overwrite(content: bytes, rng: random.Random, stop: int | None = None) -> bytes:
    """Some bytes in a row, by zeros, ones or noise."""
    mutant, count = bytearray(content), rng.choice((1, 2, 4, 8, 64))
    at = rng.randrange(stop or len(mutant))
    new = rng.choice((bytes(count), b"\xff" * count, rng.randbytes(count)))
    mutant[at : at + count] = new[: len(mutant) - at]
    return bytes(mutant)


def truncate(content: bytes, rng: random.Random) -> bytes:
    """The end is missing."""
    return content[: rng.randrange(len(content))]


def lose(content: bytes, rng: random.Random, stop: int | None = None) -> bytes:
    """Some bytes are missing, or stand there twice."""
    at, count = rng.randrange(stop or len(content)), rng.choice((1, 8, 512))
    twice = content[at : at + count] if rng.random() < 0.5 else b""
    return content[:at] + 2 * twice + content[at + count :]


def append(content: bytes, rng: random.Random) -> bytes:
    """Something follows."""
    return content + rng.choice((b"\0", rng.randbytes(9), content[-40:], content))


def at_directory(content: bytes, rng: random.Random) -> bytes:
    """One bit of the list of records at an archive's end."""
    start = content.rfind(b"PK\x05\x06")
    (offset,) = struct.unpack_from("<I", content, start + 16)
    mutant = bytearray(content)
    mutant[rng.randrange(offset, len(mutant))] ^= 1 << rng.randrange(8)
    return bytes(mutant)


def duplicate(content: bytes, rng: random.Random) -> bytes:
    """A record stands there twice, with other numbers and a right checksum."""
    buffer = io.BytesIO(content)
    with zipfile.ZipFile(buffer, "a") as archive:
        infos = [i for i in archive.infolist() if "/data/" in i.filename and i.file_size]
        name = rng.choice(infos).filename
        other = bytes(b ^ 64 for b in archive.read(name))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            archive.writestr(name, other)
    return buffer.getvalue()


def swap_sizes(content: bytes, rng: random.Random) -> bytes:
    """Two entries of the list of records change places in the file, as forgers do."""
    places = [i for i in range(len(content)) if content.startswith(b"PK\x01\x02", i)]
    a, b = rng.sample(places, 2)
    mutant = bytearray(content)
    mutant[a + 42 : a + 46], mutant[b + 42 : b + 46] = (
        mutant[b + 42 : b + 46],
        mutant[a + 42 : a + 46],
    )
    return bytes(mutant)


def edit_header(content: bytes, rng: random.Random) -> bytes:
    """A safetensors header that says something else, in good JSON and with its right length."""
    (length,) = struct.unpack_from("<Q", content)
    header, rest = json.loads(content[8 : 8 + length]), content[8 + length :]
    names = list(header)
    name, other = rng.sample(names, 2)
    text: str | None = None
    match rng.randrange(9):
        case 0:
            header[name]["dtype"] = rng.choice(("F64", "F16", "I32", "U8", "F8_E4M3", "X", 3))
        case 1:
            header[name]["shape"] = rng.choice(([], [-1], [2**62, 4], [0, 2**62], "x", [1.5]))
        case 2:
            header[name]["data_offsets"] = header[other]["data_offsets"]
        case 3:
            start, stop = header[name]["data_offsets"]
            header[name]["data_offsets"] = rng.choice(
                ([start, stop - 4], [stop, start], [0, 2**63])
            )
        case 4:
            del header[name]
        case 5:
            header[name + "\n"] = header.pop(name)
        case 6:
            text = json.dumps(header)[:-1] + f", {json.dumps(name)}: {json.dumps(header[other])}}}"
        case 7:
            text = rng.choice(("[" * 9000, "{}", "null", '{"a": NaN}', json.dumps(header)[:-1]))
        case _:
            rest = rng.choice((rest + b"\0", rest[:-1], rest[8:], b""))
    new = (json.dumps(header) if text is None else text).encode()
    return struct.pack("<Q", len(new)) + new + rest


def within_header(mutation: Callable[..., bytes]) -> Mutation:
    """Only lengths and header: a change of numbers cannot be seen."""

    def mutate(content: bytes, rng: random.Random) -> bytes:
        (length,) = struct.unpack_from("<Q", content)
        return mutation(content, rng, 8 + length)

    return mutate


def redescribe(content: bytes, rng: random.Random) -> bytes:
    """A damaged description of the tensors, with its right checksum."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        for info in old.infolist():
            data = old.read(info)
            if info.filename.endswith("data.pkl"):
                data = rng.choice((flip, flip, overwrite, lose, truncate))(data, rng)
            new.writestr(info.filename, data)
    return buffer.getvalue()


MUTATIONS: dict[str, tuple[Mutation, ...]] = {
    "pth": (flip, flip, overwrite, truncate, lose, append, at_directory, duplicate, swap_sizes),
    "safetensors": (
        *(within_header(flip), within_header(flip), within_header(overwrite)),
        *(truncate, append, within_header(lose), edit_header, edit_header),
    ),
    "legacy": (flip, overwrite, truncate, lose, append),
    "pickle": (redescribe,),
}
EXACT = ("pth", "safetensors")
"""Kinds of which a mutant that loads must be what the original was."""


def outcome(path: Path, wanted: State, exact: bool) -> str:
    """A code, "same", or "other numbers" where the kind cannot tell.

    Raises:
        AssertionError: other numbers were taken without a word, or it took too long.
    """
    start = time.process_time()
    try:
        checkpoint = load_checkpoint(path)
        found: State = checkpoint.state
        if not equal(found, wanted):
            found = load_mixer(checkpoint)[0].state_dict()
        result = "same" if equal(found, wanted) else "other numbers"
    except SnnccError as error:
        result = error.code
    if result == "other numbers" and exact:
        raise AssertionError(f"{path}: a damaged file gave other numbers")
    if time.process_time() - start > SLOWEST:
        raise AssertionError(f"{path}: took {time.process_time() - start:.1f} s")
    return result


def equal(found: State, wanted: State) -> bool:
    """Bit for bit, counters of BatchNorms left out: they take no part in inference."""
    names = {k for k in wanted if not k.endswith("num_batches_tracked")}
    if {k for k in found if not k.endswith("num_batches_tracked")} != names:
        return False
    return all(
        found[k].dtype == wanted[k].dtype
        and found[k].shape == wanted[k].shape
        and found[k].contiguous().numpy().tobytes() == wanted[k].numpy().tobytes()
        for k in names
    )


def fuzz(kind: str, count: int, seed: int, folder: Path) -> Counter[str]:
    """How many mutants ended in what; a mutant that fails is kept in the folder."""
    content, wanted, rng = base(kind), trained(), random.Random(seed)  # noqa: S311
    path = folder / f"mutant.{'safetensors' if kind == 'safetensors' else 'pth'}"
    path.write_bytes(content)
    if outcome(path, wanted, True) != "same":
        raise AssertionError(f"the undamaged {kind} is not read")
    found: Counter[str] = Counter()
    for _ in range(count):
        mutant = rng.choice(MUTATIONS[kind])(content, rng)
        path.write_bytes(mutant)
        found["unchanged" if mutant == content else outcome(path, wanted, kind in EXACT)] += 1
    path.unlink()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--kind", choices=tuple(MUTATIONS), action="append")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for a mutant that fails")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for kind in given.kind or MUTATIONS:
            start = time.perf_counter()
            found = fuzz(kind, given.count, given.seed, folder)
            seconds = time.perf_counter() - start
            print(
                f"{kind}: {given.count:,} mutants in {seconds:.0f} s: {dict(sorted(found.items()))}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
