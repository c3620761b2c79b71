"""The image: integers from 0 to 255, the same at every step."""

from snncc.checker.program_file import natural, require
from snncc.checker.values import Found, NodeRecord, Value, statement


def pixels(site: NodeRecord) -> Found:
    encoding, names = site.fields["encoding"], site.fields["axes"]
    require(not site.sources and encoding in ("bit-planes", "host"), "this is no image")
    require("t" not in names, "an image has no time axis")
    require(len(names) > 0, "an image needs an axis")
    shape = [natural(size, 1) for size in site.fields["shape"]]
    require(len(shape) == len(names), "the image's axes are not as many as their lengths")
    return Value("pixel", tuple(zip(names, shape, strict=True)), (0, 255), encoding), statement(
        "image"
    )
