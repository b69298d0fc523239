"""Long and weighted prompts with what a model may have besides: embeddings, one text encoder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from compel import CompelForSD
from engines import difference, spec, task
from plainly import stepped
from safetensors.torch import save_file
from tiny_families import save_family
from tiny_unets import SMALL

from img2imgd.engine.diffusers_engine import DiffusersEngine
from img2imgd.engine.protocol import EmbeddingSpec
from img2imgd.engine.stepping.texts import Texts

pytestmark = [
    # diffusers' schedulers call numpy on tensors in a way that numpy 2 deprecates.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("one_thread"),
]

INKS = "inks inks_1 inks_2"
LONG = "a red barn by a lake, birches and fog, and a boat that somebody left in the reeds, "


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> DiffusersEngine:
    """A model with a word of three vectors."""
    folder = tmp_path_factory.mktemp("taught")
    torch.manual_seed(5)
    save_file({"emb_params": torch.randn(3, SMALL)}, folder / "inks.safetensors")
    engine = DiffusersEngine()
    word = EmbeddingSpec(str(folder / "inks.safetensors"), "Inks")
    engine.load(spec(save_family("sd1", folder / "sd1"), embeddings=(word,)))
    return engine


@pytest.mark.parametrize(
    ("written", "syntax", "compels"),
    [
        (f"{LONG}{LONG}Inks", "plain", f"{LONG}{LONG}{INKS}"),
        ("a cat, (Inks)1.3, (a INKS lake)0.8", "compel", f"a cat, ({INKS})1.3, (a {INKS} lake)0.8"),
        ("a cat, (Inks:1.3)", "a1111", f"a cat, ({INKS})1.3"),
        (f"(Inks:1.3), {LONG}{LONG}Inks", "a1111", f"({INKS})1.3, {LONG}{LONG}{INKS}"),
    ],
)
def test_the_word_of_an_embedding_has_all_its_vectors(
    taught: DiffusersEngine, written: str, syntax: str, compels: str
) -> None:
    """compel's own way of spelling it out loses the word amid others."""
    pipe = taught._pipe
    with torch.inference_mode():
        hidden = Texts(pipe).embedding(written, syntax).hidden
        wanted = CompelForSD(pipe)(compels).embeds
        without = CompelForSD(pipe)(compels.replace(INKS, "inks")).embeds
    assert torch.equal(hidden, wanted)
    assert not torch.equal(hidden, without)


def test_sdxls_refiner_alone_hears_long_and_weighted_prompts(tmp_path: Path, image: Path) -> None:
    """It has the second text encoder only."""
    engine = DiffusersEngine()
    engine.load(spec(save_family("sdxl_refiner", tmp_path / "refiner")))
    texts = [
        (LONG + LONG + "at night", "plain"), (LONG + LONG + "at noon", "plain"),
        (LONG, "plain"), (f"({LONG}:1.5)", "a1111"),
    ]  # fmt: skip
    night, noon, plain, strong = stepped(
        engine,
        [
            task(image, job=text, prompt=text, prompt_syntax=syntax, strength=1.0)
            for text, syntax in texts
        ],
    )
    assert difference(night, noon) > 0
    assert difference(plain, strong) > 0


def test_a_prompt_that_fits_needs_no_further_library(
    taught: DiffusersEngine, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "compel", None)
    monkeypatch.setitem(sys.modules, "pyparsing", None)
    stepped(taught, [task(image), task(image, job="j2", prompt="a (cat:1)", prompt_syntax="a1111")])
