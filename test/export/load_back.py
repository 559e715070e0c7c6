"""Loads exports back with the libraries that they are made for, and prints what was found as JSON.

    python test/export/load_back.py BASE_MODEL FOLDER_OF_EXPORTS

The folder has exports named trl, openai, dpo and models. Without network.
"""

import json
import sys
from pathlib import Path

import torch
from datasets import get_dataset_config_names, load_dataset
from huggingface_hub import DatasetCard, ModelCard
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer
from trl.data_utils import is_conversational, maybe_apply_chat_template

torch.set_num_threads(1)
base, exports = sys.argv[1], Path(sys.argv[2])
tokenizer = AutoTokenizer.from_pretrained(base)


def rows_of(folder: str) -> dict:
    """By subset: how many rows, all taken for conversations by TRL, and the first as the chat template writes it."""
    found = {}
    for name in get_dataset_config_names(str(exports / folder)):
        rows = load_dataset(str(exports / folder), name, split="train")
        found[name] = {
            "rows": len(rows),
            "conversational": all(is_conversational(row) for row in rows),
            "first": maybe_apply_chat_template(rows[0], tokenizer),
        }
    return found


def trained(trainer) -> float:
    return trainer.train().training_loss


def settings(config, **more):
    folder = str(exports / "trainer")
    return config(output_dir=folder, max_steps=1, per_device_train_batch_size=2, use_cpu=True, report_to="none", save_strategy="no", **more)


def sft() -> dict:
    rows = load_dataset(str(exports / "trl"), "agent-1-critic", split="train")
    trainer = SFTTrainer(base, args=settings(SFTConfig), train_dataset=rows)
    batch = trainer.data_collator([trainer.train_dataset[0]])
    [tokens], [labels] = batch["input_ids"], batch["labels"]
    return {"learnt": tokenizer.decode(tokens[labels != -100]), "loss": trained(trainer)}


def sft_on_chats() -> float:
    rows = load_dataset(str(exports / "openai"), split="train")
    return trained(SFTTrainer(base, args=settings(SFTConfig), train_dataset=rows))


def dpo() -> float:
    rows = load_dataset(str(exports / "dpo"), split="train")
    return trained(DPOTrainer(base, args=settings(DPOConfig), train_dataset=rows))


def models() -> dict:
    """By folder: what its card says, and how far the adapter moves the base model's logits."""
    tokens = torch.tensor([tokenizer("2+3*4-5")["input_ids"]])
    found = {}
    for folder in sorted(path for path in (exports / "models").iterdir() if path.is_dir()):
        network = AutoModelForCausalLM.from_pretrained(base)
        with torch.no_grad():
            before = network(tokens).logits.clone()
            moved = (PeftModel.from_pretrained(network, str(folder))(tokens).logits - before).abs().max().item()
        card = ModelCard.load(folder / "README.md").data
        evaluation = [result.metric_value for result in card.eval_results]
        found[folder.name] = {"moved": moved, "base_model": card.base_model, "library_name": card.library_name, "evaluation": evaluation}
    return found


found = {name: rows_of(name) for name in ("trl", "openai", "dpo")}
found["all_rows"] = load_dataset(str(exports / "trl"), split="train").num_rows
found["card"] = DatasetCard.load(exports / "trl" / "README.md").data.to_dict()
found |= {"sft": sft(), "sft_on_chats": sft_on_chats(), "dpo_loss": dpo(), "models": models()}
print(json.dumps(found))
