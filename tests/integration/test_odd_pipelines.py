"""Pipelines of diffusers that count steps in their own way, or want more than other ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers import AutoPipelineForImage2Image
from engines import difference, paint, spec, task
from PIL import Image
from tiny_families import save_family

from img2imgd.engine.contract import check_contract
from img2imgd.engine.factory import create_engine
from img2imgd.engine.protocol import ModelUnavailable, StepDone

# diffusers' schedulers call numpy on tensors in a way that numpy 2 deprecates.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("one_thread"),
]


def test_a_latent_consistency_model_is_painted_by_the_pipeline_of_stable_diffusion(
    tmp_path: Path,
) -> None:
    """Its own runs as many steps at every strength; from pure noise they are the same."""
    image = tmp_path / "in.png"
    Image.radial_gradient("L").resize((32, 32)).convert("RGB").save(image)
    folder = save_family("lcm", tmp_path / "lcm")
    engine = create_engine("diffusers")
    info = engine.load(spec(folder, scheduler="lcm"))
    assert (info.family, info.pipeline) == ("sd1", "StableDiffusionImg2ImgPipeline")
    whole = task(image, strength=1.0, steps=4)
    plain: Any = AutoPipelineForImage2Image.from_pretrained(folder, requires_safety_checker=False)
    plain.set_progress_bar_config(disable=True)
    output = plain(
        whole.prompt,
        image=Image.open(image),
        strength=1.0,
        num_inference_steps=4,
        guidance_scale=whole.guidance_scale,
        generator=torch.Generator().manual_seed(whole.seed),
    )
    painted, _ = paint(engine, whole)
    assert difference(painted, np.asarray(output.images[0]).astype(np.int16)) == 0
    _, events = paint(engine, task(image, strength=0.5, steps=4))
    assert events == [StepDone("j1", 0, 1, 2), StepDone("j1", 0, 2, 2)]


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("FluxKontextPipeline", "knows no strength"),
        ("IFImg2ImgPipeline", "knows no callback_on_step_end"),
        ("FluxControlImg2ImgPipeline", "wants a control picture"),
        ("StableDiffusionControlNetImg2ImgPipeline", "wants a control picture"),
        ("Kandinsky3Img2ImgPipeline", "has no autoencoder"),
        ("KandinskyV22Img2ImgCombinedPipeline", "has no autoencoder"),
    ],
)
def test_pipelines_that_want_more_than_a_picture_and_a_prompt_are_refused_at_load(
    kind: str, told: str
) -> None:
    """What refuses them looks at the class alone, so none of their parts are made."""
    pipe = object.__new__(getattr(diffusers, kind))
    with pytest.raises(ModelUnavailable, match=f"Model mine: {kind} {told}"):
        check_contract(spec("somewhere"), pipe)
