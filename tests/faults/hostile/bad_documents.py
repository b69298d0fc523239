"""Hostile files of art programs, scanners and phones: bombs, halves, liars, locked ones."""

from __future__ import annotations

import io
from functools import cache

import pillow_heif
from bad_pictures import TOO_MANY
from cases import Case, noise
from PIL import Image

from documents import KRITA, OPENRASTER, layered, pdf, photoshop, png, quarters_drawn


@cache
def cases() -> list[Case]:
    """All of them, made once; the folder's defaults hold a prompt."""
    refused = [*_layered(), *_photoshop(), *_pdf(), *_heic()]
    return [
        *(Case(f"documents/{name}", "failed", words, data) for name, words, data in refused),
        *(Case(f"documents/{name}", "done", words, data) for name, words, data in _served()),
        Case("documents/_defaults.yaml", "inbox", "", b"prompt: a lake\nsteps: 2\nsize: 64\n"),
    ]


def heic(image: Image.Image) -> bytes:
    """A picture as a phone would save it."""
    file = io.BytesIO()
    pillow_heif.from_pillow(image).save(file, quality=90)
    return file.getvalue()


def _layered() -> list[tuple[str, str, bytes]]:
    bomb = layered(bytes(201_000_000))
    honest, small = (201_000_000).to_bytes(4, "little"), (999).to_bytes(4, "little")
    whole = layered(noise(96, 96))
    return [
        ("bomb.kra", "more than 200 MB", bomb),
        ("lying-bomb.kra", "damaged or cut off", bomb.replace(honest, small)),
        ("pixels.ora", TOO_MANY, layered(Image.new("1", (20_000, 20_000)), OPENRASTER)),
        ("preview-only.kra", "without its merged picture", layered(None)),
        ("wrong-member.ora", "cut off", layered(b"%PDF-1.4 and so on", OPENRASTER)),
        ("half-member.kra", "cut off", layered(png(noise())[:900])),
        ("no-member.ora", "without its merged picture",
         layered(None, OPENRASTER, members={"../mergedimage.png": b"x"})),
        *((f"half-{share}.kra", "damaged or cut off", whole[: len(whole) * share // 100])
          for share in (5, 50, 95, 99)),
        ("many-members.kra", "without its merged picture",
         layered(None, KRITA, members={f"layers/{i}": b"" for i in range(20_000)})),
    ]  # fmt: skip


def _photoshop() -> list[tuple[str, str, bytes]]:
    whole = photoshop(noise())
    huge, wide, deep = bytearray(whole), bytearray(whole), bytearray(whole)
    huge[14:22] = b"\xff" * 8
    wide[14:22] = (9000).to_bytes(4, "big") * 2
    deep[26:30] = b"\xff" * 4
    return [
        ("unmerged.psd", "without the picture that its layers give",
         photoshop(noise(), merged=False)),
        ("half.psd", "cut off", whole[: len(whole) // 2]),
        ("head-only.psb", "cut off", photoshop(noise(), large=True)[:40]),
        ("pixels.psd", TOO_MANY, bytes(huge)),
        ("promises.psd", "cut off", bytes(wide)),
        ("section.psd", "cut off", bytes(deep)),
        ("bits.psd", "a kind that is not read here", whole[:22] + b"\0\x20" + whole[24:]),
    ]  # fmt: skip


def _pdf() -> list[tuple[str, str, bytes]]:
    whole = pdf(quarters_drawn())
    loop = whole.replace(b"/Kids[3 0 R]", b"/Kids[2 0 R]")
    return [
        ("half.pdf", "cut off", whole[: len(whole) // 2]),
        ("zero-tailed.pdf", "cut off", whole[:-60] + bytes(9000)),
        ("rubbish.pdf", "damaged PDF", b"%PDF-1.7\n" + bytes(range(256)) * 40 + b"%%EOF"),
        ("no-pages.pdf", "without pages", pdf()),
        ("loop.pdf", "damaged", loop),
        ("line.pdf", "too long and narrow", pdf(b"", box="0 0 14400 3")),
        ("locked.pdf", "password", whole.replace(
            b"/Root 1 0 R", b"/Root 1 0 R/Encrypt<</Filter/Standard/V 1/R 2/P -4"
            b"/O<%s>/U<%s>>>/ID[<00><00>]" % (b"00" * 32, b"11" * 32))),
    ]  # fmt: skip


def _heic() -> list[tuple[str, str, bytes]]:
    whole = heic(noise(256, 256))
    size = b"ispe" + bytes(4) + (256).to_bytes(4, "big") * 2
    huge = whole.replace(size, size[:8] + (60_000).to_bytes(4, "big") * 2)
    return [
        ("half.heic", "cut off", whole[: len(whole) // 2]),
        ("head-only.heif", "HEIC", whole[:40]),
        ("zero-tailed.hif", "cut off", whole[: len(whole) // 2] + bytes(len(whole))),
        ("pixels.heic", TOO_MANY, huge),
    ]


def _served() -> list[tuple[str, str, bytes]]:
    poster = pdf(quarters_drawn(14400, 14400), box="0 0 14400 14400")
    deep = b"q " * 100_000 + b"0 0 144 72 re f"
    return [
        ("drawing.kra", "", layered(noise())),
        ("drawing.ora", "", layered(noise(), OPENRASTER)),
        ("drawing.psd", "", photoshop(noise())),
        ("photo.heic", "", heic(noise())),
        ("poster.pdf", "", poster),
        ("pages.pdf", "The first of its 3 pages", pdf(quarters_drawn(), b"", b"")),
        ("deep.pdf", "", pdf(deep)),
        ("script.pdf", "", pdf(quarters_drawn()).replace(
            b"/Type/Catalog", b"/Type/Catalog/OpenAction<</S/JavaScript/JS(app.alert\\(1\\))>>")),
    ]  # fmt: skip
