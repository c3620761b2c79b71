"""What `snncc verify --model` promises, `snncc compile` does: on models that may not compile."""

import pytest
import torch
from random_models import random_model

from snncc.compile import Compiled, compile_module
from snncc.diagnostics import Finding, SnnccError
from snncc.frontends import torch_recorder
from snncc.frontends.torch_recorder import Trace
from snncc.ir import Graph
from snncc.mfi import Level, prove
from snncc.model_verdict import judge_model
from snncc.options import CompileOptions
from snncc.passes.report_foreign_ops import foreign_findings
from snncc.sources import Source

SEEDS = 400


def compiled(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> Compiled | tuple[Finding, ...]:
    """What the compiler's driver makes of a model that traces to this graph."""
    trace = Trace(graph, foreign_findings(graph))
    monkeypatch.setattr(torch_recorder, "trace_model", lambda *_: trace)
    source = Source(torch.nn.Identity(), "random", {}, (2, 4, 4), graph.steps)
    try:
        return compile_module(source, CompileOptions(), None, None, None, None)
    except SnnccError as error:
        return error.findings


@pytest.mark.parametrize("start", range(0, SEEDS, 50))
def test_a_random_model_is_judged_as_it_compiles(
    start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(start, start + 50):
        graph = random_model(seed)
        judged = judge_model(graph, foreign_findings(graph))
        result = compiled(graph, monkeypatch)
        if not isinstance(result, Compiled):
            assert judged.refusals == result, seed
            places = {op.loc for op in judged.verdict.above(Level.STRICT)}
            for finding in result:
                assert finding.code in ("SNN020", "SNN021", "SNN030", "SNN031"), seed
                assert finding.code < "SNN030" or finding.loc in places, (seed, finding)
            continue
        assert judged.refusals == (), seed
        program = prove(result.program.graph)
        wanted = {op.name for op in program.above(Level.STRICT)}
        assert {op.name for op in judged.verdict.above(Level.STRICT)} == wanted, seed
        assert judged.verdict.level is program.level, seed
