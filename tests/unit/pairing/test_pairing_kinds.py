"""What a file is by its name."""

from __future__ import annotations

import pytest

from img2imgd.pairing.kinds import (
    Kind,
    fold,
    folder_is_ignored,
    kind_of,
    split_suffix,
    stem_of_unfinished,
)


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (("cat.png", "CAT.JPG", "a.b.webp", "x.tiff", "p.jfif", "café.avif"), Kind.PICTURE),
        (("cat.yaml", "cat.png.yaml", "CAT.YML", "cat.txt", "_defaults.yml"), Kind.SIDECAR),
        (("_defaults.yaml", "_Defaults.YAML"), Kind.DEFAULTS),
        (("cat.png.reason.txt", "_x.txt.reason.txt", "Thumbs.db", "desktop.ini"), Kind.IGNORED),
        (
            (
                ".cat.png", "cat.png~", "~$cat.png", "cat~syncthing~x.png", "cat.png.tmp",
                ".a.csv", "a.csv.part",
                "cat.part", "CAT.PNG.CRDOWNLOAD", "cat.png.filepart", "cat.swp", ".~lock.cat.png#",
                "cat-autosave.kra", "cat.ora.tmpsave", "cat.png.VIeyel", "cat.kra.ioqbUa",
                "cat.png.sb-515b24a2-00Ug5l", "Adobe Photoshop 1371892742",
            ),
            Kind.UNFINISHED,
        ),
        (("Adobe Photoshop 2024.png", "cat.backup.png"), Kind.PICTURE),
        (("cat.png.backup", "cat.png.BACKUP", "cat.VIeyel", "Adobe Photoshop"), Kind.OTHER),
        (("artists.csv", "STYLES.CSV", "_prompts.txt", "_x.TXT"), Kind.LIST),
        (("cat", "cat.docx", "cat.json", "png"), Kind.OTHER),
    ],
)  # fmt: skip
def test_the_kind_of_a_name(names: tuple[str, ...], kind: Kind) -> None:
    assert {name: kind_of(name) for name in names} == dict.fromkeys(names, kind)


def test_folders_of_other_programs_are_ignored() -> None:
    ignored = [".stfolder", "@eaDir", "__MACOSX", "#recycle", ".img2imgd", "$RECYCLE.BIN",
               "cat.png.sb-515b24a2-00Ug5l", "(A Document Being Saved By Preview 2)"]  # fmt: skip
    assert all(folder_is_ignored(name) for name in ignored)
    assert not any(folder_is_ignored(name) for name in ("holiday", "(A Document)", "cat.sb-1-2"))


@pytest.mark.parametrize(
    "name",
    [
        ".cat.png.aB3dE6", "cat.png.part", "cat.png.crdownload", ".cat.png", "cat.png~",
        "~$cat.png", "cat.yaml.tmp", "cat.png.VIeyel", "cat.png.tmpsave",
        "cat.png.sb-515b24a2-00Ug5l",
    ],
)  # fmt: skip
def test_the_stem_that_an_unfinished_name_is_for(name: str) -> None:
    assert stem_of_unfinished(name) == "cat"


def test_suffixes_are_split_at_the_last_dot_without_case() -> None:
    assert split_suffix("cat.tar.PNG") == ("cat.tar", ".png")
    assert split_suffix("cat") == ("cat", "")
    assert split_suffix(".png") == (".png", "")


def test_names_that_a_share_calls_the_same_fold_to_one_spelling() -> None:
    assert fold("CAFE\u0301.png") == fold("caf\u00e9.PNG")
