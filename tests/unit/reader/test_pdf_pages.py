"""PDF documents: pages are rendered on white paper, as finely as the job needs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from directly import inspect
from PIL import Image
from quartered import BLUE, GREEN, LIMITS, RED, YELLOW, corners, near, prepared, quarters

import documents
from img2imgd.errors import PictureError
from img2imgd.reader import preparing
from img2imgd.reader.pdf import PdfPages
from img2imgd.reader.protocol import ReaderLimits, SizeRule

COLOURS = [RED, GREEN, BLUE, YELLOW]


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def refused(path: Path, data: bytes) -> PictureError:
    with pytest.raises(PictureError) as caught:
        prepared(written(path, data))
    return caught.value


def test_a_page_is_read_as_a_scanner_would(tmp_path: Path) -> None:
    path = written(tmp_path / "page.pdf", documents.pdf(documents.quarters_drawn()))
    info = inspect(path, LIMITS)
    assert (info.format, info.width, info.height, info.frames) == ("PDF", 400, 200, 1)
    image, report = prepared(path)
    assert image.size == (400, 200)
    assert near(corners(image), COLOURS, 1)
    assert report.notes == ()


def test_paper_is_white_and_lines_are_smooth(tmp_path: Path) -> None:
    drawn = documents.pdf(b"0 0 0 RG 1 w 0 0 m 144 72 l S")
    image, _ = prepared(written(tmp_path / "line.pdf", drawn))
    assert image.getpixel((390, 190)) == (255, 255, 255)
    greys = {value for _, value in image.convert("L").getcolors() or []}
    assert len(greys) > 10


def test_a_small_page_is_drawn_finely_enough_for_a_large_result(tmp_path: Path) -> None:
    card = documents.pdf(b"0 0 0 rg 18 0 18 36 re f", box="0 0 72 36")  # an inch wide
    image, report = prepared(written(tmp_path / "card.pdf", card), SizeRule(1024, multiple=8))
    assert image.size == (1024, 512)
    assert report.original == (200, 100)
    row = [image.getpixel((x, 256)) for x in range(1024)]
    edge = [pixel for pixel in row if pixel not in ((0, 0, 0), (255, 255, 255))]
    assert len(edge) <= 10  # of two edges; enlarged from 200 pixels each would be a slope of 20


def test_a_poster_is_kept_within_the_limits(tmp_path: Path) -> None:
    poster = documents.pdf(documents.quarters_drawn(14400, 7200), box="0 0 14400 7200")
    path = written(tmp_path / "poster.pdf", poster)
    info = inspect(path, LIMITS)
    assert info.width * info.height <= LIMITS.max_pixels
    assert abs(info.width / info.height - 2) < 0.01
    image, _ = prepared(path, SizeRule(256, multiple=8))
    assert near(corners(image), COLOURS, 1)
    few = ReaderLimits(max_pixels=999)
    assert inspect(path, few).width * inspect(path, few).height <= 999


def test_a_page_that_lies_on_its_side_is_turned(tmp_path: Path) -> None:
    turned = documents.pdf(documents.quarters_drawn(), more="/Rotate 90")
    image, _ = prepared(written(tmp_path / "page.pdf", turned))
    assert image.size == (200, 400)
    assert near(corners(image), [BLUE, RED, YELLOW, GREEN], 1)


def test_the_first_of_several_pages_is_used_and_said(tmp_path: Path) -> None:
    pages = documents.pdf(documents.quarters_drawn(), b"0 0 144 72 re f", b"")
    path = written(tmp_path / "pages.pdf", pages)
    assert inspect(path, LIMITS).frames == 3
    image, report = prepared(path)
    assert near(corners(image), COLOURS, 1)
    assert report.notes[0].startswith("The first of its 3 pages was used")


def test_pages_are_gone_to_one_after_the_other(tmp_path: Path) -> None:
    path = written(
        tmp_path / "pages.pdf", documents.pdf(documents.quarters_drawn(), b"0 0 144 72 re f")
    )
    with path.open("rb") as file:
        pages = PdfPages(file, 1_000_000)
        pages.load()
        pages.seek(1)
        assert (pages.tell(), pages.getpixel((9, 9))) == (1, (0, 0, 0))
        pages.seek(0)
        assert near(corners(pages), COLOURS, 1)
        with pytest.raises(EOFError):
            pages.seek(2)


def test_a_scan_that_pillow_has_put_into_a_pdf_is_read(tmp_path: Path) -> None:
    path = tmp_path / "scan.pdf"
    quarters((400, 200)).save(path, resolution=200, quality=95)
    image, _ = prepared(path)
    assert image.size == (400, 200)
    assert near(corners(image), COLOURS, 6)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.7, 0.97])
@pytest.mark.parametrize("tail", [0, 9000])
def test_a_document_that_is_cut_off_is_refused(tmp_path: Path, share: float, tail: int) -> None:
    whole = documents.pdf(documents.quarters_drawn())
    data = whole[: max(9, int(len(whole) * share))] + bytes(tail)
    assert "a PDF document that is cut off" in refused(tmp_path / "half.pdf", data).message


def test_something_before_and_behind_it_does_not_matter(tmp_path: Path) -> None:
    data = b"\x1b%-12345X@PJL\n" + documents.pdf(documents.quarters_drawn()) + b"\r\n\0\0"
    assert near(corners(prepared(written(tmp_path / "print.pdf", data))[0]), COLOURS, 1)


def test_damaged_empty_and_locked_documents_say_what_they_are(tmp_path: Path) -> None:
    rubbish = b"%PDF-1.4\n" + bytes(range(256)) * 4 + b"\n%%EOF"
    assert "is a damaged PDF document" in refused(tmp_path / "a.pdf", rubbish).message
    assert "one without pages" in refused(tmp_path / "b.pdf", documents.pdf()).message
    error = refused(tmp_path / "c.pdf", locked())
    assert "is protected with a password" in error.message
    assert "without one" in error.advice
    flat = documents.pdf(b"", box="0 0 0 0")
    shown = prepared(written(tmp_path / "d.pdf", flat))[0]  # PDFium gives it a letter's size
    assert shown.getcolors() == [(shown.width * shown.height, (255, 255, 255))]


def locked() -> bytes:
    """A document whose password nobody knows: its keys are made up."""
    whole = documents.pdf(documents.quarters_drawn())
    keys = b"/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<%s>/U<%s>>>/ID[<00><00>]" % (
        b"00" * 32, b"11" * 32
    )  # fmt: skip
    return whole.replace(b"/Root 1 0 R", b"/Root 1 0 R" + keys)


def test_without_the_library_the_message_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    error = refused(tmp_path / "a.pdf", documents.pdf(documents.quarters_drawn()))
    assert error.message == (
        "a.pdf is a PDF document, which is read only where pypdfium2 is installed."
    )
    assert f"{sys.executable} -m pip install pypdfium2" in error.advice


def test_pages_of_too_many_pixels_to_paint_are_refused_as_pictures_are(tmp_path: Path) -> None:
    long = documents.pdf(b"", box="0 0 14400 3")
    assert "too long and narrow" in refused(tmp_path / "long.pdf", long).message
    assert LIMITS.max_pixels != Image.MAX_IMAGE_PIXELS  # as it was before


def test_for_a_small_drawing_the_whole_sheet_is_not_made_huge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = b"0.3 G 1 w 100 100 m 107 104 l 110 108 l 103 109 l h S 101 102 m 106 108 l S"
    path = written(tmp_path / "note.pdf", documents.pdf(drawn, box="0 0 200 280"))
    monkeypatch.setattr(preparing, "_MOST_ENLARGED", 2_000_000)  # of 4 million that are allowed
    rendered: list[int] = []
    scale_to = PdfPages._scale_to

    def watched(page: PdfPages, scale: float) -> None:
        scale_to(page, scale)
        rendered.append(page.width * page.height)

    monkeypatch.setattr(PdfPages, "_scale_to", watched)
    image, report = prepared(path, SizeRule(256, prepare="sketch"))
    assert max(report.original) < 80  # of 778 pixels
    assert image.size == (256, 256)
    assert 1_900_000 < max(rendered) < 2_100_000
