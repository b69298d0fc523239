"""Files of art programs and scanners, made by hand: Krita, OpenRaster, Photoshop, PDF."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence

from PIL import Image, ImageChops

KRITA, OPENRASTER = b"application/x-krita", b"image/openraster"


def png(image: Image.Image) -> bytes:
    """A picture as PNG."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def layered(
    merged: Image.Image | bytes | None,
    mimetype: bytes = KRITA,
    *,
    packing: int = zipfile.ZIP_DEFLATED,
    members: Mapping[str, bytes] | None = None,
) -> bytes:
    """A file of Krita or OpenRaster, of one layer that is not the merged picture."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as archive:
        if mimetype:
            archive.writestr(zipfile.ZipInfo("mimetype"), mimetype)
        mark = "maindoc.xml" if mimetype == KRITA else "stack.xml"
        archive.writestr(mark, "<image/>")
        archive.writestr("preview.png", png(Image.new("RGB", (256, 256), "black")))
        for name, data in (members or {}).items():
            archive.writestr(name, data)
        if merged is not None:
            data = png(merged) if isinstance(merged, Image.Image) else merged
            archive.writestr("mergedimage.png", data)
    return file.getvalue()


PSD_MODES = {"1": 0, "L": 1, "LA": 1, "P": 2, "RGB": 3, "RGBA": 3, "CMYK": 4, "LAB": 9}


def photoshop(
    image: Image.Image,
    *,
    depth: int = 8,
    packed: bool = True,
    large: bool = False,
    merged: bool | None = True,
    transparent: bool | None = None,
    more: Sequence[Image.Image] = (),
    resources: Mapping[int, bytes] | None = None,
) -> bytes:
    """A Photoshop file with this as its merged picture; ``more`` are channels behind it.

    ``transparent``, by default True of a picture with an alpha channel, says that the first channel
    behind the colours is transparency; ``merged`` is what the file says of its merged picture.
    """
    mode, width, height = PSD_MODES[image.mode], image.width, image.height
    bands = [ImageChops.invert(band) if image.mode == "CMYK" else band for band in image.split()]
    bands += more
    depth = 1 if image.mode == "1" else depth
    transparent = image.mode in ("LA", "RGBA") if transparent is None else transparent
    version, length = (2, ">Q") if large else (1, ">I")
    palette = _planes(image) if image.mode == "P" else b""
    known = dict(resources or {})
    if merged is not None:
        known[1057] = struct.pack(">IB", 1, merged) + bytes(10)
    blocks = b"".join(_resource(number, data) for number, data in known.items())
    layers = struct.pack(length, 4) + struct.pack(">hH", -1 if transparent else 1, 0)
    rows = [row for band in bands for row in _rows(band, depth)]
    if packed:
        rows = [_packbits(row) for row in rows]
        counts = b"".join(struct.pack(">I" if large else ">H", len(row)) for row in rows)
    else:
        counts = b""
    return b"".join([
        struct.pack(">4sH6xHIIHH", b"8BPS", version, len(bands), height, width, depth, mode),
        struct.pack(">I", len(palette)), palette, struct.pack(">I", len(blocks)), blocks,
        struct.pack(length, len(layers)), layers, struct.pack(">H", packed), counts, *rows,
    ])  # fmt: skip


def _planes(image: Image.Image) -> bytes:
    """A palette with all its reds first."""
    colours = (image.getpalette() or []) + [0] * 768
    return b"".join(bytes(colours[first:768:3]) for first in range(3))


def _resource(number: int, data: bytes) -> bytes:
    return struct.pack(">4sHHI", b"8BIM", number, 0, len(data)) + data + bytes(len(data) % 2)


def _rows(band: Image.Image, depth: int) -> list[bytes]:
    data = band.tobytes()
    if depth == 1:
        data = bytes(255 - value for value in data)  # ink is 1
    if depth == 16:
        data = b"".join(bytes([value, value]) for value in data)
    size = len(data) // band.height
    return [data[at : at + size] for at in range(0, len(data), size)]


def _packbits(row: bytes) -> bytes:
    """Runs of equal bytes, and the others as they are (TIFF 6.0, section 9)."""
    packed = bytearray()
    at = 0
    while at < len(row):
        run = 1
        while run < 128 and at + run < len(row) and row[at + run] == row[at]:
            run += 1
        packed += bytes([257 - run, row[at]]) if run > 1 else bytes([0, row[at]])
        at += run
    return bytes(packed)


def tiff(*sizes: int) -> bytes:
    """A scan in black and white, a page for each of these sides."""
    first, *others = [Image.new("1", (side, side), 1) for side in sizes]
    file = io.BytesIO()
    first.save(file, "TIFF", compression="group4", save_all=True, append_images=others)
    return file.getvalue()


def pdf(*pages: bytes, box: str = "0 0 144 72", more: str = "") -> bytes:
    """A document of pages with these drawing operators (ISO 32000-1, Annex A)."""
    kids = " ".join(f"{3 + 2 * i} 0 R" for i in range(len(pages)))
    objects = [b"<</Type/Catalog/Pages 2 0 R>>",
               f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>".encode()]  # fmt: skip
    for i, drawn in enumerate(pages):
        page = f"<</Type/Page/Parent 2 0 R/MediaBox[{box}]{more}/Contents {4 + 2 * i} 0 R>>"
        objects += [page.encode(), b"<</Length %d>>stream\n%s\nendstream" % (len(drawn), drawn)]
    data = bytearray(b"%PDF-1.4\n")
    places: list[int] = []
    for number, content in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj%s endobj\n" % (number, content)
    at = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % place for place in places)
    data += b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, at)
    return bytes(data)


def quarters_drawn(width: int = 144, height: int = 72) -> bytes:
    """Operators that paint a page red and green above blue and yellow."""
    colours = [(220, 30, 30), (20, 170, 60), (30, 60, 200), (240, 220, 40)]
    w, h = width / 2, height / 2
    places = [(0, h), (w, h), (0, 0), (w, 0)]
    return b"\n".join(
        f"{r / 255:.4f} {g / 255:.4f} {b / 255:.4f} rg {x} {y} {w} {h} re f".encode()
        for (r, g, b), (x, y) in zip(colours, places, strict=True)
    )
