"""The trainer, whose second rank lacks memory for more than some rows at once, and to measure how far a model moved: it cannot compute the logits, while
the other rank waits for its part; with an even seed, it cannot compare them. For test_ranks.py, which has torchrun start it:

    little_memory.py ROWS [options of train.py]
"""

import os
import runpy
import sys
from pathlib import Path

ENGINE = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ENGINE))

from datetime import timedelta  # noqa: E402

import torch  # noqa: E402
from colloquy_engine.training import moved, ranks  # noqa: E402
from transformers.models.llama.modeling_llama import LlamaModel  # noqa: E402

rows = int(sys.argv.pop(1))
forward, moved_from = LlamaModel.forward, moved.moved_from


def lack(*_):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")


def forward_of_few(network, input_ids=None, **more):
    if len(input_ids) > rows or not torch.is_grad_enabled():
        lack()
    return forward(network, input_ids=input_ids, **more)


def forward_of_few_in_training(network, **more):
    return (forward_of_few if torch.is_grad_enabled() else forward)(network, **more)


def moved_with_little_memory(start, network, its_rows, pad_token, seed, *more):
    if seed % 2 == 0:
        LlamaModel.forward, moved._divergence = forward_of_few_in_training, lack
    return moved_from(start, network, its_rows, pad_token, seed, *more)


ranks.SKEW = timedelta(seconds=2)
if os.environ["RANK"] == "1":
    LlamaModel.forward, moved.moved_from = forward_of_few, moved_with_little_memory
sys.argv[0] = str(ENGINE / "train.py")
runpy.run_path(sys.argv[0], run_name="__main__")
