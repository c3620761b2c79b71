"""The README's quick start in a notebook: a kernel runs it, and shows what it gives."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

Outputs = list[list[dict[str, Any]]]


@pytest.fixture(scope="module")
def shown(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Outputs:
    """Outputs of the quick start's cell, and of three that end in a value."""
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "examples").symlink_to(root / "examples")
    (start,) = (
        block.partition("```")[0]
        for block in (root / "README.md").read_text().split("```python\n")[1:]
        if block.startswith("import numpy as np\nimport snncc")
    )
    cells = [start, "program", "program.verify()", "result.spikes['token_mix_lif.0']"]
    own = {name: str(folder / name) for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR")}
    own |= {name: str(folder / name) for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR")}
    done = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).parents[1] / "helpers/notebook_runner.py"),
            str(folder),
        ],
        input=json.dumps(cells),
        env=os.environ | own,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found: Outputs = json.loads(done.stdout)
    return found


def test_the_quick_start_prints_what_a_script_prints(shown: Outputs) -> None:
    printed = "".join(o["text"] for o in shown[0] if o.get("name") == "stdout")
    assert "0.978" in printed
    assert "<token_mix_lif.0: uint8 batch=500, t=4, h1=8, w1=8, c1=24>" in printed
    assert not [o for outputs in shown for o in outputs if o["output_type"] == "error"]


def test_a_program_is_shown_as_a_page_and_other_values_as_one_line(shown: Outputs) -> None:
    program, verdict, spikes = (
        output["data"]
        for outputs in shown[1:]
        for output in outputs
        if output["output_type"] == "execute_result"
    )
    for word in ("mixer-snn", "multiplication-free", "shift-add", "token_mix_lif.0", "<table>"):
        assert word in program["text/html"], program["text/html"]
    for data, word in ((program, "Program"), (verdict, "shift-add"), (spikes, "token_mix_lif.0")):
        assert word in data["text/plain"]
        assert "\n" not in data["text/plain"]
        assert len(data["text/plain"]) < 200
