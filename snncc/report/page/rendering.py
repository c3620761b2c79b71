"""Facts as one HTML file that needs nothing else: no other file, no request."""

import base64
import hashlib
from pathlib import Path

from snncc.artifact.writing import write_atomically
from snncc.report.extras import library
from snncc.report.facts import Facts
from snncc.report.page import behaviour, chips, program
from snncc.report.page.drawing import drawing_of
from snncc.report.page.sections import Section

HERE = Path(__file__).parent
FOLDED = 12
"""Tables with more rows are folded on the screen."""


def sections_of(facts: Facts) -> tuple[Section, ...]:
    """Every section after the verdict and the network, in the order of the page."""
    return (
        program.answers(facts),
        behaviour.rates(facts),
        behaviour.rasters(facts),
        behaviour.membranes(facts),
        behaviour.flips(facts),
        behaviour.first(facts),
        program.weights(facts),
        program.widths(facts),
        program.work(facts),
        chips.on_cores(facts),
        program.not_judged(facts),
    )


def missing_of(facts: Facts) -> tuple[tuple[str, str], ...]:
    """Sections without data, by name, and which option brings each; draws nothing."""
    found: list[tuple[str, str]] = []
    if not facts.images:
        found = [(name, behaviour.NEEDS_DATA) for name in ("rates", "rasters", "membranes", "work")]
    if not facts.images or (facts.answers is not None and not facts.answers.rows):
        found.append(("answers", "--labels KEY, --reference LOGITS"))
    if facts.difference is None:
        found.append(("divergence", "--beside OTHER.npz or OTHER.snncc"))
    if facts.cores is None:
        found.append(("cores", chips.NEEDS_MAPPING))
    return tuple(found)


def render(facts: Facts) -> str:
    """The page; equal facts give equal text.

    Names and source lines come from files that others wrote: they are escaped, and the page's own
    policy runs no script but its own and allows no request.

    Raises:
        SnnccError: SNN050 without Jinja2 or matplotlib.
    """
    jinja = library("jinja2", "a report")
    style, script = ((HERE / f"page.{end}").read_text("utf-8") for end in ("css", "js"))
    environment = jinja.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja.StrictUndefined,
    )
    template = environment.from_string((HERE / "page.html.jinja").read_text("utf-8"))
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    page: str = template.render(
        facts=facts,
        identity=facts.identity,
        verdict=facts.verdict,
        drawing=drawing_of(facts),
        sections=sections_of(facts),
        style=style,
        script=script,
        script_digest=digest,
        folded=FOLDED,
        thumbnails={each.image: each.png for each in facts.thumbnails},
    )
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


def write_report(path: Path, facts: Facts) -> int:
    """Writes the page and gives its size in bytes.

    Raises:
        SnnccError: SNN002 when the file cannot be written; SNN050 without the extra.
    """
    page = render(facts).encode("utf-8")
    write_atomically(path, lambda file: file.write(page))
    return len(page)
