"""Models that are not whole are refused: what is missing would be filled with random weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from engines import difference, pixels, refusal, spec
from forms import Forms
from safetensors.torch import load_file, save_file
from tiny_families import BUILDERS, save_family
from tiny_model import save_tiny_model
from tiny_unets import autoencoder
from torch import Tensor

from img2imgd.engine.loading import load_pipeline

# diffusers' schedulers call numpy on tensors in a way that numpy 2 deprecates.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("one_thread", "no_network"),
]

Weights = dict[str, Tensor]


@pytest.fixture
def sdxl(forms: Mapping[str, Forms], tmp_path: Path) -> Path:
    return shutil.copytree(forms["sdxl"].folder, tmp_path / "sdxl")


def edit(part: Path, change: Callable[[Weights], Weights]) -> None:
    (file,) = part.glob("*.safetensors")
    save_file(change(load_file(file)), file, metadata={"format": "pt"})


def edit_json(path: Path, **changes: object) -> None:
    """Change keys of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def without(piece: str) -> Callable[[Weights], Weights]:
    return lambda weights: {name: one for name, one in weights.items() if piece not in name}


def cut(name: str) -> Callable[[Weights], Weights]:
    return lambda weights: weights | {name: weights[name][:1].clone()}


@pytest.mark.parametrize(
    ("part", "piece", "told"),
    [
        (
            "text_encoder",
            ".mlp.fc",
            "text_encoder lacks 8 weights of its config: encoder.layers.0.mlp.fc1.bias, ",
        ),
        ("text_encoder_2", "text_projection", "text_encoder_2 lacks a weight of its config: text_"),
        ("unet", "conv_norm_out.", "lacks 2 weights of its config: unet.conv_norm_out."),
        ("vae", "decoder.conv_in.", "lacks 2 weights of its config: vae.decoder.conv_in."),
    ],
)
def test_a_folder_that_lacks_weights_is_told_which(
    sdxl: Path, capfd: pytest.CaptureFixture[str], part: str, piece: str, told: str
) -> None:
    edit(sdxl / part, without(piece))
    error = refusal(spec(sdxl))
    assert told in error.message
    assert "download the model again" in error.advice
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("part", "name", "told"),
    [
        ("text_encoder", "final_layer_norm.bias", "is [1], and should be [16]"),
        ("unet", "conv_norm_out.bias", "is [1], and should be [8]"),
        ("vae", "decoder.conv_norm_out.bias", "is [1], and should be [8]"),
    ],
)
def test_weights_of_another_shape_than_their_config_says_are_told(
    sdxl: Path, capfd: pytest.CaptureFixture[str], part: str, name: str, told: str
) -> None:
    edit(sdxl / part, cut(name))
    error = refusal(spec(sdxl))
    assert f"not those of its config: {name} {told}." in error.message
    assert "download the model again" in error.advice
    assert capfd.readouterr().err == ""


def test_a_file_with_weights_of_another_shape_is_told(
    forms: Mapping[str, Forms], tmp_path: Path
) -> None:
    file = shutil.copy(forms["sd1"].file, tmp_path / "model.safetensors")
    weights = load_file(file)
    save_file(cut("model.diffusion_model.out.0.bias")(weights), file)
    error = refusal(spec(file, config=str(forms["sd1"].folder)))
    assert "conv_norm_out.bias is [1], and should be [8]." in error.message
    assert "`config`" in error.advice


def test_another_autoencoder_that_lacks_weights_is_told(sdxl: Path, tmp_path: Path) -> None:
    vae = shutil.copytree(sdxl / "vae", tmp_path / "vae")
    edit(vae, without("decoder.conv_in.bias"))
    error = refusal(spec(sdxl, vae=str(vae)))
    assert f"{vae} lacks a weight of its config: vae.decoder.conv_in.bias." in error.message


def test_a_safety_checker_that_lacks_weights_is_told_where_it_is_used(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "model", strict_checker=True)
    edit(folder / "safety_checker", without("concept_embeds_weights"))
    load_pipeline(spec(folder))
    error = refusal(spec(folder, safety_checker=True))
    assert "safety_checker lacks a weight of its config: concept_embeds_weights" in error.message


@pytest.mark.parametrize("part", ["tokenizer", "tokenizer_2", "scheduler"])
def test_a_folder_without_a_part_that_its_index_names_is_told(sdxl: Path, part: str) -> None:
    shutil.rmtree(sdxl / part)
    error = refusal(spec(sdxl))
    assert f"{sdxl} lacks {part}, which its model_index.json names." in error.message
    assert "download the model again" in error.advice


def test_a_tokenizer_without_its_words_is_told(sdxl: Path) -> None:
    (sdxl / "tokenizer_2" / "tokenizer.json").unlink()
    error = refusal(spec(sdxl))
    assert "its tokenizer_2 knows 3 tokens, where its text encoder knows 58." in error.message
    assert "download the model again" in error.advice


@pytest.mark.parametrize("longest", [None, 78, 10**30])
def test_a_tokenizer_that_does_not_know_the_longest_text_is_told(
    sdxl: Path, longest: int | None
) -> None:
    edit_json(sdxl / "tokenizer" / "tokenizer_config.json", model_max_length=longest)
    error = refusal(spec(sdxl))
    assert "its tokenizer does not say that its text encoder reads 77 tokens" in error.message
    assert "Set model_max_length to 77" in error.advice


@pytest.mark.parametrize(("factor", "told"), [(None, "None"), ("big", "'big'"), (0, "0")])
def test_an_autoencoder_without_its_scale_is_told(sdxl: Path, factor: object, told: str) -> None:
    edit_json(sdxl / "vae" / "config.json", scaling_factor=factor)
    error = refusal(spec(sdxl))
    assert f"has the scaling_factor {told}, which is no number above 0." in error.message


def test_an_autoencoder_of_another_family_is_told(sdxl: Path, tmp_path: Path) -> None:
    autoencoder(latent_channels=16).save_pretrained(tmp_path / "vae")
    error = refusal(spec(sdxl, vae=str(tmp_path / "vae")))
    assert "its UNet takes 4 channels, where its autoencoder makes 16." in error.message
    assert "leave `vae` out" in error.advice


def test_parts_that_are_not_used_may_be_absent(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "model", strict_checker=True)
    vae = shutil.move(folder / "vae", tmp_path / "vae")
    shutil.rmtree(folder / "safety_checker")
    load_pipeline(spec(folder, vae=str(vae)))


@pytest.mark.parametrize("family", BUILDERS)
def test_whole_models_of_every_family_are_loaded(family: str, tmp_path: Path) -> None:
    pipe, _ = load_pipeline(spec(save_family(family, tmp_path / "model")))
    torch.manual_seed(len(family))
    for name, part in BUILDERS[family]().components.items():
        if isinstance(part, torch.nn.Module):
            loaded = getattr(pipe, name).state_dict()
            assert all(loaded[key].equal(built) for key, built in part.state_dict().items())


def halved(part: Path, file: Path) -> None:
    """The fp16 variant of a part's weights, and no other."""
    weights = {name: one.half() for name, one in load_file(file).items()}
    save_file(weights, part / f"{file.stem}.fp16.safetensors", metadata={"format": "pt"})


def pickled(part: Path, file: Path) -> None:
    name = "pytorch_model.bin" if "text" in part.name else f"{file.stem}.bin"
    torch.save(load_file(file), part / name)


def sharded(part: Path, file: Path) -> None:
    """The weights in two files and an index of them."""
    weights = load_file(file)
    where: dict[str, str] = {}
    for number, odd in enumerate((False, True), 1):
        shard = f"{file.stem}-0000{number}-of-00002.safetensors"
        half = {name: one for at, (name, one) in enumerate(weights.items()) if at % 2 == odd}
        save_file(half, part / shard, metadata={"format": "pt"})
        where |= dict.fromkeys(half, shard)
    size = sum(one.nbytes for one in weights.values())
    index = {"metadata": {"total_size": size}, "weight_map": where}
    (part / f"{file.name}.index.json").write_text(json.dumps(index))


@pytest.mark.parametrize("store", [halved, pickled, sharded])
def test_whole_models_are_loaded_however_they_are_stored(
    sdxl: Path, image: Path, forms: Mapping[str, Forms], store: Callable[[Path, Path], None]
) -> None:
    for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
        (file,) = (sdxl / part).glob("*.safetensors")
        store(sdxl / part, file)
        file.unlink()
    variant = "fp16" if store is halved else None
    expected = pixels(spec(forms["sdxl"].folder), image)
    assert difference(pixels(spec(sdxl, variant=variant), image), expected) <= (2 if variant else 0)
