"""Files that people drop and that are not read, by the ends of their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from img2imgd.pairing.kinds import split_suffix


@dataclass(frozen=True)
class NotRead:
    """A kind of file: its name with an article, and what its owner can do."""

    name: str
    advice: str
    is_picture: bool = True


_EXPORT = "Export it as PNG or JPEG and put that into the inbox."
_FILM = "Put a still picture of it into the inbox, as PNG or JPEG."
_UNPACK = "Unpack it and put the pictures themselves into the inbox."
_DEVELOP = (
    "Develop it (darktable, RawTherapee, the camera itself …), or have the camera save JPEG too, "
    "and put the JPEG or TIFF into the inbox."
)
_RAW = (
    "3fr ari arw cap cr2 cr3 crw dcr dng erf fff gpr iiq k25 kdc mef mos mrw nef nrw orf pef raf "
    "raw rw2 rwl sr2 srf srw x3f"
)

_KINDS: Mapping[NotRead, str] = {
    NotRead("a camera raw file", _DEVELOP): _RAW,
    NotRead("a drawing made of lines, not of pixels", _EXPORT): "svg svgz ai eps ps cdr wmf emf",
    NotRead("a GIMP file", _EXPORT): "xcf",
    NotRead("a Krita archive, which is saved without its whole picture",
            "Save it as .kra, and put that into the inbox."): "krz",
    NotRead("a Clip Studio file", _EXPORT): "clip lip cmc",
    NotRead("a Procreate file",
            "Share it as PSD, PNG or JPEG, and put that into the inbox."): "procreate",
    NotRead("a project file of an art program", _EXPORT): "mdp sai sai2 afphoto afdesign af xd fig "
            "pdn psp pspimage rif cpt sketch blend",
    NotRead("a JPEG 2000 picture", _EXPORT): "jp2 j2k jpf jpx jpm",
    NotRead("a JPEG XL picture", _EXPORT): "jxl",
    NotRead("a picture of high dynamic range", _EXPORT): "exr hdr",
    NotRead("a picture in an unusual format", _EXPORT):
            "tga dds ico icns pcx jxr wdp cin dpx fits fit dcm",
    NotRead("a film", _FILM, False): "mov mp4 m4v avi mkv webm mpg mpeg wmv 3gp mts m2ts",
    NotRead("an archive", _UNPACK, False): "zip rar 7z gz tgz bz2 xz zst tar cbz cbr",
    NotRead("a text document", "Export the page you mean as PDF, PNG or JPEG; a prompt is a .txt "
            "file.", False): "doc docx odt rtf pages ppt pptx odp key",
    NotRead("a sidecar of another program",
            "A sidecar of img2imgd's ends in .yaml, .yml or .txt.", False):
            "json xmp toml",
}  # fmt: skip
_BY_SUFFIX = {
    f".{suffix}": kind for kind, suffixes in _KINDS.items() for suffix in suffixes.split()
}


def not_read(name: str) -> NotRead | None:
    """The kind of a file that is known and not read, by its name; None for any other."""
    return _BY_SUFFIX.get(split_suffix(name)[1])
