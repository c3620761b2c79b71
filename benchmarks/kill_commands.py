"""Kills every command with SIGKILL, at every change it makes to the disk and at random moments.

After each kill the inputs must be as they were, every output absent, old or whole, and nothing
else may lie there but `.snncc-*.tmp`; the next call must end well and clear those. Prints a line
for each command and ends with exit code 1 when anything was harmed. Linux alone.

    python benchmarks/kill_commands.py [--kills 100] [--seed 0] [--commands run compile ...]
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HELPERS = ROOT / "tests/helpers"
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.link", "shutil.rmtree")
MOST_MOMENTS = 400
LONGEST = 300
"""Seconds that a command may take before it is taken for stuck."""
Tree = dict[str, str]


@dataclass(frozen=True)
class Case:
    """A command whose kills are looked at.

    Attributes:
        call: its words; `out/` is the only folder it writes.
        before: words of a call whose outputs lie there first; none for an empty folder.
        folder: what it writes as one thing, a folder in `out/`.
    """

    call: str
    before: str = ""
    folder: str = ""


CASES = {
    "compile": Case(
        "compile in/net.pth -o out/p.snncc --dump-ir out/ir",
        "compile in/net.pth -o out/p.snncc --dump-ir out/ir --weight-bits 5",
    ),
    "verify": Case("verify in/p.snncc --certificate out/c.json"),
    "run": Case(
        "run in/p.snncc in/d.npz:x -o out/o.npz --record out/r.npz",
        "run in/p.snncc in/d.npz:y -o out/o.npz --record out/r.npz",
    ),
    "evaluate": Case(
        "evaluate in/p.snncc in/d.npz:x -o out/e.npz",
        "evaluate in/p.snncc in/d.npz:y -o out/e.npz",
    ),
    "export": Case(
        "export in/p.snncc --to lava -o out/bundle --force",
        "export in/q.snncc --to lava -o out/bundle",
        "bundle",
    ),
    "onnx": Case(
        "export in/p.snncc --to onnx -o out/net.onnx --force",
        "export in/q.snncc --to onnx -o out/net.onnx",
    ),
    "c": Case(
        "export in/p.snncc --to c -o out/c --force",
        "export in/p.snncc --to c --form dense -o out/c",
        "c",
    ),
    "nir": Case(
        "export in/n.snncc --to nir -o out/net.nir --force",
        "export in/o.snncc --to nir -o out/net.nir",
    ),
    "map": Case(
        "map in/m.snncc --chip in/chip.toml -o out/m.json",
        "map in/m.snncc --chip in/chip.toml --prefer cores -o out/m.json",
    ),
    "report": Case(
        "report in/m.snncc -o out/r.html",
        "report in/n.snncc -o out/r.html",
    ),
    "frames": Case(
        "frames in/e.npz -o out/f.npz --sensor 8x8 --steps 3",
        "frames in/e.npz -o out/f.npz --sensor 8x8 --steps 2",
    ),
    "warm": Case("warm"),
    "inspect": Case("inspect in/p.snncc"),
    "count": Case("count in/p.snncc in/d.npz:x"),
    "compare": Case("compare in/p.snncc in/q.snncc --data in/d.npz:x"),
    "fit": Case("fit in/m.snncc"),
}


@dataclass
class Tally:
    """What kills of one command did."""

    moments: int = 0
    kills: int = 0
    left: int = 0
    harm: list[str] = field(default_factory=list)

    def line(self, name: str) -> str:
        told = f"{name:8} {self.moments:4} moments, {self.kills:4} random kills, "
        told += f"{self.left:4} temporaries left and cleared, {len(self.harm)} times harm"
        return "\n  ".join([told, *self.harm[:5]])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100, help="at random moments, each command")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--next-calls", type=int, default=1, help="after every n-th change's kill")
    parser.add_argument("--commands", nargs="+", choices=CASES, default=list(CASES))
    options = parser.parse_args()
    harmed = False
    os.environ["OMP_NUM_THREADS"] = "1"  # a fork has no threads and would wait for its parent's
    with tempfile.TemporaryDirectory(prefix="snncc-kills-") as name:
        folder = Path(name).resolve()
        os.chdir(folder)
        os.environ["SNNCC_CACHE_DIR"] = str(folder / "cache")
        make_inputs(folder)
        for command in options.commands:
            rng = random.Random(f"{options.seed} {command}")  # noqa: S311 (moments, no secrets)
            tally = killed(folder, command, options.kills, rng, options.next_calls)
            harmed |= bool(tally.harm)
            print(tally.line(command), flush=True)
    return int(harmed)


def make_inputs(folder: Path) -> None:
    """A small checkpoint, two programs of it and images."""
    import numpy as np
    import torch
    from chip_texts import SMALL, small_program
    from frame_programs import small

    from snncc.artifact import Program, save_program
    from snncc.frontends.mixer_snn.config import MixerConfig
    from snncc.frontends.mixer_snn.model import MixerSNN

    (folder / "in").mkdir()
    torch.manual_seed(0)
    torch.save(MixerSNN(MixerConfig(6, (1, 1), 2, 2, 8, 1, 5)).state_dict(), "in/net.pth")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 20, 1, 8, 8), dtype=np.uint8)
    np.savez("in/d.npz", x=pixels[0], y=pixels[1])
    times = np.arange(50)
    np.savez("in/e.npz", x=times % 8, y=times % 7, p=times % 2, t=times)
    for name, bits in (("p", 8), ("q", 5)):
        quietly(f"compile in/net.pth -o in/{name}.snncc --weight-bits {bits}")
    (folder / "in/chip.toml").write_text(SMALL)
    graphs = {"m": small_program(), "n": small((0, 255)), "o": small((0, 3))}
    for name, graph in graphs.items():
        save_program(folder / f"in/{name}.snncc", Program(graph, {}))


def killed(folder: Path, name: str, kills: int, rng: random.Random, next_calls: int = 1) -> Tally:
    """Kills a command at every change to the disk, then at random moments."""
    case, start = CASES[name], folder / f"before-{name}"
    out = folder / ("cache" if name == "warm" else "out")
    old, new = prepare(out, start, case)
    inputs, tally = tree(folder / "in"), Tally()

    def look(when: str) -> None:
        """After a kill, and again after the next call."""
        found = tree(out)
        parts = {name: [p for p in name.split("/") if p.startswith(".snncc-")] for name in found}
        temporaries = [name for name in found if parts[name]]
        roots = {parts[name][0] for name in temporaries}
        roots |= {each.name for each in out.glob(".snncc-*")} if out.exists() else set()
        tally.left += len(roots)
        if wrong := [name for name in roots if not name.endswith(".tmp")]:
            tally.harm.append(f"{when}: {wrong} is not named as documented")
        rest = {name: sha for name, sha in found.items() if name not in temporaries}
        whole = rest in (old, new) or all(
            sha in (old.get(name), new.get(name)) for name, sha in rest.items()
        )
        if case.folder and any(name.startswith(f"{case.folder}/") for name in rest):
            whole &= rest in (old, new)
        if not whole:
            tally.harm.append(f"{when}: {sorted(rest)} is neither old nor new")
        if missing := [name for name in old if name not in rest and name in new]:
            tally.harm.append(f"{when}: {missing} was there before and is gone")
        if tree(folder / "in") != inputs:
            tally.harm.append(f"{when}: an input is not what it was")

    def next_call(when: str) -> None:
        quietly(case.call)
        if tree(out) != new:
            tally.harm.append(f"{when}: the next call does not give what it should")
        if out.exists() and (stale := [each.name for each in out.rglob(".snncc-*.tmp")]):
            tally.harm.append(f"{when}: the next call leaves {stale}")

    for moment in range(MOST_MOMENTS):
        restore(out, start)
        if not in_child(lambda: quietly(case.call), (out, moment)):
            break
        tally.moments += 1
        look(f"moment {moment}")
        if moment % next_calls == 0:
            next_call(f"after moment {moment}")
    seconds = 0.0
    for kill in range(-1, kills):
        restore(out, start)
        command = [sys.executable, "-m", "snncc", *case.call.split()]
        begin = time.monotonic()
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            if kill < 0:
                process.wait()
                seconds = time.monotonic() - begin
                continue
            time.sleep(rng.uniform(0, 1.05 * seconds))
            process.kill()
        tally.kills += 1
        look(f"random kill {kill}")
        if kill % 10 == 9 or kill == kills - 1:
            next_call(f"after random kill {kill}")
    return tally


def prepare(out: Path, start: Path, case: Case) -> tuple[Tree, Tree]:
    """Makes what lies there before a command; gives that, and what lies there after it."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    if case.before:
        quietly(case.before)
    shutil.copytree(out, start)
    quietly(case.call)
    return tree(start), tree(out)


def restore(out: Path, start: Path) -> None:
    """The folder as it is before the command."""
    shutil.rmtree(out)
    shutil.copytree(start, out)


def tree(folder: Path) -> Tree:
    """The sha256 of every file in a folder, by its path there."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    }


def quietly(call: str) -> None:
    """Runs a command in this process. Raises RuntimeError when it does not end well."""
    from snncc.backends.cpu.vm import runner as unit_runner
    from snncc.cli.main import run

    unit_runner._load_executable.cache_clear()  # as in a process of its own
    with Path(os.devnull).open("w") as nothing:
        before = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = nothing
        try:
            code = run(call.split())
        finally:
            sys.stdout, sys.stderr = before
    if code not in (0, 1):
        raise RuntimeError(f"snncc {call} ends with exit code {code}")


def in_child(work: Callable[[], None], kill_at: tuple[Path, int]) -> bool:
    """Does work in a fork that kills itself before its n-th change in a folder; says whether."""
    child = os.fork()
    if child == 0:
        folder, left = str(kill_at[0]), [kill_at[1]]

        def watch(event: str, arguments: tuple[object, ...]) -> None:
            writes = event in CHANGES
            if event == "open" and isinstance(arguments[2], int):
                writes = bool(arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
            if writes and any(in_folder(each, folder) for each in arguments[:2]):
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left[0] -= 1

        sys.addaudithook(watch)
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    status = status_of(child)
    if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status) != 0:
        raise RuntimeError("a command that nobody killed fails")
    return os.WIFSIGNALED(status)


def status_of(child: int) -> int:
    """How a process ended. Raises RuntimeError for one that does not end."""
    late = time.monotonic() + LONGEST
    while time.monotonic() < late:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise RuntimeError(f"a command does not end in {LONGEST} s")


def in_folder(argument: object, folder: str) -> bool:
    if not isinstance(argument, str | bytes | os.PathLike):
        return False
    path = os.path.abspath(os.fsdecode(argument))
    return path == folder or path.startswith(folder + os.sep)


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(HELPERS)]
    sys.exit(main())
