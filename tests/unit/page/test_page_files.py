"""The page's own files: they need no network, no inline code, and never make elements of text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import img2imgd.page

STATIC = Path(img2imgd.page.__file__).parent / "static"
TEXTS = sorted(
    path for path in STATIC.rglob("*") if path.suffix in {".html", ".css", ".js", ".svg"}
)
_NAMESPACE = "http://www.w3.org/2000/svg"
_MAKES_ELEMENTS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc"
)


def named(path: Path) -> str:
    """As tests call it."""
    return str(path.relative_to(STATIC))


@pytest.mark.parametrize("path", TEXTS, ids=named)
def test_nothing_comes_from_elsewhere(path: Path) -> None:
    text = path.read_text("utf-8").replace(_NAMESPACE, "")
    assert not re.search(r"https?://|url\(['\"]?//|src=['\"]//", text)


@pytest.mark.parametrize("path", TEXTS, ids=named)
def test_text_never_becomes_elements(path: Path) -> None:
    assert not _MAKES_ELEMENTS.search(path.read_text("utf-8"))


@pytest.mark.parametrize("path", sorted(STATIC.glob("*.html")), ids=named)
def test_html_holds_no_code_and_no_style(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)


@pytest.mark.parametrize("path", TEXTS, ids=named)
def test_every_file_that_is_named_is_there(path: Path) -> None:
    text = path.read_text("utf-8")
    for name in re.findall(r"[\"'(]/static/([^\"')]+)", text):
        assert (STATIC / name).is_file(), name
    for name in re.findall(r"from \"\./([^\"]+)\"", text):
        assert (path.parent / name).is_file(), name
