"""Mutated pictures of every format, read by the real reader process: it refuses, or reads them."""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from bad_documents import heic
from bad_pictures import chunk, png, with_chunks
from cases import encoded, noise
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from documents import OPENRASTER, layered, pdf, photoshop, quarters_drawn
from img2imgd.errors import PictureError
from img2imgd.pool.reading import ReaderProcess
from img2imgd.reader.protocol import Prepared, ReaderLimits, SizeRule

# Examples: about 15 seconds of them, and of 20 times as many in full.
EXAMPLES, IN_FULL = 1000, 40
LIMITS = ReaderLimits(max_file_mb=2, max_pixels=1_000_000, cpu_seconds=5)
RULES = [
    SizeRule(64), SizeRule("keep", multiple=8), SizeRule((96, 64), "contain", 8),
    SizeRule((64, 96), "stretch"), SizeRule(80, multiple=8, whole=True),
    SizeRule(64, prepare="sketch"), SizeRule("keep", multiple=8, prepare="auto"),
    SizeRule((96, 64), "contain", 8, prepare="sketch"),
]  # fmt: skip
FOR_PROGRAMMERS = re.compile(
    r"Traceback|[A-Z][a-z]+Error|object at 0x|b'|crashed|nonsense|cannot be"
)
NUMBERS = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]


def _good() -> list[bytes]:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + "Steps: 5, Seed: 3".encode("utf-16-be")
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    more = {"save_all": True, "append_images": [noise(24, 16, seed=2), noise(24, 16, seed=3)]}
    small, grey, alpha = noise(24, 16), noise(24, 16, "L"), noise(24, 16, "RGBA")
    return [
        encoded("PNG", small, exif=exif, icc_profile=icc),
        encoded("PNG", small.quantize(16), transparency=3),
        encoded("PNG", Image.new("I;16", (24, 16), 999)),
        encoded("PNG", alpha, **more),
        with_chunks(chunk(b"tEXt", b"parameters\0x\nSteps: 5, Seed: 3")),
        encoded("JPEG", small, exif=exif, icc_profile=icc),
        encoded("JPEG", small, progressive=True),
        encoded("JPEG", noise(24, 16, "CMYK")),
        encoded("MPO", small, save_all=True, append_images=[grey]),
        encoded("WEBP", small, exif=exif, icc_profile=icc),
        encoded("WEBP", alpha, lossless=True),
        encoded("WEBP", small, **more),
        encoded("GIF", small, **more),
        encoded("BMP", small),
        encoded("BMP", small.quantize(16)),
        *(encoded("TIFF", small, compression=name)
          for name in ("raw", "tiff_lzw", "tiff_deflate", "jpeg", "packbits")),
        encoded("TIFF", grey.convert("1"), compression="group4"),
        encoded("TIFF", grey.convert("F")),
        encoded("TIFF", noise(24, 16, "LAB")),
        encoded("TIFF", small, exif=exif, **more),
        encoded("AVIF", small, exif=exif),
        encoded("AVIF", small, **more),
        encoded("PPM", small),
        encoded("PPM", grey),
        layered(alpha, packing=zipfile.ZIP_STORED),
        layered(small, OPENRASTER),
        photoshop(alpha),
        photoshop(small, depth=16, packed=False, large=True),
        pdf(quarters_drawn(72, 48), box="0 0 72 48"),
        heic(noise(64, 64)),
        b"P3 2 2 255 1 2 3 4 5 6 7 8 9 10 11 12\n",
    ]  # fmt: skip


GOOD = _good()

# What was found, so that it is tried first for ever.
FOUND: list[bytes] = [
    png(4, 4, b""),
    b"P6 1 1 0\n\0\0\0",
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good picture with a few places changed, or its end cut off."""
    data = bytearray(draw(st.sampled_from(GOOD)))
    for _ in range(draw(st.integers(1, 3))):
        # Headers are where most of the meaning is.
        at = draw(st.one_of(st.integers(0, min(len(data), 128)), st.integers(0, len(data))))
        match draw(st.sampled_from(["byte", "byte", "number", "number", "double", "drop", "cut"])):
            case "byte" if at < len(data):
                data[at] = draw(st.integers(0, 255))
            case "number":
                form = draw(st.sampled_from(["<I", ">I", "<H", ">H"]))
                number = draw(st.sampled_from(NUMBERS)) & (0xFFFFFFFF if form[1] == "I" else 0xFFFF)
                data[at : at + struct.calcsize(form)] = struct.pack(form, number)
            case "cut":
                del data[max(at, 8) :]
            case "double":
                data[at:at] = data[at : at + draw(st.integers(1, 64))]
            case _:
                del data[at : at + draw(st.integers(1, 16))]
    is_png = data.startswith(b"\x89PNG")
    return with_checksums(bytes(data)) if is_png and draw(st.booleans()) else bytes(data)


def with_checksums(data: bytes) -> bytes:
    """A PNG whose chunks are mended, as far as they go: what its decoder would never see else."""
    found, at = [data[:8]], 8
    while at + 12 <= len(data):
        length = min(int.from_bytes(data[at : at + 4], "big"), len(data) - at - 12)
        found.append(chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += length + 12
    return b"".join(found)


@pytest.fixture
def reader() -> Iterator[ReaderProcess]:
    process = ReaderProcess(LIMITS, timeout=20)
    yield process
    process.close()


@pytest.fixture
def examples(pytestconfig: pytest.Config) -> int:
    return EXAMPLES * (IN_FULL if pytestconfig.getoption("--faults-in-full", default=False) else 1)


def try_it(reader: ReaderProcess, folder: Path, data: bytes, rule: SizeRule) -> bool:
    """Whether a picture was read; what else comes out than its being refused fails the test."""
    path, target = folder / "x.png", folder / "prepared.png"
    path.write_bytes(data)
    target.unlink(missing_ok=True)
    try:
        info = reader.inspect(path)
        assert 0 < info.width * info.height <= LIMITS.max_pixels
        report = reader.prepare(path, target, rule)
    except PictureError as error:
        refused = error
    else:
        return is_plain(target, report, rule)
    assert not FOR_PROGRAMMERS.search(refused.message), refused.message
    assert refused.message.isprintable()
    assert len(refused.message) < 300
    assert not target.exists()
    return False


def is_plain(target: Path, report: Prepared, rule: SizeRule) -> bool:
    """True; a prepared copy that is not what was promised fails the test."""
    with Image.open(target, formats=["PNG"]) as prepared:
        prepared.load()
        assert (prepared.mode, prepared.size) == ("RGB", (report.width, report.height))
        assert report.width % rule.multiple == report.height % rule.multiple == 0
        assert prepared.info == {}
    return True


@pytest.mark.timeout(3600)
def test_mutated_pictures(reader: ReaderProcess, tmp_path: Path, examples: int) -> None:
    outcomes: list[bool] = []

    @settings(
        max_examples=examples, derandomize=True, database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(mutated(), st.sampled_from(RULES))
    def one(data: bytes, rule: SizeRule) -> None:
        outcomes.append(try_it(reader, tmp_path, data, rule))

    one()
    assert {True, False} == set(outcomes)
    assert try_it(reader, tmp_path, encoded(), SizeRule(64))


@pytest.mark.parametrize("data", FOUND)
def test_what_was_found_before(reader: ReaderProcess, tmp_path: Path, data: bytes) -> None:
    try_it(reader, tmp_path, data, SizeRule("keep", multiple=8))
    assert try_it(reader, tmp_path, encoded(), SizeRule(64))


def test_every_good_picture_is_read_by_every_rule(reader: ReaderProcess, tmp_path: Path) -> None:
    assert all(try_it(reader, tmp_path, data, rule) for data in GOOD for rule in RULES)
