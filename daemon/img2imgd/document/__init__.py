"""Documents people write by hand: strict YAML with line numbers, and validation."""

from img2imgd.document.encoding import MAX_BYTES, decode_text
from img2imgd.document.reading import Document, Path, read_yaml
from img2imgd.document.settings import Settings, refuse
from img2imgd.document.validation import nearest, validate
from img2imgd.document.wording import shortened

__all__ = [
    "MAX_BYTES",
    "Document",
    "Path",
    "Settings",
    "decode_text",
    "nearest",
    "read_yaml",
    "refuse",
    "shortened",
    "validate",
]
