"""SECURITY.md says what the code does."""

import re
import zipfile
from pathlib import Path

from snncc.artifact import temporaries
from snncc.data import arrays as array_files
from snncc.data import image_files
from snncc.events import frames
from snncc.frontends import checkpoint
from snncc.frontends.hdf5 import reader
from snncc.frontends.nir import hdf5_file
from snncc.frontends.torch_modules import require_torch
from snncc.frontends.weights import archives, pickles, safetensors_file, tensors


def test_the_page_states_the_limits_that_hold(root: Path) -> None:
    page = (root / "SECURITY.md").read_text()
    for part in ("## Reporting", "## What is trusted", "## Threats and defences", "## Limits"):
        assert part in page
    assert f"`{temporaries.PREFIX}*{temporaries.SUFFIX}`" in page
    assert f"{array_files.INFLATED >> 30} GiB at more than {array_files.FACTOR} times" in page
    assert image_files.MOST_PIXELS == 1 << 26
    assert "2^26 pixels" in page
    assert pickles.MOST_OPCODES == 1 << 20
    assert f"2^20 instructions and {archives.MOST_PICKLE >> 20} MiB" in page
    assert archives.MOST_RECORDS == 1 << 18
    assert "2^18 records" in page
    assert f"{archives.MOST_INFLATED >> 20} MiB or {archives.GROWTH} times the file" in page
    assert tensors.MOST_EXPANDED == 1 << 25
    assert "2^25 elements beyond" in page
    assert f"headers of at most {safetensors_file.MOST_HEADER >> 20} MiB" in page
    assert f"names of at most {checkpoint.LONGEST_NAME:,} characters" in page
    assert frames.MOST_VALUES == 1 << 28
    assert "frames are at most 2^28 values" in page
    assert f"{reader.SMALL >> 20} MiB of numbers or {reader.GROWTH} times the file" in page
    assert (hdf5_file.MOST_NODES, hdf5_file.DEEPEST) == (1 << 13, 8)
    assert "2^13 nodes, subgraphs 8 deep" in page
    for name in ("SNNCC_CACHE_DIR", "SNNCC_LAVA_PYTHON", "SNN002", "SNN011", "SNN015"):
        assert name in page
    assert zipfile.ZIP_DEFLATED == 8, "the factor is deflate's"
    readme = (root / "README.md").read_text()
    assert "(SECURITY.md)" in readme


def test_links_lead_somewhere(root: Path) -> None:
    pages = [root / "SECURITY.md", root / "README.md", *(root / "docs").glob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), (page.name, target)


def test_nobody_is_sent_to_a_file_that_no_wheel_holds(root: Path) -> None:
    source = Path(require_torch.__code__.co_filename).read_text()
    assert "constraints.txt" not in source
    assert "index of CPU builds" in source
    claims = [root / name for name in ("README.md", "Makefile", "constraints.txt")]
    for page in [*claims, *(root / "docs").rglob("*.md")]:
        text = page.read_text()
        assert "without them pip may bring" not in text, page
        assert "newer wheels bring CUDA" not in text, page


def test_a_fresh_clone_has_a_place_for_the_networks_of_the_comparison(
    tmp_path: Path, monkeypatch
) -> None:
    """`side_by_side.py --out elsewhere` wrote into build/speed, which nobody had made."""
    import side_by_side

    monkeypatch.setattr(side_by_side, "ROOT", tmp_path)
    side_by_side.make_folders(tmp_path / "some/where")
    assert (tmp_path / "some/where").is_dir()
    assert (tmp_path / "build/speed").is_dir()
    side_by_side.make_folders(tmp_path / "some/where")
