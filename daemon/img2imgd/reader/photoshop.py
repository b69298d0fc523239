"""The merged picture of a Photoshop file, which stands behind its layers.

Adobe Photoshop File Formats Specification, November 2019. Pillow's own reader knows 8 bits a
channel and no large documents (PSB), and takes a saved selection for transparency.
"""

from __future__ import annotations

import struct
from typing import BinaryIO, NamedTuple

from PIL import Image, ImageChops, ImageFile, ImagePalette

from img2imgd.reader.kinds import EXPORT
from img2imgd.reader.unusable import Unusable

_HEADER = struct.Struct(">4sH6xHIIHH")
# Colour modes: what they are here, and the channels of colour.
_BITMAP, _INDEXED = 0, 2
_MODES = {0: ("L", 1), 1: ("L", 1), 2: ("P", 1), 3: ("RGB", 3), 4: ("CMYK", 4), 8: ("L", 1),
          9: ("LAB", 3)}  # fmt: skip
_RAW, _PACKBITS = 0, 1
# Image resources
_VERSION_INFO, _PROFILE, _TRANSPARENT_INDEX = 1057, 1039, 1047

_NO_PICTURE = "was saved without the picture that its layers give"
_COMPATIBLE = (
    "Save it in Photoshop with “Maximize PSD and PSB file compatibility” "
    "(Preferences, File Handling), or export it as PNG."
)


class _Plan(NamedTuple):
    """Where the pixels begin and how they are packed; rows' lengths have so many bytes each."""

    offset: int
    packing: int
    of_lengths: int


class MergedImage(ImageFile.ImageFile):
    """The merged picture of a PSD or PSB file."""

    format = "PSD"
    format_description = "Adobe Photoshop"

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._plan: _Plan | None = None
        super().__init__(file)

    def _open(self) -> None:
        file = self._file
        signature, version, channels, height, width, depth, mode = _HEADER.unpack(
            _exactly(file, _HEADER.size)
        )
        if signature != b"8BPS" or version not in (1, 2):
            raise SyntaxError("not a PSD file")
        if mode not in _MODES or depth not in (1, 8, 16) or (depth == 1) != (mode == _BITMAP):
            raise Unusable(
                f"is a Photoshop file of a kind that is not read here (mode {mode}, {depth} bits)",
                "Choose Image, Mode, RGB and 8 bits, and save it once more; or export it as PNG.",
            )
        self._mode, colours = _MODES[mode]
        if channels < colours or channels > 56:
            raise SyntaxError("a wrong number of channels")
        self._size, self._depth, self._channels = (width, height), depth, channels
        palette = _section(file, 4)
        self._read_resources(_section(file, 4))
        large = version == 2
        transparent = _has_transparency(file, 8 if large else 4)
        self._alpha = transparent and channels > colours
        if mode == _INDEXED:
            self.palette = ImagePalette.raw("RGB;L", palette[:768])
        elif self._alpha and self._mode in ("L", "RGB"):
            self._mode += "A"
        packing = int.from_bytes(_exactly(file, 2), "big")
        if packing not in (_RAW, _PACKBITS):
            raise Unusable("is packed in a way that is not read here", EXPORT)
        self._plan = _Plan(file.tell(), packing, 4 if large else 2)

    def load(self) -> Image.core.PixelAccess | None:
        """Decode the pixels, if that was not done."""
        if self._plan is not None:
            image = self._decoded(self._plan)
            self._plan = None
            self.im = image.im
        return super().load()

    def _decoded(self, plan: _Plan) -> Image.Image:
        wanted = len(Image.new(self._mode, (1, 1)).getbands())
        bands = self._bands(plan, wanted)
        if self._mode == "P":
            return bands[0]
        if self._mode == "CMYK":
            bands = [ImageChops.invert(band) for band in bands]  # stored as paper left white
        return bands[0] if wanted == 1 else Image.merge(self._mode, bands)

    def _bands(self, plan: _Plan, wanted: int) -> list[Image.Image]:
        """The first channels, 8 bits each; of 16 bits the upper ones."""
        file = self._file
        file.seek(plan.offset)
        width, height = self.size
        row = (width * self._depth + 7) // 8
        sizes = [row * height] * wanted
        if plan.packing == _PACKBITS:
            table = _exactly(file, self._channels * height * plan.of_lengths)
            each = struct.unpack(f">{self._channels * height}{'HI'[plan.of_lengths == 4]}", table)
            sizes = [sum(each[i * height : (i + 1) * height]) for i in range(wanted)]
        bands: list[Image.Image] = []
        for size in sizes:
            data = _exactly(file, size)
            decoder = "raw" if plan.packing == _RAW else "packbits"
            if self._depth == 1:
                bands.append(Image.frombytes("1", self.size, data, decoder, "1;I").convert("L"))
                continue
            band = Image.frombytes("L", (row, height), data, decoder, "L")
            if self._depth == 16:
                band = Image.frombytes("L", self.size, band.tobytes()[::2])
            bands.append(band)
        return bands

    def _read_resources(self, data: bytes) -> None:
        for number, content in _resources(data):
            if number == _VERSION_INFO and len(content) > 4 and not content[4]:
                raise Unusable(_NO_PICTURE, _COMPATIBLE)
            if number == _PROFILE:
                self.info["icc_profile"] = content
            if number == _TRANSPARENT_INDEX and len(content) == 2:
                self.info["transparency"] = int.from_bytes(content, "big") & 0xFF


def _exactly(file: BinaryIO, size: int) -> bytes:
    """So many bytes; memory for them is taken only if the file has them."""
    at = file.tell()
    if file.seek(0, 2) - at < size:
        raise EOFError("truncated")
    file.seek(at)
    return file.read(size)


def _section(file: BinaryIO, count: int) -> bytes:
    """A section that begins with its length in ``count`` bytes."""
    return _exactly(file, int.from_bytes(_exactly(file, count), "big"))


def _resources(data: bytes) -> list[tuple[int, bytes]]:
    """Image resources as (number, content), as far as they can be read."""
    found: list[tuple[int, bytes]] = []
    at = 0
    while len(data) - at >= 12 and data[at : at + 4] in (b"8BIM", b"MeSa", b"AgHg", b"PHUT"):
        number = int.from_bytes(data[at + 4 : at + 6], "big")
        at += 6 + (data[at + 6] + 2) // 2 * 2  # a name, padded
        size = int.from_bytes(data[at : at + 4], "big")
        found.append((number, data[at + 4 : at + 4 + size]))
        at += 4 + size + size % 2
    return found


def _has_transparency(file: BinaryIO, count: int) -> bool:
    """Skip the layers; a negative number of them says that the merged picture has transparency."""
    size = int.from_bytes(_exactly(file, count), "big")
    end = file.tell() + size
    head = file.read(min(size, count + 2))
    file.seek(end)
    layers = int.from_bytes(head[count : count + 2], "big", signed=True)
    return layers < 0
