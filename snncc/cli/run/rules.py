"""What `snncc run`'s options need of each other."""

from snncc.cli.command import Given, Rule
from snncc.cli.output import say
from snncc.targets.registry import target_named

WITHOUT_EFFECT = (
    *("labels", "reference", "output", "recorded", "record_only", "limit", "threads"),
    *("cross_check", "device"),
)


def elsewhere(given: Given) -> bool:
    """Whether not this process runs the program."""
    return not target_named(given["on"]).here


def simulates(given: Given) -> bool:
    return bool(given["executor"] == "simulator")


RULES = (
    Rule(
        WITHOUT_EFFECT,
        lambda given: not given["profile"],
        "--profile times the simulator on the first image, on one thread, and writes nothing",
    ),
    Rule(
        ("executor", "on"),
        lambda given: not given["profile"] or (simulates(given) and not elsewhere(given)),
        "--profile times the simulator on the CPU",
    ),
    Rule(
        ("record_only",),
        lambda given: given["recorded"] is not None,
        "--record-only names what --record FILE keeps",
        "give --record FILE too, or leave it out",
    ),
    Rule(
        ("threads",),
        simulates,
        "they are the simulator's alone",
    ),
    Rule(
        ("device",),
        lambda given: given["executor"] == "torch" and not elsewhere(given),
        "it is where --executor torch runs, and that runs nothing here",
        "give --executor torch too, or leave it out",
    ),
    Rule(
        ("kernels",),
        lambda given: simulates(given) and not elsewhere(given),
        "--kernels chooses among those of --executor simulator on the CPU",
    ),
    Rule(
        ("cross_check",),
        lambda given: simulates(given) and not elsewhere(given),
        "--cross-check compares --executor simulator on the CPU with the interpreter",
    ),
    Rule(
        ("timeout",),
        elsewhere,
        "no target but this process runs the program",
        "give --on too, such as --on lava",
    ),
    Rule(
        ("lava_python",),
        lambda given: target_named(given["on"]).asks_for_python,
        "nothing runs on Lava",
        "give --on lava too",
    ),
)


def say_threads(threads: int | None) -> None:
    """Says on stderr when the user asks for more threads than the machine gives."""
    from snncc.runtime.simulator import threads_here

    available = threads_here()
    if threads is not None and threads > available:
        say(f"note: --threads {threads:,}: this machine gives {available}", err=True)
