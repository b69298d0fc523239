"""Schedulers by name: which there are, what others call them, and what a wrong one is answered."""

from __future__ import annotations

import pytest

from img2imgd.errors import DocumentError
from img2imgd.request import SCHEDULER_NAMES, a1111_name, read_sidecar, scheduler_named
from img2imgd.request.schedulers import BASES, OWN, SCHEDULERS


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("Euler", "euler"),
        ("Euler a", "euler_a"),
        ("EULER  A", "euler_a"),
        ("DPM2 a", "dpm2_a"),
        ("DPM++ 2M", "dpm++_2m"),
        ("DPM++ 2M Karras", "dpm++_2m_karras"),
        ("DPM++ 2M SDE Exponential", "dpm++_2m_sde_exponential"),
        ("DPM++ SDE", "dpm++_sde"),
        ("LMS Karras", "lms_karras"),
        ("PLMS", "plms"),
        ("DDIM", "ddim"),
        ("UniPC", "unipc"),
        ("LCM", "lcm"),
        ("k_euler_ancestral", "euler_a"),
        ("k_dpmpp_2m_ka", "dpm++_2m_karras"),
        ("dpmpp_2m_sde_k", "dpm++_2m_sde_karras"),
        ("uni_pc", "unipc"),
        ("dpm_2_ancestral", "dpm2_a"),
        ("EulerDiscreteScheduler", "euler"),
        ("EulerAncestralDiscreteScheduler", "euler_a"),
        ("DPMSolverMultistepScheduler", "dpm++_2m"),
        ("DPMSolverSinglestepScheduler", "dpm++_2s"),
        ("DPMSolverSDEScheduler", "dpm++_sde"),
        ("KDPM2AncestralDiscreteScheduler", "dpm2_a"),
        ("PNDMScheduler", "pndm"),
        ("own", "own"),
    ],
)
def test_the_words_of_other_programs_are_understood(words: str, name: str) -> None:
    assert scheduler_named(words) == name


@pytest.mark.parametrize(
    "words", ["Restart", "DPM++ 2S a Karras", "DPM fast", "DPM adaptive", "Euler a Karras", "k", ""]
)
def test_what_there_is_not_is_no_scheduler(words: str) -> None:
    assert scheduler_named(words) is None


@pytest.mark.parametrize("name", SCHEDULER_NAMES)
def test_a_name_names_itself(name: str) -> None:
    assert scheduler_named(name) == name


@pytest.mark.parametrize(
    ("sampler", "schedule_type", "name"),
    [
        ("DPM++ 2M", "Karras", "dpm++_2m_karras"),
        ("DPM++ 2M", "Uniform", "dpm++_2m"),
        ("Euler", "Normal", "euler"),
        ("Euler", "Beta", "euler_beta"),
        ("Euler", "SGM Uniform", "euler_trailing"),
        ("Euler", "SGMUniform", "euler_trailing"),
        ("Euler", "Simple", "euler_trailing"),
        ("Euler", "DDIM", "euler_leading"),
        ("DPM++ 2M Karras", "Karras", "dpm++_2m_karras"),
        ("DPM++ 2M Karras", "Exponential", None),
        ("Euler a", "Karras", None),
        ("Euler", "Align Your Steps", None),
        ("Restart", "Karras", None),
    ],
)
def test_a_schedule_type_becomes_the_suffix(
    sampler: str, schedule_type: str, name: str | None
) -> None:
    assert scheduler_named(sampler, schedule_type) == name


@pytest.mark.parametrize(
    ("sampler", "name"),
    [
        ("DPM++ 2M", "dpm++_2m_karras"),
        ("DPM++ SDE", "dpm++_sde_karras"),
        ("DPM++ 2M SDE", "dpm++_2m_sde_exponential"),
        ("DPM2 a", "dpm2_a_karras"),
        ("Euler", "euler"),
        ("Euler a", "euler_a"),
        ("DDIM", "ddim"),
    ],
)
def test_automatic_is_what_a1111_takes_for_the_sampler(sampler: str, name: str) -> None:
    assert scheduler_named(sampler, "Automatic") == name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("euler", ("Euler", None)),
        ("dpm++_2m_karras", ("DPM++ 2M", "Karras")),
        ("dpm++_2m", ("DPM++ 2M", "Uniform")),
        ("euler_a_trailing", ("Euler a", "SGM Uniform")),
        ("own", None),
    ],
)
def test_names_are_written_in_a1111s_words(name: str, words: tuple[str, str | None] | None) -> None:
    assert a1111_name(name) == words


@pytest.mark.parametrize("name", SCHEDULERS)
def test_what_is_written_in_a1111s_words_is_read_as_the_same(name: str) -> None:
    """But that A1111 has no word for linspace other than its usual schedule, and one for PLMS."""
    words = a1111_name(name)
    assert words is not None
    meant = {"plms": "pndm"}.get(name, name).replace("plms_", "pndm_").removesuffix("_linspace")
    read = scheduler_named(*words)
    assert read is not None
    assert read.replace("plms", "pndm") == meant


def refusal(name: object) -> str:
    with pytest.raises(DocumentError) as caught:
        read_sidecar("cat.yaml", f"prompt: a\nscheduler: {name}\n".encode())
    return str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("DPM++ 2M Karras", "dpm++_2m_karras"),
        ("Euler a", "euler_a"),
        ("dpmpp_2m", "dpm++_2m"),
        ("dpm++_2m_karas", "dpm++_2m_karras"),
        ("HeunDiscreteScheduler", "heun"),
        ("euler_k", "euler_karras"),
        ("oiler", "euler"),
    ],
)
def test_a_wrong_name_is_answered_with_the_one_that_was_meant(wrong: str, meant: str) -> None:
    told = refusal(wrong)
    assert "line 2, scheduler: there is no scheduler" in told
    assert f"Did you mean `{meant}`?" in told


def test_a_suffix_that_a_scheduler_cannot_have_is_answered_with_those_it_can() -> None:
    assert refusal("euler_a_karras") == (
        "cat.yaml: line 2, scheduler: euler_a cannot be had with that suffix; found "
        "“euler_a_karras”. There is: euler_a, euler_a_trailing, euler_a_leading, euler_a_linspace."
    )


def test_a_name_like_no_other_is_answered_with_all() -> None:
    told = refusal("watercolour")
    assert all(base.name in told for base in BASES)
    assert OWN in told
    assert "_karras" in told


def test_a_scheduler_is_a_text() -> None:
    assert "must be text" in refusal(3)


@pytest.mark.parametrize("key", ["sampler", "sampler_name", "Sampler"])
def test_other_words_for_the_key_are_told(key: str) -> None:
    with pytest.raises(DocumentError, match="Did you mean `scheduler`"):
        read_sidecar("cat.yaml", f"prompt: a\n{key}: euler\n".encode())


def test_every_name_can_be_written_into_a_sidecar() -> None:
    for name in SCHEDULER_NAMES:
        assert read_sidecar("cat.yaml", f"scheduler: {name}\n".encode()).scheduler == name
