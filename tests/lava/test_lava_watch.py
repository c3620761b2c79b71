"""The watch of a bundle: however one of Lava's processes ends, the program ends, and says why."""

import subprocess
import time
from pathlib import Path

import pytest
from lava_environment import lava_environment

import snncc.backends.lava_nc

BUNDLE = Path(snncc.backends.lava_nc.__file__).parent / "bundle"
PROGRAM = """
import multiprocessing, os, signal, sys, time
sys.path.insert(0, {bundle!r})
import os, watch
from watch import Watch

def start(act):
    child = multiprocessing.get_context("fork").Process(target=act)
    child.start()
    return child

def wait():
    time.sleep(1000)

watch = Watch()
others = [start(wait), start(wait)]
{before}
with watch:
    {inside}
print("after")
{after}
"""
KNOWN = "[time.sleep(0.01) for _ in iter(lambda: len(watch._pids) < len(others), False)]"
"""Waits until the processes have said their numbers; one killed before that has just ended."""
CASES = {
    "killed": ("", f"{KNOWN}; os.kill(others[0].pid, 9); wait()", "was killed by signal 9"),
    "killed as soon as it was forked": (
        "os.kill(others[0].pid, 9)",
        "wait()",
        "in the middle of the",
    ),
    "ended before it was looked at": ("start(lambda: None)", "wait()", "Lava ended in the middle"),
    "waited for by Lava": ("start(lambda: None).join()", "wait()", "Lava ended in the middle"),
    "closed by Lava": (
        "child = start(lambda: None); child.join(); child.close()",
        "multiprocessing.active_children(); wait()",
        "Lava ended in the middle",
    ),
    "joined while another hangs": ("start(lambda: None)", "others[0].join()", "Lava ended in the"),
    "ended with a status": ("start(lambda: os._exit(3))", "wait()", "Lava ended with status 3"),
    "raised in the main thread": ("", "raise RuntimeError('Lava said')", "RuntimeError: Lava said"),
}


def run(before: str, inside: str, after: str = "") -> subprocess.CompletedProcess[str]:
    """Its children hold its stderr: it comes back only when every one of them has ended."""
    program = PROGRAM.format(bundle=str(BUNDLE), before=before, inside=inside, after=after)
    command = [str(lava_environment().python), "-c", program]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("case", CASES)
def test_the_program_ends_with_its_processes_and_says_why(case: str) -> None:
    before, inside, message = CASES[case]
    done = run(before, inside)
    assert done.returncode == 1
    assert message in done.stderr
    assert "after" not in done.stdout


def test_sigterm_ends_the_processes_as_well() -> None:
    done = run("", "os.kill(os.getpid(), signal.SIGTERM); wait()")
    assert done.returncode == 128 + 15


def test_sigterm_to_one_process_is_a_process_that_ended() -> None:
    # A signal that arrives while Python still forks is lost.
    done = run("", "while True: others[1].terminate(); time.sleep(0.1)")
    assert done.returncode == 1
    assert "in the middle of the run" in done.stderr


def test_a_block_that_succeeds_lets_the_processes_end_later() -> None:
    start = time.monotonic()
    after = "for child in others: child.kill(); child.join()"
    done = run("", "time.sleep(0.5)", after)
    assert (done.returncode, done.stdout, done.stderr) == (0, "after\n", "")
    assert time.monotonic() - start < 30


def test_a_block_that_is_done_ends_though_the_processes_do_not_stop() -> None:
    """As Lava's `stop` does when one of its processes was killed."""
    done = run("", "pass", "watch.end_within(0.5); wait()")
    assert (done.returncode, done.stdout) == (0, "after\n")
    assert "did not stop within 0.5 s" in done.stderr


@pytest.mark.parametrize("inside", ["start(lambda: None); wait()", "raise RuntimeError"])
def test_nobody_reads_what_is_said(inside: str) -> None:
    before = "os.close(2); reading, writing = os.pipe(); os.dup2(writing, 2); os.close(reading)"
    done = run("", f"{before}; os.close(writing) if writing != 2 else None; {inside}")
    assert done.returncode == 1


def test_without_a_file_descriptor_nothing_is_left() -> None:
    before = (
        "import resource; taken = []\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "try:\n    while True: taken.append(os.dup(0))\nexcept OSError: pass\n"
        "os.close(taken.pop())\nos.fork() or wait()"
    )
    done = run(before, "wait()")
    assert done.returncode == 1
    assert "no file descriptor is left" in done.stderr


def test_a_second_sigterm_changes_nothing() -> None:
    inside = (
        "other = os.fork()\n"
        "    if other == 0:\n"
        "        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "        for _ in range(50): os.kill(os.getppid(), signal.SIGTERM)\n"
        "        wait()\n"
        "    wait()"
    )
    done = run("", inside)
    assert done.returncode == 128 + 15
