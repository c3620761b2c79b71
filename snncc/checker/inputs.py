"""What enters: whole numbers of a domain, the same at every step or a frame for each."""

from snncc.checker.program_file import is_list, natural, require
from snncc.checker.values import Found, NodeRecord, Value, statement


def pixels(site: NodeRecord) -> Found:
    """An 8-bit image."""
    require("t" not in site.fields["axes"], "an image has no time axis")
    return entering(site, (0, 255))


def frames(site: NodeRecord) -> Found:
    """Numbers of any other domain that 8 bits hold, or a frame for every step."""
    domain = site.fields["domain"]
    require(is_list(domain) and len(domain) == 2, "a domain has two ends")
    low, high = natural(domain[0], -128, 0), natural(domain[1], 0, 255)
    require(low < high and (low == 0 or high < 128), "no domain, or none of 8 bits")
    value, said = entering(site, (low, high))
    by_step = "t" in value.sizes
    require(by_step or (low, high) != (0, 255), "these are pixels")
    fits = site.fields["encoding"] != "host" and value.sizes.get("t") == site.steps
    require(fits or not by_step, "frames are not those of T steps, in bit planes")
    return value, said


def entering(site: NodeRecord, domain: tuple[int, int]) -> Found:
    encoding, names = site.fields["encoding"], site.fields["axes"]
    require(not site.sources and encoding in ("bit-planes", "host"), "this is no image")
    require(len(names) > 0, "an image needs an axis")
    shape = [natural(size, 1) for size in site.fields["shape"]]
    require(len(shape) == len(names), "the image's axes are not as many as their lengths")
    kind = "pixel" if domain == (0, 255) else "count"
    return Value(kind, tuple(zip(names, shape, strict=True)), domain, encoding), statement("image")
