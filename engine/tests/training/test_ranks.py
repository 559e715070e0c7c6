"""Several processes that train one model together, as torchrun starts them: here two on a CPU, over gloo. One run of them serves all tests."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from colloquy_engine.protocol.trainer_messages import TrainingJob
from colloquy_engine.training.fine_tune import fine_tune
from colloquy_engine.training.network import ResidentBase
from colloquy_engine.training.ranks import Ranks
from conftest import ENGINE, next_event
from safetensors.torch import load_file

SETTINGS = {
    "learning_rate": 1e-3, "num_train_epochs": 2, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 2, "lr_scheduler_type": "cosine",
    "warmup_ratio": 0.1, "weight_decay": 0, "max_length": 1024, "save_steps": 3, "gradient_checkpointing": False, "lora_r": 4, "lora_alpha": 8,
    "lora_dropout": 0, "lora_target_modules": "all-linear", "objective": "imitation", "beta": 0.1, "sft_weight": 0,
}  # fmt: skip
STEPS = 8  # 29 rows, twice, 8 in a step; the last step of a pass has 5, which two ranks cannot share equally


@pytest.fixture(scope="module")
def make_job(tmp_path_factory, model_dir):
    folder, draw = tmp_path_factory.mktemp("ranks"), random.Random(0)
    pairs = [(draw.randint(2, 39), draw.randint(2, 999)) for _ in range(29)]
    said = {"prompt": lambda a, b: {"role": "user", "content": f"{a}*{b}"}, "right": lambda a, b: {"role": "assistant", "content": f"{a}*{b}={a * b}"},
            "wrong": lambda a, b: {"role": "assistant", "content": f"{a}*{b}={a + b}"}}  # fmt: skip
    shapes = {
        "imitation": lambda place: {"completion": "right"},
        "dpo": lambda place: {"chosen": "right", "rejected": "wrong"},
        "kto": lambda place: {"completion": "right" if place % 2 else "wrong", "label": bool(place % 2)},
    }
    for objective, shape in shapes.items():
        rows = [
            {field: value if field == "label" else [said[value](*pair)] for field, value in ({"prompt": "prompt"} | shape(place)).items()}
            for place, pair in enumerate(pairs)
        ]
        (folder / f"{objective}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def make(name, method, objective="imitation", **settings):
        return {
            "id": name, "base_model": str(model_dir), "init_model": None, "dataset": str(folder / f"{objective}.jsonl"), "seed": 3,
            "output_dir": str(folder / name), "checkpoint_dir": str(folder / f"{name}-checkpoints"),
            "settings": SETTINGS | {"method": method, "objective": objective} | settings,
        }  # fmt: skip

    return make


def alone(job, stop_after=None):
    """The events of one process that trains the job. It is asked to stop after `stop_after` steps, if that is given."""
    stop, events = SimpleNamespace(requested=False), []

    def emit(event):
        events.append(event.model_dump())
        stop.requested = stop.requested or (event.event == "step" and event.step == stop_after)

    assert fine_tune(TrainingJob.model_validate(job), ResidentBase(), stop, emit, Ranks())
    return events


@contextlib.contextmanager
def two_ranks(*program):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "--shutdown_timeout", "5"]
    command = [*torchrun, *(program or (str(ENGINE / "train.py"),)), "--threads", "1", "--exit-with-parent"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def send(process, line):
    process.stdin.write(json.dumps(line) + "\n")
    process.stdin.flush()


def together(process, job, stop_after=None):
    """The events of two ranks that train the job. They are asked to stop after `stop_after` steps, if that is given."""
    send(process, job)
    events = []
    while not events or events[-1]["event"] not in ("done", "failed", "stopped"):
        events.append(next_event(process))
        if events[-1]["event"] == "step" and events[-1]["step"] == stop_after:
            send(process, {"stop": job["id"]})
    return events


def losses(events):
    return [(event["step"], event["loss"]) for event in events if event["event"] == "step"]


def assert_same_training(events, expected, after=0):
    """The same steps with the same losses, within the rounding of a sum in another order."""
    assert events[0]["resumed_from_step"] == after and events[-1]["event"] == "done"
    wanted = [(step, loss) for step, loss in losses(expected) if step > after]
    assert [step for step, _ in losses(events)] == [step for step, _ in wanted]
    assert [loss for _, loss in losses(events)] == pytest.approx([loss for _, loss in wanted], rel=1e-5)


def assert_same_weights(job, expected):
    """Where a step moves a weight by up to 1e-3, two trainings differ by less than 1e-5."""
    file = "model.safetensors" if job["settings"]["method"] == "full" else "adapter_model.safetensors"
    made, wanted = (load_file(Path(each["output_dir"]) / file) for each in (job, expected))
    assert made.keys() == wanted.keys()
    assert max((made[name] - wanted[name]).abs().max().item() for name in made) < 1e-5


def ranks_of(process):
    """The process ids of torchrun's ranks, by rank."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if f"\nPPid:\t{process.pid}\n" in status.read_text():
                variables = (status.parent / "environ").read_bytes().split(b"\0")
                found |= {int(each.removeprefix(b"RANK=")): int(status.parent.name) for each in variables if each.startswith(b"RANK=")}
    return found


def is_running(pid):
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="finds the ranks under /proc")
def test_two_ranks_train_as_one_does_continue_each_others_checkpoints_and_end_together(make_job):
    kinds = [("lora", "imitation"), ("full", "imitation"), ("full", "dpo"), ("lora", "kto")]
    whole = {kind: make_job("-".join(("one", *kind)), *kind) for kind in kinds}
    expected = {kind: alone(job) for kind, job in whole.items()}
    assert all(len(losses(events)) == STEPS for events in expected.values())
    begun = {kind: make_job("-".join(("begun", *kind)), *kind) for kind in kinds}
    for job in begun.values():
        assert alone(job, stop_after=4)[-1]["event"] == "stopped"
    with two_ranks() as process:
        assert next_event(process) == {"event": "ready"}
        both = {kind: make_job("-".join(("two", *kind)), *kind) for kind in kinds}
        for kind, job in both.items():
            # Two from the beginning, and two that continue what one has begun.
            events = together(process, job)
            assert_same_training(events, expected[kind])
            assert_same_weights(job, whole[kind])
            manifest, alike = (each[-1]["manifest"] for each in (events, expected[kind]))
            assert manifest["execution"] == alike["execution"] | {"processes": 2}
            assert manifest["moved"]["kl_per_token"] == pytest.approx(alike["moved"]["kl_per_token"], rel=1e-3)
            assert [each["chosen"] for each in manifest["rewards"]] == pytest.approx([each["chosen"] for each in alike["rewards"]], abs=1e-4)
            assert manifest["files"].keys() == alike["files"].keys()
            assert_same_training(together(process, begun[kind]), expected[kind], after=4)
            assert_same_weights(begun[kind], whole[kind])
        # Both stop after the same step, whose checkpoint one rank continues, and are ready for the next job.
        halted = make_job("halted", "lora", num_train_epochs=50)
        stopped = together(process, halted, stop_after=4)[-1]
        assert stopped["event"] == "stopped" and 4 <= stopped["step"] < 200
        assert Path(stopped["checkpoint"], "COMPLETE").exists()
        goes_on = alone(halted, stop_after=stopped["step"] + 2)
        assert goes_on[0]["resumed_from_step"] == stopped["step"] and goes_on[-1]["step"] == stopped["step"] + 2
        cut = make_job("cut", "full", num_train_epochs=500)
        send(process, cut)
        while (event := next_event(process))["event"] != "checkpoint":
            assert event["event"] in ("started", "step")
        ranks = ranks_of(process)
        assert sorted(ranks) == [0, 1]
        os.kill(ranks[1], signal.SIGKILL)
        # The first rank does not say that the job has failed: that torchrun ends is enough, and may be tried again.
        said = [json.loads(line)["event"] for line in process.stdout]
        assert set(said) <= {"step", "checkpoint"}
        assert process.wait(60) == 1
        assert not any(is_running(pid) for pid in ranks.values())
    # The checkpoint is there, and the next attempt, of one rank, goes on from it.
    assert not Path(cut["output_dir"]).exists()
    [checkpoint] = Path(cut["checkpoint_dir"]).glob("step-*/COMPLETE")
    reached = int(checkpoint.parent.name.removeprefix("step-"))
    undisturbed = alone(make_job("undisturbed", "full", num_train_epochs=500), stop_after=reached + 4)
    continued = alone(cut, stop_after=reached + 4)
    assert continued[0]["resumed_from_step"] == reached and continued[-1]["event"] == "stopped"
    assert [loss for _, loss in losses(continued)] == pytest.approx([loss for step, loss in losses(undisturbed) if step > reached], rel=1e-4)
    for kind, job in both.items():
        # Of the others the last checkpoint is there: one rank makes the same model of it.
        shutil.rmtree(job["output_dir"])
        assert alone(job)[0]["resumed_from_step"] == STEPS
        assert_same_weights(job, whole[kind])


def test_ranks_that_lack_memory_agree_on_fewer_rows_and_on_no_measure_and_a_sigterm_leaves_a_checkpoint(make_job):
    """With sharded weights all of them begin again, and the next attempt knows what did not fit."""
    program = str(Path(__file__).with_name("little_memory.py")), "2"
    whole = {method: make_job(f"{method}-whole", method) for method in ("lora", "full")}
    expected = {method: alone(job) for method, job in whole.items()}
    jobs = {method: make_job(f"{method}-little-memory", method) for method in whole}
    smaller = {"event": "micro_batch", "step": 0, "rows": 2, "gradient_checkpointing": False}
    with two_ranks(*program) as process:
        assert next_event(process) == {"event": "ready"}
        events = together(process, jobs["lora"])
        assert events.pop(1) == smaller | {"id": jobs["lora"]["id"]}
        assert_same_training(events, expected["lora"])
        assert events[-1]["manifest"]["moved"] is not None  # the first rank alone measures it
        said = until_it_ends(process, jobs["full"])
        assert smaller | {"id": jobs["full"]["id"]} in said and {event["event"] for event in said} <= {"started", "micro_batch"}
    with two_ranks(*program) as process:
        assert next_event(process) == {"event": "ready"}
        # All steps are trained. Then the first rank waits for the other one in the middle of the measurement, and both end.
        said = until_it_ends(process, jobs["full"])
        assert losses(said)[-1][0] == STEPS and said[-1]["event"] == "checkpoint"
    with two_ranks(*program) as process:
        assert next_event(process) == {"event": "ready"}
        again = together(process, jobs["full"])
        assert again[0]["resumed_from_step"] == STEPS and again[-1]["manifest"]["moved"] is None
        # With an even seed no rank waits for the one that lacks memory: they agree, and go on.
        short = together(process, make_job("short", "full", num_train_epochs=0.5, per_device_train_batch_size=2) | {"seed": 4})[-1]
        assert short["event"] == "done" and short["manifest"]["moved"] is None
        cut = make_job("cut-by-sigterm", "full", num_train_epochs=500, per_device_train_batch_size=2)
        send(process, cut)
        while next_event(process)["event"] != "step":
            pass
        process.terminate()
        said = [json.loads(line) for line in process.stdout]
        process.wait(60)
    stopped = said[-1]
    assert stopped["event"] == "stopped" and Path(stopped["checkpoint"], "COMPLETE").exists()
    assert alone(cut, stop_after=stopped["step"] + 1)[0]["resumed_from_step"] == stopped["step"]
    assert_same_training(events, expected["lora"])
    assert losses(again) == []
    for method, ended in (("lora", events), ("full", again)):
        assert_same_weights(jobs[method], whole[method])
        execution = expected[method][-1]["manifest"]["execution"]
        assert ended[-1]["manifest"]["execution"] == execution | {"processes": 2, "micro_batch": 2}


def until_it_ends(process, job):
    """What two ranks say of a job until they end, because they have to begin again."""
    send(process, job)
    said = [json.loads(line) for line in process.stdout]
    assert process.wait(60) == 1
    return said
