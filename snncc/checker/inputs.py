"""The image: integers from 0 to 255, the same at every step."""

from snncc.checker.program_file import demand, whole
from snncc.checker.values import Found, Site, Value, says


def pixels(site: Site) -> Found:
    encoding, names = site.fields["encoding"], site.fields["axes"]
    demand(not site.sources and encoding in ("bit-planes", "host"), "this is no image")
    demand("t" not in names, "an image has no time axis")
    demand(len(names) > 0, "an image needs an axis")
    shape = [whole(size, 1) for size in site.fields["shape"]]
    demand(len(shape) == len(names), "the image's axes are not as many as their lengths")
    return Value("pixel", tuple(zip(names, shape, strict=True)), (0, 255), encoding), says("image")
