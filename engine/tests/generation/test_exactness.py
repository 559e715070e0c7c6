"""A model is served with its own probabilities, or it is refused when it is loaded."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_llama import make_family, make_tiny_llama
from transformers import AutoConfig

from colloquy_engine.generation import exactness
from colloquy_engine.generation.base_model import ModelNotServable, load_base_model
from colloquy_engine.training.check import adapted_modules

MIXTURE = {"head_dim": 8, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "decoder_sparse_step": 1}
LATENT = {
    "q_lora_rank": 16, "kv_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 8, "v_head_dim": 8, "n_routed_experts": 4,
    "num_experts_per_tok": 2, "n_group": 1, "topk_group": 1, "first_k_dense_replace": 1, "moe_intermediate_size": 16, "num_key_value_heads": 4,
}  # fmt: skip


@pytest.mark.parametrize(
    ("family", "sizes", "context"),
    [
        ("qwen3", {"head_dim": 8}, 256),
        ("mistral", {"sliding_window": 64}, 64),
        ("gemma3_text", {"head_dim": 8, "sliding_window": 64}, 64),
        ("phi3", {}, 256),
        ("gpt2", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256}, 256),
        ("qwen3_moe", MIXTURE, 256),
    ],
)
def test_a_family_that_the_engine_runs_exactly_is_served_within_its_window(tmp_path, family, sizes, context):
    model = load_base_model(str(make_family(tmp_path, family, **sizes)))
    assert model.context_length == context
    # A router, and GPT-2's layers, which are no linear modules, cannot be adapted.
    assert not any("gate" == name.rpartition(".")[2] for name in model.linears)
    assert (model.linears == {}) == (family == "gpt2")


@pytest.mark.parametrize(
    ("family", "sizes", "why"),
    [
        ("gemma2", {"head_dim": 8, "sliding_window": 64}, "the option softcap"),
        ("gpt_oss", {"head_dim": 8, "num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 64}, "the option s_aux"),
        ("lfm2", {"layer_types": ["conv", "full_attention"]}, ""),
        ("qwen3_next", MIXTURE | {"layer_types": ["linear_attention", "full_attention"]}, ""),
        ("qwen3_5_text", {"head_dim": 8, "layer_types": ["linear_attention", "full_attention"]}, ""),
        ("deepseek_v3", LATENT, ""),
        ("falcon", {}, ""),
        ("bloom", {}, ""),
        ("mamba", {}, ""),
    ],
)
def test_a_family_that_it_cannot_run_ends_in_one_sentence(tmp_path, family, sizes, why):
    with pytest.raises(ModelNotServable, match=f"cannot run .*ForCausalLM .* exactly: .*{why}.*Use vLLM"):
        load_base_model(str(make_family(tmp_path, family, **sizes)))


def test_long_positions_that_depend_on_the_batch_are_beyond_the_context(tmp_path):
    factors = [1.0] * 4
    rope = {"rope_type": "longrope", "rope_theta": 10000.0, "short_factor": factors, "long_factor": factors, "factor": 4.0}
    assert load_base_model(str(make_family(tmp_path, "phi3", rope_parameters=rope, original_max_position_embeddings=64))).context_length == 64


@pytest.mark.parametrize("wrong", ["attention", "adapter"])
def test_other_logits_are_noticed_with_and_without_an_adapter(tmp_path, monkeypatch, wrong):
    if wrong == "attention":
        monkeypatch.setattr("colloquy_engine.generation.key_value_store._attend_step", lambda query, piece, _: piece.value[:, :, -1:].repeat(1, 2, 1, 1).transpose(1, 2))
    else:
        monkeypatch.setattr(exactness.MixedAdapters, "route_rows", lambda *_: None)
    with pytest.raises(ModelNotServable, match="1 tokens after a prompt" + (" with an adapter" if wrong == "adapter" else "")):
        load_base_model(str(make_tiny_llama(tmp_path)))


def test_half_precision_is_compared_with_the_models_own_noise(model_dir):
    assert load_base_model(str(model_dir), dtype="bfloat16").dtype == torch.bfloat16


@pytest.mark.parametrize("damage", ["truncated", "empty", "NaN", "no config", "wrong config", "another width", "a weight lacks"])
def test_a_damaged_base_model_cannot_be_loaded(tmp_path, damage):
    directory = make_tiny_llama(tmp_path)
    weights, config = directory / "model.safetensors", directory / "config.json"
    if damage in ("truncated", "empty"):
        weights.write_bytes(weights.read_bytes()[: 5000 if damage == "truncated" else 0])
    elif damage == "NaN":
        save_file({name: torch.full_like(each, float("nan")) for name, each in load_file(weights).items()}, weights, {"format": "pt"})
    elif damage == "a weight lacks":
        save_file({name: each for name, each in load_file(weights).items() if "layers.1.mlp" not in name}, weights, {"format": "pt"})
    elif damage == "no config":
        config.unlink()
    elif damage == "wrong config":
        config.write_text('{"model_type": "none"')
    else:
        config.write_text(config.read_text().replace('"hidden_size": 32', '"hidden_size": 64'))
    with pytest.raises(ModelNotServable, match="Cannot load the model|not numbers"):
        load_base_model(str(directory))


@pytest.mark.parametrize(("family", "sizes", "unfit"), [("qwen3_moe", MIXTURE, "mlp.experts"), ("gpt2", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256}, "attn.c_attn")])
def test_what_training_would_adapt_and_the_server_cannot_is_not_among_its_modules(tmp_path, family, sizes, unfit):
    model = load_base_model(str(make_family(tmp_path, family, **sizes)))
    adapted = adapted_modules(AutoConfig.from_pretrained(tmp_path), "all-linear")
    assert any(unfit in name for name in adapted) and not any(unfit in name for name in model.linears)
