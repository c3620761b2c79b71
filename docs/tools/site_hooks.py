"""What MkDocs does beyond copying: pages of the repository's root, and the decisions in order."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
BESIDE = ("SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")
"""Pages of the root that become pages of the site."""
_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<path>[^)#:\s]+)(?P<anchor>#[^)\s]*)?\)")


def on_config(config: Any) -> Any:
    """Decisions and the root's pages are added to the navigation: what is there is shown."""
    decisions = sorted((ROOT / "docs/adr").glob("*.md"))
    config.nav.append({"Decisions": [f"adr/{file.name}" for file in decisions]})
    config.nav.append({"Project": [*BESIDE]})
    return config


def on_files(files: Files, config: Any) -> Files:
    """The root's pages, beside those of docs/."""
    for name in BESIDE:
        files.append(File.generated(config, name, content=(ROOT / name).read_text()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links that are right in the repository, as they are on the site."""
    here = Path(page.file.src_uri)
    folder = ROOT if str(here) in BESIDE else ROOT / "docs" / here.parent

    def on_site(found: re.Match[str]) -> str:
        target = (folder / found["path"]).resolve()
        anchor = found["anchor"] or ""
        if target.is_relative_to(ROOT / "docs") and target.is_file():
            place = target.relative_to(ROOT / "docs")
        elif target.parent == ROOT and target.name in BESIDE:
            place = Path(target.name)
        elif target == ROOT / "README.md":
            place = Path("index.md")
        elif target.exists():  # a file or folder that is on no page
            return found["text"]
        else:
            return found[0]  # which MkDocs then reports
        up = "../" * len(here.parent.parts)
        return f"[{found['text']}]({up}{place.as_posix()}{anchor})"

    return _LINK.sub(on_site, markdown)
