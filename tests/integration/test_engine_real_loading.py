"""What the plain engine makes of models, good and bad, and what it says of the bad ones."""

from __future__ import annotations

import json
import shutil
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler
from engines import refusal, spec
from PIL import Image
from tiny_model import save_lora, save_tiny_model

import img2imgd
from img2imgd.engine import loading
from img2imgd.engine.devices import is_device_lost
from img2imgd.engine.factory import create_engine
from img2imgd.engine.families import native_size, size_multiple
from img2imgd.engine.loading import load_pipeline
from img2imgd.engine.protocol import (
    EmbeddingSpec,
    EngineEvent,
    FramePainted,
    FrameRefused,
    FrameTask,
    LoraSpec,
    ModelSpec,
    ModelUnavailable,
)
from img2imgd.outputs.orders import FrameFile
from img2imgd.pool.messages import FrameStaged, ModelFailed, PoolEvent
from img2imgd.pool.supervision import WorkerPool

pytestmark = [
    # diffusers' schedulers call numpy on tensors in a way that numpy 2 deprecates.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    # diffusers passes a word to huggingface_hub that it does not know any more.
    pytest.mark.filterwarnings("ignore:The `local_dir_use_symlinks`:UserWarning"),
]

DEMO = Path(img2imgd.__file__).parent / "demo_model"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "model")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "in.png"
    Image.radial_gradient("L").resize((32, 32)).convert("RGB").save(path)
    return path


def paint(model: ModelSpec, image: Path) -> EngineEvent:
    engine = create_engine("diffusers")
    engine.load(model)
    engine.admit(FrameTask("j1", 0, image, "a lake", "", 1, 1.0, 5.0, 2, 2))
    events: list[EngineEvent] = []
    while not engine.idle():
        engine.step(events.append)
    return events[-1]


def pixels(model: ModelSpec, image: Path) -> bytes:
    event = paint(model, image)
    assert isinstance(event, FramePainted), event
    return event.pixels


def test_a_folder_is_loaded_with_euler_and_its_own_prediction_type(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "v", "v_prediction")
    pipe, info = load_pipeline(spec(folder))
    assert (info.name, info.native_size, info.multiple) == ("mine", 32, 4)
    assert (info.device, info.dtype) == ("cpu", "float32")
    assert (info.pipeline, info.family) == ("StableDiffusionImg2ImgPipeline", "sd1")
    assert isinstance(pipe.scheduler, EulerDiscreteScheduler)
    assert pipe.scheduler.config.prediction_type == "v_prediction"
    assert pipe.scheduler.config.timestep_spacing == "leading"


def test_weights_stored_in_half_precision_are_computed_in_fp32_on_a_cpu() -> None:
    pipe, info = load_pipeline(spec(DEMO))
    assert info.dtype == "float32"
    assert {part.dtype for part in (pipe.unet, pipe.vae, pipe.text_encoder)} == {torch.float32}


def test_a_text_to_image_folder_is_loaded_as_image_to_image(copy: Path) -> None:
    edit_index(copy, lambda index: index | {"_class_name": "StableDiffusionPipeline"})
    assert load_pipeline(spec(copy))[1].pipeline == "StableDiffusionImg2ImgPipeline"


def test_half_precision_is_computed_on_a_cpu_too_and_nobody_says_that_it_cannot(
    whole: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert load_pipeline(spec(whole, dtype="fp16"))[1].dtype == "float16"
    assert (capfd.readouterr().err, caplog.messages) == ("", [])


def test_the_number_format_and_the_scheduler_can_be_named(whole: Path) -> None:
    pipe, info = load_pipeline(spec(whole, dtype="bf16", scheduler="ddim"))
    assert info.dtype == "bfloat16"
    assert pipe.unet.dtype == torch.bfloat16
    assert type(pipe.scheduler).__name__ == "DDIMScheduler"


def test_another_vae_can_be_named(whole: Path, tmp_path: Path, image: Path) -> None:
    torch.manual_seed(1)
    AutoencoderKL.from_config(AutoencoderKL.load_config(whole / "vae")).save_pretrained(
        tmp_path / "vae"
    )
    own = pixels(spec(whole), image)
    assert pixels(spec(whole, vae=str(tmp_path / "vae")), image) != own
    assert pixels(spec(whole, vae=str(whole / "vae")), image) == own


def test_a_lora_changes_the_picture_by_its_weight(whole: Path, tmp_path: Path, image: Path) -> None:
    file = save_lora(whole, tmp_path / "ink.safetensors")
    full, half, none = (
        pixels(spec(whole, loras=(LoraSpec(str(file), weight),)), image)
        for weight in (1.0, 0.5, 0.0)
    )
    assert len({full, half, none}) == 3
    assert none == pixels(spec(whole), image)


def test_a_lora_that_is_not_there_is_named(whole: Path, tmp_path: Path) -> None:
    lora = LoraSpec(str(tmp_path / "absent.safetensors"))
    assert "the LoRA" in refusal(spec(whole, loras=(lora,))).message


def test_a_flagged_picture_is_refused_only_where_the_checker_is_asked_for(
    tmp_path: Path, image: Path
) -> None:
    folder = save_tiny_model(tmp_path / "strict", strict_checker=True)
    event = paint(spec(folder, safety_checker=True), image)
    assert isinstance(event, FrameRefused)
    assert "safety checker" in event.reason
    assert not event.out_of_memory
    assert any(pixels(spec(folder), image))


def test_loading_replaces_the_model_before(whole: Path, tmp_path: Path, image: Path) -> None:
    engine = create_engine("diffusers")
    engine.load(spec(whole))
    other = engine.load(spec(save_tiny_model(tmp_path / "v", "v_prediction"), name="other"))
    assert other.name == "other"
    engine.admit(FrameTask("j1", 0, image, "a lake", "", 1, 1.0, 5.0, 2, 2))
    events: list[EngineEvent] = []
    while not engine.idle():
        engine.step(events.append)
    assert isinstance(events[-1], FramePainted)
    assert events[-1].pixels == pixels(spec(tmp_path / "v"), image)


@pytest.mark.parametrize(
    ("raised", "lost", "told"),
    [
        (torch.AcceleratorError("CUDA error: unspecified launch failure"), True, "has failed"),
        (torch.AcceleratorError("CUDA error: out of memory"), False, "does not fit"),
        (ValueError("tea"), False, "tea"),
    ],
)
def test_a_failed_load_frees_what_it_held_and_says_whether_the_device_is_lost(
    whole: Path, monkeypatch: pytest.MonkeyPatch, raised: Exception, lost: bool, told: str
) -> None:
    held: list[weakref.ref[object]] = []

    def fail(_: object, pipe: Any, __: object) -> str:
        held.append(weakref.ref(pipe.unet))
        raise raised

    monkeypatch.setattr(loading, "place", fail)
    with pytest.raises(ModelUnavailable, match=told) as caught:
        create_engine("diffusers").load(spec(whole))
    assert caught.value.engine_lost == lost
    assert held[0]() is None


def test_a_gpu_that_the_machine_has_not_is_no_lost_device() -> None:
    assert not is_device_lost(torch.AcceleratorError("CUDA error: invalid device ordinal"))
    assert is_device_lost(RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling"))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    assert f"there is no folder {absent}" in refusal(spec(absent)).message


def test_a_folder_of_no_model_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path} has no model_index.json" in refusal(spec(tmp_path)).message


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    absent = tmp_path / "absent.safetensors"
    assert f"there is no file {absent}" in refusal(spec(absent)).message
    assert f"there is no VAE {absent}" in refusal(spec(DEMO, vae=str(absent))).message


@pytest.mark.parametrize("name", ["model.ckpt", "model.PT", "model.bin"])
def test_pickles_are_never_opened(whole: Path, tmp_path: Path, name: str) -> None:
    pickle = tmp_path / name
    pickle.write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    for model in (
        spec(pickle),
        spec(whole, vae=str(pickle)),
        spec(whole, loras=(LoraSpec(str(pickle)),)),
        spec(whole, embeddings=(EmbeddingSpec(str(pickle), "x"),)),
    ):
        error = refusal(model)
        assert f"{pickle} is of a kind that can run code" in error.message
        assert ".safetensors" in error.advice


def test_a_checker_that_is_asked_for_and_is_not_there_is_told(whole: Path) -> None:
    assert "has no safety checker" in refusal(spec(whole, safety_checker=True)).message


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
@pytest.mark.parametrize("keep", [0, 100, 0.5])
def test_weights_cut_short_are_named(copy: Path, part: str, keep: float) -> None:
    (file,) = (copy / part).glob("*.safetensors")
    data = file.read_bytes()
    file.write_bytes(data[: int(keep if keep > 1 else keep * len(data))])
    error = refusal(spec(copy))
    assert f"damaged weights: {file} (" in error.message
    assert "again" in error.advice


def test_a_vae_folder_that_is_none_is_told_what_it_must_be(whole: Path, tmp_path: Path) -> None:
    vae = shutil.copytree(whole / "vae", tmp_path / "vae")
    (vae / "config.json").write_text("{}")
    error = refusal(spec(whole, vae=str(vae)))
    assert f"{vae} could not be loaded" in error.message
    assert "must hold an autoencoder" in error.advice


def test_a_vae_is_loaded_in_the_rows_variant_where_it_has_that(
    copy: Path, tmp_path: Path, image: Path
) -> None:
    torch.manual_seed(1)
    half = AutoencoderKL.from_config(AutoencoderKL.load_config(copy / "vae"))
    vae = tmp_path / "vae"
    half.save_pretrained(vae, variant="fp16")
    for part in ("unet", "vae", "text_encoder"):
        (file,) = (copy / part).glob("*.safetensors")
        shutil.copy(file, file.with_suffix(".fp16.safetensors"))
    with_half = spec(copy, variant="fp16", vae=str(vae))
    assert pixels(with_half, image) != pixels(spec(copy), image)
    half.save_pretrained(vae)
    plain = vae / "diffusion_pytorch_model.safetensors"
    expected = pixels(with_half, image)
    (vae / "diffusion_pytorch_model.fp16.safetensors").unlink()
    assert plain.exists()
    assert pixels(with_half, image) == expected


def test_weights_that_are_missing_are_named(copy: Path) -> None:
    (file,) = (copy / "unet").glob("*.safetensors")
    file.unlink()
    assert str(copy / "unet") in refusal(spec(copy)).message


def test_an_index_that_is_no_json_is_named(copy: Path) -> None:
    (copy / "model_index.json").write_text('{"_class_name": "Stab')
    assert "model_index.json' is not a valid JSON file" in refusal(spec(copy)).message


def test_a_pipeline_of_no_known_family_is_named(copy: Path) -> None:
    edit_index(copy, lambda index: index | {"_class_name": "TeaPotPipeline"})
    error = refusal(spec(copy))
    assert "no image-to-image form" in error.message
    assert "TeaPotPipeline" in error.message


def test_a_variant_that_is_missing_is_told(whole: Path) -> None:
    assert "variant=fp16" in refusal(spec(whole, variant="fp16")).message


def test_a_name_that_no_hub_model_can_have_is_told() -> None:
    assert "there is no folder a/b/c" in refusal(spec("a/b/c")).message


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"device": "cuda:7"}, "'cuda:7' cannot be used"),
        ({"device": "toaster"}, "'toaster' cannot be used"),
        ({"device": "mps"}, "the device 'mps' cannot be used: this machine has none."),
        ({"dtype": "fp12"}, "'fp12'"),
        ({"scheduler": "tea"}, "'tea'"),
    ],
)
def test_settings_that_this_machine_or_model_cannot_serve_are_named(
    whole: Path, changes: dict[str, object], named: str
) -> None:
    message = refusal(spec(whole, **changes)).message
    assert named in message
    assert message.endswith("."), "what to do is told behind it, on the same line"


class Unet:
    """The few facts of a denoiser and its pipeline that sizes follow from."""

    def __init__(self, config: dict[str, object]) -> None:
        self.config = config


class Shape:
    vae_scale_factor = 8
    unet: Unet | None = None
    transformer: Unet | None = None
    default_sample_size: int | None = None


@pytest.mark.parametrize(
    ("part", "config", "default", "size", "multiple"),
    [
        ("unet", {"sample_size": 64, "block_out_channels": (320, 640, 1280, 1280)}, None, 512, 64),
        ("unet", {"sample_size": 96, "block_out_channels": (320, 640, 1280, 1280)}, None, 768, 64),
        ("unet", {"sample_size": 128, "block_out_channels": (320, 640, 1280)}, 128, 1024, 32),
        ("transformer", {"sample_size": 128, "patch_size": 2}, None, 1024, 16),
        ("transformer", {"patch_size": 1}, 128, 1024, 16),
        ("unet", {"sample_size": [48, 64], "block_out_channels": (8, 8)}, None, 512, 16),
        ("unet", {"sample_size": None, "block_out_channels": (8, 8, 8, 8)}, None, 512, 64),
    ],
    ids=["sd1", "sd2", "sdxl", "sd3", "flux", "oblong", "silent"],
)
def test_sizes_follow_from_the_shape_of_the_model(
    part: str, config: dict[str, object], default: int | None, size: int, multiple: int
) -> None:
    pipe = Shape()
    pipe.default_sample_size = default
    setattr(pipe, part, Unet(config))
    assert (native_size(pipe), size_multiple(pipe)) == (size, multiple)


def edit_index(folder: Path, edit: Callable[[dict[str, object]], dict[str, object]]) -> None:
    path = folder / "model_index.json"
    path.write_text(json.dumps(edit(json.loads(path.read_text()))))


def test_a_worker_paints_with_the_embedded_model_and_says_nothing_needless(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "img2imgd")  # which the worker takes over
    Image.radial_gradient("L").resize((128, 128)).convert("RGB").save(tmp_path / "in.png")
    pool = WorkerPool("diffusers", offline=True)
    pool.load(spec(DEMO, name="demo"))
    pool.admit(
        FrameTask("j1", 0, tmp_path / "in.png", "a lake", "blurry", 1, 0.2, 7.5, 10, 2),
        FrameFile(tmp_path / "out.png"),
    )
    events: list[PoolEvent] = []
    deadline = time.monotonic() + 120
    while pool.admitted and time.monotonic() < deadline:
        events += pool.poll(1)
    pool.load(spec(tmp_path / "absent"))
    while not isinstance(events[-1], ModelFailed) and time.monotonic() < deadline:
        events += pool.poll(1)
    pool.stop(grace=30)
    assert FrameStaged("j1", 0) in events
    with Image.open(tmp_path / "out.png") as painted:
        assert painted.size == (128, 128)
    out, err = capfd.readouterr()
    assert out == ""
    said = err.splitlines()
    assert [line for line in said if " INFO " not in line] == []
    assert any("model loaded model=demo" in line for line in said)


def test_the_embedded_model_names_no_folder_of_the_machine_that_made_it() -> None:
    texts = [path.read_text() for path in DEMO.rglob("*.json")]
    assert len(texts) > 5
    assert not any("_name_or_path" in text or str(DEMO) in text for text in texts)


def test_the_embedded_model_carries_its_card() -> None:
    card = Path(__file__).parents[2] / "tools" / "demo_model" / "MODEL_CARD.md"
    assert (DEMO / "README.md").read_text() == card.read_text()
