"""Merges a LoRA adapter into its base model, and writes one whole model with its tokenizer, for any server.

    python engine/merge.py --base MODEL --adapter FOLDER --output FOLDER

The merged model has to give the logits of the base model with the adapter: they are compared before anything is written. The last line on
stdout is one JSON object: the greatest difference of a logit, and the number of parameters.
"""

import argparse
import json
import os
import sys

from colloquy_engine.protocol.process import leave, loading_libraries, quiet_libraries

GREATEST_DIFFERENCE = 1e-3  # of a logit, in float32; rounding makes 1e-5 of a small model and 1e-4 of a large one
PROBE = "3+4*5-6 = 17, because 4*5 is 20."


def main() -> int:
    options = _parse_options()
    quiet_libraries()
    if os.path.exists(options.base):
        os.environ["HF_HUB_OFFLINE"] = "1"

    with loading_libraries():
        import torch
        from peft import PeftModel
        from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(options.base)
        stored_as = AutoModelForCausalLM.from_pretrained(options.base, dtype="auto").dtype
        # Merged in float32, whatever the base is stored as: half precision would round each weight twice.
        network = AutoModelForCausalLM.from_pretrained(options.base, dtype=torch.float32).eval()
        adapted = PeftModel.from_pretrained(network, options.adapter).eval()
    except (OSError, ValueError) as error:
        print(f"Cannot load {options.base!r} with the adapter {options.adapter!r}: {error}", file=sys.stderr)
        return 1
    tokens = tokenizer(PROBE, return_tensors="pt")
    with torch.no_grad():
        before = adapted(input_ids=tokens["input_ids"]).logits
        merged = adapted.merge_and_unload(safe_merge=True)
        after = merged(input_ids=tokens["input_ids"]).logits
    difference = (before - after).abs().max().item()
    if not difference <= GREATEST_DIFFERENCE:
        print(f"The merged model answers otherwise than the adapter: a logit differs by {difference:.2g}.", file=sys.stderr)
        return 1
    merged.to(stored_as).save_pretrained(options.output)
    tokenizer.save_pretrained(options.output)
    for name in os.listdir(options.output):  # safetensors writes files that only their owner may read
        if name.endswith(".safetensors"):
            os.chmod(os.path.join(options.output, name), 0o644)
    print(json.dumps({"greatest_difference": difference, "parameters": merged.num_parameters()}))
    return 0


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True, help="the base model: a folder, or a hub id")
    parser.add_argument("--adapter", required=True, help="the folder of the adapter, in PEFT's format")
    parser.add_argument("--output", required=True, help="the folder to write")
    return parser.parse_args()


if __name__ == "__main__":
    leave(main())
