"""What a file in an inbox is by its name alone: picture, sidecar, defaults, list, and the rest."""

from __future__ import annotations

import re
import unicodedata
from enum import Enum
from fnmatch import translate

from img2imgd.request import is_list_name

DEFAULTS_NAME = "_defaults.yaml"
REASON_SUFFIX = ".reason.txt"
PICTURE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif",
     ".ppm", ".pgm", ".pnm", ".heic", ".heif", ".hif", ".psd", ".psb", ".kra", ".ora", ".pdf"}
)  # fmt: skip
SIDECAR_SUFFIXES = (".yaml", ".yml", ".txt")  # in order of precedence


def _any_of(*patterns: str) -> re.Pattern[str]:
    """One expression for several globs: every file of every scan is asked."""
    return re.compile("|".join(map(translate, patterns)))


# Files that programs write before or beside the real one; never read, never moved.
_UNFINISHED = _any_of(
    ".*", "*~", "~$*", "*~syncthing~*", "*.tmp", "*.temp", "*.part", "*.partial", "*.filepart",
    "*.crdownload", "*.download", "*.sw?", "*-autosave.kra",
    "*.tmpsave",  # OpenRaster of MyPaint, and of GIMP
    "*.sb-????????-??????",  # macOS, beside the file that it is about to replace
)  # fmt: skip
# Their letters are drawn anew for every save, so a glob cannot tell them from other names. Krita
# saves through Qt's QSaveFile: where a disk has no unnamed files, NAME.png.VIeyel is being written
# all the while. Photoshop on a Mac numbers its own.
_DRAWN_NAME = re.compile(
    r".+\.[a-z0-9]{2,5}\.(?=[A-Z]*[a-z])(?=[a-z]*[A-Z])[A-Za-z]{6}|Adobe Photoshop \d+", re.ASCII
)
_LITTER = _any_of("thumbs.db", "desktop.ini", "ehthumbs.db", f"*{REASON_SUFFIX}")
_IGNORED_FOLDERS = _any_of(
    ".*", "@eadir", "__macosx", "#recycle", "$recycle.bin", "system volume information",
    # macOS writes what is being saved there, under its own name, before it takes its place.
    "*.sb-????????-??????", "(a document being saved by *)",
)  # fmt: skip


class Kind(Enum):
    """What a name says a file is."""

    PICTURE = "picture"
    SIDECAR = "sidecar"
    DEFAULTS = "defaults"
    LIST = "list"  # prompts or styles that sidecars name; it stays where it is
    UNFINISHED = "unfinished"
    IGNORED = "ignored"
    SPECIAL = "special"  # no plain file: symlink, FIFO, socket, device
    OTHER = "other"


def kind_of(name: str) -> Kind:
    """The kind of a plain file by its name (without folder)."""
    folded = name.casefold()
    if folded == DEFAULTS_NAME:
        return Kind.DEFAULTS
    if _LITTER.match(folded):
        return Kind.IGNORED
    if _UNFINISHED.match(folded) or _DRAWN_NAME.fullmatch(name):
        return Kind.UNFINISHED
    if is_list_name(name):
        return Kind.LIST
    suffix = split_suffix(folded)[1]
    if suffix in PICTURE_SUFFIXES:
        return Kind.PICTURE
    if suffix in SIDECAR_SUFFIXES:
        return Kind.SIDECAR
    return Kind.OTHER


def folder_is_ignored(name: str) -> bool:
    """True for folders that hold other programs' own files (``.stfolder``, ``@eaDir``, …)."""
    return _IGNORED_FOLDERS.match(name.casefold()) is not None


def split_suffix(name: str) -> tuple[str, str]:
    """``cat.tar.PNG`` → (``cat.tar``, ``.png``); a name without a dot has an empty suffix."""
    stem, dot, suffix = name.rpartition(".")
    return (stem, f".{suffix.casefold()}") if dot and stem else (name, "")


def fold(name: str) -> str:
    """One spelling for names that a case-insensitive share or macOS (NFD) would call the same."""
    return unicodedata.normalize("NFC", name).casefold()


_TEMPORARY_HINTS = re.compile(
    r"^[.~$]+(lock\.)?|"
    r"(\.(tmp|temp|tmpsave|part|partial|filepart|crdownload|download|sw\w|sb-\w{8}-\w{6})|~|"
    r"\.[0-9a-z]{6})$",
    re.IGNORECASE,
)


def stem_of_unfinished(name: str) -> str:
    """The stem a temporary name is probably for: ``.cat.png.aB3dE6`` and ``cat.png.part`` → cat."""
    bare = _TEMPORARY_HINTS.sub("", _TEMPORARY_HINTS.sub("", name))
    stem, suffix = split_suffix(bare)
    return stem if suffix in PICTURE_SUFFIXES or suffix in SIDECAR_SUFFIXES else bare
