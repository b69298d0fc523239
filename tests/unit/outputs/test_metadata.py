"""What outputs tell of themselves, and that a recipe is a sidecar again."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from msgspec import structs

from img2imgd.errors import DocumentError, UsageError
from img2imgd.job import plan_frames
from img2imgd.outputs.metadata import Origin
from img2imgd.outputs.recipe import EmbeddingOrigin, LoraOrigin, ModelOrigin, PictureOrigin, Recipe
from img2imgd.outputs.xmp import PROGRAM, SOURCE_TYPE
from img2imgd.reader.carriers import recipe_in
from img2imgd.request import Request, RequestKeys, read_sidecar, resolve

MODEL = ModelOrigin("sd21", "sd2", "ab" * 32, loras=(LoraOrigin("ink", 0.8, "cd" * 32),))
SIDECAR = """\
prompt: "a {red|red} lake"
negative_prompt: blurry
style: [carl rungius, ink]
seed: 187
steps: 20
scheduler: dpm++_2m_karras
sweep: {strength: [0.25, 0.75]}
"""


def request_of(text: str = SIDECAR) -> Request:
    return resolve(
        [read_sidecar("cat.yaml", text.encode())],
        default_model="sd21", models={"sd21"}, draw_seed=lambda: 1, max_frames=400, name="cat.yaml",
    )  # fmt: skip


def origin_of(request: Request, **changes: object) -> Origin:
    origin = Origin(
        request=request, picture=PictureOrigin("cat.png", "ef" * 32), model=MODEL,
        painted_size=(768, 512), scheduler=request.scheduler or "euler",
        libraries={"torch": "2.13.0"},
    )  # fmt: skip
    return dataclasses.replace(origin, **changes)  # type: ignore[arg-type]


def recipe_of(xmp: str) -> Recipe:
    text = recipe_in(xmp.encode())
    assert text is not None
    return Recipe.from_json(text, "cat.png")


def keys_of(sidecar: str) -> RequestKeys:
    return read_sidecar("cat.yaml", sidecar.encode())


def test_what_a_model_ignores_is_claimed_by_no_output() -> None:
    request = request_of()
    ignored = ("negative_prompt", "guidance_scale")
    tags = origin_of(request, ignored=ignored).frame_tags(plan_frames(request)[1])
    assert tags.infotext.startswith("a red lake by carl rungius\nSteps: 20, ")
    assert "CFG" not in tags.infotext
    recipe = recipe_of(tags.xmp)
    for keys in (recipe.frame, recipe.job):
        assert keys is not None
        assert (keys.negative_prompt, keys.guidance_scale) == (None, None)
    again = request_of(recipe.sidecar(whole_job=True))
    assert again.sweep == request.sweep


def test_the_infotext_is_what_a1111_would_have_written() -> None:
    request = request_of()
    tags = origin_of(request).frame_tags(plan_frames(request)[1])
    assert tags.infotext == (
        "a red lake by carl rungius\nNegative prompt: blurry\n"
        "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 9, Seed: 187, "
        "Size: 768x512, Model hash: ababababab, Model: sd21, Denoising strength: 0.75, "
        f'Lora hashes: "ink: cdcdcdcdcdcd", Version: {PROGRAM}'
    )


def test_a_frames_recipe_makes_that_frame_alone() -> None:
    request = request_of()
    frame = plan_frames(request)[3]
    recipe = recipe_of(origin_of(request).frame_tags(frame).xmp)
    again = resolve(
        [keys_of(recipe.sidecar(whole_job=False))],
        default_model="other", models={"sd21"}, draw_seed=lambda: 2, max_frames=1, name="cat.yaml",
    )  # fmt: skip
    (made,) = plan_frames(again)
    assert (made.prompt, made.negative_prompt, made.seed, made.strength, made.steps) == (
        "a red lake by ink", "blurry", 187, 0.75, 20,
    )  # fmt: skip
    assert (again.model, again.scheduler) == ("sd21", "dpm++_2m_karras")


def test_a_frames_recipe_knows_the_whole_job_too() -> None:
    request = request_of()
    frames = plan_frames(request)
    for tags in (origin_of(request).frame_tags(frames[2]), origin_of(request).job_tags(frames[0])):
        again = resolve(
            [keys_of(recipe_of(tags.xmp).sidecar(whole_job=True))],
            default_model="o", models={"sd21"}, draw_seed=lambda: 2, max_frames=9, name="cat.yaml",
        )  # fmt: skip
        assert plan_frames(again) == frames


def test_a_sidecar_from_a_recipe_says_where_it_came_from() -> None:
    request = request_of()
    recipe = recipe_of(origin_of(request).frame_tags(plan_frames(request)[0]).xmp)
    comments = [line for line in recipe.sidecar(whole_job=False).splitlines() if line[0] == "#"]
    assert comments == [
        f"# {PROGRAM} made this frame (0) from cat.png",
        f"# picture: sha256 {'ef' * 32}",
        "# model: sd21 (sd2), weights ababababab",
        "# LoRA: ink at 0.8, weights cdcdcdcdcd",
        "# torch 2.13.0",
    ]


def test_a_name_cannot_break_out_of_the_comments() -> None:
    picture = PictureOrigin("a\nprompt: evil\r#.png", "ef" * 32)
    request = request_of()
    tags = origin_of(request, picture=picture).frame_tags(plan_frames(request)[0])
    sidecar = recipe_of(tags.xmp).sidecar(whole_job=False)
    assert keys_of(sidecar).prompt == "a red lake by carl rungius"
    assert "prompt: evil" not in [line.strip() for line in sidecar.splitlines()]


def test_minimal_metadata_marks_the_picture_and_tells_nothing_else() -> None:
    request = request_of(f"{SIDECAR}metadata: minimal\n")
    tags = origin_of(request).frame_tags(plan_frames(request)[0])
    assert SOURCE_TYPE in tags.xmp
    assert PROGRAM in tags.xmp
    assert tags.infotext == ""
    for secret in ("red", "cat.png", "187", "sd21"):
        assert secret not in tags.xmp


def test_no_metadata_is_none_at_all() -> None:
    request = request_of(f"{SIDECAR}metadata: none\n")
    tags = origin_of(request).job_tags(plan_frames(request)[0])
    assert (tags.infotext, tags.xmp, tags.xmp_alone) == ("", "", "")


def test_a_scheduler_of_the_models_own_is_named_as_it_is_known() -> None:
    request = request_of("prompt: a\nscheduler: own\n")
    frame = plan_frames(request)[0]
    assert ", Sampler: own, " in origin_of(request).frame_tags(frame).infotext
    known = origin_of(request, scheduler="ddim").frame_tags(frame)
    assert ", Sampler: DDIM, " in known.infotext
    assert recipe_of(known.xmp).frame.scheduler == "own"


def _without(key: str) -> Any:
    request = request_of()
    text = recipe_in(origin_of(request).frame_tags(plan_frames(request)[0]).xmp.encode())
    plain = json.loads(text or "")
    del plain[key]
    return plain


@pytest.mark.parametrize(
    "text",
    ["", "[]", "3", "{", '{"frame": 3}', "[" * 100_000, json.dumps(_without("model"))],
    ids=lambda text: text[:10],
)
def test_what_is_no_recipe_is_told(text: str) -> None:
    with pytest.raises(DocumentError, match="recipe cannot be read"):
        Recipe.from_json(text, "cat.png")


def test_a_key_of_a_later_version_is_named() -> None:
    plain = _without("index") | {"index": 0}
    plain["frame"]["sharpness"] = 3
    with pytest.raises(DocumentError, match="sharpness"):
        Recipe.from_json(json.dumps(plain), "cat.png")


def test_a_job_too_long_for_its_outputs_leaves_each_frame_its_own_recipe() -> None:
    prompts = tuple(f"{number} {'x' * 400}" for number in range(200))
    request = structs.replace(request_of(), prompt=prompts[0], more_prompts=prompts[1:])
    frames = plan_frames(request)
    recipe = recipe_of(origin_of(request).frame_tags(frames[150]).xmp)
    assert keys_of(recipe.sidecar(whole_job=False)).prompt == frames[150].prompt
    for tags in (origin_of(request).frame_tags(frames[0]), origin_of(request).job_tags(frames[0])):
        with pytest.raises(UsageError, match="no room"):
            recipe_of(tags.xmp).sidecar(whole_job=True)


def test_only_embeddings_that_are_named_are_in_the_infotext() -> None:
    known = (EmbeddingOrigin("<ink>", "ab" * 32), EmbeddingOrigin("oily", "cd" * 32))
    request = request_of("prompt: an <INK> drawing\nnegative_prompt: ''\nseed: 1\n")
    origin = origin_of(request, model=ModelOrigin("sd21", embeddings=known))
    text = origin.frame_tags(plan_frames(request)[0]).infotext
    assert 'TI hashes: "<ink>: abababababab"' in text
    assert "oily" not in text


def test_half_a_character_in_a_recipe_is_told() -> None:
    plain = _without("index") | {"index": 0, "program": "\ud800"}
    with pytest.raises(DocumentError, match="recipe cannot be read"):
        Recipe.from_json(json.dumps(plain), "cat.png")
