"""Prompts beyond 77 tokens, and prompts with weights: what of them is heard, and by whom."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from compel import Compel, CompelForSD, CompelForSDXL
from diffusers import EulerDiscreteScheduler
from engines import difference, events_of, spec, task
from numpy.typing import NDArray
from PIL import Image
from plainly import calls_of, stepped
from tiny_families import save_family

from conftest import Model
from img2imgd.engine.diffusers_engine import DiffusersEngine
from img2imgd.engine.protocol import FramePainted, FrameRefused, FrameTask
from img2imgd.engine.stepping import encoders

pytestmark = [
    # diffusers' schedulers call numpy on tensors in a way that numpy 2 deprecates.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("one_thread"),
]

# The small tokenizer spells: a letter is a token.
SENTENCE = "a red barn by a lake, birches and fog, and a boat that somebody left in the reeds, "
LONG = SENTENCE * 2
LONGER = SENTENCE * 4
WEIGHTED = "a (red barn)1.3 by a lake++, (fog)0.7 and (a boat)0.9"


def alike(model: Model, frame: FrameTask, embeds: dict[str, Any]) -> NDArray[np.int16]:
    """The frame as diffusers alone paints it with these embeddings."""
    pipe = model.plain.pipe
    pipe.scheduler = EulerDiscreteScheduler.from_config(pipe.scheduler.config)
    with torch.no_grad():
        output = pipe(
            image=Image.open(frame.image), strength=frame.strength,
            num_inference_steps=frame.steps, guidance_scale=frame.guidance_scale,
            generator=torch.Generator().manual_seed(frame.seed), **embeds,
        )  # fmt: skip
    return np.asarray(output.images[0]).astype(np.int16)


def embeds_of_compel(model: Model, prompt: str, negative: str) -> dict[str, Any]:
    """What compel's own wrappers make of both prompts."""
    pipe = model.plain.pipe
    with torch.no_grad():
        if model.family != "sdxl":
            made = CompelForSD(pipe)(prompt, negative_prompt=negative)
            return {"prompt_embeds": made.embeds, "negative_prompt_embeds": made.negative_embeds}
        made = CompelForSDXL(pipe)(prompt, negative_prompt=negative)
        second = Compel(pipe.tokenizer_2, pipe.text_encoder_2).conditioning_provider
        pooled, negative_pooled = (
            # Of the words: compel has its pooled embedding hear brackets and numbers too.
            second.get_pooled_embeddings([" ".join(one.text for one in flat.children)])
            for flat in (Compel.parse_prompt_string(text).prompts[0] for text in (prompt, negative))
        )
        return {
            "prompt_embeds": made.embeds, "negative_prompt_embeds": made.negative_embeds,
            "pooled_prompt_embeds": pooled, "negative_pooled_prompt_embeds": negative_pooled,
        }  # fmt: skip


@pytest.mark.parametrize(
    ("prompt", "negative", "syntax"),
    [
        (LONG, "blurry", "plain"),
        ("a lake", LONG, "plain"),
        (LONGER, LONG, "plain"),
        (WEIGHTED, "blurry", "compel"),
        (WEIGHTED, "(grey)1.2 sky, fog--", "compel"),
        (f"{WEIGHTED}, {LONG}", "(grey)1.2", "compel"),
    ],
)
def test_it_is_bit_for_bit_the_plain_pipeline_with_compels_own_embeddings(
    model: Model, image: Path, prompt: str, negative: str, syntax: str
) -> None:
    frame = task(image, prompt=prompt, negative_prompt=negative, prompt_syntax=syntax)
    (painted,) = stepped(model.engine, [frame])
    embeds = embeds_of_compel(model, prompt, negative)
    assert np.array_equal(painted, alike(model, frame, embeds))
    others = embeds_of_compel(model, "a lake", "blurry")
    assert difference(painted, alike(model, frame, others)) > 0, "so this test can fail"


def test_the_later_words_of_a_long_prompt_are_heard(model: Model, image: Path) -> None:
    """Without guidance too; in a prompt of 77 tokens they would be beyond its end."""
    ends = ("at night", "at noon")
    for guidance in (1.0, 7.5):
        night, noon = stepped(
            model.engine,
            [task(image, job=end, prompt=LONG + end, guidance_scale=guidance) for end in ends],
        )
        assert difference(night, noon) > 0
    cut = [model.plain.paint(task(image, prompt=LONG + end)) for end in ends]
    assert difference(*cut) == 0


def test_any_mixture_of_lengths_and_weights_is_each_frame_alone(
    model: Model, image: Path, wide: Path
) -> None:
    """Frames of one length share calls, as far as their pictures are of one size."""
    prompts = [
        ("a lake", "plain"), ("a barn", "plain"), ("a (lake:1.4)", "a1111"), (LONG, "plain"),
        (f"(fog:1.4), {LONG}", "a1111"), (LONGER, "plain"), (WEIGHTED, "compel"),
    ]  # fmt: skip
    mixture = [
        task(picture, job=f"{number} {picture.stem}", prompt=prompt, prompt_syntax=syntax,
             steps=8, strength=strength, seed=number)
        for number, ((prompt, syntax), (picture, strength)) in enumerate(
            itertools.product(prompts, ((image, 0.5), (image, 0.9), (wide, 0.75)))
        )
    ]  # fmt: skip
    with calls_of(model.engine._pipe.unet) as rows:
        pictures = stepped(model.engine, mixture)
    assert len(rows) < sum(one.effective_steps for one in mixture) / 2, "the calls were shared"
    for one, picture in zip(mixture, pictures, strict=True):
        (alone,) = stepped(model.engine, [one])
        assert difference(picture, alone) <= 1, one


@pytest.mark.parametrize(
    ("prompt", "syntax"),
    [("a (red barn:1) by a lake", "a1111"), ("a (red barn)1.0 by a lake", "compel")],
)
def test_a_weight_of_1_changes_nothing(model: Model, image: Path, prompt: str, syntax: str) -> None:
    (painted,) = stepped(model.engine, [task(image, prompt=prompt, prompt_syntax=syntax)])
    plain = model.plain.paint(task(image, prompt="a red barn by a lake"))
    assert np.array_equal(painted, plain)
    (literally,) = stepped(model.engine, [task(image, prompt=prompt)])
    assert np.array_equal(literally, model.plain.paint(task(image, prompt=prompt)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            ("a (red barn:1.3), [fog]", "a1111"),
            ("a (red barn)1.3, (fog)0.9090909090909091", "compel"),
        ),
        (("a ((lake))", "a1111"), ("a lake++", "compel")),
        (("a lake BREAK a boat", "a1111"), ('("a lake", "a boat").and()', "compel")),
        (("a lake <lora:ink:0.8>", "a1111"), ("a lake", "plain")),
    ],
)
def test_both_syntaxes_mean_the_same(
    model: Model, image: Path, one: tuple[str, str], other: tuple[str, str]
) -> None:
    first, second, third = stepped(
        model.engine,
        [
            task(image, job=prompt, prompt=prompt, prompt_syntax=syntax)
            for prompt, syntax in (one, other, ("a", "plain"))
        ],
    )
    assert difference(first, second) <= 1
    assert difference(first, third) > 1


def test_a_weight_changes_the_picture_and_so_does_one_in_the_negative_prompt(
    model: Model, image: Path
) -> None:
    texts = [("a lake", "fog"), ("a (lake:1.5)", "fog"), ("a lake", "(fog:1.5)"),
             ("a lake", "[fog]"), ("a [lake]", "fog"), ('a (lake:0)', "fog")]  # fmt: skip
    pictures = stepped(
        model.engine,
        [
            task(image, job=prompt + negative, prompt=prompt, negative_prompt=negative,
                 prompt_syntax="a1111", strength=1.0)
            for prompt, negative in texts
        ],
    )  # fmt: skip
    for one, other in itertools.combinations(pictures, 2):
        assert difference(one, other) > 0


@pytest.mark.parametrize(
    "prompt", ['("a lake", "fog").blend(0.7, 0.3)', '("a lake", "fog").and(1, 0.5)', "()", "( )0.5"]
)
def test_the_rest_of_compels_syntax_is_painted(model: Model, image: Path, prompt: str) -> None:
    stepped(model.engine, [task(image, prompt=prompt, prompt_syntax="compel")])


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> DiffusersEngine:
    engine = DiffusersEngine()
    engine.load(spec(save_family("sd1", tmp_path_factory.mktemp("model") / "sd1")))
    return engine


@pytest.mark.parametrize(
    ("prompt", "syntax", "reason"),
    [
        ('("a lake", "fog").blend(1)', "compel", "cannot be read in compel's syntax"),
        ("(" * 500, "compel", "cannot be read in compel's syntax"),
        ("a lake.swap(pond)", "compel", ".swap() is not known"),
        ("a lake withLora(ink, 0.8)", "compel", "belongs to a model of the config"),
        ("a (lake:11)", "a1111", "“lake” has a weight of 11"),
        ("a (lake:-1)", "a1111", "from 0 to 10"),
        ("[a] b " * 60, "a1111", "60 parts of the prompt have a weight below 1"),
        ("a BREAK " * 100, "a1111", "at most 4,800 are taken"),
        ("a" * 5000, "plain", "at most 4,800 are taken"),
    ],
)
def test_what_cannot_be_read_is_refused_alone(
    small: DiffusersEngine, image: Path, prompt: str, syntax: str, reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(encoders, "MAX_PASSES", 100)
    bad = task(image, job="bad", prompt=prompt, prompt_syntax=syntax)
    events = events_of(small, task(image), bad, task(image, job="j2"))
    (refused,) = [event for event in events if isinstance(event, FrameRefused)]
    assert refused.job == "bad"
    assert reason in refused.reason
    assert "Exception" not in refused.reason
    assert {event.job for event in events if isinstance(event, FramePainted)} == {"j1", "j2"}


def test_a_tag_that_is_left_out_is_told(small: DiffusersEngine, image: Path) -> None:
    tagged = task(image, prompt="a lake <lora:ink:0.8>", prompt_syntax="a1111")
    *_, painted = events_of(small, tagged)
    assert isinstance(painted, FramePainted)
    assert painted.note == (
        "Left out of the prompt: <lora:ink:0.8>. LoRAs belong to a model of the config."
    )
