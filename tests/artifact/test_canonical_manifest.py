"""A program file says what it holds in one way: another text of the same manifest is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from random_programs import random_program

from snncc.artifact import Program, load_program, save_program
from snncc.artifact.files import METADATA_KEY
from snncc.artifact.program import canonical
from snncc.diagnostics import SnnccError


def rewritten(content: bytes, change: Callable[[str], str]) -> bytes:
    """The same file with its sealed manifest as another text; the constants stay."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"][METADATA_KEY] = change(header["__metadata__"][METADATA_KEY])
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


def more(text: str) -> str:
    """One key more, in canonical form."""
    return canonical({**json.loads(text), "zzz": 1})


CHANGES: dict[str, Callable[[str], str]] = {
    "spaces": lambda text: json.dumps(json.loads(text), indent=1),
    "order": lambda text: json.dumps(
        dict(reversed(json.loads(text).items())), separators=(",", ":")
    ),
    "a space at the end": lambda text: f"{text} ",
    "a key more": more,
}


@pytest.mark.parametrize("name", CHANGES)
def test_another_text_of_the_same_manifest_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "p.snncc"
    save_program(path, Program(random_program(3), {}))
    content = path.read_bytes()
    changed = rewritten(content, CHANGES[name])
    assert changed != content
    path.write_bytes(changed)
    with pytest.raises(SnnccError) as caught:
        load_program(path)
    assert caught.value.code == "SNN017"
    assert "not canonical" in str(caught.value)


def test_a_file_that_is_only_packed_again_is_read(tmp_path: Path) -> None:
    """The change above is in the text, not in the packing."""
    path = tmp_path / "p.snncc"
    save_program(path, Program(random_program(3), {}))
    path.write_bytes(rewritten(path.read_bytes(), lambda text: text))
    assert load_program(path).graph.nodes
