"""How a verdict is told: as text, as prose for people who do not know the field, as JSON."""

import textwrap
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from snncc.cli.output import say
from snncc.diagnostics import Finding, printable
from snncc.mfi import Judgement, Level, OpVerdict, Policy, Verdict, headline

MEANING = {
    Level.STRICT: "It only selects stored numbers, adds or subtracts them, compares sums with "
    "thresholds, and shifts by constant amounts.",
    Level.SHIFT_ADD: "It selects, adds, compares and shifts, and in some places it scales an "
    "integer by a constant; a constant is a few signed powers of two, so the scaling is a few "
    "shifted additions and needs no multiplier.",
    Level.BIT_SERIAL: "In some places it multiplies one integer that depends on the image by "
    "another. That can be done by selecting and adding over the bits of one of them, which needs "
    "no multiplier but one addition for every bit.",
    Level.NONE: "In some place a real multiplication, a division, an exponential or a root "
    "remains, or something whose arithmetic is not known.",
}
PROSE = (
    "A spiking network sends bits: a neuron either fires at a time step or it does not. Where a "
    "bit meets a weight nothing has to be multiplied: the bit decides whether the weight is added. "
    "Inference is multiplication-free when that holds everywhere. Four levels say how nearly: "
    "strict, shift-add, bit-serial and none."
)


def print_verdict(
    verdict: Verdict,
    judgement: Judgement,
    policy: Policy,
    findings: Sequence[Finding] = (),
    *,
    explain: bool = False,
) -> None:
    """The whole verdict on stdout."""
    say(f"{headline(verdict, judgement)}: level {judgement.level.label}")
    if verdict.unjudged:
        number = f"{len(verdict.unjudged)} operation{'s' if len(verdict.unjudged) > 1 else ''}"
        say(f"not judged: {number}, of which nothing is known; that counts as level none")
    if explain:
        _explain(verdict, judgement)
        _print_refusals(judgement, policy, findings)
        return
    say(f"  input   {verdict.encoding} (level {verdict.encoding_level.label})")
    say(f"  output  {verdict.readout} (level {verdict.readout_level.label})")
    for each in Level:
        names = [op for op in verdict.ops if op.need.level is each]
        if names:
            say(f"  {each.label:<10} {len(names)} operations")
    if verdict.current_bits:
        say(
            f"  widths  currents {verdict.current_bits} bits, membranes {verdict.membrane_bits} "
            "bits: no input can overflow them"
        )
    _print_rewrites(verdict)
    _print_findings(verdict.above(Level.STRICT))
    _print_refusals(judgement, policy, findings)


def _print_refusals(judgement: Judgement, policy: Policy, findings: Sequence[Finding]) -> None:
    if findings:
        codes = ", ".join(sorted({f.code for f in findings}))
        number = f"{len(findings)} finding{'s' if len(findings) > 1 else ''}"
        say(f"snncc compile refuses this model as yet: {number} ({codes})")
        _print_reasons(findings)
    if judgement.refused:
        say(f"no: {len(judgement.refused)} operations are above {policy.level.label}")
    if judgement.host_refused:
        say(
            "no: the first layer is left to the host, which multiplies; "
            "--allow encoding=host accepts that"
        )


def _print_reasons(findings: Sequence[Finding]) -> None:
    """Every refusal with its place; those that differ in nothing but the place together."""
    alike: defaultdict[tuple[str, str, str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        alike[finding.code, finding.message, finding.why, finding.help].append(finding)
    for (code, message, why, help_), group in alike.items():
        say(f"refused[{code}]: {_where(group[0])}: {message}")
        loc = group[0].loc
        if loc is not None and loc.file:
            say(f"   |  {loc.file}:{loc.line}   {loc.source}".rstrip())
        for word, text in (("why", why), ("help", help_)):
            if text:
                say(f"  = {word}: {text}")
        if len(group) > 1:
            names = ", ".join(_where(f) for f in group[1:6]) + (" ..." if len(group) > 6 else "")
            say(f"  = and {len(group) - 1} more like it: {names}")


def _where(finding: Finding) -> str:
    return (finding.loc.module_path if finding.loc else "") or "<root>"


def record_of(
    verdict: Verdict, judgement: Judgement, policy: Policy, findings: Sequence[Finding] = ()
) -> dict[str, Any]:
    """The verdict as JSON; docs/verify.md says what each key means."""
    return {
        "level": judgement.level.label,
        "wanted": policy.level.label,
        "allowed": sorted(policy.allow),
        "holds": judgement.holds,
        "input": verdict.encoding,
        "input_level": verdict.encoding_level.label,
        "output": verdict.readout,
        "output_level": verdict.readout_level.label,
        "program_level": verdict.level.label,
        "current_bits": verdict.current_bits,
        "membrane_bits": verdict.membrane_bits,
        "not_judged": [op.name for op in verdict.unjudged],
        "ops": [_op_record(op) for op in verdict.ops],
        "refusals": [
            {
                "code": f.code,
                "message": f.message,
                "module": f.loc.module_path if f.loc else "",
                "file": f.loc.file if f.loc else "",
                "line": f.loc.line if f.loc else 0,
                "source": f.loc.source if f.loc else "",
                "why": f.why,
                "help": f.help,
            }
            for f in findings
        ],
    }


def _op_record(op: OpVerdict) -> dict[str, Any]:
    return {
        "name": op.name,
        "module": op.module_path,
        "op": op.op,
        "level": op.need.level.label,
        "arithmetic": list(op.need.arithmetic),
        "adders": op.need.adders,
        "reason": op.need.reason,
        "rewrite": op.need.rewrite,
        "help": op.need.help,
        "domain": str(op.domain) if op.domain else "",
        "file": op.loc.file if op.loc else "",
        "line": op.loc.line if op.loc else 0,
        "source": op.loc.source if op.loc else "",
        "input": op.encodes,
    }


def _print_rewrites(verdict: Verdict) -> None:
    """What a level rests on: the moves that compiling has to make, and where."""
    sites: defaultdict[str, list[str]] = defaultdict(list)
    for op in verdict.ops:
        if op.need.rewrite:
            sites[op.need.rewrite].append(_place(op))
    for rewrite, places in sites.items():
        more = f" and {len(places) - 3} more" if len(places) > 3 else ""
        say(f"  by      {rewrite}: {', '.join(places[:3])}{more}")


def _print_findings(ops: Sequence[OpVerdict]) -> None:
    alike: defaultdict[tuple[str, str, str, str], list[OpVerdict]] = defaultdict(list)
    for op in ops:
        alike[op.need.level.label, op.op, op.need.reason, op.need.help].append(op)
    for (level, name, reason, help_), group in alike.items():
        first = group[0]
        say(f"{level}: {_place(first)} ({name})")
        if first.loc is not None and first.loc.file:
            say(f"   |  {first.loc.file}:{first.loc.line}   {first.loc.source}".rstrip())
        adders = f"; {first.need.adders} adders an element at most" if first.need.adders else ""
        say(f"  = why: {reason}{adders}")
        if help_:
            say(f"  = help: {help_}")
        if len(group) > 1:
            say(f"  = and {len(group) - 1} more like it: {_listed(group[1:])}")


def _explain(verdict: Verdict, judgement: Judgement) -> None:
    asked = "" if judgement.level is verdict.level else " The way in of the image decides that."
    _paragraph(PROSE)
    _paragraph(f"This one is {judgement.level.label}.{asked} {MEANING[judgement.level]}")
    for what, text, level in (
        ("How the image enters", verdict.encoding, verdict.encoding_level),
        ("How the answer leaves", verdict.readout, verdict.readout_level),
    ):
        _paragraph(f"{what} ({level.label}): {text}.")
    for op in sorted(verdict.above(Level.STRICT), key=lambda o: -o.need.level):
        where = f", {op.loc.file} line {op.loc.line}" if op.loc and op.loc.file else ""
        told = f"{_place(op)} ({op.op}{where}) is {op.need.level.label}: {op.need.reason}."
        _paragraph(f"{told} To lower it: {op.need.help}." if op.need.help else told)
    if any(op.need.rewrite for op in verdict.ops):
        _paragraph(
            "The level holds for what compiling makes of the network, not for the network as it "
            "is written. These are the moves it rests on, each of which gives the same numbers:"
        )
        _print_rewrites(verdict)
    say()


def _paragraph(text: str) -> None:
    say()
    for line in textwrap.wrap(printable(text), 86):
        say(f"  {line}")


def _place(op: OpVerdict) -> str:
    return op.module_path or op.name


def _listed(ops: Sequence[OpVerdict]) -> str:
    names = [_place(op) for op in ops[:5]]
    return ", ".join(names) + (" ..." if len(ops) > 5 else "")
