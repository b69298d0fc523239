"""Which files of real repositories' listings are chosen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from img2imgd.hub.choosing import choose
from img2imgd.hub.faults import HubFault
from img2imgd.hub.source import HubSource, Wanted

SD_INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "feature_extractor": ["transformers", "CLIPImageProcessor"],
    "requires_safety_checker": True,
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    "image_encoder": [None, None],
    "scheduler": ["diffusers", "DDIMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}


def weights(folder: str, base: str, *variants: str) -> list[str]:
    return [
        f"{folder}/{base}{variant}.{kind}"
        for variant in ("", *variants)
        for kind in ("safetensors", "bin")
    ]


# As stable-diffusion-v1-5 lists it, with formats that other repositories have beside.
SD = [
    ".gitattributes",
    "README.md",
    "picture.png",
    "v1-5-pruned-emaonly.ckpt",
    "v1-5-pruned-emaonly.safetensors",
    "model_index.json",
    "feature_extractor/preprocessor_config.json",
    "safety_checker/config.json",
    *weights("safety_checker", "model", ".fp16"),
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    *weights("text_encoder", "model", ".fp16"),
    "text_encoder/flax_model.msgpack",
    "text_encoder/model.onnx",
    "text_encoder/openvino_model.bin",
    "text_encoder/openvino_model.xml",
    "tokenizer/merges.txt",
    "tokenizer/special_tokens_map.json",
    "tokenizer/tokenizer_config.json",
    "tokenizer/vocab.json",
    "unet/config.json",
    *weights("unet", "diffusion_pytorch_model", ".fp16", ".non_ema"),
    "unet/diffusion_flax_model.msgpack",
    "unet/model.onnx_data",
    "vae/config.json",
    *weights("vae", "diffusion_pytorch_model", ".fp16"),
    "vae_decoder/model.onnx",
    "vae_decoder/config.json",
]
CONFIGS = {
    "model_index.json",
    "feature_extractor/preprocessor_config.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "tokenizer/merges.txt",
    "tokenizer/special_tokens_map.json",
    "tokenizer/tokenizer_config.json",
    "tokenizer/vocab.json",
    "unet/config.json",
    "vae/config.json",
}
PLAIN = {
    "text_encoder/model.safetensors",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
}
NO_CHECKER = frozenset({"safety_checker"})


def chosen(
    names: list[str], kind: Any = "pipeline", path: str = "", index: Any = SD_INDEX, **changes: Any
) -> set[str]:
    def read(name: str) -> Mapping[str, Any]:
        assert name.endswith("model_index.json")
        return index  # type: ignore[no-any-return]

    changes = {"without": NO_CHECKER, **changes}
    return choose(Wanted(HubSource("them/it", path=path), kind, **changes), names, read)


def refusal(names: list[str], **changes: Any) -> HubFault:
    with pytest.raises(HubFault) as caught:
        chosen(names, **changes)
    assert caught.value.advice
    return caught.value


def test_a_pipeline_takes_its_parts_in_one_format_without_variants_pictures_or_checker() -> None:
    assert chosen(SD) == CONFIGS | PLAIN


def test_a_safety_checker_comes_where_it_is_wanted() -> None:
    more = chosen(SD, without=frozenset()) - CONFIGS - PLAIN
    assert more == {"safety_checker/config.json", "safety_checker/model.safetensors"}


def test_of_a_vae_that_another_one_replaces_only_the_config_comes() -> None:
    left_out = (CONFIGS | PLAIN) - chosen(SD, without=NO_CHECKER | {"vae"})
    assert left_out == {"vae/diffusion_pytorch_model.safetensors"}


def test_a_variant_takes_the_place_of_the_plain_weights() -> None:
    half = {name.replace(".safetensors", ".fp16.safetensors") for name in PLAIN}
    assert chosen(SD, variant="fp16") == CONFIGS | half


def test_parts_that_a_variant_lacks_come_plain() -> None:
    found = chosen(SD, variant="non_ema") - CONFIGS
    assert found == {
        "text_encoder/model.safetensors",
        "unet/diffusion_pytorch_model.non_ema.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
    }


def test_a_variant_that_is_nowhere_is_answered_with_those_there_are() -> None:
    error = refusal(SD, variant="bf16")
    assert error.message == "them/it has no variant 'bf16'; it has fp16, non_ema."


def test_weights_of_variants_alone_are_not_taken_unasked() -> None:
    names = [name for name in SD if name not in PLAIN and not name.endswith(".bin")]
    assert "variants alone: fp16" in refusal(names).message
    assert "`variant`" in refusal(names).advice
    assert "unet/diffusion_pytorch_model.fp16.safetensors" in chosen(names, variant="fp16")


def test_bin_files_are_taken_only_for_parts_that_have_no_safetensors() -> None:
    names = [name for name in SD if not name.startswith("vae/") or name.endswith((".bin", "json"))]
    assert chosen(names) - CONFIGS == {
        "text_encoder/model.safetensors",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.bin",
    }


def shards(folder: str, kind: str, base: str = "diffusion_pytorch_model") -> set[str]:
    pieces = {f"{folder}/{base}-0000{number}-of-00002.{kind}" for number in (1, 2)}
    return pieces | {f"{folder}/{base}.{kind}.index.json"}


def test_shards_come_with_the_index_of_their_own_format() -> None:
    names = [name for name in SD if not name.startswith("unet/diffusion")]
    names += [*shards("unet", "safetensors"), *shards("unet", "bin")]
    names += ["unet/diffusion_pytorch_model.fp16.safetensors"]
    found = {name for name in chosen(names) if name.startswith("unet/")}
    assert found == {"unet/config.json", *shards("unet", "safetensors")}


@pytest.mark.parametrize(
    ("piece", "index"),
    [
        ("model.fp16-00001-of-00001.safetensors", "model.safetensors.index.fp16.json"),
        ("model-00001-of-00001.fp16.safetensors", "model.fp16.safetensors.index.json"),
    ],
    ids=["today", "before"],
)
def test_shards_of_a_variant_come_in_both_spellings(piece: str, index: str) -> None:
    names = [*SD, f"text_encoder/{piece}", f"text_encoder/{index}"]
    names.remove("text_encoder/model.fp16.safetensors")
    found = {name for name in chosen(names, variant="fp16") if name.startswith("text_encoder/")}
    assert found == {"text_encoder/config.json", f"text_encoder/{piece}", f"text_encoder/{index}"}
    assert f"text_encoder/{index}" not in chosen(names)


def test_a_single_file_s_configs_come_without_weights() -> None:
    assert chosen(SD, kind="configs") == CONFIGS


def test_a_safety_checker_comes_whole_with_a_single_file_s_configs_where_it_is_wanted() -> None:
    more = chosen(SD, kind="configs", without=frozenset()) - CONFIGS
    assert more == {"safety_checker/config.json", "safety_checker/model.safetensors"}
    unguarded = {name: value for name, value in SD_INDEX.items() if name != "safety_checker"}
    assert chosen(SD, kind="configs", without=frozenset(), index=unguarded) == CONFIGS


def test_a_part_that_the_index_names_and_the_repository_lacks_is_told() -> None:
    names = [name for name in SD if not name.startswith("unet/")]
    assert refusal(names).message == "them/it lacks unet, which its model_index.json names."


def test_a_part_in_no_format_that_is_served_is_told() -> None:
    names = [n for n in SD if not n.startswith("unet/") or n.endswith(("json", "msgpack"))]
    assert "them/it/unet has no weights in safetensors or .bin" in refusal(names).message


def test_a_repository_of_single_files_names_them_and_how_to_write_them() -> None:
    error = refusal(["README.md", "mine-v2.safetensors", "mine-v3.safetensors", "old.ckpt"])
    assert "them/it has no model_index.json" in error.message
    assert "mine-v2.safetensors, mine-v3.safetensors." in error.advice
    assert "old.ckpt" not in error.advice
    assert error.advice.endswith("such as hf://them/it/mine-v2.safetensors.")


def test_a_repository_of_many_files_names_some() -> None:
    error = refusal([f"{number:02}.safetensors" for number in range(20)])
    assert "07.safetensors and 12 more" in error.advice
    assert "08" not in error.advice


def test_a_named_file_is_taken_alone_whatever_it_is_for() -> None:
    for kind in ("pipeline", "part", "lora"):
        found = chosen(SD, kind=kind, path="v1-5-pruned-emaonly.safetensors")
        assert found == {"v1-5-pruned-emaonly.safetensors"}


def test_a_named_file_that_is_not_there_is_told() -> None:
    error = refusal(["a.safetensors"], path="b.safetensors")
    assert error.message == "them/it has no file or folder b.safetensors."
    assert "hf://them/it/a.safetensors" in error.advice


def test_a_vae_takes_its_config_and_one_file_of_weights() -> None:
    names = ["README.md", "config.json", "diffusion_pytorch_model.safetensors",
             "diffusion_pytorch_model.bin", "sdxl_vae.safetensors"]  # fmt: skip
    expected = {"config.json", "diffusion_pytorch_model.safetensors"}
    assert chosen(names, kind="part") == expected


def test_a_vae_can_be_a_folder_of_a_pipeline() -> None:
    expected = {"vae/config.json", "vae/diffusion_pytorch_model.safetensors"}
    assert chosen(SD, kind="part", path="vae") == expected
    half = {"vae/config.json", "vae/diffusion_pytorch_model.fp16.safetensors"}
    assert chosen(SD, kind="part", path="vae", variant="fp16") == half
    assert chosen(SD, kind="part", path="vae", variant="bf16") == expected, "the model's alone"
    assert "no config.json" in refusal(SD, kind="part").message


@pytest.mark.parametrize(
    ("names", "lora"),
    [
        (["README.md", "ink.safetensors", "ink.png"], "ink.safetensors"),
        (["a.safetensors", "pytorch_lora_weights.safetensors"], "pytorch_lora_weights.safetensors"),
    ],
    ids=["the only one", "the usual name"],
)
def test_a_lora_is_the_file_that_can_be_meant(names: list[str], lora: str) -> None:
    assert chosen(names, kind="lora") == {lora}


def test_a_lora_among_several_files_must_be_named() -> None:
    error = refusal(["a.safetensors", "b.safetensors"], kind="lora")
    assert error.message == "them/it has several files of weights."
    assert "hf://them/it/a.safetensors" in error.advice
    assert "no .safetensors file" in refusal(["lora.bin"], kind="lora").message


def test_an_index_that_says_nothing_gives_no_parts() -> None:
    assert chosen(SD, index=json.loads("{}")) == {"model_index.json"}
