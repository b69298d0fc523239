"""Keys that a model ignores: real drops on Flux are refused for what their sidecar has of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engines import difference, paint, spec, task
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from rig import Rig
from tiny_families import save_family

from img2imgd.config.sections import EngineConfig, ModelConfig
from img2imgd.engine.factory import create_engine
from img2imgd.job import JobState
from img2imgd.outputs.recipe import Recipe
from img2imgd.pool.supervision import WorkerPool
from img2imgd.reader.carriers import find_infotext, find_recipe

# diffusers' schedulers call numpy on tensors in a way that numpy 2 deprecates.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("one_thread"),
]

RigMaker = Callable[..., Rig]
PROMPT = "prompt: a lake\nseed: 7\nsteps: 2\n"


@pytest.fixture(scope="module")
def worker() -> Iterator[WorkerPool]:
    pool = WorkerPool("diffusers", offline=True)
    yield pool
    pool.stop(10)


@pytest.fixture
def rig(
    make_rig: RigMaker, worker: WorkerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Rig:
    monkeypatch.setattr(
        "rig.DEADLINE", 240
    )  # a worker imports torch, on a machine that may be busy
    models = {
        "dev": ModelConfig(source=str(save_family("flux", tmp_path / "dev")), size=64),
        "fast": ModelConfig(source=str(save_family("flux_schnell", tmp_path / "fast")), size=64),
    }
    engine = EngineConfig(device="cpu", idle_unload=None)
    return make_rig(models=models, model="dev", engine=engine, offline=True, shared=worker)


def serve(rig: Rig, **sidecars: str) -> dict[str, tuple[JobState, str]]:
    """Drop a picture with each sidecar; how each of them ended, and why."""
    for name, text in sidecars.items():
        rig.picture(f"{name}.png")
        rig.drop(f"{name}.yaml", PROMPT + text)
    rig.claim()
    rows = rig.serve()
    return {Path(row.spec.rel).stem: (row.state, row.reason or "") for row in rows}


def test_a_written_negative_prompt_is_refused_and_the_configs_own_is_left_out(rig: Rig) -> None:
    ended = serve(
        rig,
        plain="guidance_scale: 3.5\n",
        none='negative_prompt: ""\n',
        written="negative_prompt: blur\n",
        weighted="prompt_syntax: a1111\n",
    )
    assert ended.pop("weighted")[1].startswith("The model dev (family flux) knows no prompt_syntax")
    assert ended.pop("written") == (
        JobState.FAILED,
        "The model dev (family flux) knows no negative_prompt.\n"
        "Leave negative_prompt out of the sidecar, or name another model.",
    )
    assert {state for state, _ in ended.values()} == {JobState.DONE}
    assert "knows no negative_prompt" in rig.reason("written.png")


def test_a_written_guidance_scale_is_refused_where_the_model_has_none(rig: Rig) -> None:
    fast = "model: fast\n"
    ended = serve(
        rig,
        plain=fast,
        as_its_card_says=fast + "guidance_scale: 0\n",
        scaled=fast + "guidance_scale: 3.5\nnegative_prompt: blur\n",
        swept=fast + "sweep: {guidance_scale: [1, 3]}\n",
    )
    assert ended["scaled"][1].startswith(
        "The model fast (family flux) knows no negative_prompt and no guidance_scale."
    )
    assert "knows no guidance_scale" in ended["swept"][1]
    assert [ended[name][0] for name in ("plain", "as_its_card_says")] == [JobState.DONE] * 2


def test_only_the_sidecar_asks_and_neither_defaults_nor_the_pictures_own_parameters(
    make_rig: RigMaker,
) -> None:
    rig = make_rig(read_metadata=True)
    rig.drop("_defaults.yaml", "prompt: a lake\nnegative_prompt: blur\nguidance_scale: 7\n")
    own = PngInfo()
    own.add_text("parameters", "a lake\nNegative prompt: blur\nSteps: 4, CFG scale: 7, Seed: 1")
    for name in ("default", "carrying", "beside"):
        rig.picture(f"{name}.png")
        path = rig.folder / f"{name}.png"
        with Image.open(path) as picture:
            picture.save(path, pnginfo=own if name == "carrying" else None)
    rig.drop("beside.yaml", "guidance_scale: 7\n")
    asked = {row.spec.rel: row.spec.asked for row in rig.claim()}
    assert {request.guidance_scale for request in asked.values()} == {7}
    assert {rel: request.asked_of_model for rel, request in asked.items()} == {
        "default.png": (),
        "carrying.png": (),
        "beside.png": ("guidance_scale",),
    }


def test_an_output_claims_nothing_that_had_no_effect_and_its_recipe_can_be_dropped(
    rig: Rig,
) -> None:
    serve(rig, first="model: fast\n")
    (first,) = rig.outputs()
    with Image.open(rig.config.outbox / first) as output:
        infotext, recipe = find_infotext(output) or "", find_recipe(output) or ""
    assert "Seed: 7" in infotext
    assert "Negative prompt" not in infotext
    assert "CFG scale" not in infotext
    assert "a lake" in recipe
    assert "negative_prompt" not in recipe
    assert "guidance_scale" not in recipe
    rig.picture("again.png")
    rig.drop("again.yaml", Recipe.from_json(recipe, first).sidecar(whole_job=True))
    rig.claim()
    assert [row.state for row in rig.serve()] == [JobState.DONE] * 2
    again = next(name for name in rig.outputs() if name != first)
    with (
        Image.open(rig.config.outbox / first) as one,
        Image.open(rig.config.outbox / again) as other,
    ):
        assert one.tobytes() == other.tobytes()


IGNORED = {
    "sd1": set(),
    "sd2": set(),
    "sdxl": set(),
    "sdxl_refiner": set(),
    "lcm": {"negative_prompt"},
    "sd3": {"prompt_syntax"},
    "qwenimage": {"prompt_syntax"},
    "zimage": {"prompt_syntax"},
    "flux": {"negative_prompt", "prompt_syntax"},
    "flux_schnell": {"negative_prompt", "guidance_scale", "prompt_syntax"},
}


@pytest.mark.parametrize("family", IGNORED)
def test_what_a_family_is_said_to_ignore_changes_no_pixel_and_all_else_does(
    family: str, tmp_path: Path
) -> None:
    image = tmp_path / "in.png"
    Image.radial_gradient("L").resize((32, 32)).convert("RGB").save(image)
    engine = create_engine("diffusers")
    ignored = engine.load(spec(save_family(family, tmp_path / family))).ignores
    assert set(ignored) == IGNORED[family]
    changes = {"negative_prompt": "zz zz, qq", "guidance_scale": 9.0, "prompt_syntax": "a1111"}
    own, _ = paint(engine, task(image, prompt="a (cat:1.4)"))
    for key, other in changes.items():
        painted, _ = paint(engine, task(image, prompt="a (cat:1.4)", **{key: other}))
        assert (difference(painted, own) == 0) == (key in ignored), key


ROWS = {
    "SD 1.x, SD 2.x, SDXL and its refiner": ("sd1", "sd2", "sdxl", "sdxl_refiner"),
    "latent consistency models (LCM)": ("lcm",),
    "Stable Diffusion 3 and 3.5": ("sd3",),
    "Flux.1 dev and its finetunes": ("flux",),
    "Flux.1 schnell": ("flux_schnell",),
    "Qwen-Image": ("qwenimage",),
    "Z-Image": ("zimage",),
}


def test_the_page_on_models_says_the_same() -> None:
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text()
    table = page.partition("| family | `negative_prompt` |")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    assert [row[0] for row in rows] == list(ROWS)
    for name, negative, guidance, syntax, *_ in rows:
        said = {"negative_prompt": negative, "guidance_scale": guidance, "prompt_syntax": syntax}
        for family in ROWS[name]:
            assert {key for key, word in said.items() if word == "no"} == IGNORED[family], name
