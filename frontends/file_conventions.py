"""Names of all conventions by which files of the ecosystem are run."""

from snncc.frontends.lava_dl.conventions import TIMINGS
from snncc.frontends.nir.conventions import CONVENTIONS as OF_NIR

OWN = "snncc"
"""Of .nir files that `snncc export` wrote."""
CONVENTIONS: tuple[str, ...] = (*OF_NIR, OWN, *TIMINGS)
