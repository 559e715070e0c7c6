"""Makes a model of a larger shape that answers as the embedded model does: `python bench/model_of_shape.py SHAPE FOLDER`.

Random weights give answers that nobody can read, so that there is no vote, no dataset and nothing to train. This model has the size and the
cost of SHAPE, and the embedded model's weights in a corner of it: three of its layers compute what the embedded model computes, and the others,
whose weights are random, add nothing. Token ids that the tokenizer does not have are never chosen.
"""

import json
import math
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig

EMBEDDED = Path(__file__).resolve().parents[1] / "engine/models/tiny-arithmetic"

SHAPES = {
    # Qwen3-4B's sizes, and Llama-3.1-8B's; both as Llama, whose code has no more norms than the embedded model.
    "4b": {"hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 36, "num_attention_heads": 32,
           "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936, "tie_word_embeddings": True},
    "8b": {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
           "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 128256, "tie_word_embeddings": False},
    # 4 million parameters, to test this program.
    "small": {"hidden_size": 384, "intermediate_size": 864, "num_hidden_layers": 5, "num_attention_heads": 12,
              "num_key_value_heads": 6, "head_dim": 64, "vocab_size": 512, "tie_word_embeddings": True},
}  # fmt: skip

NEVER = 1000.0  # how strongly a token id without a token is avoided
MARK = 2.0**-10  # a feature of every token that is 0 in no layer, by which such ids are avoided; too small to be noticed in a norm


def make(shape: str, folder: Path) -> None:
    """Writes the model, a file for each layer, so that no more than one layer is in memory."""
    small = LlamaConfig.from_pretrained(EMBEDDED)
    weights = load_file(EMBEDDED / "model.safetensors")
    dtype = torch.float32 if shape == "small" else torch.bfloat16
    wanted = SHAPES[shape]
    config = LlamaConfig(
        **wanted, dtype=dtype, architectures=small.architectures, max_position_embeddings=small.max_position_embeddings,
        rope_parameters=small.rope_parameters,
        bos_token_id=None, eos_token_id=small.eos_token_id, pad_token_id=small.pad_token_id,
        # The mean of the squares is over more features, of which the others are 0.
        rms_norm_eps=small.rms_norm_eps * small.hidden_size / wanted["hidden_size"],
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json", "task.json"):
        shutil.copyfile(EMBEDDED / name, folder / name)
    config.save_pretrained(folder)
    torch.manual_seed(1)
    files, place = {}, {}
    for number in range(config.num_hidden_layers):
        files[f"layer-{number:02d}.safetensors"] = lambda number=number: layer(config, small, weights, number)
    files["ends.safetensors"] = lambda: ends(config, small, weights)
    for file, weights_of in files.items():
        tensors = {name: tensor.to(dtype) for name, tensor in weights_of().items()}
        save_file(tensors, folder / file, metadata={"format": "pt"})
        place |= dict.fromkeys(tensors, file)
    index = {"metadata": {"total_size": sum((folder / file).stat().st_size for file in files)}, "weight_map": place}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def layer(config: LlamaConfig, small: LlamaConfig, weights: dict, number: int) -> dict:
    """A layer that computes what the embedded model's layer of this number computes; nothing when it has none."""
    width, inner, size = config.hidden_size, config.intermediate_size, config.head_dim
    heads, groups = config.num_attention_heads, config.num_key_value_heads
    made = {
        "input_layernorm": torch.ones(width),
        "self_attn.q_proj": _random(heads * size, width),
        "self_attn.k_proj": _random(groups * size, width),
        "self_attn.v_proj": _random(groups * size, width),
        "self_attn.o_proj": torch.zeros(width, heads * size),
        "post_attention_layernorm": torch.ones(width),
        "mlp.gate_proj": _random(inner, width),
        "mlp.up_proj": _random(inner, width),
        "mlp.down_proj": torch.zeros(width, inner),
    }
    if number < small.num_hidden_layers:
        own = {name: weights[f"model.layers.{number}.{name}.weight"] for name in made}
        narrow, narrow_inner, narrow_size = small.hidden_size, small.intermediate_size, small.head_dim
        for norm in ("input_layernorm", "post_attention_layernorm"):
            made[norm][:narrow] = own[norm] * math.sqrt(narrow / width)
        # Rotary positions turn feature i of a head by an angle that the same share of a larger head has.
        half = torch.arange(narrow_size // 2) * (size // narrow_size)
        turned = torch.cat([half, half + size // 2])
        for head in range(small.num_attention_heads):
            of = slice(head * narrow_size, (head + 1) * narrow_size)
            # The first of the heads that share these keys and values.
            asking, asked = head * (heads // groups) * size, head * size
            for name, begin in (("q", asking), ("k", asked), ("v", asked)):
                made[f"self_attn.{name}_proj"][begin : begin + size] = 0
            made["self_attn.q_proj"][asking + turned, :narrow] = own["self_attn.q_proj"][of] * math.sqrt(size / narrow_size)
            made["self_attn.k_proj"][asked + turned, :narrow] = own["self_attn.k_proj"][of]
            made["self_attn.v_proj"][asked : asked + narrow_size, :narrow] = own["self_attn.v_proj"][of]
            made["self_attn.o_proj"][:narrow, asking : asking + narrow_size] = own["self_attn.o_proj"][:, of]
        for name in ("mlp.gate_proj", "mlp.up_proj"):
            made[name][:narrow_inner] = 0
            made[name][:narrow_inner, :narrow] = own[name]
        made["mlp.down_proj"][:narrow, :narrow_inner] = own["mlp.down_proj"]
    return {f"model.layers.{number}.{name}.weight": tensor for name, tensor in made.items()}


def ends(config: LlamaConfig, small: LlamaConfig, weights: dict) -> dict:
    """What comes before and after the layers. The feature after the embedded model's own ones is the mark."""
    narrow, tokens = small.hidden_size, small.vocab_size
    embedding = torch.zeros(config.vocab_size, config.hidden_size)
    embedding[:tokens, :narrow] = weights["model.embed_tokens.weight"]
    embedding[:tokens, narrow] = MARK
    embedding[tokens:, narrow] = -NEVER
    norm = torch.ones(config.hidden_size)
    norm[:narrow] = weights["model.norm.weight"] * math.sqrt(narrow / config.hidden_size)
    norm[narrow] = NEVER
    made = {"model.embed_tokens.weight": embedding, "model.norm.weight": norm}
    return made if config.tie_word_embeddings else made | {"lm_head.weight": embedding.clone()}


def _random(*size: int) -> torch.Tensor:
    return torch.empty(*size).normal_(0, 0.02)


if __name__ == "__main__":
    make(sys.argv[1], Path(sys.argv[2]))
