"""Pages of PDF documents, rendered by PDFium (the extra ``pdf``) on white paper."""

from __future__ import annotations

import math
from typing import Any, BinaryIO

from PIL import Image, ImageFile

from img2imgd.reader.kinds import COPY_AGAIN
from img2imgd.reader.unusable import Unusable, lacks
from img2imgd.reader.wholeness import find_flaw

_POINTS = 72  # of a page's sides, in an inch
# What a scanner gives a page; a poster is not read more finely than an A3 sheet at 300 dpi.
RESOLUTION = 200
_LONGEST = 5000
_PASSWORD = 4  # FPDF_ERR_PASSWORD, fpdfview.h


class PdfPages(ImageFile.ImageFile):
    """The pages of a document as frames, at 200 dpi or what :meth:`draft` asks for.

    ``most_pixels`` is what a page has at most; larger ones are rendered less finely.
    """

    format = "PDF"
    format_description = "Portable Document Format"

    def __init__(self, file: BinaryIO, most_pixels: int) -> None:
        self._file = file
        self._most_pixels = most_pixels
        self._document: Any = None
        self._page: Any = None
        self._at = 0
        super().__init__(file)

    def _open(self) -> None:
        try:
            import pypdfium2  # pyright: ignore[reportMissingTypeStubs]
        except ImportError:
            raise lacks(
                "a PDF document", "pypdfium2", "export the page you mean as PNG or JPEG."
            ) from None
        if find_flaw(self._file, "PDF"):  # PDFium would make something of what there is
            raise Unusable("is a PDF document that is cut off", COPY_AGAIN)
        self._file.seek(0)
        data = self._file.read()
        try:
            self._document = pypdfium2.PdfDocument(data)
            pages = len(self._document)
        except pypdfium2.PdfiumError as fault:
            # PDFium's error may be that of a document before.
            if getattr(fault, "err_code", None) == _PASSWORD and b"/Encrypt" in data:
                raise Unusable(
                    "is protected with a password",
                    "Save it without one, or export the page you mean as PNG or JPEG.",
                ) from None
            pages = 0
        if pages < 1:
            raise Unusable("is a damaged PDF document, or one without pages", COPY_AGAIN)
        self.n_frames = pages
        self.is_animated = pages > 1
        self._mode = "RGB"
        self._show(0)

    def seek(self, frame: int) -> None:
        """Go to a page, counted from 0."""
        if not 0 <= frame < self.n_frames:
            raise EOFError("no such page")
        if frame != self._at:
            self._show(frame)

    def tell(self) -> int:
        """The page, counted from 0."""
        return self._at

    def draft(self, mode: str | None, size: tuple[int, int] | None) -> None:
        """Render the page no smaller than ``size`` when it is loaded, within the limit."""
        del mode
        if size is not None:
            width, height = self._points
            self._scale_to(max(size[0] / width, size[1] / height))

    def load(self) -> Any:
        """Render the page, if that was not done."""
        if self._page is not None:
            try:
                bitmap = self._page.render(scale=self._scale, fill_color=(255, 255, 255, 255))
            except (RuntimeError, ValueError) as fault:
                raise OSError("the page cannot be rendered") from fault
            page: Image.Image = bitmap.to_pil().convert("RGB")
            self._page = None
            self.im, self._size = page.im, page.size
        return super().load()

    def _show(self, number: int) -> None:
        try:
            self._page = self._document[number]
        except RuntimeError:
            raise Unusable(f"has a damaged page {number + 1}", COPY_AGAIN) from None
        self._at = number
        self._points: tuple[float, float] = self._page.get_size()
        if not all(math.isfinite(side) and side > 0 for side in self._points):
            raise Unusable(f"has a page {number + 1} without a size", COPY_AGAIN)
        self._scale_to(min(RESOLUTION / _POINTS, _LONGEST / max(self._points)))

    def _scale_to(self, scale: float) -> None:
        """Take pixels a point; as many as the limit leaves."""
        width, height = self._points
        scale = min(scale, math.sqrt(self._most_pixels / (width * height)))
        # The sides that PDFium makes of it, whole pixels upwards, are within the limit too.
        while math.ceil(width * scale) * math.ceil(height * scale) > self._most_pixels:
            scale *= 0.99
        self._scale = scale
        self._size = (math.ceil(width * scale), math.ceil(height * scale))
