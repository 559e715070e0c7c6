"""Answers the requests of a file with transformers alone, as a script would: for the benchmarks `generation` and `authors`.

    python bench/plain_transformers.py MODEL REQUESTS TEMPERATURE

REQUESTS holds lists of rounds, and each round is a list of chats. Reads lines from stdin: `batch 1` answers each round of the second list as one
batch, and `single 1` answers the chats of that list one after the other, as the paper's scripts do. Prints a line of JSON after each.
"""

import json
import sys
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def main() -> None:
    model_dir, requests, temperature = sys.argv[1], sys.argv[2], float(sys.argv[3])
    model = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32).eval()
    model.generation_config.top_p = 1.0
    tokenizer = AutoTokenizer.from_pretrained(model_dir, padding_side="left")
    sampling = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature > 0 else {"do_sample": False}
    with open(requests) as file:
        lists = [
            [[tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) for chat in chats] for chats in rounds]
            for rounds in json.load(file)
        ]

    def answer(texts: list[str]) -> int:
        """The number of tokens that were written."""
        batch = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False, return_token_type_ids=False)
        made = model.generate(**batch, **sampling, max_new_tokens=64, pad_token_id=tokenizer.pad_token_id)
        written = made[:, batch["input_ids"].shape[1] :]
        tokenizer.batch_decode(written, skip_special_tokens=True)
        return (written != tokenizer.pad_token_id).sum().item()

    def timed(batches: list[list[str]]) -> None:
        began = time.perf_counter()
        tokens = sum(map(answer, batches))
        said = {"answers": sum(map(len, batches)), "seconds": time.perf_counter() - began, "tokens": tokens}
        print(json.dumps(said), flush=True)

    timed([lists[0][0][:2]])
    for line in sys.stdin:
        mode, place = line.split()
        rounds = lists[int(place)]
        timed(rounds if mode == "batch" else [[text] for texts in rounds for text in texts])


with torch.inference_mode():
    main()
