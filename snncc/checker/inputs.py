"""What enters: whole numbers of a domain, the same at every step or a frame for each."""

from snncc.checker.program_file import demand, is_list, whole
from snncc.checker.values import Found, Site, Value, says


def pixels(site: Site) -> Found:
    """An 8-bit image."""
    demand("t" not in site.fields["axes"], "an image has no time axis")
    return entering(site, (0, 255))


def frames(site: Site) -> Found:
    """Numbers of any other domain that 8 bits hold, or a frame for every step."""
    domain = site.fields["domain"]
    demand(is_list(domain) and len(domain) == 2, "a domain has two ends")
    low, high = whole(domain[0], -128, 0), whole(domain[1], 0, 255)
    demand(low < high and (low == 0 or high < 128), "no domain, or none of 8 bits")
    value, said = entering(site, (low, high))
    by_step = "t" in value.sizes
    demand(by_step or (low, high) != (0, 255), "these are pixels")
    fits = site.fields["encoding"] != "host" and value.sizes.get("t") == site.steps
    demand(fits or not by_step, "frames are not those of T steps, in bit planes")
    return value, said


def entering(site: Site, domain: tuple[int, int]) -> Found:
    encoding, names = site.fields["encoding"], site.fields["axes"]
    demand(not site.sources and encoding in ("bit-planes", "host"), "this is no image")
    demand(len(names) > 0, "an image needs an axis")
    shape = [whole(size, 1) for size in site.fields["shape"]]
    demand(len(shape) == len(names), "the image's axes are not as many as their lengths")
    kind = "pixel" if domain == (0, 255) else "count"
    return Value(kind, tuple(zip(names, shape, strict=True)), domain, encoding), says("image")
