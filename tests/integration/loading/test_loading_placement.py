"""Attention, the autoencoder's tiles, offloading: what is set, what is said of it in one line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import diffusers
import pytest
import torch
from engines import difference, paint, pixels, refusal, spec, task
from forms import Forms

from img2imgd.engine import cards
from img2imgd.engine.devices import choose_device, choose_dtype
from img2imgd.engine.diffusers_engine import DiffusersEngine
from img2imgd.engine.factory import create_engine
from img2imgd.engine.loading import load_pipeline
from img2imgd.engine.placement import set_attention
from img2imgd.engine.protocol import ModelSpec, ModelUnavailable, RefinerSpec

pytestmark = [
    # diffusers' schedulers call numpy on tensors in a way that numpy 2 deprecates.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("one_thread", "no_network"),
]


@pytest.mark.parametrize("attention", ["sdpa", "eager", "sliced"])
@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_every_way_to_compute_attention_paints_the_same_picture(
    forms: Mapping[str, Forms], image: Path, family: str, attention: str
) -> None:
    model = spec(forms[family].folder, attention=attention)
    pipe, _ = load_pipeline(model)
    used = {type(processor).__name__ for processor in pipe.unet.attn_processors.values()}
    names = {"sdpa": "AttnProcessor2_0", "eager": "AttnProcessor", "sliced": "SlicedAttnProcessor"}
    assert used == {names[attention]}
    assert difference(pixels(model, image), pixels(spec(forms[family].folder), image)) <= 1


def test_attention_that_is_not_installed_is_told(forms: Mapping[str, Forms]) -> None:
    error = refusal(spec(forms["sd1"].folder, attention="xformers"))
    assert "the package xformers is not installed" in error.message
    assert error.advice == "Set `engine.attention` to auto or install it."


@pytest.mark.parametrize(("attention", "backend"), [("sdpa", "native"), ("eager", "_native_math")])
def test_transformers_have_diffusers_own_switch(attention: str, backend: str) -> None:
    pipe = SimpleNamespace(unet=None, transformer=tiny_transformer())
    assert set_attention(spec("x", attention=attention), pipe) == attention
    used = {
        module.processor._attention_backend
        for module in pipe.transformer.modules()
        if hasattr(module, "processor")
    }
    pipe.transformer.reset_attention_backend()  # it is the whole process's too
    assert [str(one.value) for one in used] == [backend]


def test_attention_that_a_model_cannot_compute_is_told() -> None:
    pipe = SimpleNamespace(unet=None, transformer=tiny_transformer())
    with pytest.raises(ModelUnavailable, match="FluxTransformer2DModel knows no slices"):
        set_attention(spec("x", attention="sliced"), pipe)


def tiny_transformer() -> Any:
    return diffusers.FluxTransformer2DModel(
        in_channels=4, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=1, joint_attention_dim=16, pooled_projection_dim=16,
        axes_dims_rope=(4, 4, 8),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("tiling", "side", "tiled"), [("auto", 1536, False), ("auto", 1544, True), (False, 1544, False)]
)
def test_the_autoencoder_tiles_only_what_is_larger_than_any_native_size(
    forms: Mapping[str, Forms], tiling: bool | str, side: int, tiled: bool
) -> None:
    pipe, _ = load_pipeline(spec(forms["sd1"].folder, vae_tiling=tiling))
    latents: list[int] = []

    def look(_: object, inputs: tuple[torch.Tensor, ...]) -> None:
        latents.append(inputs[0].shape[-2])

    pipe.vae.decoder.register_forward_pre_hook(look)
    with torch.inference_mode():
        decoded = pipe.vae.decode(torch.zeros(1, 4, side // 2, 8)).sample
    assert decoded.shape[-2:] == (side, 16)
    assert (len(latents) > 1) == tiled
    assert max(latents) <= (768 if tiled else side // 2)


def test_tiles_can_be_asked_for_at_every_size(forms: Mapping[str, Forms]) -> None:
    pipe, _ = load_pipeline(spec(forms["sd1"].folder, vae_tiling=True, vae_slicing=True))
    assert pipe.vae.use_tiling
    assert pipe.vae.use_slicing
    assert pipe.vae.tile_sample_min_size == pipe.vae.config.sample_size


def test_a_large_picture_in_tiles_is_nearly_the_one_that_passes_whole(
    forms: Mapping[str, Forms],
) -> None:
    pipe, _ = load_pipeline(spec(forms["sd1"].folder))
    latents = torch.linspace(-1, 1, 4 * 784 * 8).reshape(1, 4, 784, 8)
    with torch.inference_mode():
        tiled = pipe.vae.decode(latents).sample
        pipe.vae.disable_tiling()
        whole = pipe.vae.decode(latents).sample
    assert tiled.shape == whole.shape
    assert 0 < float((tiled - whole).abs().mean()) < 0.25 * float(whole.std())


def test_one_line_tells_what_was_chosen_and_why(
    forms: Mapping[str, Forms], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "img2imgd.engine")
    form = forms["sdxl"]
    _, info = load_pipeline(
        spec(
            form.file,
            config=str(form.folder),
            device="auto",
            offload="model",
            attention="eager",
            refiner=RefinerSpec(str(forms["sdxl_refiner"].folder)),
        )
    )
    (line,) = [one.getMessage() for one in caplog.records if one.levelname == "INFO"]
    assert line == (
        f"model loaded model=mine family=sdxl source={form.file} weights={info.weights[:10]} "
        f"refiner={info.refiner[:10]} pipeline=StableDiffusionXLRefinedImg2ImgPipeline "
        "device=cpu (auto: torch finds no GPU) "
        "dtype=float32 (auto: on a CPU) attention=eager "
        "vae=float32 tiled above 1536 px (auto) offload=none (model is for GPUs) "
        "speed=plain loras=0 embeddings=0"
    )


@pytest.mark.parametrize(
    ("device", "transformer", "told"),
    [
        ("cuda", False, "float16 (auto: UNet on CUDA)"),
        ("mps", False, "float16 (auto: UNet on MPS)"),
        ("mps", True, "bfloat16 (auto: transformer on MPS)"),
        ("cpu", True, "float32 (auto: on a CPU)"),
    ],
)
def test_the_number_format_suits_device_and_model(
    device: str, transformer: bool, told: str
) -> None:
    chosen = choose_dtype(ModelSpec("m", "m"), torch.device(device), transformer=transformer)
    assert str(chosen) == told


@pytest.mark.parametrize(("native", "told"), [(True, "bfloat16 ("), (False, "float16 (")])
def test_a_gpu_that_only_emulates_bfloat16_computes_transformers_in_fp16(
    monkeypatch: pytest.MonkeyPatch, native: bool, told: str
) -> None:
    asked: list[torch.device] = []

    @contextlib.contextmanager
    def current(device: torch.device) -> Iterator[None]:
        asked.append(device)
        yield

    def supported(including_emulation: bool = True) -> bool:
        return native or including_emulation

    monkeypatch.setattr(torch.cuda, "device", current)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    device = torch.device("cuda:1")
    assert str(choose_dtype(ModelSpec("m", "m"), device, transformer=True)).startswith(told)
    assert asked == [device], "another GPU may be of another make"


@pytest.mark.parametrize(("there", "told"), [(True, "cuda (auto: the first GPU)"), (False, "cpu")])
def test_a_gpu_is_taken_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, there: bool, told: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert str(choose_device(ModelSpec("m", "m"))).startswith(told)
    assert str(choose_device(ModelSpec("m", "m", device="cpu"))) == "cpu (engine.device)"


def test_a_card_that_cannot_be_used_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As in a service without gpu.conf: the driver's card is in /proc, and no device is there."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(cards, "CARDS", tmp_path)
    chosen = choose_device(ModelSpec("m", "m"))
    assert str(chosen) == "cpu (auto: torch cannot use the NVIDIA card)"
    assert "gpu.conf" in caplog.text


@pytest.mark.parametrize("form", ["folder", "file"])
def test_sdxls_autoencoder_computes_in_fp32_where_the_rest_is_in_half_precision(
    forms: Mapping[str, Forms], image: Path, form: str
) -> None:
    """It was trained without regard for the range of fp16: its config says ``force_upcast``."""
    sdxl = forms["sdxl"]
    source, config = (sdxl.folder, None) if form == "folder" else (sdxl.file, str(sdxl.folder))
    engine = create_engine("diffusers")
    assert isinstance(engine, DiffusersEngine)
    engine.load(spec(source, config=config, dtype="fp16"))
    pipe = engine._pipe
    assert pipe.unet.dtype == torch.float16
    computed: list[torch.dtype] = []

    def look(_: object, inputs: tuple[torch.Tensor, ...]) -> None:
        computed.append(inputs[0].dtype)

    pipe.vae.encoder.register_forward_pre_hook(look)
    pipe.vae.decoder.register_forward_pre_hook(look)
    painted, _ = paint(engine, task(image))
    assert computed == [torch.float32, torch.float32]
    assert difference(painted, pixels(spec(sdxl.folder), image)) < 60
    assert pipe.vae.dtype == torch.float32, "it is not turned to and fro for each picture"
