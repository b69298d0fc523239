"""A crash in a claim, and then the folder of its files is something else."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from crashing import crash_at
from rig import Crash, Rig

from img2imgd.job import JobState

RigMaker = Callable[..., Rig]


@pytest.mark.parametrize("in_the_way", ["file", "link", "loop"])
@pytest.mark.parametrize("shared", [False, True])
def test_its_files_go_back_beside_it_and_those_still_in_it_have_gone_with_it(
    make_rig: RigMaker, in_the_way: str, shared: bool
) -> None:
    for at in itertools.count(1):
        rig = make_rig(root=f"crash {at}", orphan_after=20)
        rig.picture("cat.png", grey=50)  # the name is taken there
        rig.picture("sub/cat.png")
        rig.drop("sub/cat.yaml")
        if shared:
            rig.picture("sub/cat.bmp", grey=9)
        rig.look()
        try:
            with crash_at(at):
                rig.look(2.5)
        except Crash:
            folder, away = rig.folder / "sub", rig.root / "away"
            folder.rename(away)
            if in_the_way == "file":
                folder.write_bytes(b"a file")
            else:
                folder.symlink_to("sub" if in_the_way == "loop" else "nowhere")
            rig.crash()
            rig.look()
            assert rig.jobs(JobState.CLAIMING) == [], at
            own_copies = (".png.yaml", ".bmp.yaml")
            dropped = [n for n in rig.inputs() if n != "sub" and not n.endswith(own_copies)]
            assert len(dropped) + len(list(away.iterdir())) == 3 + shared, at
            rig.claim()
            rig.look(30)
            assert rig.tree(rig.folder) == [], "each is served or set aside"
            rig.close()
        else:
            break
    assert at > 10
