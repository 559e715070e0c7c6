"""Rows and trainers for the tests of the trainer in this process."""

import json
import random
from dataclasses import replace
from types import SimpleNamespace

import pytest
from colloquy_engine.protocol.trainer_messages import TrainingJob
from colloquy_engine.training.network import ResidentBase, network_to_train, release
from colloquy_engine.training.objectives import trainer_of
from colloquy_engine.training.ranks import Ranks
from colloquy_engine.training.training_rows import read_training_rows

SETTINGS = {
    "learning_rate": 1e-3, "num_train_epochs": 2, "per_device_train_batch_size": 8, "gradient_accumulation_steps": 1,
    "lr_scheduler_type": "cosine", "warmup_ratio": 0.1, "weight_decay": 0, "max_length": 1024, "save_steps": 500,
    "gradient_checkpointing": False, "method": "lora", "lora_r": 4, "lora_alpha": 8, "lora_dropout": 0,
    "lora_target_modules": "all-linear", "objective": "imitation", "beta": 0.1, "sft_weight": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def base(model_dir):
    return ResidentBase().load(str(model_dir))


def write_rows(path, weights, shape="answers"):
    """A row for each weight, and of labelled answers a right and a wrong one."""
    draw = random.Random(0)
    with path.open("w") as file:
        for weight in weights:
            a, b = draw.randint(2, 39), draw.randint(2, 9)
            prompt = {"prompt": [{"role": "user", "content": f"{a}*{b}"}]} | ({} if weight is None else {"weight": weight})
            right, wrong = ([{"role": "assistant", "content": f"{a}*{b}={a * b + off}"}] for off in (0, draw.randint(1, 20)))
            if shape == "answers":
                rows = [{"completion": right}]
            elif shape == "pairs":
                rows = [{"chosen": right, "rejected": wrong}]
            else:
                rows = [{"completion": right, "label": True}, {"completion": wrong, "label": False}]
            file.write("".join(json.dumps(prompt | row) + "\n" for row in rows))
    return path


@pytest.fixture
def open_trainer(tmp_path, base):
    """Opens trainers of datasets whose rows have these weights; each of them has an adapter of its own."""
    networks = []

    def open_(weights, name="job", execution=base.execution, init=None, **settings):
        kind = trainer_of((SETTINGS | settings)["objective"])
        path = write_rows(tmp_path / f"{name}.jsonl", weights, kind.ROWS)
        rows = read_training_rows(str(path), base.tokenizer, base.end_tokens, 1024, kind.ROWS)
        job = TrainingJob(
            id=name, base_model=base.name_or_path, init_model=init, dataset=str(path), output_dir=str(tmp_path / name),
            checkpoint_dir=str(tmp_path / f"{name}-checkpoints"), seed=3, settings=SETTINGS | settings,
        )  # fmt: skip
        while networks:
            release(base, networks.pop())
        networks.append(network_to_train(base, job))
        events = []
        trainer = kind(
            job, networks[0], replace(base, execution=execution), rows, SimpleNamespace(requested=False), "none", events.append, Ranks()
        )
        trainer.events = events
        return trainer

    yield open_
    while networks:
        release(base, networks.pop())


def losses_of(trainer):
    return [event.loss for event in trainer.events if event.event == "step"]
