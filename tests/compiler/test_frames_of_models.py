"""Models that get a frame of their own at every step: `--frames`, its data, what is kept."""

import json
from pathlib import Path
from typing import Any

import loop_networks as loops
import numpy as np
import pytest
import recurrent_networks as recurrent
import torch
from loop_networks import Looped
from spikingjelly.activation_based import layer, neuron
from torch import nn

import snncc
from snncc.cli.main import run
from snncc.diagnostics import SnnccError

STEPS, SIZE, DOMAIN = 5, 4, (0, 7)
SHAPE = (2, SIZE, SIZE)


class Sequences(nn.Module):
    """Takes [T, B, C, H, W]."""

    def __init__(self, step_mode: str = "m") -> None:
        super().__init__()
        torch.manual_seed(0)
        mode: Any = {"step_mode": step_mode}
        self.conv = layer.Conv2d(2, 3, 3, padding=1, bias=False, **mode)
        self.first = neuron.IFNode(v_threshold=4.0, **mode)
        self.flat = layer.Flatten(**mode)
        self.linear = layer.Linear(3 * SIZE * SIZE, 4, bias=False, **mode)
        self.last = neuron.LIFNode(tau=2.0, v_threshold=2.0, **mode)
        for each in (self.conv, self.linear):  # integers: rounding changes nothing
            each.weight.data = torch.randint(-3, 4, each.weight.shape).float()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.linear(self.flat(self.first(self.conv(x)))))


class Loops(Sequences):
    """Takes [T, B, C, H, W], and calls its neurons step by step."""

    def __init__(self) -> None:
        super().__init__("s")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([super(Loops, self).forward(each) for each in x])


class Still(Sequences):
    """Takes one image and repeats it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.unsqueeze(0).repeat(STEPS, 1, 1, 1, 1)).mean(0)


class Bare(nn.Module):
    """Its frames are the currents of neurons."""

    def __init__(self) -> None:
        super().__init__()
        self.first = neuron.LIFNode(tau=2.0, v_threshold=0.6, step_mode="m")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.first(x).mean((-1, -2))


def make_sequences() -> nn.Module:
    return Sequences()


def frames(domain: tuple[int, int] = DOMAIN) -> Any:
    rng = np.random.default_rng(2)
    given = rng.integers(domain[0], domain[1] + 1, (6, STEPS, *SHAPE))
    return given.astype("int8" if domain[0] < 0 else "uint8")


def of_model(model: nn.Module, given: Any, by_step: bool) -> Any:
    """Answers in float64, frame by frame or all at once, [n, classes]."""
    torch.set_default_dtype(torch.float64)
    try:
        x = torch.from_numpy(given).double().transpose(0, 1)
        with torch.no_grad():
            answers = torch.stack([model.double()(each) for each in x]) if by_step else None
            found = model.double()(x) if answers is None else answers
    finally:
        torch.set_default_dtype(torch.float32)
    return found.mean(0).numpy()


@pytest.mark.parametrize("domain", [DOMAIN, (0, 1), (-4, 3)])
@pytest.mark.parametrize("kind", ["multi-step", "single-step", "loop", "bare"])
def test_every_step_gets_its_own_frame(kind: str, domain: tuple[int, int]) -> None:
    model = {
        "multi-step": Sequences,
        "single-step": lambda: Sequences("s"),
        "loop": Loops,
        "bare": Bare,
    }[kind]().eval()
    given = frames(domain)
    program = snncc.compile(
        model, input_shape=SHAPE, steps=STEPS, frames=domain, calibrate=given, weight_bits=12
    )
    assert program.input_shape == (STEPS, *SHAPE)
    found = program.run(given)
    assert np.ptp(found.logits) > 0
    np.testing.assert_allclose(found.logits, of_model(model, given, kind == "single-step"))
    same = program.run(given, executor="interpreter")
    assert np.array_equal(found.logits, same.logits)
    first = program.populations[0]
    turned = program.run(np.ascontiguousarray(given[:, ::-1]))
    assert not np.array_equal(found.spikes[first].values, turned.spikes[first].values)


def test_what_frames_do_not_go_with_is_told() -> None:
    def refused(model: nn.Module, **given: Any) -> SnnccError:
        with pytest.raises(SnnccError) as caught:
            snncc.compile(model, input_shape=SHAPE, steps=STEPS, **given)
        return caught.value

    assert "looks at one image" in str(refused(Still().eval(), frames=DOMAIN))
    assert "with --frames" not in str(refused(Sequences().eval(), calibrate=frames()))
    assert "compiled with frames" in str(refused(Sequences().eval(), calibrate=frames()))
    outside = refused(Sequences().eval(), frames=(0, 5), calibrate=frames())
    assert "takes 0..5" in str(outside)
    assert outside.code == "SNN016"
    assert "does not go with frames" in str(refused(Sequences(), frames=DOMAIN, layout="frame"))
    assert refused(Sequences(), frames=(3, 9)).code == "SNN001"
    flat = refused(Sequences().eval(), frames=DOMAIN, calibrate=frames()[:, 0])
    assert flat.code == "SNN016"


def words(*more: str) -> list[str]:
    return [
        *("compile", "-o", "net.snncc", "--model", f"{__name__}:make_sequences"),
        *("--input-shape", ",".join(map(str, SHAPE)), "--steps", str(STEPS)),
        *more,
    ]


@pytest.fixture
def recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two recordings of which rules give different frames."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    for name in ("one", "two"):
        columns = {what: rng.integers(0, SIZE, 160) for what in "xy"}
        time = np.cumsum(rng.integers(1, 40, 160) ** 2)
        np.savez(f"{name}.npz", t=time, p=rng.integers(0, 2, 160), **columns)
    return tmp_path


def test_the_rule_of_calibration_is_kept_and_used(
    recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make = ["frames", "one.npz", "two.npz", "--steps", str(STEPS), "--sensor", f"{SIZE}x{SIZE}"]
    by_time = [*make, "--by", "time", "--domain", "0..7", "--clip", "--orient", "flip-x"]
    assert run([*by_time, "-o", "time.npz"]) == 0
    assert run([*make, "-o", "number.npz"]) == 0
    assert run(words("--frames", "0..7", "--calibrate", "time.npz:x")) == 0
    assert run(["inspect", "net.snncc"]) == 0
    told = "by time, steps 5: counts 0..7 (clipped); before, events are flip-x"
    out = " ".join(capsys.readouterr().out.split())
    assert told in out
    assert "one a step, of whole numbers 0..7" in out
    assert run(["run", "net.snncc", "time.npz:x", "-o", "a.npz"]) == 0
    assert run(["run", "net.snncc", "two.npz", "-o", "b.npz"]) == 0
    assert f"framed {told}, as the program says" in " ".join(capsys.readouterr().err.split())
    with np.load("a.npz") as every, np.load("b.npz") as one:
        assert every["logits"].any()
        assert np.array_equal(every["logits"][1:], one["logits"])
    assert run(["run", "net.snncc", "number.npz:x"]) == 3
    said = capsys.readouterr().err
    assert "SNN016" in said
    assert "by number" in said
    assert told in " ".join(said.split())
    with pytest.raises(SnnccError, match="by number"):
        snncc.load("net.snncc").run("number.npz:x")
    differ = words("--frames", "0..7", "--calibrate", "time.npz:x", "--evaluate", "number.npz:x")
    assert run(differ) == 2
    assert "framed in different ways" in capsys.readouterr().err


def test_recordings_calibrate_and_evaluate(
    recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words("--calibrate", "one.npz")) == 2
    assert "give --frames" in capsys.readouterr().err
    asked = words("--frames", "0..31", "--calibrate", "one.npz", "--evaluate", "two.npz")
    assert run([*asked, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["framing"]["framing"]["rule"] == "number"
    assert report["fidelity"]["by"] == "evaluation"
    assert report["fidelity"]["agreement"] == 1.0
    assert run(words("--frames", "0..1", "--calibrate", "one.npz", "--json")) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["framing"]["framing"]["values"] == "bits"
    with pytest.raises(SnnccError, match="does not fit the frames"):
        snncc.compile(
            *(Sequences().eval(),),
            input_shape=SHAPE,
            steps=STEPS,
            frames=(-1, 1),
            calibrate="one.npz",
        )


def test_a_refused_shape_that_begins_with_T_is_told_of_frames() -> None:
    """What is found of a model that sees frames as images is not why it is refused."""
    net = Looped(recurrent.own_spikes)
    with pytest.raises(SnnccError) as caught:
        snncc.compile(net, input_shape=(loops.STEPS, loops.FEATURES), steps=loops.STEPS)
    assert "frames LOW..HIGH" in caught.value.findings[0].help
    program = snncc.compile(
        net, input_shape=(loops.FEATURES,), steps=loops.STEPS, frames=(0, 255), weight_bits=8
    )
    assert program.input_shape == (loops.STEPS, loops.FEATURES)


def test_a_membrane_that_still_forgets_is_not_said_to_keep_all() -> None:
    """What is told of the model and what is told of its integers do not contradict each other."""

    class Slow(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(4, 3), nn.Linear(3, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            v, total = torch.zeros(x.shape[1], 3, dtype=x.dtype), 0
            for frame in x:
                v = 0.9999 * v + self.first(frame)
                spikes = (v >= 0.3).to(x.dtype)
                v, total = v * (1 - spikes), total + self.last(spikes)
            return total

    program = snncc.compile(Slow().eval(), input_shape=(4,), steps=3, frames=(0, 1))
    told = [note for note in program.notes if "tau" in note or "decay 0.9999" in note]
    assert len(told) == 2
    assert not [note for note in told if "do not decay" in note or "no longer forgets" in note]
