"""The trainer, whose second rank lacks memory for more than some rows at once. For test_ranks.py, which has torchrun start it:

    little_memory.py ROWS [options of train.py]
"""

import os
import runpy
import sys
from pathlib import Path

ENGINE = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ENGINE))

import torch  # noqa: E402
from transformers.models.llama.modeling_llama import LlamaModel  # noqa: E402

rows = int(sys.argv.pop(1))
forward = LlamaModel.forward


def forward_of_few(network, input_ids=None, **more):
    if torch.is_grad_enabled() and len(input_ids) > rows:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
    return forward(network, input_ids=input_ids, **more)


if os.environ["RANK"] == "1":
    LlamaModel.forward = forward_of_few
sys.argv[0] = str(ENGINE / "train.py")
runpy.run_path(sys.argv[0], run_name="__main__")
