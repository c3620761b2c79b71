"""Runs a script that calls `snncc`, without starting Python for every call.

A server process imports the libraries once. A script runs in a fork of it, and where it starts
`snncc`, the command runs in a fork of that: a process of its own, as a user's call is.
"""

import functools
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PRELOADED = ["torch", "numpy", "spikingjelly.activation_based.neuron", "snncc.compiler.driver"]
started = subprocess.run


@functools.cache
def server() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOADED, __name__])
    return context


def run_case(script: Path, seconds: float) -> tuple[int | None, str]:
    """The exit code of a script, None for one that took too long, and all that it printed."""
    printed = script.with_name("printed.txt")
    process = server().Process(target=_run_script, args=(str(script), str(printed)))
    process.start()
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
        return None, printed.read_text()
    return process.exitcode, printed.read_text()


def _run_script(script: str, printed: str) -> None:
    import torch

    torch.set_num_threads(1)  # a fork has no threads and would wait for its parent's
    _print_to(printed)
    subprocess.run = _forked
    os.chdir(Path(script).parent)
    sys.argv = [script]
    runpy.run_path(script, run_name="__main__")


def _print_to(out: str, err: str | None = None) -> None:
    for stream, path in ((1, out), (2, err or out)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)


def _forked(call: Sequence[str], *others: Any, **options: Any) -> Any:
    """`subprocess.run`, where `snncc` is forked and anything else is started."""
    if call[0] != "snncc":
        return started(call, *others, **options)
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            os._exit(_run_snncc([*call[1:]], str(out), str(err)))
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        done = subprocess.CompletedProcess(call, code, out.read_text(), err.read_text())
    if options.get("check"):
        done.check_returncode()
    return done


def _run_snncc(arguments: list[str], out: str, err: str) -> int:
    from snncc.cli.main import run

    _print_to(out, err)
    try:
        return _flushed(run(arguments))
    except BaseException:  # the fork must not go on in the script
        traceback.print_exc()
        return _flushed(70)


def _flushed(code: int) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    return code
