"""A job's settings as the arguments of TRL's trainers."""

import torch

from ..protocol.trainer_messages import TrainingJob
from .execution import bf16, liger_kernel
from .micro_batches import MicroBatch

# Whole tensors in checkpoints, and weights that are sharded from the first step on.
_FSDP = {
    "fsdp": "full_shard",
    "fsdp_config": {
        "fsdp_version": 2, "auto_wrap_policy": "TRANSFORMER_BASED_WRAP", "reshard_after_forward": True,
        "state_dict_type": "FULL_STATE_DICT", "cpu_ram_efficient_loading": False,
    },
}  # fmt: skip


def common_arguments(job: TrainingJob, micro_batch: MicroBatch, sharded: bool) -> dict:
    """The arguments that all objectives have. `sharded`: whether the ranks share the weights."""
    settings, on_gpu = job.settings, torch.cuda.is_available()
    return dict(
        output_dir=job.checkpoint_dir,
        learning_rate=settings.learning_rate,
        num_train_epochs=settings.num_train_epochs,
        per_device_train_batch_size=settings.per_device_train_batch_size,
        gradient_accumulation_steps=1,  # a batch is a step already
        lr_scheduler_type=settings.lr_scheduler_type,
        warmup_steps=settings.warmup_ratio,  # transformers takes a number below 1 as a share of all steps
        weight_decay=settings.weight_decay,
        gradient_checkpointing=micro_batch.gradient_checkpointing,
        save_strategy="steps",
        save_steps=settings.save_steps,
        seed=job.seed,
        data_seed=job.seed,
        max_length=None,
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        use_cpu=not on_gpu,
        bf16=bf16(),
        use_liger_kernel=liger_kernel(),
        dataloader_pin_memory=on_gpu,
        # All ranks have loaded the same. To exchange them, ranks would have to begin forward passes together, which one that tries again cannot.
        ddp_broadcast_buffers=False,
        **(_FSDP if sharded else {}),
    )
