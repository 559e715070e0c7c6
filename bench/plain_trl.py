"""The measure that our trainer is held against: TRL's own SFTTrainer on the same rows with the same settings, as its documentation shows it.

Reads {"rows", "model", "settings", "seed", "padding_free", "repeats", "folder"} from stdin; writes one {"seconds", "losses"} a line, one for each
repeat. `seconds` is the time of `train()` from its first step on, without loading.
"""

import json
import sys
import time

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer

given = json.loads(sys.stdin.readline())
settings = given["settings"]
on_gpu = torch.cuda.is_available()
torch.set_num_threads(1)


class Clock(TrainerCallback):
    def on_train_begin(self, *_, **__):
        self.began = time.perf_counter()

    def on_log(self, args, state, control, logs=None, **_):
        if "loss" in logs:
            self.ended = time.perf_counter()


with open(given["rows"]) as file:
    rows = Dataset.from_list([json.loads(line) for line in file])
tokenizer = AutoTokenizer.from_pretrained(given["model"])
for _ in range(given["repeats"]):
    clock = Clock()
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(given["model"], dtype=torch.bfloat16 if on_gpu else torch.float32),
        args=SFTConfig(
            output_dir=given["folder"], seed=given["seed"], data_seed=given["seed"], max_length=None, padding_free=given["padding_free"],
            completion_only_loss=True, logging_steps=1, save_strategy="no", report_to="none", disable_tqdm=True, use_cpu=not on_gpu, bf16=on_gpu,
            warmup_steps=settings["warmup_ratio"],
            **{name: settings[name] for name in (
                "learning_rate", "num_train_epochs", "per_device_train_batch_size", "gradient_accumulation_steps", "lr_scheduler_type",
                "weight_decay", "gradient_checkpointing",
            )},
        ),
        train_dataset=rows,
        processing_class=tokenizer,
        peft_config=LoraConfig(
            r=settings["lora_r"], lora_alpha=settings["lora_alpha"], lora_dropout=settings["lora_dropout"],
            target_modules=settings["lora_target_modules"], task_type="CAUSAL_LM",
        ),
        callbacks=[clock],
    )  # fmt: skip
    sys.stdout, stdout = sys.stderr, sys.stdout  # TRL prints each log
    trainer.train()
    sys.stdout = stdout
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    print(json.dumps({"seconds": clock.ended - clock.began, "losses": losses}), flush=True)
