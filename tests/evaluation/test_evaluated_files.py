"""Evaluations read all of what they are given or refuse it; what lies beside a store stays."""

import io
import json
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluated_programs import classifier, pixels, write_tar
from PIL import Image

import snncc
from snncc.artifact import Program, save_program
from snncc.cli.main import run
from snncc.data.image_folder import find_images
from snncc.diagnostics import SnnccError
from snncc.evaluation.reading import read
from snncc.evaluation.sources import Source, open_source
from snncc.evaluation.tar_index import index_of

GRAPH = classifier(5)
HOLES = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "odd.png"}
Call = Callable[..., dict[str, Any]]


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    save_program(Path("p.snncc"), Program(GRAPH, {}))
    np.save("images.npy", pixels(1, 9))
    return tmp_path


@pytest.fixture
def called(there: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*words: str, command: str = "evaluate") -> dict[str, Any]:
        capsys.readouterr()
        code = run([command, "p.snncc", *words, "--json"])
        said = capsys.readouterr().out
        return {**(json.loads(said) if said else {}), "code": code}

    return call


def codes(record: dict[str, Any]) -> tuple[int, list[str]]:
    return record["code"], [error["code"] for error in record["errors"]]


def png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image[0]).save(file, "PNG")
    return file.getvalue()


def member(archive: tarfile.TarFile, name: str, data: bytes = b"", **fields: Any) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    archive.addfile(info, io.BytesIO(data))


def opened(path: str) -> Source:
    return open_source(GRAPH, {}, path)


def by_name(path: str, names: list[str]) -> dict[str, bytes]:
    source = opened(path)
    found = read(source.request(0, source.count))
    assert len(names) == len(set(names)) == source.count
    return {name: image.tobytes() for name, image in zip(names, found, strict=True)}


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_a_tar_file_holds_what_the_folder_holds_that_it_is_unpacked_to(
    there: Path, form: int
) -> None:
    rng, images = np.random.default_rng(form), pixels(7, 60)
    written: dict[str, int] = {}
    with tarfile.open("one.tar", "w", format=form) as archive:
        member(archive, "./a.b", type=tarfile.DIRTYPE, mode=0o755)
        member(archive, "notes.v1.txt", b"no image")
        for number, image in enumerate(images):
            folder = rng.choice(["", "./", "a.b/", "./c/d.e/", ".hidden/", "f/"])
            stem = rng.choice(["im", "im.v2", "im.1", "b..", ".im", "1"]) + f"{number}"
            ending = str(rng.choice(["png", "PNG", "jpg", "Jpeg", "jfif"]))
            name = f"{folder}{stem}.{ending}"
            earlier = str(rng.choice(list(written))) if number % 4 == 3 else ""
            if earlier:
                member(archive, name, type=tarfile.LNKTYPE, linkname=earlier)
            else:
                member(archive, name, png(image))
            written[name] = number % 5
            member(archive, f"{folder}{stem}.cls", str(number % 5).encode())
    with tarfile.open("one.tar") as archive:
        archive.extractall("unpacked", filter="data")
    folder = find_images(Path("unpacked"))
    assert folder is not None
    assert 0 < len(folder.files) < len(images)
    members = index_of(Path("one.tar"))
    names = [str(Path(m.name)) for m in members]
    unpacked = by_name("unpacked", [str(f.relative_to("unpacked")) for f in folder.files])
    assert by_name("one.tar", names) == unpacked
    labels = opened("one.tar").own_labels("cls", 5)
    assert labels is not None
    assert labels.tolist() == [written[m.name] for m in members]


@pytest.mark.parametrize(
    "odd",
    [
        {"name": "odd.png", "type": tarfile.SYMTYPE, "linkname": "0.png"},
        {"name": "odd.png", "type": tarfile.LNKTYPE, "linkname": "1.png"},
        {"name": "odd.png", "type": tarfile.GNUTYPE_SPARSE},
        {"name": "odd.png", "data": b"0\n".ljust(512, b"\0"), "pax_headers": HOLES},
        {"name": "odd.png", "type": tarfile.FIFOTYPE},
        {"name": "odd", "type": tarfile.CHRTYPE},
        {"name": "odd.bmp", "data": b"BM"},
    ],
)
def test_members_that_a_folder_could_not_hold_are_named(there: Path, odd: dict[str, Any]) -> None:
    with tarfile.open("one.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        member(archive, "0.png", png(pixels(1, 1)[0]))
        member(archive, **odd)
        member(archive, "1.png", png(pixels(2, 1)[0]))
    with pytest.raises(SnnccError) as error:
        opened("one.tar")
    (finding,) = error.value.findings
    assert finding.code == "SNN015"
    assert odd["name"] in finding.why


@pytest.mark.parametrize("beside", ["loose.png", "loose.bmp", "b.tar.gz", "b.TGZ", "in/b.tar.zst"])
def test_a_folder_is_not_evaluated_in_part(there: Path, beside: str) -> None:
    Path("all/in").mkdir(parents=True)
    write_tar(Path("all/a.tar"), pixels(1, 3), np.arange(3))
    assert opened("all").count == 3
    Path("all", beside).write_bytes(png(pixels(1, 1)[0]))
    with pytest.raises(SnnccError, match=beside) as error:
        opened("all")
    assert error.value.code == "SNN015"
    whole = Path("all/a.tar").read_bytes()
    Path("joined.tar").write_bytes(whole + whole.replace(b"part/", b"more/"))
    with pytest.raises(SnnccError, match="more stands behind"):
        opened("joined.tar")


def test_a_class_of_any_length_is_refused_by_its_name(called: Call) -> None:
    for digits in (1, 18, 19, 25):
        with tarfile.open("one.tar", "w") as archive:
            member(archive, "0.png", png(pixels(1, 1)[0]))
            member(archive, "0.cls", b"9" * digits)
        record = called("one.tar", "--labels", "cls")
        assert codes(record) == (3, ["SNN016"]), record
        assert "9" * digits in record["errors"][0]["message"]


@pytest.mark.parametrize("way", ["another file", "written anew"])
def test_a_file_of_the_same_size_and_time_is_read_again(called: Call, way: str) -> None:
    assert called("images.npy", "--store", "s.sqlite")["code"] == 0
    before = os.stat("images.npy")
    np.save("other.npy", pixels(2, 9))
    if way == "another file":
        os.replace("other.npy", "images.npy")
    else:
        Path("images.npy").write_bytes(Path("other.npy").read_bytes())
    os.utime("images.npy", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert os.stat("images.npy").st_size == before.st_size
    assert codes(called("images.npy", "--store", "s.sqlite")) == (3, ["SNN191"])


@pytest.mark.parametrize("ending", ["-journal", "-wal", "-shm"])
def test_files_beside_a_store_are_not_deleted(called: Call, ending: str) -> None:
    assert called("images.npy", "--store", "s.sqlite")["code"] == 0
    Path("link.sqlite").symlink_to("s.sqlite")
    mine = Path(f"s.sqlite{ending}")
    mine.write_bytes(Path("images.npy").read_bytes())
    for store in ("s.sqlite", "link.sqlite"):
        assert codes(called("images.npy", "--store", store)) == (2, ["SNN002"])
        record = called(str(mine), "--store", store)
        assert codes(record) == (2, ["SNN002"])
        assert "not apart from the input" in record["errors"][0]["message"]
    assert mine.read_bytes() == Path("images.npy").read_bytes()
    mine.unlink()
    os.mkfifo(mine)
    assert codes(called("images.npy", "--store", "s.sqlite")) == (2, ["SNN002"])
    os.mkfifo("pipe.sqlite")
    assert codes(called("images.npy", "--store", "pipe.sqlite")) == (2, ["SNN002"])


def test_what_sqlite_left_beside_a_store_is_taken_back(called: Call) -> None:
    assert called("images.npy", "--store", "s.sqlite")["code"] == 0
    database = sqlite3.connect("s.sqlite", isolation_level=None)
    database.execute("PRAGMA cache_size = 1")
    database.execute("BEGIN")
    database.execute("CREATE TABLE more (a)")
    database.execute("INSERT INTO more VALUES (zeroblob(100000))")
    for ending in ("", "-journal"):
        shutil.copy(f"s.sqlite{ending}", f"cut.sqlite{ending}")
    database.close()
    assert Path("cut.sqlite").stat().st_size > Path("s.sqlite").stat().st_size
    for name in ("s.sqlite", "cut.sqlite"):
        Path("s.sqlite-journal").touch()
        assert called("images.npy", "--store", name)["this_call"]["images"] == 0
    database = sqlite3.connect("s.sqlite", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("UPDATE facts SET value = value")
    for ending in ("", "-wal", "-shm"):
        shutil.copy(f"s.sqlite{ending}", f"wal.sqlite{ending}")
    database.close()
    assert called("images.npy", "--store", "wal.sqlite")["this_call"]["images"] == 0


def test_a_store_is_a_file_whatever_its_name(called: Call) -> None:
    for name in (":memory:", "file:a?mode=memory"):
        assert called("images.npy", "--store", name)["this_call"]["images"] == 9
        assert Path(name).is_file()
        assert called("images.npy", "--store", name)["this_call"]["images"] == 0


def test_pipes_in_folders_are_named_and_nobody_waits_for_them(called: Call) -> None:
    Path("folder/in").mkdir(parents=True)
    Path("folder/a.png").write_bytes(png(pixels(1, 1)[0]))
    os.mkfifo("folder/in/b.png")
    with pytest.raises(SnnccError, match=r"in/b\.png"):
        find_images(Path("folder"))
    for command in ("evaluate", "run"):
        assert codes(called("folder", command=command)) == (3, ["SNN015"])
    Path("folder/a.png").unlink()
    os.rename("folder/in/b.png", "folder/in/b.bin")
    assert codes(called("folder")) == (3, ["SNN015"])


@pytest.mark.parametrize("seconds", ["nan", "inf", "0", "-1"])
def test_nobody_waits_for_ever(called: Call, seconds: str) -> None:
    words = ("images.npy", "--workers", "1", "--patience", seconds)
    assert codes(called(*words)) == (2, ["SNN005"])
    words = ("images.npy", "--on", "onnx", "--timeout", seconds)
    assert codes(called(*words, command="run")) == (2, ["SNN005"])
    with pytest.raises(SnnccError, match="patience=") as error:
        snncc.load("p.snncc").evaluate("images.npy", patience=float(seconds))
    assert error.value.code == "SNN001"
