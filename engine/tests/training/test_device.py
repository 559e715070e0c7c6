"""While a device works on one micro-batch, the next ones are prepared: their number does not change how often a step waits for the device."""

import pytest
import torch
from colloquy_engine.training import execution as execution_module
from colloquy_engine.training.execution import VARLEN, Execution
from colloquy_engine.training.micro_batches import MicroBatch
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode
from training_jobs import base, open_trainer  # noqa: F401

# A value is read from the device, or the size of a result depends on values that are there.
WAITING = {
    "item", "tolist", "cpu", "numpy", "__bool__", "__int__", "__float__", "__index__", "__contains__", "equal", "allclose",
    "nonzero", "masked_select", "unique", "bincount", "repeat_interleave",
}  # fmt: skip


class Waits(TorchFunctionMode):
    """Notes which calls would make the program wait, if the tensors were on a graphics card."""

    def __init__(self):
        super().__init__()
        self.calls, self.in_main_memory = [], False

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "")
        if name in WAITING and "output_size" not in kwargs and not self.in_main_memory:
            self.calls.append(name)
        return function(*args, **kwargs)

    def outside(self, collate):
        """Batches are made in main memory, where nothing is waited for."""

        def collate_unnoticed(*args):
            self.in_main_memory = True
            batch = collate(*args)
            self.in_main_memory = False
            return batch

        return collate_unnoticed


def attention(query, key, value, *_, scale, enable_gqa, **__):
    """In the place of PyTorch's kernel, which is for graphics cards alone. It does not heed the borders of rows."""
    heads_first = (each.transpose(0, 1)[None] for each in (query, key, value))
    return scaled_dot_product_attention(*heads_first, is_causal=True, scale=scale, enable_gqa=enable_gqa)[0].transpose(0, 1)


@pytest.mark.parametrize(("objective", "expected"), [("imitation", ["tolist"]), ("dpo", ["tolist"]), ("kto", ["tolist", "tolist"])])
def test_a_step_waits_for_its_device_equally_often_however_many_micro_batches_it_has(open_trainer, monkeypatch, objective, expected):
    """Once, when its losses are read. With KTO twice: it first finds out how far the answers of the step have moved on average."""
    monkeypatch.setattr(execution_module, "varlen_attn", attention)
    trainer = open_trainer([None] * 8, objective=objective, execution=Execution(VARLEN, True))
    trainer.model.set_attn_implementation(VARLEN)
    rows = list(trainer.train_dataset)[:8]
    try:
        trainer.before_first_step()
        trainer.remember_random_state()
        learnt = trainer._get_num_items_in_batch([rows], torch.device("cpu"))
        collate = trainer.data_collator
        for size in (8, 2, 1):
            trainer.micro_batch = trainer.reported_micro_batch = MicroBatch(size, False)
            waits = Waits()
            trainer.data_collator = waits.outside(collate)
            with waits:
                trainer.training_step(trainer.model, rows, learnt)
            assert waits.calls == expected
    finally:
        trainer.model.set_attn_implementation("sdpa")
