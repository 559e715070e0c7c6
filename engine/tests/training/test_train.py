"""The trainer as a process, over its JSON lines."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pytest
from colloquy_engine.generation.base_model import load_base_model
from colloquy_engine.protocol.trainer_messages import Settings, TrainingFailure
from colloquy_engine.training.fine_tune import sole_trainer
from conftest import engine_process, next_event
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny_llama import make_family


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    draw, path = random.Random(0), tmp_path_factory.mktemp("data") / "train.jsonl"
    rows = [(draw.randint(2, 39), draw.randint(2, 9)) for _ in range(60)]
    path.write_text("".join(json.dumps(row(f"{a}*{b}", f"{a}*{b}={a * b}")) + "\n" for a, b in rows))
    return path


def row(question, answer):
    return {"prompt": [{"role": "user", "content": question}], "completion": [{"role": "assistant", "content": answer}]}


@pytest.fixture(scope="module")
def trainer(request):
    with engine_process("train.py", "--exit-with-parent") as process:
        assert next_event(process) == {"event": "ready"}
        yield process


@pytest.fixture
def make_job(tmp_path, model_dir, dataset):
    def make(name="job", settings=None, **more):
        defaults = {"learning_rate": 1e-3, "num_train_epochs": 2, "per_device_train_batch_size": 8, "lora_r": 4, "lora_alpha": 8,
                    "lora_dropout": 0.1, "gradient_checkpointing": False, "lr_scheduler_type": "cosine", "warmup_ratio": 0.1,
                    "gradient_accumulation_steps": 1, "weight_decay": 0, "max_length": 1024, "save_steps": 500,
                    "lora_target_modules": "all-linear", "method": "lora", "objective": "imitation", "beta": 0.1, "sft_weight": 0}  # fmt: skip
        return {
            "id": name, "base_model": str(model_dir), "init_model": None, "dataset": str(dataset), "seed": 3,
            "output_dir": str(tmp_path / name), "checkpoint_dir": str(tmp_path / f"{name}-checkpoints"),
            "settings": defaults | (settings or {}),
        } | more  # fmt: skip

    return make


def send(process, job):
    process.stdin.write(json.dumps(job) + "\n")
    process.stdin.flush()


def events_of(process, job=None):
    """Sends the job and returns its events up to the one that ends it."""
    if job:
        send(process, job)
    events = []
    while not events or events[-1]["event"] not in ("done", "failed", "stopped"):
        events.append(next_event(process))
    return events


def weights(job):
    file = "model.safetensors" if job["settings"]["method"] == "full" else "adapter_model.safetensors"
    return (Path(job["output_dir"]) / file).read_bytes()


def test_a_job_reports_its_steps_and_leaves_an_adapter_with_a_manifest(trainer, make_job, dataset):
    job = make_job()
    events = events_of(trainer, job)
    assert events[0] == {"event": "started", "id": "job", "total_steps": 16, "resumed_from_step": 0, "rows": 60, "dropped_rows": 0}
    steps = [event for event in events if event["event"] == "step"]
    assert [event["step"] for event in steps] == list(range(1, 17))
    assert {"id", "total_steps", "loss", "learning_rate", "tokens_per_second", "epoch"} <= set(steps[0])
    assert steps[-1]["loss"] < steps[0]["loss"]
    manifest = events[-1]["manifest"]
    assert manifest == json.loads((Path(job["output_dir"]) / "manifest.json").read_text())
    assert manifest["dataset"] == {"sha256": hashlib.sha256(dataset.read_bytes()).hexdigest(), "rows": 60, "dropped_rows": 0, "equal_pairs": 0}
    assert manifest["losses"] == [{"step": step["step"], "loss": step["loss"]} for step in steps]
    assert manifest["peak_learning_rate"] == max(step["learning_rate"] for step in steps)
    assert manifest["moved"]["kl_per_token"] > 1e-4 and manifest["moved"]["rows"] == 32
    assert manifest["steps"] == 16 and manifest["final_loss"] == steps[-1]["loss"] and manifest["seed"] == 3
    assert set(manifest["files"]) == {"adapter_config.json", "adapter_model.safetensors"}
    assert manifest["files"]["adapter_model.safetensors"]["sha256"] == hashlib.sha256(weights(job)).hexdigest()
    assert sorted(os.listdir(Path(job["output_dir"]).parent)) == ["job", "job-checkpoints"]


def test_the_same_job_gives_the_same_bytes_in_another_process_which_leaves_on_sigterm_when_idle(trainer, make_job):
    first, second, third, other_seed = make_job("a"), make_job("b"), make_job("c"), make_job("d", seed=4)
    for job in (first, other_seed, second):
        assert events_of(trainer, job)[-1]["event"] == "done"
    with engine_process("train.py", fresh=True) as process:
        next_event(process)
        assert events_of(process, third)[-1]["event"] == "done"
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
        assert process.stdout.read() == ""
    assert weights(first) == weights(second) == weights(third) != weights(other_seed)
    configs = {(Path(job["output_dir"]) / "adapter_config.json").read_bytes() for job in (first, second, third)}
    assert len(configs) == 1


@pytest.mark.parametrize(
    ("method", "end", "accumulation"), [("lora", "SIGTERM", 1), ("lora", "SIGTERM", 3), ("lora", "SIGKILL", 1), ("full", "SIGTERM", 3), ("full", "SIGKILL", 1)]
)
def test_a_job_cut_off_and_resumed_gives_the_bytes_of_an_undisturbed_one(trainer, make_job, method, end, accumulation):
    settings = {"method": method, "save_steps": 3, "num_train_epochs": 3, "gradient_accumulation_steps": accumulation}
    undisturbed, cut = make_job("whole", settings), make_job("cut", settings)
    assert events_of(trainer, undisturbed)[-1]["event"] == "done"
    with engine_process("train.py") as process:
        next_event(process)
        send(process, cut)
        while next_event(process).get("step") != 4:
            pass
        process.send_signal(getattr(signal, end))
        if end == "SIGTERM":
            last = events_of(process)[-1]
            assert last["event"] == "stopped" and last["checkpoint"].endswith(f"step-{last['step']}")
            assert process.wait(120) == 0
        process.wait(120)
    # A process that is killed while writing leaves an unfinished checkpoint, which must be ignored.
    unfinished = Path(cut["checkpoint_dir"]) / "step-999"
    unfinished.mkdir()
    (unfinished / "adapter_model.safetensors").write_bytes(b"half")
    events = events_of(trainer, cut)
    assert events[0]["resumed_from_step"] >= 3
    assert events[-1]["event"] == "done"
    assert weights(cut) == weights(undisturbed)
    whole = json.loads((Path(undisturbed["output_dir"]) / "manifest.json").read_text())
    for figure in ("final_loss", "losses", "peak_learning_rate", "moved"):
        assert events[-1]["manifest"][figure] == whole[figure]


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_job_that_is_asked_to_stop_goes_on_later_in_the_same_process_to_the_bytes_of_an_undisturbed_one(trainer, make_job, method):
    settings = {"method": method, "save_steps": 500, "num_train_epochs": 8, "gradient_accumulation_steps": 3}
    undisturbed, stopped = make_job("whole", settings), make_job("stopped", settings)
    assert events_of(trainer, undisturbed)[-1]["event"] == "done"
    send(trainer, stopped)
    while next_event(trainer).get("step") != 4:
        pass
    send(trainer, {"stop": "another"})
    send(trainer, {"stop": "stopped"})
    last = events_of(trainer)[-1]
    assert last["event"] == "stopped" and last["checkpoint"].endswith(f"step-{last['step']}")
    # What is asked for when the job has ended does not concern its next attempt.
    send(trainer, {"stop": "stopped"})
    events = events_of(trainer, stopped)
    assert events[0]["resumed_from_step"] == last["step"] >= 4
    assert events[-1]["event"] == "done"
    assert weights(stopped) == weights(undisturbed)


def test_a_checkpoint_of_another_job_is_not_continued(trainer, make_job, dataset, tmp_path):
    job = make_job("one", {"save_steps": 4})
    assert events_of(trainer, job)[-1]["event"] == "done"
    assert events_of(trainer, job | {"seed": 99})[0]["resumed_from_step"] == 0


def test_training_goes_on_from_an_adapter(trainer, make_job):
    first = make_job("first")
    second = make_job("second", init_model=first["output_dir"])
    one, two = events_of(trainer, first), events_of(trainer, second)
    assert two[1]["loss"] < one[1]["loss"]
    assert two[-1]["manifest"]["init_model"] == one[-1]["manifest"]["files"]["adapter_model.safetensors"]["sha256"]
    other = events_of(trainer, make_job("third", {"lora_r": 2}, init_model=first["output_dir"]))[-1]
    assert (other["event"], other["kind"]) == ("failed", "bad_settings")


@pytest.mark.parametrize("scheduler", get_args(Settings.model_fields["lr_scheduler_type"].annotation))
def test_each_scheduler_of_the_contract_trains_without_more_settings(trainer, make_job, scheduler):
    settings = {"lr_scheduler_type": scheduler, "num_train_epochs": 1, "warmup_ratio": 0.3}
    rates = [event["learning_rate"] for event in events_of(trainer, make_job(settings=settings)) if event["event"] == "step"]
    assert len(rates) == 8 and max(rates) == 1e-3
    assert min(rates) > 0
    assert (rates[0] == 1e-3 / 4) == (scheduler != "constant")  # three steps of warm-up
    assert (rates[-1] == 1e-3) == scheduler.startswith("constant")


def test_qlora_trains_a_plain_adapter_on_a_base_in_4_bits(trainer, make_job):
    pytest.importorskip("bitsandbytes", reason="npx colloquy setup --qlora installs it")
    plain = make_job("plain", {"num_train_epochs": 1})
    assert events_of(trainer, plain)[-1]["event"] == "done"
    first, again = make_job("first", {"method": "qlora"}), make_job("again", {"method": "qlora", "gradient_checkpointing": True})
    events = events_of(trainer, first)
    losses = [event["loss"] for event in events if event["event"] == "step"]
    assert events[-1]["event"] == "done" and losses[-1] < losses[0]
    manifest = events[-1]["manifest"]
    assert manifest["form"] == "adapter" and manifest["moved"]["kl_per_token"] > 1e-4
    tensors = load_file(Path(first["output_dir"]) / "adapter_model.safetensors")
    assert {str(tensor.dtype) for tensor in tensors.values()} == {"torch.float32"}
    assert set(tensors) == set(load_file(Path(plain["output_dir"]) / "adapter_model.safetensors"))
    config = json.loads((Path(first["output_dir"]) / "adapter_config.json").read_text())
    assert config == json.loads((Path(plain["output_dir"]) / "adapter_config.json").read_text())
    # It goes on from an adapter, and what comes after it finds the whole base again.
    assert events_of(trainer, again | {"init_model": first["output_dir"]})[-1]["event"] == "done"
    after = make_job("after", {"num_train_epochs": 1})
    assert events_of(trainer, after)[-1]["event"] == "done"
    assert weights(after) == weights(plain)


def test_full_fine_tuning_gives_a_whole_model_and_leaves_the_base_alone(trainer, make_job, model_dir):
    before = events_of(trainer, make_job("before"))[-1]
    job = make_job("full", {"method": "full"})
    manifest = events_of(trainer, job)[-1]["manifest"]
    assert (before["manifest"]["form"], manifest["form"], manifest["init_model"]) == ("adapter", "full", None)
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(manifest["files"])
    assert manifest["moved"]["kl_per_token"] > 1e-4
    with safe_open(Path(job["output_dir"]) / "model.safetensors", "pt") as trained, safe_open(model_dir / "model.safetensors", "pt") as base:
        name = "model.layers.0.self_attn.q_proj.weight"
        assert (trained.get_tensor(name) != base.get_tensor(name)).any()
    after = events_of(trainer, make_job("after"))[-1]
    assert after["manifest"]["files"] == before["manifest"]["files"]


@pytest.mark.parametrize(
    ("family", "sizes"), [("llama", {}), ("qwen3", {"head_dim": 8}), ("mistral", {"sliding_window": 64}), ("phi3", {}), ("gemma3_text", {"head_dim": 8})]
)
def test_full_fine_tuning_goes_on_from_a_whole_model_of_each_family_and_the_engine_serves_it(trainer, make_job, tmp_path, family, sizes):
    base = str(make_family(tmp_path / family, family, **sizes))
    settings = {"method": "full", "num_train_epochs": 1, "lr_scheduler_type": "constant", "warmup_ratio": 0}
    first = make_job("first", settings, base_model=base)
    second = make_job("second", settings, base_model=base, init_model=first["output_dir"])
    one, two = events_of(trainer, first)[-1]["manifest"], events_of(trainer, second)[-1]["manifest"]
    assert two["losses"][0]["loss"] < one["losses"][0]["loss"]
    assert two["init_model"] == one["files"]["model.safetensors"]["sha256"]
    assert two["base_model"] == one["base_model"] and two["base_model"]["name_or_path"] == base
    assert load_base_model(second["output_dir"]).linears


@pytest.fixture
def overflowing_base(tmp_path, model_dir) -> Path:
    """A base model with finite weights whose logits are too large for a float32."""
    shutil.copytree(model_dir, tmp_path / "overflowing")
    path = tmp_path / "overflowing" / "model.safetensors"
    weights = load_file(path)
    weights["model.norm.weight"] *= 1e38
    save_file(weights, path, {"format": "pt"})
    return tmp_path / "overflowing"


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"base_model": "overflowing"}, "nan_loss", "step"),
        ({"settings": {"lora_rank": 8}}, "bad_settings", "settings.lora_rank"),
        ({"settings": {"lora_target_modules": ["nothing"]}}, "bad_settings", "lora_target_modules"),
        ({"settings": {"max_length": 3}}, "bad_data", "max_length"),
        ({"base_model": "/nowhere"}, "missing_model", "/nowhere"),
        ({"init_model": "/nowhere"}, "missing_model", "/nowhere"),
        ({"init_model": "/nowhere", "settings": {"method": "full"}}, "missing_model", "/nowhere"),
        ({"base_model": "overflowing", "settings": {"method": "full"}}, "nan_loss", "step"),
        ({"dataset": "/nowhere.jsonl"}, "bad_data", "/nowhere.jsonl"),
        ({"seed": "x"}, "bad_settings", "seed"),
    ],
)
def test_a_failure_is_named_and_the_next_job_works(trainer, make_job, overflowing_base, change, kind, words):
    job = make_job("bad", change.get("settings")) | {name: value for name, value in change.items() if name != "settings"}
    if job["base_model"] == "overflowing":
        job["base_model"] = str(overflowing_base)
    last = events_of(trainer, job)[-1]
    assert (last["event"], last["id"], last["kind"]) == ("failed", "bad", kind)
    assert words in last["message"]
    assert not Path(job["output_dir"]).exists()


@pytest.mark.parametrize("line", ["", "not json", '{"prompt": []}', json.dumps(row("1", "2") | {"completion": [{"role": "user", "content": "2"}]})])
def test_a_bad_row_is_named_by_file_and_line(trainer, make_job, tmp_path, line):
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(row("1", "2")) + "\n" + line + "\n" if line else "")
    last = events_of(trainer, make_job("bad", dataset=str(path)))[-1]
    assert last["kind"] == "bad_data" and (f"{path}:2" in last["message"] if line else "no rows" in last["message"])


def test_a_line_that_is_no_job_fails_and_the_trainer_goes_on(trainer, make_job):
    trainer.stdin.write("nonsense\n")
    assert next_event(trainer)["kind"] == "bad_settings"
    assert events_of(trainer, make_job("next"))[-1]["event"] == "done"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_named_and_leaves_no_model(trainer, make_job, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("this machine cannot mount a small disk")
    try:
        for place in ("output_dir", "checkpoint_dir"):
            last = events_of(trainer, make_job("full-disk", {"save_steps": 2}, **{place: str(disk / "model")}))[-1]
            assert (last["event"], last["kind"]) == ("failed", "disk_full")
            assert not (disk / "model" / "manifest.json").exists()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_row_that_does_not_fit_into_memory_is_named_the_next_job_works_and_it_leaves_when_its_stdin_closes_in_the_middle_of_that(make_job, tmp_path):
    path = tmp_path / "long.jsonl"
    path.write_text("".join(json.dumps(row("1" * length, "2")) + "\n" for length in (1, 1_000_000)))
    with engine_process("train.py", "--exit-with-parent", "--attn-implementation", "eager") as process:  # needs 10^12 numbers for the long one
        assert next_event(process) == {"event": "ready"}
        last = events_of(process, make_job("long", {"max_length": 1_048_576}, dataset=str(path)))[-1]
        assert (last["event"], last["id"], last["kind"]) == ("failed", "long", "out_of_memory")
        assert "max_length below 1000" in last["message"] and "gradient checkpointing" in last["message"]
        send(process, make_job("lost", {"num_train_epochs": 500}))
        while next_event(process).get("event") != "step":
            pass
        began = time.monotonic()
        process.stdin.close()
        process.wait(120)
        assert time.monotonic() - began < 60
    assert not Path(make_job("lost")["output_dir"]).exists()


def test_a_model_that_two_trainers_were_given_is_trained_once(trainer, make_job):
    job = make_job(settings={"num_train_epochs": 4})
    send(trainer, job)
    assert next_event(trainer)["event"] == "started"
    with engine_process("train.py", "--exit-with-parent") as second:
        assert next_event(second) == {"event": "ready"}
        events = events_of(second, job)
    first = events_of(trainer)
    assert [event["event"] for event in events] == ["done"]
    assert events[-1]["manifest"] == first[-1]["manifest"]
    assert not list(Path(job["output_dir"]).parent.glob(".*"))


def test_a_model_that_another_process_keeps_is_refused_by_naming_that_process(tmp_path):
    output_dir = tmp_path / "model"
    stop = SimpleNamespace(requested=False)
    with sole_trainer(output_dir, stop) as alone:
        assert alone
        with pytest.raises(TrainingFailure, match=f"process {os.getpid()}") as refused, sole_trainer(output_dir, stop, patience=0.2):
            pass
        assert refused.value.kind == "in_use"
        with sole_trainer(output_dir, SimpleNamespace(requested=True)) as alone:
            assert not alone
    with sole_trainer(output_dir, stop) as alone:
        assert alone
