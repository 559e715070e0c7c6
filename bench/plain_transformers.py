"""Answers the requests of a file with transformers alone, as a script would: for `npm run bench -- generation`.

    python bench/plain_transformers.py MODEL REQUESTS

REQUESTS holds lists of rounds, and each round is a list of chats. Reads lines from stdin: `batch 1` answers each round of the second list as one
batch, and `single 1` answers the first 24 chats of each of its rounds one after the other, as the paper's scripts do. Prints a line of JSON after each.
"""

import json
import sys
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

SINGLE = 24


def main() -> None:
    model_dir, requests = sys.argv[1:]
    model = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(model_dir, padding_side="left")
    with open(requests) as file:
        lists = [
            [[tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) for chat in chats] for chats in rounds]
            for rounds in json.load(file)
        ]

    def answer(texts: list[str]) -> int:
        batch = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False, return_token_type_ids=False)
        made = model.generate(**batch, do_sample=True, temperature=1.0, top_k=0, max_new_tokens=64, pad_token_id=tokenizer.pad_token_id or 0)
        tokenizer.batch_decode(made[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
        return len(texts)

    answer(lists[0][0][:2])
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        mode, place = line.split()
        rounds = lists[int(place)]
        batches = rounds if mode == "batch" else [[text] for texts in rounds for text in texts[:SINGLE]]
        began = time.perf_counter()
        answers = sum(map(answer, batches))
        print(json.dumps({"answers": answers, "seconds": time.perf_counter() - began}), flush=True)


with torch.inference_mode():
    main()
