"""Prompts without a line of YAML: from the names of pictures, and of the folders they lie in."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image
from rig import Rig

from img2imgd.job import JobState
from img2imgd.request import RequestKeys

RigMaker = Callable[..., Rig]


def asked(rig: Rig) -> dict[str, tuple[str, float, int]]:
    return {
        row.spec.rel: (row.spec.asked.prompt, row.spec.asked.strength, row.spec.asked.seed)
        for row in rig.jobs()
    }


def test_a_name_asks_for_a_picture(make_rig: RigMaker) -> None:
    rig = make_rig(prompt_from_name=True)
    rig.picture("a red barn__s0.7__seed12.png")
    rig.claim()
    assert asked(rig) == {"a red barn__s0.7__seed12.png": ("a red barn", 0.7, 12)}
    rig.serve()
    (name,) = rig.outputs()
    assert name.endswith("_12.png")


def test_names_mean_nothing_where_the_inbox_does_not_say_so(make_rig: RigMaker) -> None:
    rig = make_rig()
    rig.picture("a red barn__s0.7.png")
    assert rig.claim() == []


def test_a_devices_name_takes_the_folders_prompt_or_waits_for_one(make_rig: RigMaker) -> None:
    rig = make_rig(prompt_from_name=True)
    rig.picture("IMG_2034.png")
    rig.picture("ink/IMG_2035.png")
    rig.drop("ink/_defaults.yaml", 'prompt: "{folder}, a lake"\nseed: 3\n')
    rig.claim()
    assert asked(rig) == {"ink/IMG_2035.png": ("ink, a lake", 0.5, 3)}


def test_the_name_wins_over_the_folder_and_a_sidecar_over_the_name(make_rig: RigMaker) -> None:
    rig = make_rig(prompt_from_name=True, defaults=RequestKeys(prompt="a lake", seed=1))
    rig.picture("a barn__s0.3.png")
    rig.picture("a house__s0.3.png")
    rig.drop("a house__s0.3.yaml", "strength: 0.9\nseed: 2\n")
    rig.picture("a mill__nonsense.png")
    rig.drop("a mill__nonsense.yaml", "prompt: a mill\nseed: 4\n")
    rig.claim()
    assert asked(rig) == {
        "a barn__s0.3.png": ("a barn", 0.3, 1),
        "a house__s0.3.png": ("a house", 0.9, 2),
        "a mill__nonsense.png": ("a mill", 0.5, 4),
    }


def test_a_name_with_a_wrong_setting_fails_with_a_reason_that_says_which(
    make_rig: RigMaker,
) -> None:
    rig = make_rig(prompt_from_name=True)
    rig.picture("a barn__strenght0.7.png")
    (job,) = rig.claim()
    rig.serve()
    assert rig.jobs(JobState.FAILED) == [rig.ledger.job(job.id)]
    reason = (rig.config.failed / "a barn__strenght0.7.png.reason.txt").read_text()
    assert "Did you mean `strength`?" in reason


def test_subfolders_are_presets_whose_names_prompts_may_use(make_rig: RigMaker) -> None:
    rig = make_rig(prompt_from_name=True)
    rig.drop("_defaults.yaml", 'style: "{folder}"\nseed: 5\n')
    rig.picture("carl_rungius/a moose.png")
    rig.picture("deeper/wood block/a moose.png")
    rig.claim()
    drawn = {
        row.spec.rel: row.spec.asked.drawn("a moose", row.spec.asked.styles[0], 0).prompt
        for row in rig.jobs()
    }
    assert drawn == {
        "carl_rungius/a moose.png": "a moose by carl rungius",
        "deeper/wood block/a moose.png": "a moose by wood block",
    }


def test_in_the_inbox_itself_the_folder_is_the_inbox(make_rig: RigMaker) -> None:
    rig = make_rig(defaults=RequestKeys(prompt="a {folder}", seed=1))
    rig.picture("cat.png")
    rig.claim()
    assert asked(rig)["cat.png"][0] == "a inbox"


def test_pages_of_a_named_document_ask_for_what_it_says(make_rig: RigMaker) -> None:
    rig = make_rig(prompt_from_name=True, pages="each")
    pages = [Image.new("L", (64, 64), grey) for grey in (80, 200)]
    pages[0].save(rig.folder / "a barn__s0.3__seed4.tif", save_all=True, append_images=pages[1:])
    rig.claim()
    assert {row.spec.rel for row in rig.jobs()} == {
        "a barn__s0.3__seed4_p1.png", "a barn__s0.3__seed4_p2.png",
    }  # fmt: skip
    assert set(asked(rig).values()) == {("a barn", 0.3, 4)}
