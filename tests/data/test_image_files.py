"""Image files become the pixels that torchvision would give; whatever is wrong is said by name."""

import errno
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from resampling import bicubic, bilinear, resized

from snncc.data import image_files
from snncc.data.files import open_images, read_array
from snncc.data.image_files import ImageFiles
from snncc.data.image_folder import ImageFolder, find_images
from snncc.data.preprocessing import PRESETS, Preprocessing, preset_of
from snncc.diagnostics import SnnccError

IMAGENET, CIFAR = PRESETS["imagenet224"], PRESETS["cifar224"]
GREY, COLOUR = (1, 5, 7), (3, 5, 7)


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def one(path: Path, shape: tuple[int, ...], preset: Preprocessing | None = None) -> np.ndarray:
    files = ImageFiles((path,), shape, preset)
    files.check()
    images = files[:]
    assert images.dtype == np.uint8
    assert images.shape == (1, *shape)
    return images[0]


@pytest.mark.parametrize(
    ("given", "to", "corner"),
    [
        ((375, 500), (256, 341), (16, 58)),  # 341.33; 58.5 goes to 58
        ((500, 375), (341, 256), (58, 16)),
        ((100, 134), (256, 343), (16, 60)),  # 343.04; 59.5 goes to 60
        ((134, 100), (343, 256), (60, 16)),
        ((333, 500), (256, 384), (16, 80)),  # 384.38
        ((31, 31), (256, 256), (16, 16)),
        ((256, 257), (256, 257), (16, 16)),  # 16.5 goes to 16
    ],
)
def test_sizes_and_cuts_by_hand(
    given: tuple[int, int], to: tuple[int, int], corner: tuple[int, int]
) -> None:
    assert IMAGENET.resized(*given) == to
    assert IMAGENET.corner(*to) == corner
    assert CIFAR.resized(*given) == (224, 224)
    assert CIFAR.corner(224, 224) == (0, 0)


@pytest.mark.parametrize(("height", "width"), [(375, 501), (333, 231), (29, 31), (256, 300)])
def test_imagenet_pixels_are_those_of_the_definition(
    tmp_path: Path, height: int, width: int
) -> None:
    pixels = noise(height, width)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    high, wide = IMAGENET.resized(height, width)
    top, left = IMAGENET.corner(high, wide)
    wanted = resized(pixels, high, wide, bicubic, 2.0)[top : top + 224, left : left + 224]
    got = one(tmp_path / "a.png", IMAGENET.shape, IMAGENET)
    assert np.array_equal(got, wanted.transpose(2, 0, 1))


@pytest.mark.parametrize(("height", "width"), [(32, 32), (225, 301), (224, 224)])
def test_cifar_pixels_are_those_of_the_definition(tmp_path: Path, height: int, width: int) -> None:
    pixels = noise(height, width, seed=1)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    wanted = resized(pixels, 224, 224, bilinear, 1.0)
    assert np.array_equal(one(tmp_path / "a.png", CIFAR.shape, CIFAR), wanted.transpose(2, 0, 1))


def test_presets_are_those_of_the_paper() -> None:
    assert IMAGENET.normalization == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert CIFAR.normalization == ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
    assert IMAGENET.shape == CIFAR.shape == (3, 224, 224)
    assert str(IMAGENET) == "imagenet224: shorter side to 256 (bicubic), centre 224 x 224"
    assert str(CIFAR) == "cifar224: to 224 x 224 (bilinear)"


def test_a_program_of_another_version_is_not_guessed_at() -> None:
    assert preset_of({}) is None
    assert preset_of({"preprocess": None}) is None
    assert preset_of({"preprocess": "cifar224"}) is CIFAR
    for unknown in ("imagenet448", 3, ["cifar224"]):
        with pytest.raises(SnnccError, match="--preprocess") as caught:
            preset_of({"preprocess": unknown})
        assert caught.value.code == "SNN017"


def test_every_kind_of_png(tmp_path: Path) -> None:
    colours = noise(5, 7)
    colours[:, :, 1:] //= 64  # few enough that a palette holds them all
    colours[:, :, 0] = 100
    grey = noise(5, 7, 1, seed=2)
    red, green, blue = (colours[..., i].astype(int) for i in range(3))
    luma = ((19595 * red + 38470 * green + 7471 * blue + 2**15) >> 16).astype(np.uint8)
    alpha = noise(5, 7, 1, seed=3)
    two = (grey > 128).astype(np.uint8) * 255
    rgb, rgba = Image.fromarray(colours), Image.fromarray(np.dstack([colours, alpha]))
    palette = rgb.convert("P", palette=Image.Palette.ADAPTIVE, colors=256)
    cases = {
        "rgb": (rgb, colours, luma),
        "rgba": (rgba, colours, luma),  # what shines through is dropped, not put onto black
        "palette": (palette, colours, luma),
        "grey": (Image.fromarray(grey), np.dstack([grey] * 3), grey),
        "grey and alpha": (
            Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)]),
            np.dstack([grey] * 3),
            grey,
        ),
        "two levels": (Image.fromarray(two).convert("1"), np.dstack([two] * 3), two),
    }
    for name, (image, as_colour, as_grey) in cases.items():
        path = tmp_path / f"{name}.png"
        image.save(path, transparency=bytes(256)) if name == "palette" else image.save(path)
        assert np.array_equal(one(path, COLOUR), as_colour.transpose(2, 0, 1)), name
        assert np.array_equal(one(path, GREY)[0], as_grey), name


def test_jpeg(tmp_path: Path) -> None:
    flat = np.full((5, 7), 77, np.uint8)
    Image.fromarray(flat).save(tmp_path / "grey.JPG", quality=100)
    assert np.array_equal(one(tmp_path / "grey.JPG", COLOUR), np.stack([flat] * 3))
    steep = Image.fromarray(np.dstack([flat, flat + 100, flat]))
    steep.save(tmp_path / "colour.jpeg", quality=100, subsampling=0)
    assert np.abs(one(tmp_path / "colour.jpeg", COLOUR)[1].astype(int) - 177).max() <= 2
    Image.new("CMYK", (7, 5), (255, 0, 0, 0)).save(tmp_path / "print.jpg", quality=100)
    cyan = one(tmp_path / "print.jpg", COLOUR).astype(int)
    assert cyan[0].max() <= 3
    assert cyan[1:].min() >= 252


def test_a_name_does_not_make_the_format(tmp_path: Path) -> None:
    """ImageNet's training set holds a PNG file named .JPEG."""
    pixels = noise(5, 7)
    Image.fromarray(pixels).save(tmp_path / "a.JPEG", format="PNG")
    assert np.array_equal(one(tmp_path / "a.JPEG", COLOUR), pixels.transpose(2, 0, 1))


def test_exif_orientation_is_ignored(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees for people
    pixels = noise(5, 7)
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(one(tmp_path / "a.png", COLOUR), pixels.transpose(2, 0, 1))


def tree(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(5, 7)).save(root / name, format="PNG")


def found(root: Path) -> ImageFolder:
    folder = find_images(root)
    assert folder is not None
    return folder


def test_the_order_of_a_folder(tmp_path: Path) -> None:
    names = ["b/10.png", "b/9.png", "b/z/1.png", "b-c/1.PNG", "B/x.jpg", "a.png", "b/z-y/1.png"]
    names += ["b/z/k/1.png"]
    tree(tmp_path, *names, ".hidden/1.png", "b/.x.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "b/list.txt").write_text("no image")
    folder = found(tmp_path)
    inner = [str(file.relative_to(tmp_path)) for file in folder.files]
    assert inner == [
        *("a.png", "B/x.jpg", "b/10.png", "b/9.png", "b/z/1.png"),
        *("b/z-y/1.png", "b/z/k/1.png", "b-c/1.PNG"),  # folders in the order of their whole path
    ]
    assert folder.classes == ("B", "b", "b-c", "empty")


def test_class_folders_are_labels(tmp_path: Path) -> None:
    tree(tmp_path, "cat/1.png", "cat/2.png", "dog/deep/1.png", "eel/1.png")
    (tmp_path / "bee").mkdir()
    folder = found(tmp_path)
    assert folder.labels(4).tolist() == [1, 1, 2, 3]
    with pytest.raises(SnnccError, match="4 class folders, the program 10 classes") as caught:
        folder.labels(10)
    assert caught.value.code == "SNN016"
    tree(tmp_path, "loose.png")
    with pytest.raises(SnnccError, match=r"loose\.png in .*: in no class folder"):
        found(tmp_path).labels(4)


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    tree(tmp_path, "store/cat/1.png", "data/dog/1.png")
    (tmp_path / "data/cat").symlink_to(tmp_path / "store/cat")
    (tmp_path / "data/dog/again").symlink_to(tmp_path / "data")
    assert [file.parent.name for file in found(tmp_path / "data").files] == ["cat", "dog"]


def test_what_is_no_folder_of_images(tmp_path: Path) -> None:
    tree(tmp_path, "one.png")
    assert found(tmp_path / "one.png").files == (tmp_path / "one.png",)
    np.save(tmp_path / "a.npy", noise(5, 7))
    assert find_images(tmp_path / "a.npy") is None
    assert isinstance(open_images(str(tmp_path / "a.npy")), np.ndarray)
    with pytest.raises(SnnccError, match="No such file"):
        open_images(str(tmp_path / "none.png"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(SnnccError, match="holds no images") as caught:
        found(tmp_path / "empty").images(COLOUR, None)
    assert caught.value.code == "SNN016"
    for name in [f"{i}.webp" for i in range(7)]:
        (tmp_path / name).touch()
    with pytest.raises(SnnccError) as caught:
        find_images(tmp_path)
    assert "0.webp, 1.webp, 2.webp, 3.webp, 4.webp and 2 more" in str(caught.value)


def test_a_folder_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, "a/1.png", "b/1.png")
    scan = os.scandir

    def refuse(path: str) -> object:
        if Path(path).name == "b":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SnnccError, match="b cannot be read") as caught:
        find_images(tmp_path)
    assert caught.value.findings[0].why == "Permission denied"


def test_shapes_that_files_cannot_have(tmp_path: Path) -> None:
    tree(tmp_path, "a.png")
    for shape in ((2, 5, 7), (5, 7), (5, 7, 3)):
        with pytest.raises(SnnccError, match="image files do not fit"):
            found(tmp_path).images(shape, None)
    with pytest.raises(SnnccError, match="imagenet224 gives images"):
        found(tmp_path).images((3, 32, 32), IMAGENET)
    assert len(found(tmp_path).images(COLOUR, None)) == 1


def png(width: int, height: int, depth: int, kind: int, rows: bytes) -> bytes:
    """A PNG file from its parts, for those that Pillow does not write."""
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def test_every_bad_file_is_named_in_one_error(tmp_path: Path) -> None:
    tree(tmp_path, "good.png", "other.png")
    whole = (tmp_path / "good.png").read_bytes()
    Image.fromarray(noise(50, 70)).save(tmp_path / "whole.jpg", quality=100)
    photo = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "whole.jpg").unlink()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    bad = {
        "cut.png": (whole[: len(whole) // 2], "Truncated"),
        "no end.png": (whole[:-12], "truncated"),
        "flipped.png": (bytes(flipped), "broken PNG"),
        "cut.jpg": (photo[: len(photo) // 2], "truncated"),
        "text.png": (b"not an image", "not a PNG or JPEG"),
        "nothing.jpg": (b"", "not a PNG or JPEG"),
        "grey 16.png": (png(7, 5, 16, 0, bytes(5 * 15)), "16 bits a channel"),
        "colour 16.png": (png(7, 5, 16, 2, bytes(5 * 43)), "16 bits a channel"),
        "huge.png": (png(9000, 9000, 8, 2, b""), "more than 67,108,864 pixels"),
    }
    for name, (content, _) in bad.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    reasons = {name: reason for name, (_, reason) in bad.items()} | {"gone.png": "No such file"}
    Image.fromarray(noise(6, 7)).save(tmp_path / "high.png")
    files = found(tmp_path).images(COLOUR, None)
    with pytest.raises(SnnccError) as caught:
        files.check()
    unread = [f for f in caught.value.findings if f.code == "SNN015"]
    assert {Path(f.message.removesuffix(" cannot be read")).name for f in unread} == set(reasons)
    for finding in unread:
        name = Path(finding.message.removesuffix(" cannot be read")).name
        assert reasons[name].lower() in finding.why.lower(), finding
    (wrong,) = (f for f in caught.value.findings if f.code == "SNN016")
    assert "are not 5 high and 7 wide" in wrong.message
    assert "high.png (6 x 7)" in wrong.message
    assert "good.png" not in str(caught.value)
    assert "--preprocess" not in wrong.help  # no preset makes 5 x 7
    with pytest.raises(SnnccError) as caught:
        files[:]
    assert {f.code for f in caught.value.findings} == {"SNN015", "SNN016"}


def test_wrong_sizes_name_the_presets_that_would_fit(tmp_path: Path) -> None:
    tree(tmp_path, *(f"{i}.png" for i in range(9)))
    with pytest.raises(SnnccError) as caught:
        found(tmp_path).images((3, 224, 224), None).check()
    (finding,) = caught.value.findings
    assert finding.message.startswith("9 of 9 images are not 224 high and 224 wide")
    assert finding.message.endswith("and 4 more")
    assert "--preprocess imagenet224 | cifar224" in finding.help
    found(tmp_path).images((3, 224, 224), CIFAR).check()


def test_a_strip_is_not_blown_up(tmp_path: Path) -> None:
    """Its shorter side to 256 would make 10^10 bytes of a file of a few hundred."""
    Image.new("L", (1, 60000)).save(tmp_path / "strip.png")
    files = found(tmp_path).images(IMAGENET.shape, IMAGENET)
    for read in (files.check, lambda: files[:]):
        with pytest.raises(SnnccError, match="cannot be read") as caught:
            read()
        assert "15360000 high and 256 wide" in caught.value.findings[0].why
    assert ImageFiles(files.files, CIFAR.shape, CIFAR)[:].shape == (1, 3, 224, 224)


def test_damage_is_never_a_surprise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutated files are refused by name, or decode: what passes the check can be run."""
    monkeypatch.setattr(image_files, "MOST_PIXELS", 1 << 20)
    generator = np.random.default_rng(0)
    seeds = []
    for mode in ("L", "RGB", "P", "LA", "CMYK"):
        path = tmp_path / ("x.jpg" if mode == "CMYK" else "x.png")
        Image.fromarray(noise(5, 7)).convert("L").convert(mode).save(path)
        seeds.append(path.read_bytes())
    path = tmp_path / "x.jpg"
    Image.fromarray(noise(5, 7)).save(path)
    seeds.append(path.read_bytes())
    refused = 0
    for k in range(1500):
        content = bytearray(seeds[k % len(seeds)])
        for _ in range(generator.integers(1, 4)):
            at = int(generator.integers(0, len(content)))
            match generator.integers(0, 3):
                case 0:
                    content[at] ^= 1 << int(generator.integers(0, 8))
                case 1:
                    del content[at : at + int(generator.integers(1, 20))]
                    content = content or bytearray(b"x")
                case _:
                    content[at:at] = generator.bytes(3)
        path.write_bytes(content)
        files = ImageFiles((path,), CIFAR.shape, CIFAR)
        try:
            files.check()
        except SnnccError as error:
            refused += error.code == "SNN015"
        else:
            assert files[:].shape == (1, 3, 224, 224)
    assert 300 < refused < 1500


def test_slices_and_indices(tmp_path: Path) -> None:
    pixels = [noise(5, 7, seed=i) for i in range(6)]
    for i, each in enumerate(pixels):
        Image.fromarray(each).save(tmp_path / f"{i}.png")
    wanted = np.stack(pixels).transpose(0, 3, 1, 2)
    files = found(tmp_path).images(COLOUR, None)
    assert len(files) == 6
    for index in (slice(None), slice(2, 4), slice(4, 90), slice(None, None, 2), np.array([5, 0])):
        assert np.array_equal(files[index], wanted[index])
    limited = found(tmp_path).images(COLOUR, None, 4)
    assert np.array_equal(limited[:], wanted[:4])
    seen: list[tuple[int, int]] = []
    limited.check(lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize("key", ["", ":x"])
def test_a_file_without_the_array_says_what_to_give(tmp_path: Path, key: str) -> None:
    path = tmp_path / "x.npy"
    if key:
        np.save(path, np.zeros(3, np.uint8))
    else:
        path.write_text("no array")
    with pytest.raises(SnnccError) as caught:
        read_array(f"{path}{key}")
    assert caught.value.code == "SNN015"
    help_line = str(caught.value).partition("help: ")[2]
    assert help_line.startswith(str(path) if key else "give an .npy, or an .npz with NPZ:KEY")
