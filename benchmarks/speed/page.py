"""The page, from the facts."""

from typing import Any

from speed.comparison import OURS

INTRODUCTION = """\
# Speed, side by side

Every contender answers the same images in one process, in turn, round after round; what disturbs
the machine disturbs all of them. A ratio is the other's seconds over ours of the same round:
median (least to most). Warm-up runs are apart. Made by one command:

    pip install -e . -r benchmarks/requirements.txt
    pip install --no-deps spikingjelly norse
    python benchmarks/side_by_side.py

"""
CONTENDERS = """\
Contenders: SpikingJelly multi-step, and compiled by torch.compile where that ends in time; the same
network with the neurons of snnTorch and Norse; the integer program as dense integer ONNX
(`snncc export --to onnx`, the same bits); the original as float ONNX. Both in onnxruntime. All of
them have as many threads as ours. The weights of the networks at 224x224 are random and fire at
about 10 % ([full_size.md](full_size.md)).
"""


def render(found: dict[str, Any], plots: list[str]) -> str:
    """The page in Markdown."""
    parts = [INTRODUCTION, _machine(found), CONTENDERS]
    parts += [_comparison(table) for table in found["tables"]]
    parts += [f"## {name}\n\nNot run: {why}.\n" for name, why in found["missing"].items()]
    parts += [_other(found), _activity(found), _roofline(found), _instructions(found)]
    parts += [f"![{name.removesuffix('.svg')}]({name})\n" for name in plots]
    return "\n".join(part for part in parts if part)


def _machine(found: dict[str, Any]) -> str:
    m = found["machine"]
    caches = ", ".join(f"{name} {size}" for name, size in m["caches"].items())
    packages = ", ".join(f"{name} {version}" for name, version in m["packages"].items())
    busy = f", load {m['load']:g} at the start" if m["load"] > m["cores"] / 2 else ""
    return (
        f"Machine: {m['cpu']}, {m['cores']} cores{busy}; {caches}; {' '.join(m['flags'])}. "
        f"{m['threads']} threads, {found['rounds']} rounds. Python {m['python']}, {packages}.\n"
    )


def _comparison(table: dict[str, Any]) -> str:
    title = f"## {table['network']}, T = {table['steps']}, batch {table['batch']}\n"
    about = (
        f"{table['spike_rate']:.1%} of all neurons fire at a step, "
        f"{table['synaptic_operations'] / 1e6:,.1f} M synaptic operations.\n"
    )
    return "\n".join((title, about, _rows(table["rows"], table["batch"])))


def _rows(rows: list[dict[str, Any]], batch: int) -> str:
    lines = [
        ("", "an image, ms", "times ours", "first run, s", "made ready, s", "what and checked")
    ]
    lines.append(("---", "---:", "---:", "---:", "---:", "---"))
    for row in rows:
        if "refused" in row:
            lines.append((row["name"], "not run", "", "", "", row["refused"].replace("|", "/")))
            continue
        each = {key: 1e3 * value / batch for key, value in row["seconds"].items()}
        what = "; ".join(text for text in (row["note"], row["checked"]) if text)
        ratio = "1" if row["name"] == OURS else _spread(row["ratio"])
        cells = (_spread(each), ratio, f"{row['warm_up_s']:.2f}", f"{row['prepare_s']:.2f}", what)
        lines.append((row["name"], *cells))
    return _table(lines)


def _other(found: dict[str, Any]) -> str:
    parts: list[str] = []
    lava = found["lava"]
    if lava:
        told = (
            f"not run: {lava['refused']}"
            if "refused" in lava
            else f"{lava['seconds']:.2f} s for one more image, {lava['ratio']:,.0f} times ours"
        )
        parts.append(f"## Lava's CPU backend\n\n{lava['network']}, batch 1: {told}.\n")
    if found["brian"]:
        parts.append(
            f"## Brian2\n\nA chain of dense LIF layers: {found['brian']['what']}.\n\n"
            + _rows(found["brian"]["rows"], 1)
        )
    return "\n".join(parts)


def _activity(found: dict[str, Any]) -> str:
    p = found["proportion"]
    if not p:
        return ""
    low, high = p["rates"][0], p["rates"][-1]
    verdict = "yes" if p["holds"] else "no"
    rates = ", ".join(
        f"{adds / 1e9:.1f} at {rate:.0%}"
        for rate, adds in zip(p["rates"], p["adds_per_second"], strict=True)
    )
    return (
        "## Activity\n\n"
        f"One thread, {found['sweep_shape']}. Is time proportional to spikes within "
        f"{p['within']:.0%}, from {low:.0%} to {high:.0%}? **{verdict}**: beyond the "
        f"{1e3 * p['silence_s']:.2f} ms that the same program takes without a spike, seconds a "
        f"spike differ by at most {p['beyond_silence_off']:.0%} from their median "
        f"({p['whole_off']:.0%} when those are not taken off). "
        f"Additions a second, everything included, in G: {rates}.\n"
    )


def _roofline(found: dict[str, Any]) -> str:
    if not found["roofline"]:
        return ""
    limits = found["limits"]
    told = (
        f"One core: {limits['register_adds'] / 1e9:.0f} G int16 operations/s in registers, "
        f"{limits['l1_adds'] / 1e9:.0f} G additions/s of int16 rows from L1 to sums in L1, reads "
        f"{limits['l1_bytes'] / 1e9:.0f} GB/s from L1 and {limits['l2_bytes'] / 1e9:.0f} GB/s from "
        "L2 (small probes, `benchmarks/speed/machine.py`). Our synaptic operations take one byte "
        "of weight each, so reading L1 is a limit too; a kernel that keeps sums in registers can "
        "pass 100 % of the row additions.\n"
    )
    head = ("", "threads", "G additions/s", "beyond silence", "of registers", "of L1 reads")
    lines = [(*head, "of row additions"), ("---", *["---:"] * 6)]
    for row in found["roofline"]:
        parts = (f"{row[key]:.1%}" for key in ("of_registers", "of_l1", "of_row_adds"))
        rate = f"{row['adds_per_second'] / 1e9:.2f}"
        beyond = f"{row['beyond_silence'] / 1e9:.2f}" if "beyond_silence" in row else ""
        lines.append((row["what"], str(row["threads"]), rate, beyond, *parts))
    return f"## Against the machine\n\n{told}\n{_table(lines)}"


def _instructions(found: dict[str, Any]) -> str:
    counted = found["instructions"]
    if not counted:
        return ""
    if "refused" in counted:
        return f"## Instructions\n\nNot counted: {counted['refused']}.\n"
    return (
        "## Instructions\n\n"
        f"{counted['network']}, one more image, by callgrind on code for {counted['cpu']} "
        f"(valgrind knows no AVX-512): {counted['all'] / 1e6:,.1f} M, of which "
        f"{counted['kernels'] / 1e6:,.1f} M in compiled kernels.\n"
    )


def _spread(found: dict[str, float]) -> str:
    return "{median:.3g} ({least:.3g} to {most:.3g})".format(**found)


def _table(lines: list[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
