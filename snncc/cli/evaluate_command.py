"""`snncc evaluate`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from snncc.cli.command import Command, Rule, say_limit
from snncc.cli.output import print_facts, print_json, print_table, say
from snncc.cli.parameters import Seconds
from snncc.cli.path_types import DataPath, KeyOrDataPath, OutputFile, ProgramPath, StoreFile
from snncc.cli.progress import progress
from snncc.cli.run.rules import say_threads

if TYPE_CHECKING:
    from snncc.evaluation.figures import Evaluation
    from snncc.evaluation.planning import Done

RESULTS = OutputFile("an archive of arrays", ".npz")
STORE = StoreFile("a store of results", ".sqlite")
RULES = (
    Rule(
        ("restart",),
        lambda given: given["store"] is not None,
        "without --store nothing is kept that could be forgotten",
    ),
    Rule(
        ("workers",),
        lambda given: given["scheduler"] is None,
        "--scheduler has workers of its own",
    ),
    Rule(
        ("patience",),
        lambda given: given["scheduler"] is not None or given["workers"] is not None,
        "this process evaluates, and waits for nobody",
        "give --workers or --scheduler too",
    ),
)


@click.command("evaluate", cls=Command, rules=RULES)
@click.argument("program", type=ProgramPath())
@click.argument("data", type=DataPath(), metavar="FOLDER|DATA.npy|DATA.npz[:KEY]|DATA.tar")
@click.option(
    "--labels",
    type=KeyOrDataPath(),
    metavar="folders|cls|KEY|NPZ:KEY",
    help="For top-1 and top-5: class folders, .cls in .tar files, or an array.",
)
@click.option(
    "--reference",
    type=KeyOrDataPath(),
    metavar="KEY|NPZ:KEY",
    help="Logits to compare predictions with.",
)
@click.option("--store", type=STORE, help="Keeps results by shard, and goes on from there.")
@click.option("--restart", is_flag=True, help="Forget what is in the store.")
@click.option("-o", "--output", type=RESULTS, help="predictions, and ranks of labels (.npz).")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N images.")
@click.option(
    "--shard-size",
    type=click.IntRange(1, 65536),
    default=256,
    show_default=True,
    metavar="N",
    help="Images that are kept, sent and lost as one.",
)
@click.option(
    "--operations",
    type=click.IntRange(min=1),
    metavar="N",
    help="Count synaptic operations on every Nth image.",
)
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Of each simulator.")
@click.option(
    "--readers",
    type=click.IntRange(1, 64),
    metavar="N",
    help="Processes that read and decode, beside each simulator.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Evaluate in N processes of this machine.",
)
@click.option("--scheduler", metavar="ADDRESS", help="Evaluate on the workers of this scheduler.")
@click.option(
    "--patience",
    type=Seconds(),
    default=300.0,
    show_default=True,
    metavar="S",
    help="Seconds that may pass without scheduler or workers.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(
    program: Path,
    data: str,
    labels: str | None,
    reference: str | None,
    store: Path | None,
    restart: bool,
    output: Path | None,
    limit: int | None,
    shard_size: int,
    operations: int | None,
    threads: int | None,
    readers: int | None,
    workers: int | None,
    scheduler: str | None,
    patience: float,
    as_json: bool,
) -> None:
    """Evaluate a program on a whole data set.

    FOLDER holds PNG and JPEG files, .tar files with such, or recordings of events, one a file.
    Files are decoded by other processes while the program runs; memory does not grow with their
    number. With --store an evaluation that was ended, however it was, goes on where it stood: give
    the same command again.

    With --workers or --scheduler shards go to workers of Dask (`pip install 'snncc[cluster]'`); the
    results are the same bits. docs/evaluate.md says how to start such workers on a cluster.
    """
    from snncc.artifact import check_writable, load_program
    from snncc.data.files import write_arrays
    from snncc.evaluation.planning import Ways, evaluate, plan_of

    if output is not None:
        check_writable(output)
    loaded = load_program(program)
    plan = plan_of(loaded, data, labels, reference, limit, shard_size, operations or 0)
    say_limit(limit, plan.source.count)
    if workers is None and scheduler is None:
        say_threads(threads)
    ways = Ways(threads, readers, workers, scheduler, patience)
    with progress("evaluating", quiet=as_json, left=True) as advance:
        done = evaluate(loaded, plan, store, restart, ways, advance, _note)
    found = done.evaluation
    if output is not None:
        ranks = {} if found.ranks is None else {"ranks": found.ranks}
        write_arrays(output, predictions=found.predictions, **ranks)
    if as_json:
        own = {"images": done.images, "seconds": done.seconds, "lost_workers": [*done.lost]}
        print_json({"schema": 1, "program": plan.digest, **found.record(), "this_call": own})
    else:
        _print(done, output)


def _note(sentence: str) -> None:
    say(f"note: {sentence}", err=True)


def _print(done: "Done", output: Path | None) -> None:
    found = done.evaluation
    facts: list[tuple[str, object]] = [("images", f"{found.images:,}")]
    shares = (
        ("top-1", found.accuracy, ""),
        ("top-5", found.top5, ""),
        ("original network", found.reference_accuracy, ""),
        ("agreement", found.agreement, " of predictions are the original's"),
    )
    facts += [(name, f"{share:.2%}{rest}") for name, share, rest in shares if share is not None]
    facts.append(("spike rate", f"{found.spike_rate:.2%} of neurons at a step"))
    facts.append(("operations", _operations(found)))
    facts.append(("latency", _latencies(found)))
    facts.append(("this call", _call(done)))
    facts.append(("all calls", _work(found)))
    facts.append(("results", f"sha256 {found.digest}"))
    if done.lost:
        facts.append(("lost workers", ", ".join(done.lost)))
    if output is not None:
        facts.append(("written", output))
    print_facts(facts)
    say()
    rows = [(name, f"{rate:.2%}") for name, rate in found.spike_rates.items()]
    print_table(rows, ("population", "spike rate"))


def _operations(found: "Evaluation") -> object:
    counts = found.operations
    if counts is None:
        return "not counted; --operations N counts them on every Nth image"
    each = counts.total("effective_acs") / counts.images
    dense = counts.total("dense") / counts.images
    return f"{each:,.1f} accumulates an image of {dense:,.1f} dense, on {counts.images:,} images"


def _latencies(found: "Evaluation") -> str:
    if not found.latencies:
        return "threads shared every image"
    levels = {name: ms for name, ms in found.latencies.items() if name.isdigit()}
    shown = ", ".join(f"{ms:.2f} ms at {name} %" for name, ms in levels.items())
    timed = int(found.latencies["images"])
    return f"{shown}, {found.latencies['largest']:.2f} ms at most; one thread, {timed:,} images"


def _call(done: "Done") -> str:
    if not done.images:
        return "nothing was left to do"
    rate = done.images / done.seconds
    return f"{done.images:,} images in {done.seconds:.1f} s, {rate:,.1f} a second"


def _work(found: "Evaluation") -> str:
    total = max(found.seconds + found.waited, 1e-9)
    processes = len(found.workers)
    who = "1 process" if processes == 1 else f"{processes} processes"
    waited = f"{found.waited / total:.1%} of it waiting for images"
    return f"{total:.1f} s of {who}, {waited}"
