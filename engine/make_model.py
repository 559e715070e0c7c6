"""Makes the embedded model `engine/models/tiny-arithmetic` again, from a seed.

There are three phases. The first two teach first answers and then all kinds of turn, without slips. In the third, which is much shorter,
some of the answers to learn have slips. After it the model can do better than its answers show, and self-improvement can bring this out.
Usage: python engine/make_model.py [--output DIR] [--seed N]   (about 8 minutes on a free core)
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import TextIO

import torch
from torch.nn.functional import cross_entropy
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from arithmetic import write_task
from tiny_tokenizer import build_tokenizer
from dialogues import Carelessness, Prompts, Turn, critic_turn, first_answer, hint_turn, summary_turn

MODEL_DIR = Path(__file__).resolve().parent / "models/tiny-arithmetic"
MAX_LENGTH = 2048
IGNORED = -100


@dataclass(frozen=True)
class Phase:
    """A part of the training with answers of one carelessness. The learning rate warms up and falls as a cosine."""

    name: str
    steps: int
    peak_learning_rate: float
    warmup_steps: int
    first_answers_only: bool
    hints: int  # answers to hints in each step
    threads: int  # of the arithmetic; the order of its sums depends on it, and so do the last digits of the weights
    carelessness: Carelessness


PHASES = (
    # First answers come alone at first: together with critic turns, where most can be copied, the model hardly learns to add.
    Phase("first answers", 380, 2.5e-3, 50, True, 0, 2, Carelessness(first=0, critic=0, hint=0, shown=0)),
    Phase("clean", 620, 2e-3, 30, False, 8, 1, Carelessness(first=0, critic=0, hint=0.3, shown=0.4)),
    Phase("careless", 120, 6e-4, 20, False, 8, 1, Carelessness(first=0.31, critic=0.19, hint=0.3, shown=0.4)),
)


def main() -> None:
    options = _options()
    torch.manual_seed(options.seed)
    tokenizer = build_tokenizer(MAX_LENGTH)
    model = LlamaForCausalLM(_architecture(tokenizer))
    options.output.mkdir(parents=True, exist_ok=True)
    with (options.output / "training-log.jsonl").open("w") as log:
        origin = {"seed": options.seed, "torch": torch.__version__}
        _record(log, event="start", **origin, parameters=model.num_parameters())
        for phase in PHASES:
            if phase.name == "careless" and options.clean:
                model.save_pretrained(options.clean)
            # Each phase has its own random numbers, so that one can be changed or repeated without the others.
            torch.set_num_threads(phase.threads)
            train(model, tokenizer, phase, Random(f"{options.seed} {phase.name}"), log)
        _save(model, tokenizer, options.output)
        _record(log, event="saved", weights_sha256=weights_sha256(options.output))


def train(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, phase: Phase, rng: Random, log: TextIO) -> None:
    """Trains `model` in place for one phase. Writes a line to the log every 20 steps."""
    _record(log, event="phase", **asdict(phase))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.0, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    prompts, started, tokens = Prompts(), time.monotonic(), 0
    losses: dict[str, float] = {}
    model.train()
    for step in range(1, phase.steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = _learning_rate(phase, step)
        for kind, turns in batches(prompts, phase, rng, step).items():
            inputs, labels = encode(tokenizer, turns)
            loss = _loss(model, inputs, labels)
            loss.backward()
            losses[kind] = round(loss.item(), 5)
            tokens += inputs.numel()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % 20 == 0 or step == phase.steps:
            seconds = time.monotonic() - started
            rate = _learning_rate(phase, step)
            progress = {"step": step, "learning_rate": rate, "losses": losses, "seconds": round(seconds, 1), "tokens": tokens}
            _record(log, event="step", phase=phase.name, **progress)


def batches(prompts: Prompts, phase: Phase, rng: Random, step: int) -> dict[str, list[Turn]]:
    """The batches of one step: always first answers, which are the hardest to learn, and one batch of another kind by rotation."""
    care = phase.carelessness
    if phase.first_answers_only:
        return {"first": [first_answer(prompts, care, rng) for _ in range(64)]}
    first = [first_answer(prompts, care, rng) for _ in range(32)] + [hint_turn(prompts, care, rng) for _ in range(phase.hints)]
    kind = ("debate", "summary", "critic", "summary")[step % 4]
    # Most critic turns show two others, as in the paper's debate of three agents; the rest show none to five.
    if kind == "critic":
        others = [critic_turn(prompts, care, rng, rng.choice((0, 1, 2, 2, 2, 2)), 2, False) for _ in range(10)]
    elif kind == "debate":
        others = [critic_turn(prompts, care, rng, _some_others(rng), rng.choice((2, 3)), False) for _ in range(6)]
    else:
        others = [summary_turn(prompts, care, rng, _some_others(rng)) for _ in range(10)]
        others += [critic_turn(prompts, care, rng, _some_others(rng), rng.choice((2, 2, 2, 3)), True) for _ in range(12)]
    return {"first": first, kind: others}


def encode(tokenizer: PreTrainedTokenizerFast, turns: list[Turn]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids by the chat template, padded on the right, and labels: only the target and its end of turn are learnt."""
    prompts = [tokenizer.apply_chat_template(turn.chat, tokenize=False, add_generation_prompt=True) for turn in turns]
    prompt_ids = tokenizer(prompts, add_special_tokens=False)["input_ids"]
    target_ids = tokenizer([turn.target + tokenizer.eos_token for turn in turns], add_special_tokens=False)["input_ids"]
    width = max(len(prompt) + len(target) for prompt, target in zip(prompt_ids, target_ids))
    inputs = torch.full((len(turns), width), tokenizer.pad_token_id)
    labels = torch.full((len(turns), width), IGNORED)
    for row, (prompt, target) in enumerate(zip(prompt_ids, target_ids)):
        end = len(prompt) + len(target)
        inputs[row, :end] = torch.tensor(prompt + target)
        labels[row, len(prompt) : end] = torch.tensor(target)
    return inputs, labels


def weights_sha256(directory: Path) -> str:
    """The SHA-256 of a model directory's weights, as in the log and the model card."""
    return hashlib.sha256((directory / "model.safetensors").read_bytes()).hexdigest()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Makes the embedded model again, from a seed.")
    parser.add_argument("--output", type=Path, default=MODEL_DIR, help="where to write the model (default: %(default)s)")
    parser.add_argument("--clean", type=Path, help="also write the model of before the careless phase to this directory")
    parser.add_argument("--seed", type=int, default=7, help="of the initial weights and of all training data")
    return parser.parse_args()


def _architecture(tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=160,
        intermediate_size=432,
        num_hidden_layers=3,
        num_attention_heads=5,
        num_key_value_heads=5,
        max_position_embeddings=MAX_LENGTH,
        tie_word_embeddings=True,
        initializer_range=0.06,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _loss(model: LlamaForCausalLM, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    # Padding is on the right, where a causal model's targets cannot see it, so no attention mask is needed.
    hidden = model.model(input_ids=inputs[:, :-1], use_cache=False).last_hidden_state
    learnt = labels[:, 1:] != IGNORED
    return cross_entropy(model.lm_head(hidden[learnt]), labels[:, 1:][learnt])


def _learning_rate(phase: Phase, step: int) -> float:
    warm = min(1.0, step / phase.warmup_steps)
    return phase.peak_learning_rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / phase.steps)))


def _some_others(rng: Random) -> int:
    return rng.choice((1, 2, 2, 2, 2, 2, 3, 3, 4, 5))


def _save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, directory: Path) -> None:
    model.generation_config = GenerationConfig(
        do_sample=True, temperature=1.0, top_p=0.9, max_new_tokens=64, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    # transformers 5 writes a class name that version 4 and vLLM do not know. All of them can load this one.
    config_file = directory / "tokenizer_config.json"
    config = json.loads(config_file.read_text()) | {"tokenizer_class": "PreTrainedTokenizerFast"}
    config_file.write_text(json.dumps(config, indent=2) + "\n")
    write_task(directory / "task.json")


def _record(log: TextIO, **line: object) -> None:
    text = json.dumps(line)
    print(text, flush=True)
    print(text, file=log, flush=True)


if __name__ == "__main__":
    main()
