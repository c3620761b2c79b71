"""`snncc inspect`."""

import hashlib
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from snncc.cli.command import Command, Rule
from snncc.cli.output import print_facts, print_json, print_table, say
from snncc.cli.path_types import ProgramPath
from snncc.diagnostics import SnnccError

RULES = (
    Rule(("text",), lambda given: given["node"] is None, "--node shows one node, as text already"),
    Rule(
        ("dot",),
        lambda given: given["node"] is None and not given["text"],
        "it draws the whole program; --node and --text show it otherwise",
    ),
    Rule(
        ("as_json",),
        lambda given: not given["text"] and not given["dot"],
        "--text and --dot are forms of their own",
    ),
    Rule(
        ("batch", "threads"),
        lambda given: given["node"] is None and not given["text"] and not given["dot"],
        "it is of memory's peak, which --node, --text and --dot do not show",
    ),
)


@click.command("inspect", cls=Command, rules=RULES)
@click.argument("program", type=ProgramPath())
@click.option("--node", metavar="NAME", help="Everything about one node.")
@click.option("--text", is_flag=True, help="The program's text form.")
@click.option("--dot", is_flag=True, help="A drawing in Graphviz's language, for `dot -Tsvg`.")
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Images in memory's peak.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Threads in memory's peak.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(
    program: Path,
    node: str | None,
    text: bool,
    dot: bool,
    batch: int,
    threads: int,
    as_json: bool,
) -> None:
    """Show what a program consists of: populations, widths, memory, what became of every BatchNorm.

    The memory is the simulator's at its peak, with the program and without Python itself; what
    `export --to c` takes of a small machine is told beside it.
    """
    from snncc.artifact import computation_digest, load_program, program_digest
    from snncc.ir.dot import dot_text
    from snncc.ir.text import print_graph

    loaded = load_program(program)
    graph = loaded.graph
    if text or dot:
        for line in (print_graph(graph) if text else dot_text(graph)).splitlines():
            say(line)
        return
    if node is not None:
        _one(graph, node, as_json)
        return
    from snncc.backends.cpu.plan.units import host_units
    from snncc.ir.populations import membrane_of, population_nodes
    from snncc.mfi.prover import bits

    populations: list[dict[str, Any]] = [
        {
            "name": each.name,
            "axes": {axis.name: axis.size for axis in each.type.axes},
            "neurons": each.type.neurons,
            "membrane_bits": bits(membrane_of(each.op) or (0, 0)),
        }
        for each in population_nodes(graph)
    ]
    constants = sum(int(a.size) for a in graph.constants.values())
    record: dict[str, Any] = {
        "schema": 1,
        "program": str(program),
        "digest": computation_digest(loaded),
        "sha256": program_digest(loaded),
        "file_sha256": hashlib.sha256(program.read_bytes()).hexdigest(),
        "profile": graph.profile,
        "steps": graph.steps,
        "nodes": len(graph.nodes),
        "neurons": sum(int(p["neurons"]) for p in populations),
        "constants": constants,
        "memory": _memory(graph, batch, threads),
        "c": _in_c(graph),
        "host_units": host_units(graph),
        "populations": populations,
        "provenance": dict(loaded.provenance),
    }
    if as_json:
        print_json(record)
        return
    _print(record)


def _print(record: dict[str, Any]) -> None:
    origin = record["provenance"]
    print_facts(
        [
            ("program", f"{record['program']}  file sha256 {record['file_sha256'][:16]}…"),
            (
                "content",
                f"sha256 {record['sha256'][:16]}…  (as recordings and certificates name it)",
            ),
            ("digest", f"{record['digest'][:16]}…  (of nodes and constants: what it computes)"),
            ("network", f"{origin.get('network', '?')}  {origin.get('checkpoint', '')}".rstrip()),
            ("variant", origin.get("variant", "as the factory makes it")),
            *_of_nir(origin.get("nir")),
            *_of_lava_dl(origin.get("lava_dl")),
            ("parameters", f"{origin.get('parameters', 0):,} in the original"),
            ("constants", f"{record['constants']:,} integers in the program"),
            ("profile", f"{record['profile']}, {record['steps']} time steps"),
            ("weights", _widths(origin)),
            ("preprocess", origin.get("preprocess") or "none: image files enter as they are"),
            *_of_frames(origin),
            ("neurons", f"{record['neurons']:,} in {len(record['populations'])} populations"),
            ("memory", _of_memory(record["memory"])),
            ("C", _of_c(record["c"])),
            *_of_host(record["host_units"]),
        ]
    )
    say()
    found = origin.get("fidelity")
    judged = {p["name"]: p for p in found["populations"]} if found else {}
    rows = [
        (
            p["name"],
            "x".join(map(str, list(p["axes"].values())[1:])),
            f"{p['neurons']:,}",
            p["membrane_bits"],
            *_judged(judged.get(p["name"])),
        )
        for p in record["populations"]
    ]
    head = ("population", "shape", "neurons", "membrane bits", "spike rate", "flips", "near")
    print_table(rows, head)
    if found:
        say(
            f"spike rate: of the network on {found['images']} {found['by']} images; flips: where "
            "the program differs; near: membranes within 1/64 of their threshold"
        )
        say(
            f"{found['agreement']:.2%} answered alike; logits differ by {found['logits_rms']:.3g} "
            f"(rms), the network's own spread is {found['logits_std']:.3g}"
        )
    folds = [
        fold
        for fold in origin.get("folds", [])
        if "fold" in fold["pass"] or "unshare" in fold["pass"]
    ]
    if folds:
        say()
        lines = [
            (f["site"], f["pass"], ("" if f["fired"] else "not here: ") + f["text"]) for f in folds
        ]
        print_table(lines, ("site", "rule", "what it did"), left=3)


def _memory(graph: Any, batch: int, threads: int) -> dict[str, Any]:
    """What running takes, and with every population recorded; or why nobody can say."""
    from dataclasses import asdict

    from snncc.backends.cpu.arrangement import NotExpressible
    from snncc.ir.populations import population_nodes
    from snncc.runtime.memory_use import memory_use, recorded_bytes

    try:
        use = memory_use(graph)
    except NotExpressible as reason:
        return {"unknown": reason.findings[0].why}
    everything = [node.name for node in population_nodes(graph)]
    each_thread = use.running(2, 2) - use.running(2, 1)
    return asdict(use) | {
        "batch": batch,
        "threads": threads,
        "peak": use.peak(batch, threads),
        "further_thread": each_thread,
        "recorded_image": recorded_bytes(graph, everything),
    }


def _of_memory(found: dict[str, Any]) -> str | tuple[str, ...]:
    from snncc.machine.memory import megabytes

    if "unknown" in found:
        return f"not known: {found['unknown']}"
    batch, threads = found["batch"], found["threads"]
    images = "one image" if batch == 1 else f"{batch:,} images"
    on = "one thread" if threads == 1 else f"{threads} threads"
    return (
        f"{megabytes(found['peak'])} at most, for {images} on {on}",
        f"program {megabytes(found['program'])}, its plan {megabytes(found['plan'])}, "
        f"{megabytes(found['planning'])} while it is made",
        f"a further thread {megabytes(found['further_thread'])}, a further image "
        f"{megabytes(found['answer'])}, recorded {megabytes(found['recorded_image'])} more",
    )


def _in_c(graph: Any) -> dict[str, Any]:
    """Bytes of the program in C, without its code and stack; or why there is no C of it."""
    from snncc.backends.c99.source import Source

    try:
        source = Source(graph)
    except SnnccError as error:
        return {"unknown": error.findings[0].why}
    size = source.footprint
    return {"form": source.form, "flash": size.flash, "ram": size.ram}


def _of_c(found: dict[str, Any]) -> str:
    if "unknown" in found:
        return f"none: {found['unknown']}"
    return f"{found['flash']:,} bytes of tables in flash beside the code, {found['ram']:,} of RAM"


def _of_nir(found: dict[str, Any] | None) -> list[tuple[str, str | tuple[str, ...]]]:
    """How a .nir file was read: all that it leaves open; nothing for other models."""
    if found is None:
        return []
    left_out = ("convention", "about", "dt", "dt_is", "answer", "repaired", "version")
    rules = ", ".join(f"{key} {value}" for key, value in found.items() if key not in left_out)
    dt = "no dt" if found["dt"] is None else f"dt {found['dt']:g} s"
    lines = (
        f"{found['convention']}: {found['about']}",
        f"{dt}: {found['dt_is']}; {found['answer']}",
        rules,
        *(f"repaired: {each}" for each in found["repaired"]),
    )
    return [("NIR", lines)]


def _of_frames(origin: dict[str, Any]) -> list[tuple[str, str | tuple[str, ...]]]:
    """What frames hold, and how they are made; nothing for still images."""
    from snncc.events.kept_framing import framing_kept_in

    how, domain = framing_kept_in(origin), origin.get("frames")
    found: list[tuple[str, str | tuple[str, ...]]] = []
    if domain is not None:
        found.append(("frames", f"one a step, of whole numbers {domain[0]}..{domain[1]}"))
    return found if how is None else [*found, ("framing", str(how))]


def _of_lava_dl(found: dict[str, Any] | None) -> list[tuple[str, str | tuple[str, ...]]]:
    """How a .net file was read; nothing for other models."""
    if found is None:
        return []
    lines = (
        f"{found['convention']}: {found['about']}",
        f"input {found['input']}; layers {', '.join(found['layers'])}",
        *(f"left out: {each}" for each in found["left_out"]),
    )
    return [("lava-dl", lines)]


def _of_host(found: dict[str, str]) -> list[tuple[str, str | tuple[str, ...]]]:
    """What the interpreter computes between compiled units, and why; nothing where all is."""
    if not found:
        return []
    return [("host units", tuple(f"{name}: {reason}" for name, reason in found.items()))]


def _widths(origin: dict[str, Any]) -> str:
    layers: dict[str, int] = origin.get("layer_bits", {})
    if not layers:
        return f"{origin.get('weight_bits', '?')} bits"
    few = ", ".join(f"{name}={bits}" for name, bits in layers.items())
    return f"{min(layers.values())} to {max(layers.values())} bits: {few}"


def _judged(found: dict[str, Any] | None) -> tuple[str, str, str]:
    if found is None:
        return "-", "-", "-"
    return f"{found['rate']:.2%}", f"{found['flips']:.2%}", f"{found['near']:.2%}"


def _one(graph: Any, name: str, as_json: bool) -> None:
    from snncc.artifact.program import to_manifest
    from snncc.ir import params_of
    from snncc.ir.text import print_node

    if name not in graph.by_name:
        names: list[str] = list(graph.by_name)
        close = [n for n in names if name in n][:5] or get_close_matches(name, names, 3)
        raise SnnccError(
            "SNN001",
            f"no node is called {name!r}",
            help=f"perhaps {', '.join(close)}" if close else "see `snncc inspect --text`",
        )
    node = graph[name]
    if as_json:
        from snncc.artifact import Program

        manifest = to_manifest(Program(graph, {}))
        print_json(next(n for n in manifest["nodes"] if n["name"] == name))
        return
    say(print_node(node))
    for param in params_of(node.op):
        array = graph.constants[param.name]
        say(f"  {param}: {array.dtype} {list(array.shape)}, {array.min()}..{array.max()}")
    for loc in node.locs:
        say(f"  from {loc} {loc.call}".rstrip())
    readers = ", ".join(f"%{n.name}" for n in graph.readers.get(name, ()))
    say(f"  read by {readers or 'nobody: it is the answer'}")
