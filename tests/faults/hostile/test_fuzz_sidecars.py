"""Random and mutated sidecars and lists: only a document's errors come out, in words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from img2imgd.errors import DocumentError
from img2imgd.job import plan_frames
from img2imgd.outputs.names import frame_names
from img2imgd.request import (
    Request,
    RequestKeys,
    describe_list,
    read_defaults,
    read_sidecar,
    resolve,
    sidecar_text,
)

# Examples of each test: about 15 seconds of all together, and of 20 times as many in full.
EXAMPLES, IN_FULL = 150, 40
TEMPLATE = "{stem}_{prompt}_{index}_{point}"
MODELS = ("demo", "sd21")
FOR_PROGRAMMERS = re.compile(r"Traceback|[A-Z][a-z]+Error|<class|object at 0x|yaml\.|msgspec")

GOOD = [
    b"prompt: a cottage by a lake\nstyle: [carl rungius, oil]\nstrength: 0.75\nseed: 187\nn: 2\n",
    b"prompt: {from: _prompts.txt, choose: 2}\nsize: [768, 512]\nfit: contain\n# comment\n",
    b"prompt: 'a {red|blue} fox'\nsweep:\n  strength: {from: 0.05, to: 0.95, step: 0.03}\n",
    b"prompt: >-\n  a long\n  text\nsweep: {seed: [1, 2], steps: {from: 5, to: 9, count: 3}}\n",
    b'prompt: "x\\n\\u00e9"\ngif: {duration: 400, loop: 0, pingpong: true}\nsheet: false\n',
    b"prompt: x\nimages: [a.png, '*.jpg']\nmodel: sd21\nscheduler: euler_a\nformat: jpeg\n",
    b"a fox\nNegative prompt: blurry\nSteps: 5, Sampler: Euler, CFG scale: 7, Seed: 42\n",
    b"\xef\xbb\xbfprompt: x\r\nsize: keep\r\nrestore_size: true\r\nmetadata: none\r\n",
    "prompt: Häuser am See\nsteps: 20\n".encode("utf-16"),
]
TOKENS = [
    b": ", b"- ", b"\n", b"\n  ", b"\t", b"{", b"}", b"[", b"]", b"&a ", b"*a", b"!!str ", b"| ",
    b"> ", b'"', b"'", b"#", b" #", b"%", b"---\n", b"...\n", b"? ", b"<<: ", b"\0", b"\xff",
    b"\xef\xbb\xbf", b"\xc2\x85", b"\xe2\x80\xa8", b"\xe2\x80\xae", b"\\", b"\\u", b"0x", b"1e999",
    b".inf", b".nan", b"-", b"~", b"null", b"true", b"from", b"prompt: ", b"sweep: ", b"9" * 50,
    b"{a|b}", b"{", b"(x:1.5)", b"Steps: 9, ", b"Negative prompt: ",
]  # fmt: skip
KEYS = [*RequestKeys.__struct_fields__, "from", "to", "step", "count", "choose", "duration", "x"]
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
    st.sampled_from(["", "keep", "demo", "euler", "png", "0.5", "_a.txt", "../a.csv", "{a|b", "*"]),
    st.integers(0, 2000), st.floats(0, 1),
)  # fmt: skip
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)
    ),
    max_leaves=12,
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good document with a few places changed."""
    data = bytearray(draw(st.sampled_from(GOOD)))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 12)))
        piece = draw(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=4)))
        if draw(st.booleans()):
            piece *= draw(st.sampled_from([1, 1, 1, 40]))
        data[start:end] = piece
    return bytes(data)


@pytest.fixture
def examples(pytestconfig: pytest.Config) -> int:
    return EXAMPLES * (IN_FULL if pytestconfig.getoption("--faults-in-full", default=False) else 1)


def try_all(
    examples: int, strategy: st.SearchStrategy[bytes], test: Callable[[bytes], None]
) -> None:
    """Run a test on so many examples, the same ones every time."""
    chosen = settings(
        max_examples=examples, derandomize=True, database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    chosen(given(strategy)(test))()


def assert_for_a_person(error: DocumentError) -> None:
    assert error.problems
    for problem in error.problems:
        text = str(problem)
        assert not FOR_PROGRAMMERS.search(text), text
        assert len(text) < 1000, text
        assert text == text.encode("utf-8", "replace").decode(), "lone surrogates"


def read_every_way(data: bytes) -> None:
    for name in ("cat.yaml", "cat.txt"):
        try:
            keys = read_sidecar(name, data, MODELS)
        except DocumentError as error:
            assert_for_a_person(error)
        else:
            follow(keys)
    for name in ("_a.txt", "styles.csv"):
        try:
            describe_list(name, data)
        except DocumentError as error:
            assert_for_a_person(error)
    try:
        read_defaults("_defaults.yaml", data)
    except DocumentError as error:
        assert_for_a_person(error)


def follow(keys: RequestKeys) -> None:
    """What was read can be written, read again, and turned into frames and names."""
    text = sidecar_text(keys)  # ends of lines of YAML 1.1 in it have become spaces
    assert sidecar_text(read_sidecar("again.yaml", text.encode(), MODELS)) == text
    try:
        request = resolve(
            [keys], default_model="demo", models=MODELS, draw_seed=lambda: 1, max_frames=40,
            name="cat.yaml",
        )  # fmt: skip
    except DocumentError as error:
        assert_for_a_person(error)
        return
    assert Request.from_json(request.to_json()) == request
    frames = plan_frames(request)
    assert 1 <= len(frames) == request.frame_count <= 40
    names = frame_names(
        "{stem}_{prompt}_{index}_{point}", ".png", "j", "cat", frames[0].words, frames
    )
    assert len(set(names)) == len(frames)
    for name in names:
        assert len(name.encode()) <= 200
        assert "/" not in name
        assert name.isprintable()


@pytest.mark.timeout(3600)
def test_random_bytes(examples: int) -> None:
    try_all(examples, st.binary(max_size=300), read_every_way)


@pytest.mark.timeout(3600)
def test_mutations_of_good_sidecars(examples: int) -> None:
    try_all(examples * 2, mutated(), read_every_way)


@pytest.mark.timeout(3600)
def test_trees_of_known_keys(examples: int) -> None:
    trees = st.dictionaries(st.sampled_from(KEYS), TREES, min_size=1, max_size=5)
    prompted = trees.map(lambda tree: {"prompt": "a lake", **tree})
    documents = st.one_of(trees, prompted).map(lambda tree: json.dumps(tree).encode())
    try_all(examples * 2, documents, read_every_way)


@pytest.mark.timeout(3600)
def test_texts_as_prompts(examples: int) -> None:
    texts = st.text(min_size=1, max_size=200)
    documents = texts.map(lambda text: json.dumps({"prompt": text}).encode())
    try_all(examples, documents, read_every_way)
