"""A tiny random model, adapters for it, and the two programs as processes."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ENGINE = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ENGINE), str(Path(__file__).resolve().parent)]
os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", HF_HUB_DISABLE_PROGRESS_BARS="1", TOKENIZERS_PARALLELISM="false")

import torch  # noqa: E402

torch.set_num_threads(1)

from colloquy_engine.generation.chat_tokens import LiteralText  # noqa: E402
from tiny_llama import make_adapter, make_tiny_llama  # noqa: E402


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory) -> Path:
    return make_tiny_llama(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def adapter_dirs(tmp_path_factory, model_dir) -> list[Path]:
    root = tmp_path_factory.mktemp("adapters")
    shapes = [(4, "all-linear"), (8, ["q_proj", "v_proj"]), (2, "all-linear")]
    return [make_adapter(model_dir, root / str(i), seed=i + 1, rank=rank, targets=targets) for i, (rank, targets) in enumerate(shapes)]


def prompt_of(tokenizer, messages) -> list[int]:
    """The tokens of a chat whose next message is an answer."""
    literal = LiteralText(tokenizer)
    return literal.tokens(tokenizer.apply_chat_template(literal.set_aside(messages), tokenize=False, add_generation_prompt=True))


@contextlib.contextmanager
def engine_process(program: str, *options: str):
    """Runs serve.py or train.py; the process has ended when the block ends."""
    command = [sys.executable, str(ENGINE / program), "--threads", "1", *options]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def next_event(process: subprocess.Popen) -> dict:
    """The next line of stdout, which must be JSON."""
    line = process.stdout.readline()
    assert line, f"the process left with {process.wait()}"
    return json.loads(line)
