"""Documents people write by hand: strict YAML with line numbers, and validation."""

from img2imgd.document.encoding import MAX_BYTES, decode_text
from img2imgd.document.reading import Document, Path, read_yaml
from img2imgd.document.schema import json_schema
from img2imgd.document.settings import WRITTEN, Check, Refused, Settings
from img2imgd.document.validation import nearest, validate
from img2imgd.document.wording import found, shortened

__all__ = [
    "MAX_BYTES",
    "WRITTEN",
    "Check",
    "Document",
    "Path",
    "Refused",
    "Settings",
    "decode_text",
    "found",
    "json_schema",
    "nearest",
    "read_yaml",
    "shortened",
    "validate",
]
