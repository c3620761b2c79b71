"""What a fixed set of networks compiles to, for changes that claim to change nothing.

    OMP_NUM_THREADS=1 python benchmarks/replay.py --write before.json
    OMP_NUM_THREADS=1 python benchmarks/replay.py --against before.json

Of every network: the program's file, its certificate, its verdict, its text, the plan of the
compiled units, and what is refused with which words. Everything is asked through the command line
and the Python API, but the plan. The exit code is 1 where anything differs.
"""

import argparse
import contextlib
import hashlib
import io
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests/helpers")]

from generators.programs import program  # noqa: E402
from programs import lowered  # noqa: E402
from random_programs import random_program  # noqa: E402
from verdict_zoo import SHAPE, ZOO, make  # noqa: E402

import snncc  # noqa: E402
from snncc.artifact import Program, save_program  # noqa: E402
from snncc.backends.cpu.arrangement import NotExpressible  # noqa: E402
from snncc.backends.cpu.plan.encoding import plan_units  # noqa: E402
from snncc.cli.main import run  # noqa: E402
from snncc.ir import Graph  # noqa: E402

COUNT = 30
"""Random programs of each kind."""
PROFILES = "exact", "loihi-lava"
ASKED = {
    "verdict": "verify p.snncc --json --certificate c.json",
    "facts": "inspect p.snncc --json",
    "text": "inspect p.snncc --text",
    "export": "export p.snncc --to lava -o bundle --json",
}
MEASURED = re.compile(r'"(peak|planning)": \d+')
"""Bytes that planning took, which are no property of the program."""
Facts = dict[str, str]


def replayed(folder: Path) -> Iterator[tuple[str, Facts]]:
    """Every network's name and what it compiles to."""
    for seed in range(COUNT):
        for kind, of in (("compiled", lowered), ("grown", program), ("built", random_program)):
            yield f"{kind} {seed}", facts_of(Program(of(seed), {}), folder)
    for name in ZOO:
        for profile in PROFILES:
            net = make(name)
            yield f"{name} {profile}", facts_of_model(net, profile, folder)
    for profile in PROFILES:
        checkpoint = ROOT / "examples/digits_mixer.pth"
        yield f"digits {profile}", facts_of_model(checkpoint, profile, folder)


def facts_of_model(model: object, profile: str, folder: Path) -> Facts:
    """Of a network that is compiled, or how it is refused."""
    shape = None if isinstance(model, Path) else SHAPE
    try:
        compiled = snncc.compile(model, input_shape=shape, profile=profile, steps=4)  # type: ignore[arg-type]
    except snncc.SnnccError as error:
        return {"refused": digest(str(error).encode())}
    return facts_of(Program(compiled.graph, {}), folder)


def facts_of(made: Program, folder: Path) -> Facts:
    """Digests of the file, of what the commands say, and of the plan."""
    for old in sorted(folder.rglob("*"), reverse=True):
        old.rmdir() if old.is_dir() else old.unlink()
    with contextlib.chdir(folder):
        save_program(Path("p.snncc"), made)
        found = {"file": digest(Path("p.snncc").read_bytes())}
        found |= {name: said(call.split()) for name, call in ASKED.items()}
        certificate, bundle = Path("c.json"), Path("bundle")
        if certificate.exists():
            found["certificate"] = digest(certificate.read_bytes())
        for file in sorted(bundle.rglob("*")) if bundle.exists() else ():
            found[f"bundle {file.name}"] = digest(file.read_bytes())
    return found | {"plan": plan_of(made.graph)}


def said(call: list[str]) -> str:
    """A digest of the exit code and of both outputs of a command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(call)
    text = MEASURED.sub("", out.getvalue())
    return digest(f"{code}\n{text}\n{err.getvalue()}".encode())


def plan_of(graph: Graph) -> str:
    """A digest of all tables and constants of the compiled units."""
    try:
        plan = plan_units(graph, graph.steps)
    except NotExpressible as reason:
        return str(reason)
    parts = hashlib.sha256()
    for field in fields(plan):
        value = getattr(plan, field.name)
        if field.default_factory is not MISSING and value == field.default_factory():
            continue  # a plan without loops is what it was before there were any
        parts.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
    return parts.hexdigest()[:16]


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def compared(now: dict[str, Facts], before: dict[str, Facts], say: Callable[[str], object]) -> int:
    """How many facts differ; each is said."""
    wrong = 0
    for name in sorted(now.keys() | before.keys()):
        a, b = before.get(name, {}), now.get(name, {})
        for fact in sorted(k for k in a.keys() | b.keys() if a.get(k) != b.get(k)):
            wrong += 1
            say(f"{name}: {fact} differs: {a.get(fact, 'absent')}, now {b.get(fact, 'absent')}")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--write", type=Path, help="JSON file for what is found")
    parser.add_argument("--against", type=Path, help="JSON file to compare with")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        now = dict(replayed(Path(folder)))
    if options.write is not None:
        options.write.write_text(json.dumps(now, indent=1) + "\n")
    count = sum(map(len, now.values()))
    if options.against is None:
        print(f"{count} facts of {len(now)} networks")
        return 0
    wrong = compared(now, json.loads(options.against.read_text()), print)
    print(f"{wrong} of {count} facts of {len(now)} networks differ")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
