"""Programs on tensors of torch beside the interpreter, and what makes their products exact.

Random programs that the soak does not draw are here; the others run on tensors in `test_soak.py`.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from generators.executors import TORCH, in_torch
from generators.inputs import images
from generators.products import PRODUCTS
from generators.programs import program
from generators.staircases import STAIRCASES
from generators.windows import WINDOWS
from looped_programs import images as looped_images
from looped_programs import looped
from neuron_programs import compiled, frames, spiking
from random_neurons import by_neuron, counting_model, random_model
from random_programs import numbers_of, random_program

from snncc.artifact import Program, save_program
from snncc.backends.torch_tensors import device, matrices
from snncc.backends.torch_tensors.checking import check_forms
from snncc.backends.torch_tensors.forms import BY_DEVICE, Form, forms_of
from snncc.backends.torch_tensors.program import TorchExecutor
from snncc.backends.torch_tensors.table import VALUE
from snncc.cli.main import run
from snncc.diagnostics import SnnccError
from snncc.ir import INTEGER, Graph, GraphBuilder, verify
from snncc.ir.dialects.integer import IntegerReadout
from snncc.ir.dialects.projections import Contract, Frames
from snncc.runtime import ALL, interpret

DRAWN = 30


def drawn(seed: int) -> tuple[Graph, np.ndarray]:
    kind, number = seed % 6, seed // 6
    if kind == 0:
        graph = program(number, (*WINDOWS, *PRODUCTS))
        return graph, images(graph, number, 3)
    if kind == 1:
        graph = program(number, STAIRCASES)
        return graph, images(graph, number, 3)
    if kind == 2:
        return looped(number), looped_images(number, 3)
    if kind == 3:
        graph = random_program(number, [(-128, 127), (0, 1), (-8, 7)][number % 3], number % 2 == 0)
        return graph, numbers_of(graph, number, 3)
    real = spiking((random_model if kind == 4 else counting_model)(number), 5, 8)
    graph, _ = compiled(by_neuron(real, number))
    return graph, frames(number, 3, 5, 8)


def test_random_programs_of_every_op_have_the_interpreters_bits() -> None:
    wrong, ops = list[str](), Counter[type]()
    for seed in range(DRAWN):
        graph, given = drawn(seed)
        wanted = interpret(graph, given, ALL)
        for numbers in range(2 * len(TORCH) if seed < 6 else 2):
            found = in_torch(graph, wanted, given, numbers)
            wrong += [f"{seed}: {each}" for each in found]
        ops.update(type(node.op) for node in graph.nodes)
    assert wrong == []
    assert VALUE.holes() == set()
    assert set(INTEGER.ops.values()) - set(ops) == set()


def test_no_images_have_no_answers() -> None:
    graph, given = drawn(0)
    given.setflags(write=False)
    TorchExecutor(graph).run(given)  # what nobody may write is read all the same
    found, wanted = TorchExecutor(graph).run(given[:0], ALL), interpret(graph, given[:0], ALL)
    assert found.readout.shape == wanted.readout.shape
    assert found.spike_counts == wanted.spike_counts
    assert {n: a.shape for n, a in found.spikes.items()} == {
        n: a.shape for n, a in wanted.spikes.items()
    }


def summing(weights: list[int], domain: tuple[int, int] = (0, 1)) -> Graph:
    b = GraphBuilder("integer", 1, "exact")
    image = b.add(Frames(("i",), (len(weights),), domain=domain), name="image")
    weight = b.constant("weight", np.array([weights, weights[::-1]]), ("o", "i"))
    current = b.add(Contract(weight, into=("i",), out=("o",)), [image], name="map")
    graph = b.finish(b.add(IntegerReadout(), [current], name="answer"))
    verify(graph)
    return graph


BORDERS = [
    ([127] * 4, (0, 1), Form.INT8),
    ([128] * 4, (0, 1), Form.FLOAT32),
    ([127, -127], (-127, 127), Form.INT8),
    ([127, -127], (-128, 127), Form.FLOAT32),
    ([127] * 4, (0, 255), Form.FLOAT32),
    ([1 << 23, -(1 << 23) + 1, 1], (0, 1), Form.FLOAT32),
    ([1 << 23, -(1 << 23), 1], (0, 1), Form.FLOAT64),
    ([1 << 24, -1], (0, 1), Form.FLOAT64),
    ([1 << 52, -(1 << 52) + 1, 1], (0, 1), Form.FLOAT64),
    ([1 << 52, -(1 << 52), 1], (0, 1), Form.INT64),
    ([1 << 60, 1 << 59, -5], (0, 1), Form.INT64),
]


@pytest.mark.parametrize(("weights", "domain", "form"), BORDERS)
def test_both_sides_of_every_form_s_border(
    weights: list[int], domain: tuple[int, int], form: Form
) -> None:
    graph = summing(weights, domain)
    forms = forms_of(graph, BY_DEVICE["cuda"])
    assert forms == {"map": form}
    check_forms(graph, forms)
    numbers = np.random.default_rng(0).integers(*domain, (8, len(weights)), endpoint=True)
    numbers[0], numbers[1] = domain[0], domain[1]
    given = numbers.astype(graph["image"].type.dtype)
    executor = TorchExecutor(graph, "cpu", (form,))
    if form is not Form.INT8:  # a CPU's may saturate
        assert np.array_equal(executor.run(given).readout, interpret(graph, given).readout)


NARROW = [
    (weights, domain, tried)
    for weights, domain, form in BORDERS
    for tried in (Form.INT8, Form.FLOAT32, Form.FLOAT64)
    if BY_DEVICE["cuda"].index(tried) < BY_DEVICE["cuda"].index(form)
]


@pytest.mark.parametrize(("weights", "domain", "form"), NARROW)
def test_a_form_that_is_not_proved_is_refused_by_other_code(
    weights: list[int], domain: tuple[int, int], form: Form
) -> None:
    with pytest.raises(SnnccError) as caught:
        check_forms(summing(weights, domain), {"map": form})
    assert caught.value.code == "SNN061"
    assert "map" in str(caught.value)


def test_a_product_without_a_form_is_refused() -> None:
    with pytest.raises(SnnccError, match="no form ''"):
        check_forms(summing([1]), {})


def test_a_sum_beyond_the_border_is_rounded() -> None:
    """Why the bound is needed: one more than 2^24, and float32 gives another number."""
    x, weight = torch.ones(1, 1, 2), torch.tensor([[[1 << 24], [1]]])
    assert matrices.product(x, weight, Form.FLOAT32).item() == 1 << 24
    assert matrices.product(x, weight, Form.FLOAT64).item() == (1 << 24) + 1


PLACES = ["", "cudnn", "cudnn.conv", "cudnn.rnn", "cuda.matmul"]
PLACES += ["mkldnn", "mkldnn.matmul", "mkldnn.conv", "mkldnn.rnn"]


def place(name: str) -> Any:
    return attrgetter(f"backends.{name}" if name else "backends")(torch)


def settings() -> dict[str, str]:
    """Every setting of precision, also while another is set for all: what inherits shows."""
    found: dict[str, str] = {}
    own = torch.backends.fp32_precision
    for above in (own, "none", "ieee", "tf32"):
        torch.backends.fp32_precision = above
        found |= {f"{each}, {above}": place(each).fp32_precision for each in PLACES}
    torch.backends.fp32_precision = own
    return found


@pytest.mark.skipif(not hasattr(torch.backends, "fp32_precision"), reason="torch has none of them")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "none"),
        ("", "tf32"),
        ("", "ieee"),
        ("cudnn", "tf32"),
        ("cuda.matmul", "tf32"),
        ("cuda.matmul", "ieee"),
        ("mkldnn.matmul", "bf16"),
        ("mkldnn.matmul", "tf32"),
        ("cudnn.conv", "ieee"),
        ("legacy", "high"),
        ("legacy", "medium"),
    ],
)
def test_settings_of_the_caller_change_no_bit_and_come_back(name: str, value: str) -> None:
    graph, given = drawn(0)
    wanted = interpret(graph, given, ALL)
    before = {each: place(each).fp32_precision for each in ("cuda.matmul", "mkldnn.matmul")}
    own = "" if name == "legacy" else place(name).fp32_precision
    try:
        if name == "legacy":
            torch.set_float32_matmul_precision(value)
        else:
            place(name).fp32_precision = value
        found = settings()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert in_torch(graph, wanted, given) == []
        assert settings() == found
        if name == "legacy":
            assert torch.get_float32_matmul_precision() == value
    finally:
        if name == "legacy":
            torch.set_float32_matmul_precision("highest")
        else:
            place(name).fp32_precision = own
        for each, old in before.items():
            place(each).fp32_precision = old


@pytest.mark.parametrize("form", [Form.INT8, Form.FLOAT32, Form.FLOAT64])
def test_a_device_that_rounds_is_refused(monkeypatch: pytest.MonkeyPatch, form: Form) -> None:
    """Each form's products lose their last bit, as with numbers that are too narrow."""
    wanted = matrices.product

    def rounded(x: torch.Tensor, weight: torch.Tensor, numbers: Form) -> torch.Tensor:
        exact = wanted(x, weight, numbers)
        return exact & ~1 if numbers is form else exact

    monkeypatch.setattr(device, "product", rounded)
    with pytest.raises(SnnccError) as caught:
        TorchExecutor(summing([100]), "cpu", (form,))
    assert caught.value.code == "SNN053"
    assert form.value in str(caught.value)


def test_the_command_line_runs_on_tensors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = program(5)
    path, data = tmp_path / "p.snncc", tmp_path / "d.npz"
    save_program(path, Program(graph, {}))
    np.savez(data, x=images(graph, 5, 5))
    call = ["run", str(path), f"{data}:x", "--json"]
    assert run([*call, "--executor", "torch", "--record", str(tmp_path / "t.npz")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert run([*call, "--record", str(tmp_path / "s.npz")]) == 0
    simulated = json.loads(capsys.readouterr().out)
    assert told["spike_rates"] == simulated["spike_rates"]
    assert told["torch"]["device"] == "cpu"
    assert sum(told["torch"]["products"].values()) > 0
    assert run(["compare", str(tmp_path / "t.npz"), str(tmp_path / "s.npz")]) == 0
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert run([*call, "--executor", "torch", "--device", "cuda"]) == 5
    assert "SNN050" in capsys.readouterr().err


def test_without_torch_it_is_refused_and_the_others_run(tmp_path: Path) -> None:
    path, data = tmp_path / "p.snncc", tmp_path / "d.npz"
    graph = summing([3, 4])
    save_program(path, Program(graph, {}))
    np.savez(data, x=np.zeros((1, 2), np.uint8))
    code = (
        "import sys\nfrom snncc.cli.main import run\n"
        f"call = ['run', {str(path)!r}, {f'{data}:x'!r}, '--executor']\n"
        "told = [run([*call, name]) for name in ('simulator', 'interpreter')]\n"
        "assert 'torch' not in sys.modules\n"
        "sys.modules['torch'] = None\n"
        "told.append(run([*call, 'torch']))\nassert told == [0, 0, 5], told\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ},
    )
    assert done.returncode == 0, done.stderr
    assert "SNN050" in done.stderr
