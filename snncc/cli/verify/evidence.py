"""Evidence that `snncc verify` gathers when asked: a run, the kernels, widths, a certificate."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from snncc.cli.command import say_limit
from snncc.cli.output import print_table, say
from snncc.cli.verify.certificates import print_certificate
from snncc.cli.verify.widths import print_widths, widths_record

if TYPE_CHECKING:
    from snncc.artifact import Program
    from snncc.ir import Graph

OPERATIONS = ("adds", "subtracts", "shifts", "compares", "selects", "logic")


def gather_evidence(
    program: "Program", data: str | None, limit: int, kernels: bool, widths: bool
) -> dict[str, Any]:
    """The records that were asked for, by name; each says whether it `holds`."""
    found: dict[str, Any] = {}
    graph = program.graph
    if data is not None:
        found["run"] = run_record(program, data, limit)
    if kernels:
        found["kernels"] = kernels_record(graph)
    if widths:
        found["widths"] = widths_record(graph)
    return found


def print_evidence(evidence: dict[str, Any]) -> None:
    if "run" in evidence:
        print_run(evidence["run"])
    if "kernels" in evidence:
        print_kernels(evidence["kernels"])
    if "widths" in evidence:
        print_widths(evidence["widths"])
    if "certificate" in evidence:
        print_certificate(evidence["certificate"])


def run_record(program: "Program", data: str, limit: int) -> dict[str, Any]:
    """What a run on arrays that refuse to multiply did, by layer.

    Raises:
        SnnccError: the data cannot be read or do not fit.
    """
    import numpy as np

    from snncc.cli.given_frames import given_images
    from snncc.runtime.proofs.dynamic_proof import prove_by_running
    from snncc.runtime.proofs.refusing_arrays import ArithmeticRefused
    from snncc.runtime.simulator import Simulator

    graph, images = program.graph, given_images(program, data)
    say_limit(limit, len(images))
    images = images[:limit]
    record: dict[str, Any] = {"images": len(images)}
    try:
        proof = prove_by_running(graph, images)
    except ArithmeticRefused as refusal:
        return record | {"holds": False, "refused": {"name": refusal.node, "what": refusal.what}}
    same = np.array_equal(Simulator(graph).run(images).readout, proof.execution.readout)
    layers = [
        {"name": layer.name, "module": layer.module_path, "op": layer.op, **asdict(layer.counts)}
        for layer in proof.layers
    ]
    total = asdict(proof.total)
    return record | {"holds": same, "simulator_agrees": same, "total": total, "layers": layers}


def kernels_record(graph: "Graph") -> dict[str, Any]:
    """What the LLVM IR of the simulator's kernels holds, and whether its plans compute this."""
    from snncc.runtime.proofs.kernel_inspection import inspect_kernels
    from snncc.runtime.proofs.plan_inspection import inspect_plans

    proofs, plans = inspect_kernels(), inspect_plans(graph)
    return {
        "holds": all(p.holds for p in proofs) and all(p.holds for p in plans),
        "kernels": [asdict(p) for p in proofs],
        "plans": [asdict(p) for p in plans],
    }


def print_run(record: dict[str, Any]) -> None:
    images = record["images"]
    if "refused" in record:
        refused = record["refused"]
        say(f"  run     NO: {refused['name']} asked for {refused['what']}")
        return
    same = "the same bits as" if record["simulator_agrees"] else "OTHER BITS THAN"
    say(
        f"  run     {images} images on arrays that refuse to multiply: nothing was refused; "
        f"{same} the simulator"
    )
    rows = [
        (layer["module"] or layer["name"], layer["op"], *(f"{layer[n]:,}" for n in OPERATIONS))
        for layer in [
            *record["layers"],
            {"name": "total", "module": "", "op": ""} | record["total"],
        ]
        if any(layer[n] for n in OPERATIONS)
    ]
    print_table(rows, ("executed, all images", "", *OPERATIONS), left=2)


def print_kernels(record: dict[str, Any]) -> None:
    proofs = record["kernels"]
    instructions = sum(proof["instructions"] for proof in proofs)
    addresses = sum(proof["addresses"] for proof in proofs)
    names = ", ".join(sorted({proof["kernel"] for proof in proofs}))
    clean = not any(proof["offences"] for proof in proofs)
    found = "no floating point, no multiplication of data" if clean else "NO"
    say(
        f"  kernels {found}: {instructions:,} LLVM instructions of {names}; "
        f"{addresses} products are addresses"
    )
    for proof in proofs:
        for offence in proof["offences"]:
            say(f"    {proof['kernel']}({proof['signature']})")
            say(f"      {offence['instruction']}")
            say(f"      = why: {offence['reason']}")
    _print_plans(record["plans"])


def _print_plans(plans: list[dict[str, Any]]) -> None:
    """One line: that number formats, taps and lifetimes were checked; and what was found."""
    faults = [(plan["plan"], fault) for plan in plans for fault in plan["faults"]]
    if not faults:
        sums = sum(plan["sums"] for plan in plans)
        say(
            f"  plans   widths of {sums:,} sums, currents and membranes, all taps and weights, and "
            f"lifetimes of {len(plans)} plans hold, checked apart from the planner"
        )
    else:
        say("  plans   NO")
    for plan, fault in faults:
        place = f"in {fault['unit']}: " if fault["unit"] else ""
        say(f"    error[SNN061]: the plan of {plan} does not compute its program")
        say(f"      = why: {place}{fault['what']}")
