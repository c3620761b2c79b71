"""What enters: whole numbers of a domain, the same at every step."""

from snncc.checker.program_file import demand, is_list, whole
from snncc.checker.values import Found, Site, Value, says


def pixels(site: Site) -> Found:
    """An 8-bit image."""
    return entering(site, (0, 255))


def frames(site: Site) -> Found:
    """Numbers of any other domain that 8 bits hold."""
    domain = site.fields["domain"]
    demand(is_list(domain) and len(domain) == 2, "a domain has two ends")
    low, high = whole(domain[0], -128, 0), whole(domain[1], 0, 255)
    demand(low < high and (low == 0 or high < 128), "no domain, or none of 8 bits")
    demand((low, high) != (0, 255), "these are pixels")
    return entering(site, (low, high))


def entering(site: Site, domain: tuple[int, int]) -> Found:
    encoding, names = site.fields["encoding"], site.fields["axes"]
    demand(not site.sources and encoding in ("bit-planes", "host"), "this is no image")
    demand("t" not in names, "an image has no time axis")
    demand(len(names) > 0, "an image needs an axis")
    shape = [whole(size, 1) for size in site.fields["shape"]]
    demand(len(shape) == len(names), "the image's axes are not as many as their lengths")
    kind = "pixel" if domain == (0, 255) else "count"
    return Value(kind, tuple(zip(names, shape, strict=True)), domain, encoding), says("image")
