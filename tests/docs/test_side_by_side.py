"""What benchmarks/side_by_side.py concludes from its numbers, and the programs of its sweeps."""

from pathlib import Path

import numpy as np
import pytest
from speed.page import render
from speed.roofline import roofline
from speed.rounds import Contender, Refused, difference, in_short, measure, ratios, reason, times
from speed.sweeps import proportion
from speed.synthetic import Shape, synthetic, threshold_for

from snncc.ir import verify
from snncc.runtime import interpret

SMALL = Shape(tokens=8, width=32, depth=2, steps=5, rate=0.2)


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.5])
def test_a_synthetic_program_fires_at_the_rate_that_it_was_asked_for(rate: float) -> None:
    program = synthetic(Shape(tokens=64, width=128, depth=3, steps=4, rate=rate))
    verify(program.graph)
    assert program.measured_rate(program.images) == pytest.approx(rate, abs=0.01)
    spikes = interpret(program.graph, program.images).spike_counts
    assert program.counts(program.images) == spikes
    assert program.adds(program.images) == 128 * sum(list(spikes.values())[:3])


def test_a_silent_program_is_silent() -> None:
    program = synthetic(Shape(tokens=8, width=32, depth=2, rate=0.0))
    assert set(program.counts(program.images).values()) == {0}


def test_the_threshold_is_the_least_that_keeps_below_the_rate() -> None:
    drive = np.random.default_rng(1).integers(-500, 500, (4, 1000)).astype(np.float64)
    assert threshold_for(drive, 1.0) <= drive.min()
    assert threshold_for(drive, 0.1) > threshold_for(drive, 0.3)


def sweep_rows(seconds_at: dict[float, float]) -> list[dict]:
    return [
        {"sweep": "rate", "value": r, "rate": r, "adds": round(r * 1e9), "seconds": s}
        for r, s in seconds_at.items()
    ]


def test_time_is_proportional_beyond_what_silence_costs() -> None:
    rates = (0.0, 0.02, 0.1, 0.4, 0.5)
    straight = proportion(sweep_rows({r: 0.01 + r for r in rates}))
    assert straight["holds"]
    assert straight["beyond_silence_off"] < 1e-9
    assert straight["whole_off"] == pytest.approx(0.364, abs=0.001)
    bent = proportion(sweep_rows({r: 0.01 + r * (1 + r) for r in rates}))
    assert not bent["holds"]
    assert bent["rates"] == [0.02, 0.1, 0.4]


def test_ratios_are_taken_round_by_round() -> None:
    clock = iter([1.0, 1.0, 2.0, 2.0, 6.0, 12.0, 20.0])  # warm-up, then the second speaks first
    names = ("ours", "other")
    contenders = [Contender(n, lambda: np.zeros(0), own_seconds=lambda: next(clock)) for n in names]
    ours, other = measure(contenders, 2)
    assert (ours.warm_up_s, ours.seconds, other.seconds) == (1.0, [2.0, 12.0], [2.0, 6.0])
    assert ratios(ours, other) == {"median": 0.75, "least": 0.5, "most": 1.0}
    assert times(ours) == {"median": 7.0, "least": 2.0, "most": 12.0}


def test_reasons_are_one_line_without_paths() -> None:
    told = "Usage: x\n\nError: nothing at /srv/some-where/file.txt, see 1/2\n"
    assert in_short(told) == "Error: nothing at (a file), see 1/2"
    assert "requirements.txt" in reason(ModuleNotFoundError("No module named 'x'", name="x"))
    assert reason(Refused("no compiler")) == "no compiler"
    assert reason(ValueError("bad")) == "ValueError: bad"


def test_differences_are_said_in_words() -> None:
    a = np.array([[1.0, 3.0]])
    assert difference(a, a.copy()) == "equal bits"
    assert difference(a, a + np.array([[0.3, 0.0]])).startswith("largest difference 1.0e-01")


def test_the_page_says_who_was_refused_and_why() -> None:
    limits = {"register_adds": 4e9, "l1_adds": 2e9, "l1_bytes": 1e9, "l2_bytes": 1e9}
    spread = {"median": 0.01, "least": 0.01, "most": 0.02}
    ours = {"name": "ours", "prepare_s": 0, "warm_up_s": 0, "note": "", "checked": ""}
    tables = [
        {
            **{"network": "net", "batch": 2, "steps": 4, "spike_rate": 0.1},
            "synaptic_operations": 10_000_000,
            "rows": [
                {**ours, "seconds": spread, "ratio": spread},
                {"name": "Other", "refused": "it has no wings"},
            ],
        }
    ]
    sweeps = sweep_rows({0.0: 0.5, 0.02: 0.75, 0.4: 1.0})
    lines = roofline(limits, tables, sweeps, 2)
    assert [line["adds_per_second"] for line in lines] == [1e9, 20e6 / 0.75, 4e8]
    assert lines[0]["of_registers"] == 1e9 / 8e9
    assert lines[2]["beyond_silence"] == 8e8
    machine = {"cpu": "a CPU", "cores": 2, "threads": 2, "caches": {}, "flags": [], "load": 0.0}
    facts = {
        "machine": {**machine, "python": "3", "packages": {}},
        **{"rounds": 3, "limits": limits, "tables": tables, "missing": {"far": "it is away"}},
        "lava": {"network": "net", "refused": "no Lava"},
        **{"brian": {}, "sweeps": sweeps, "sweep_shape": "", "proportion": proportion(sweeps)},
        **{"roofline": lines, "instructions": {"refused": "no valgrind"}},
    }
    page = render(facts, ["a.svg"])
    for told in (
        "it has no wings",
        "it is away",
        "no Lava",
        "no valgrind",
        "(a.svg)",
        "| ours | 5 ",
    ):
        assert told in page


def test_instructions_are_summed_by_the_file_that_code_belongs_to(tmp_path: Path) -> None:
    from speed.instructions import _sums

    out = tmp_path / "callgrind.out"
    lines = ["events: Ir", "ob=(1) /lib/a.so", "fn=(1) f", "10 5", "cob=(2) ???", "cfn=(2) k"]
    lines += ["calls=1 7", "+1 900", "* 3", "ob=(2)", "fn=(2)", "7 40", "-2 2", "ob=(1)", "9 1", ""]
    out.write_text("\n".join([*lines, "totals: 51"]))
    assert _sums(out) == {"all": 51, "kernels": 42}
