"""Writes the embedded model as a GGUF file for llama.cpp. llama.cpp's own converter knows no tokenizer whose tokens are characters.

    pip install gguf && python test/vllm/embedded_gguf.py engine/models/tiny-arithmetic tiny.gguf
"""

import json
import sys
from pathlib import Path

import gguf
import numpy
from safetensors.numpy import load_file

LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
TOP = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def name_of(name: str) -> str:
    module = name.removesuffix(".weight")
    if module in TOP:
        return f"{TOP[module]}.weight"
    _, _, layer, part = module.split(".", 3)
    return f"blk.{layer}.{LAYER[part]}.weight"


def value_of(name: str, weights: numpy.ndarray, heads: int) -> numpy.ndarray:
    if not name.endswith(("q_proj.weight", "k_proj.weight")):
        return weights
    # llama.cpp turns neighbours by RoPE, and Transformers the two halves of a head.
    return weights.reshape(heads, 2, -1, weights.shape[1]).swapaxes(1, 2).reshape(weights.shape)


def main(folder: str, target: str) -> None:
    source = Path(folder)
    config = json.loads((source / "config.json").read_text())
    tokenizer = json.loads((source / "tokenizer.json").read_text())
    heads = config["num_attention_heads"]
    writer = gguf.GGUFWriter(target, "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])

    # Byte pairs without pairs: each character is a token. Blanks and line ends are written as GPT-2 writes them.
    special = {token["id"]: token["special"] for token in tokenizer["added_tokens"]}
    vocabulary = sorted(tokenizer["model"]["vocab"].items(), key=lambda item: item[1])
    kinds = {True: gguf.TokenType.CONTROL, False: gguf.TokenType.USER_DEFINED, None: gguf.TokenType.NORMAL}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([token if number in special else {" ": "\u0120", "\n": "\u010a"}.get(token, token) for token, number in vocabulary])
    writer.add_token_types([kinds[special.get(number)] for _, number in vocabulary])
    # The list may not be empty; this pair is in no text.
    writer.add_token_merges(["\u0100 \u0100"])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_pad_token_id(config["pad_token_id"])
    writer.add_add_bos_token(False)
    # llama.cpp's templates know no {% generation %}.
    template = (source / "chat_template.jinja").read_text()
    writer.add_chat_template(template.replace("{%- generation -%}", "").replace("{%- endgeneration -%}", ""))

    for name, weights in load_file(source / "model.safetensors").items():
        writer.add_tensor(name_of(name), value_of(name, weights.astype(numpy.float32), heads))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
