"""Files that are called pictures: bombs, halves, liars, foreigners, and shapes at the limits."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from functools import cache

from cases import Case, encoded, noise
from PIL import Image, ImageCms, TiffImagePlugin

FORMS = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP", "bmp": "BMP", "tif": "TIFF", "gif": "GIF",
         "avif": "AVIF", "ppm": "PPM"}  # fmt: skip
UNPACKS = "unpacks to far too much"
TOO_MANY = "more than 100,000,000 pixels"


@cache
def cases() -> list[Case]:
    """All of them, made once; the folder's defaults hold a prompt."""
    table: list[tuple[str, str, bytes]] = [
        *_bombs(), *_broken(), *_foreign(), *_contradicting(),
    ]  # fmt: skip
    return [
        *(Case(f"pictures/{name}", "failed", words, data) for name, words, data in table),
        *(Case(f"pictures/{name}", "done", words, data) for name, words, data in _served()),
        Case("pictures/_defaults.yaml", "inbox", "", b"prompt: a lake\nsteps: 2\nsize: 64\n"),
    ]


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, data: bytes, *more: bytes, depth: int = 8, kind: int = 2) -> bytes:
    """A PNG of these compressed pixels; ``more`` are chunks before them."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    return b"".join(
        [b"\x89PNG\r\n\x1a\n", header, *more, chunk(b"IDAT", data), chunk(b"IEND", b"")]
    )


@cache
def zeros(size: int) -> bytes:
    """Zlib's stream of so many zeros."""
    packer = zlib.compressobj(9)
    block = bytes(1 << 20)
    return b"".join([*(packer.compress(block) for _ in range(size >> 20)), packer.flush()])


def with_chunks(*chunks: bytes) -> bytes:
    """A good PNG with these chunks behind its header."""
    whole = encoded()
    return whole[:33] + b"".join(chunks) + whole[33:]


def _bombs() -> list[tuple[str, str, bytes]]:
    bomb = zeros(100 << 20)
    tiff = io.BytesIO()
    Image.new("1", (65_000, 65_000)).save(tiff, "TIFF", compression="group4")
    gif = bytearray(encoded("GIF"))
    gif[6:10] = struct.pack("<HH", 65_535, 65_535)
    webp = bytearray(encoded("WEBP", lossless=True))
    webp[21:25] = (0x3FFF | 0x3FFF << 14).to_bytes(4, "little")
    jpeg = bytearray(encoded("JPEG"))
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", 65_500, 65_500)
    bmp = bytearray(encoded("BMP"))
    bmp[18:26] = struct.pack("<ii", 2**31 - 1, 2**31 - 1)
    return [
        ("bomb-pixels.png", TOO_MANY, png(60_000, 60_000, bomb)),
        ("bomb-largest.png", TOO_MANY, png(2**31 - 1, 2**31 - 1, bomb)),
        ("bomb-pixels.tif", TOO_MANY, tiff.getvalue()),
        ("bomb-pixels.gif", TOO_MANY, bytes(gif)),
        ("bomb-pixels.webp", TOO_MANY, bytes(webp)),
        ("bomb-pixels.jpg", TOO_MANY, bytes(jpeg)),
        ("bomb-pixels.bmp", TOO_MANY, bytes(bmp)),
        ("bomb-pixels.ppm", TOO_MANY, b"P6 99999 99999 255\n" + bytes(100)),
        ("bomb-itxt.png", UNPACKS, with_chunks(chunk(b"iTXt", b"x\0\1\0\0\0" + bomb))),
        ("bomb-ztxt.png", UNPACKS, with_chunks(chunk(b"zTXt", b"x\0\0" + bomb))),
        ("bomb-icc.png", UNPACKS, with_chunks(chunk(b"iCCP", b"x\0\0" + bomb))),
    ]  # fmt: skip


def _broken() -> list[tuple[str, str, bytes]]:
    found: list[tuple[str, str, bytes]] = []
    for suffix, form in FORMS.items():
        whole = encoded(form, noise(96, 96))
        half = whole[: len(whole) // 2]
        found += [
            (f"half.{suffix}", "cut off", half),
            (f"head-only.{suffix}", "cut off", whole[:12]),
            (f"all-zeros.{suffix}", "nothing but zeros", bytes(5000)),
        ]
        if form not in ("BMP", "TIFF", "PPM"):  # there zeros may be black
            zeroed = half + bytes(max(len(whole) - len(half), 5000))
            words = "damaged" if form == "PNG" else "cut off"  # its checksum is met first
            found.append((f"zero-tailed.{suffix}", words, zeroed))
    flipped = bytearray(encoded())
    flipped[60] ^= 0xFF
    tiff = TiffImagePlugin.ImageFileDirectory_v2()
    tiff[258] = (8,) * 3
    return [
        *found,
        ("flipped.png", "damaged", bytes(flipped)),
        ("no-pixels.png", "damaged or cut off", png(0, 0, zlib.compress(b""))),
        ("no-height.png", "damaged or cut off", png(64, 0, zlib.compress(b""))),
        ("bad-depth.png", "damaged or cut off", png(8, 8, zlib.compress(bytes(400)), depth=3)),
        ("empty.png", "empty", b""),
        ("loop.tif", "damaged or cut off", b"II*\0\x08\0\0\0\0\0\x08\0\0\0"),
        ("offset.tif", "damaged or cut off", b"II*\0\xff\xff\xff\xff"),
        ("nothing.ppm", "cut off", b"P6"),
        ("comment.ppm", "cut off", b"P6\n#" + b"x" * 100_000),
        ("digits.ppm", "damaged", b"P6 " + b"9" * 5000 + b" 1 255\n"),
        ("not-numbers.tif", "not numbers", encoded("TIFF", Image.new("F", (64, 64), float("nan")))),
        ("infinite.tif", "not numbers", encoded("TIFF", Image.new("F", (64, 64), float("inf")))),
    ]


def _foreign() -> list[tuple[str, str, bytes]]:
    heic = struct.pack(">I", 24) + b"ftypheic\0\0\0\0heicmif1" + bytes(100)
    svg = b'<?xml version="1.0"?>\n<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n<svg/>'
    return [
        ("eps.png", "PostScript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nquit\n"),
        ("psd.png", "Photoshop", b"8BPS\0\1" + bytes(50)),
        ("svg.png", "SVG", svg),
        ("pdf.png", "PDF", b"%PDF-1.7\n1 0 obj"),
        ("heic.jpg", "HEIC", heic),
        ("program.png", "a program", b"\x7fELF\2\1\1" + bytes(50)),
        ("exe.png", "is a program", b"MZ\x90\0\3\0\0\0" + bytes(200) + b"PE\0\0"),
        ("script.png", "text", b"#!/bin/sh\nrm -rf /\n"),
        ("html.png", "web page", b"<!DOCTYPE html><html><script>x</script>"),
        ("zip.png", "zip archive", b"PK\3\4" + bytes(50)),
        ("gzip.png", "gzip", gzip.compress(encoded())),
        ("ico.png", "icon", b"\0\0\1\0\1\0" + bytes(50)),
        ("dicom.png", "no picture of a kind read here", bytes(128) + b"DICM" + b"\x93" * 50),
        ("pickle.png", "no picture of a kind read here", b"\x80\5\x95\0\0\0\0cos\nsystem\n"),
        ("yaml.png", "text", b"prompt: a lake\n"),
        ("utf16.png", "no picture of a kind", "prompt: a lake\n".encode("utf-16")),
        ("film.png", "film", struct.pack(">I", 24) + b"ftypisom" + bytes(100)),
    ]


def _contradicting() -> list[tuple[str, str, bytes]]:
    return [
        ("line.png", "20000×1, too long and narrow", encoded("PNG", noise(20_000, 1, "L"))),
        ("pole.png", "1×20000, too long and narrow", encoded("PNG", noise(1, 20_000, "L"))),
    ]


def _served() -> list[tuple[str, str, bytes]]:
    frames = [noise(64, 64, seed=seed) for seed in range(3)]
    more = {"save_all": True, "append_images": frames[1:]}
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    text = chunk(b"tEXt", b"parameters\0" + b"Steps: 1, Seed: 1, Size: 99999x99999")
    first = "The first of its 3 frames was used."
    return [
        *((f"animated.{suffix}", first, encoded(FORMS[suffix], frames[0], **more))
          for suffix in ("gif", "webp", "png", "avif")),
        ("pages.tif", "The first of its 3 pages was used", encoded("TIFF", frames[0], **more)),
        *((f"really-a-{suffix}.png", "", encoded(form)) for suffix, form in FORMS.items()),
        ("dot.png", "", encoded("PNG", noise(1, 1))),
        ("wide.png", "", encoded("PNG", noise(3000, 1000, "L"))),
        ("deep.png", "", encoded("PNG", Image.new("I;16", (64, 64), 40_000))),
        ("inks.jpg", "CMYK colours are a guess", encoded("JPEG", noise(64, 64, "CMYK"))),
        ("broken-icc.png", "colour profile", encoded("PNG", icc_profile=srgb[:200])),
        ("lying-text.png", "", with_chunks(text)),
        ("tail.jpg", "", encoded("JPEG") + bytes(100_000)),
        ("two-in-one.png", "", encoded("PNG") + b"<?php system($_GET[0]); ?>" + encoded("JPEG")),
        ("zero-tailed.bmp", "ends in zeros", encoded("BMP", noise(96, 96))[:9000] + bytes(20_000)),
    ]  # fmt: skip
