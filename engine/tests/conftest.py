"""A tiny random model, adapters for it, and the two programs as processes."""

import contextlib
import gc
import json
import multiprocessing
import os
import runpy
import subprocess
import sys
from multiprocessing import forkserver
from pathlib import Path

import pytest

gc.disable()  # until all tests are collected, which loads the libraries: see loading_libraries in process.py

ENGINE = Path(__file__).resolve().parent.parent
TESTS = Path(__file__).resolve().parent
sys.path[:0] = [str(ENGINE), str(TESTS)]
os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", HF_HUB_DISABLE_PROGRESS_BARS="1", TOKENIZERS_PARALLELISM="false")

import torch  # noqa: E402

torch.set_num_threads(1)

from colloquy_engine.generation.chat_tokens import LiteralText  # noqa: E402
from tiny_llama import make_adapter, make_tiny_llama  # noqa: E402


def pytest_collection_finish() -> None:
    gc.enable()


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
def engine_process(program: str, *options: str, fresh: bool = False, stderr: Path | None = None):
    """Runs serve.py or train.py as a process, which has ended when the block ends.

    By default it is forked from a process that has loaded the libraries, since each load takes about 6 s of CPU. With `fresh` it is
    started as the product starts it. What a forked one writes on stderr goes to the file `stderr`, if that is given.
    """
    options = ("--threads", "1", *options)
    if fresh:
        command = [sys.executable, str(ENGINE / program), *options]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    else:
        process = ForkedProgram(program, options, stderr)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


class ForkedProgram:
    """A process of its own that runs a program, with as much of subprocess.Popen as the tests use."""

    def __init__(self, program: str, options: tuple[str, ...], stderr: Path | None):
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["forked_libraries"])
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", os.pathsep.join((str(ENGINE), str(TESTS))))  # of that process alone
            forkserver.ensure_running()
        (their_stdin, our_stdin), (our_stdout, their_stdout) = context.Pipe(duplex=False), context.Pipe(duplex=False)
        self._process = context.Process(target=_run_program, args=(program, options, their_stdin, their_stdout, stderr))
        self._process.start()
        their_stdin.close()
        their_stdout.close()
        self.stdin = _text(our_stdin, "w")
        self.stdout = _text(our_stdout, "r")

    def send_signal(self, number: int) -> None:
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        self._process.kill()

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise TimeoutError(f"the process did not end in {timeout} s")
        return self._process.exitcode


def _run_program(program: str, options: tuple[str, ...], stdin, stdout, stderr: Path | None) -> None:
    """In the forked process: what `python program options` does."""
    for end, number in ((stdin, 0), (stdout, 1)):
        os.dup2(end.fileno(), number)
        end.close()
    sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
    if stderr is not None:
        with stderr.open("w") as file:
            os.dup2(file.fileno(), 2)
    sys.argv = [str(ENGINE / program), *options]
    runpy.run_path(sys.argv[0], run_name="__main__")


def _text(connection, mode: str):
    """The file object of one end of a pipe, line by line."""
    file = os.fdopen(os.dup(connection.fileno()), mode, buffering=1)
    connection.close()
    return file


def next_event(process: subprocess.Popen | ForkedProgram) -> dict:
    """The next line of stdout, which must be JSON."""
    line = process.stdout.readline()
    assert line, f"the process left with {process.wait()}"
    return json.loads(line)
