"""LoRAs and textual inversions: several, from files and folders, and what is said of bad ones."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from diffusers.utils import convert_state_dict_to_kohya
from engines import difference, pixels, refusal, spec
from forms import Forms
from safetensors.torch import load_file, save_file
from tiny_model import save_lora
from tiny_unets import END, LARGE, SMALL

from img2imgd.engine.loading import load_pipeline
from img2imgd.engine.protocol import EmbeddingSpec, LoraSpec

pytestmark = [
    # diffusers' schedulers call numpy on tensors in a way that numpy 2 deprecates.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    # diffusers passes a word to huggingface_hub that it does not know any more.
    pytest.mark.filterwarnings("ignore:The `local_dir_use_symlinks`:UserWarning"),
    pytest.mark.usefixtures("one_thread", "no_network"),
]


@pytest.fixture(scope="module")
def loras(forms: Mapping[str, Forms], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the LoRAs ink, oil and, for SD 2, chalk."""
    folder = tmp_path_factory.mktemp("loras")
    for seed, name, family in ((1, "ink", "sd1"), (2, "oil", "sd1"), (3, "chalk", "sd2")):
        save_lora(forms[family].folder, folder / f"{name}.safetensors", seed)
    return folder


def test_several_loras_work_together_each_by_its_weight(
    forms: Mapping[str, Forms], loras: Path, image: Path
) -> None:
    ink, oil = str(loras / "ink.safetensors"), str(loras / "oil.safetensors")
    painted = [
        pixels(spec(forms["sd1"].folder, loras=chosen), image)
        for chosen in (
            (),
            (LoraSpec(ink), LoraSpec(oil, 0.0)),
            (LoraSpec(ink, 0.0), LoraSpec(oil)),
            (LoraSpec(ink), LoraSpec(oil)),
            (LoraSpec(ink), LoraSpec(oil, 0.5)),
            (LoraSpec(ink),),
        )
    ]
    assert difference(painted[1], painted[5]) <= 1
    different = [painted[at] for at in (0, 1, 2, 3, 4)]
    for at, one in enumerate(different):
        assert all(difference(one, other) > 2 for other in different[:at]), at


def test_a_lora_is_taken_from_a_folder_by_a_single_file_model_and_in_kohyas_form(
    forms: Mapping[str, Forms], loras: Path, image: Path, tmp_path: Path
) -> None:
    form = forms["sd1"]
    ink = loras / "ink.safetensors"
    folder = tmp_path / "one"
    folder.mkdir()
    shutil.copy(ink, folder)
    kohya = tmp_path / "kohya.safetensors"
    save_file(convert_state_dict_to_kohya(load_file(ink)), kohya)
    expected = pixels(spec(form.folder, loras=(LoraSpec(str(ink)),)), image)
    for model in (
        spec(form.folder, loras=(LoraSpec(str(folder)),)),
        spec(form.file, config=str(form.folder), loras=(LoraSpec(str(ink)),)),
        spec(form.folder, loras=(LoraSpec(str(kohya)),)),
    ):
        assert difference(pixels(model, image), expected) <= 1


def test_what_a_model_is_made_of_is_told_with_hashes_that_other_tools_know(
    forms: Mapping[str, Forms], loras: Path, embeddings: Path, tmp_path: Path
) -> None:
    form = forms["sd1"]
    ink, word = loras / "ink.safetensors", embeddings / "InkStyle.safetensors"
    vae = form.folder / "vae" / "diffusion_pytorch_model.safetensors"
    model = spec(
        form.file,
        config=str(form.folder),
        vae=str(vae),
        loras=(LoraSpec(str(ink), 0.8),),
        embeddings=(EmbeddingSpec(str(word), "InkStyle"),),
        scheduler="ddim",
        cache=tmp_path,
    )
    _, info = load_pipeline(model)
    assert info.weights == sha256(form.file)
    assert info.vae == sha256(vae)
    assert info.loras == (("ink", 0.8, sha256(ink)),)
    assert info.embeddings == (("InkStyle", sha256(word)),)
    assert (info.source, info.scheduler, info.refiner) == (str(form.file), "ddim", "")
    assert info.libraries["torch"] == torch.__version__
    assert set(info.libraries) == {"torch", "diffusers", "transformers"}
    cached = json.loads((tmp_path / "weights.json").read_bytes())
    assert set(cached) == {str(file) for file in (form.file, vae, ink, word)}
    assert load_pipeline(model)[1] == info


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_folder_of_several_loras_lists_them(forms: Mapping[str, Forms], loras: Path) -> None:
    error = refusal(spec(forms["sd1"].folder, loras=(LoraSpec(str(loras)),)))
    assert "it holds several: chalk.safetensors, ink.safetensors, oil" in error.message
    assert "Name the .safetensors file itself" in error.advice


def test_an_empty_folder_is_told(forms: Mapping[str, Forms], tmp_path: Path) -> None:
    error = refusal(spec(forms["sd1"].folder, loras=(LoraSpec(str(tmp_path)),)))
    assert "it holds no .safetensors file" in error.message


def test_a_lora_of_another_family_or_for_nothing_here_is_told(
    forms: Mapping[str, Forms], loras: Path, tmp_path: Path
) -> None:
    chalk = loras / "chalk.safetensors"
    alien, cut = tmp_path / "alien.safetensors", tmp_path / "cut.safetensors"
    save_file({f"transformer.x.lora_{side}.weight": torch.ones(2, 2) for side in "AB"}, alien)
    cut.write_bytes(chalk.read_bytes()[:200])
    for file, told in (
        (chalk, f"the LoRA {chalk} could not be loaded: its weights have other shapes"),
        (alien, f"the LoRA {alien} could not be loaded: it changes no part of this model."),
        (cut, f"damaged weights: {cut} ("),
    ):
        assert told in refusal(spec(forms["sd1"].folder, loras=(LoraSpec(str(file)),))).message


def test_a_lora_of_the_hub_that_was_never_fetched_is_told_when_offline(
    forms: Mapping[str, Forms],
) -> None:
    error = refusal(spec(forms["sd1"].folder, loras=(LoraSpec("nobody/nothing"),)))
    assert "nobody/nothing is not on this machine" in error.message


@pytest.fixture(scope="module")
def embeddings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A1111's form and diffusers', one vector and three, and SDXL's two widths."""
    folder = tmp_path_factory.mktemp("embeddings")
    torch.manual_seed(5)
    for name, tensors in {
        "InkStyle": {"emb_params": torch.randn(1, SMALL)},
        "ThreeInks": {"emb_params": torch.randn(3, SMALL)},
        "named": {"<whatever>": torch.randn(SMALL)},
        "xl": {"clip_l": torch.randn(2, SMALL), "clip_g": torch.randn(2, LARGE)},
    }.items():
        save_file(tensors, folder / f"{name}.safetensors")
    return folder


@pytest.mark.parametrize("name", ["InkStyle", "ThreeInks", "named"])
def test_an_embedding_paints_where_its_word_stands_and_only_there(
    forms: Mapping[str, Forms], embeddings: Path, image: Path, name: str
) -> None:
    form = forms["sd1"]
    words = (EmbeddingSpec(str(embeddings / f"{name}.safetensors"), name),)
    taught = spec(form.folder, embeddings=words)
    prompt = f"a cat by a lake, {name}"
    assert difference(pixels(taught, image), pixels(spec(form.folder), image)) == 0
    with_word = pixels(taught, image, prompt=prompt)
    assert difference(with_word, pixels(spec(form.folder), image, prompt=prompt)) > 2
    as_file = spec(form.file, config=str(form.folder), embeddings=words)
    assert difference(pixels(as_file, image, prompt=prompt), with_word) <= 1


def test_an_embedding_of_several_vectors_takes_as_many_tokens(
    forms: Mapping[str, Forms], embeddings: Path
) -> None:
    file = embeddings / "ThreeInks.safetensors"
    pipe, info = load_pipeline(
        spec(forms["sd1"].folder, embeddings=(EmbeddingSpec(str(file), "ThreeInks"),))
    )
    taught = [END + 1, END + 2, END + 3]
    for written in ("a ThreeInks cat", "a threeinks cat", "a THREEINKS cat"):
        prompt = pipe.maybe_convert_prompt(written, pipe.tokenizer)
        assert pipe.tokenizer(prompt).input_ids[2:5] == taught
        assert pipe.tokenizer(prompt).input_ids[-1] == END
    vectors = pipe.text_encoder.get_input_embeddings().weight[taught]
    assert torch.equal(vectors, load_file(file)["emb_params"])
    assert [token for token, _ in info.embeddings] == ["ThreeInks"]


def test_a_word_within_another_word_is_not_an_embeddings(
    forms: Mapping[str, Forms], embeddings: Path
) -> None:
    words = tuple(
        EmbeddingSpec(str(embeddings / "ThreeInks.safetensors"), token)
        for token in ("ink", "<Ink>", "ink-art")
    )
    pipe, _ = load_pipeline(spec(forms["sd1"].folder, embeddings=words))
    for prompt, spelt, tokens in (
        ("an inkwell, pink", "an inkwell, pink", 0),
        ("INK, ink", "ink ink_1 ink_2, ink ink_1 ink_2", 6),
        ("an <ink>.", "an <ink> <ink>_1 <ink>_2.", 3),
        ("ink-art, ink-artist", "ink-art ink-art_1 ink-art_2, ink ink_1 ink_2-artist", 6),
    ):
        assert pipe.maybe_convert_prompt(prompt, pipe.tokenizer) == spelt
        ids = pipe.tokenizer(spelt).input_ids
        assert sum(number > END for number in ids) == tokens, prompt


def test_both_text_encoders_of_sdxl_learn_the_word(
    forms: Mapping[str, Forms], embeddings: Path, image: Path
) -> None:
    form = forms["sdxl"]
    words = (EmbeddingSpec(str(embeddings / "xl.safetensors"), "xl-ink"),)
    pipe, _ = load_pipeline(spec(form.folder, embeddings=words))
    assert [len(t) for t in (pipe.tokenizer, pipe.tokenizer_2)] == [END + 3, END + 3]
    prompt = "a cat by a lake, xl-ink"
    taught = pixels(spec(form.folder, embeddings=words), image, prompt=prompt)
    assert difference(taught, pixels(spec(form.folder), image, prompt=prompt)) > 2


@pytest.mark.parametrize(
    ("family", "name", "token", "told"),
    [
        ("sd2", "InkStyle", "x1y", "vectors are 16 numbers wide, where this model has 24"),
        ("sd1", "xl", "x1y", "no text encoder that it is made for"),
        ("sd1", "InkStyle", "C", "knows that word already"),
        ("sd1", "absent", "x1y", "there is no such file"),
    ],
)
def test_an_embedding_that_cannot_be_taught_is_told(
    forms: Mapping[str, Forms], embeddings: Path, family: str, name: str, token: str, told: str
) -> None:
    file = embeddings / f"{name}.safetensors"
    error = refusal(spec(forms[family].folder, embeddings=(EmbeddingSpec(str(file), token),)))
    assert f"the embedding {file} " in error.message
    assert told in error.message


def test_a_lora_named_as_an_embedding_is_told(forms: Mapping[str, Forms], loras: Path) -> None:
    file = loras / "ink.safetensors"
    error = refusal(spec(forms["sd1"].folder, embeddings=(EmbeddingSpec(str(file), "ink"),)))
    assert "tensors, where an embedding has one" in error.message
