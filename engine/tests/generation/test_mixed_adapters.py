"""Adapters: equal to PEFT's, and refused when they do not fit."""

import json
import shutil

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from colloquy_engine.generation.adapters import AdapterMissing, AdapterUnfit, linear_modules, read_adapter
from colloquy_engine.generation.mixed_adapters import MixedAdapters


def load(model_dir):
    return AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float64).eval()


@torch.inference_mode()
def test_a_mixed_batch_gives_what_pefts_mixed_batch_gives(model_dir, adapter_dirs):
    rows = [None, 0, 1, 2, 0, None, 2, 1]
    tokens = torch.randint(5, 100, (len(rows), 7), generator=torch.Generator().manual_seed(0))
    theirs = PeftModel.from_pretrained(load(model_dir), adapter_dirs[0], adapter_name="a0", autocast_adapter_dtype=False)
    for index in (1, 2):
        theirs.load_adapter(adapter_dirs[index], f"a{index}", autocast_adapter_dtype=False)
    theirs = theirs.double().eval()
    names = ["__base__" if row is None else f"a{row}" for row in rows]
    expected = theirs(input_ids=tokens, adapter_names=names).logits

    network = load(model_dir)
    linears = linear_modules(network)
    adapters = [read_adapter(str(path), str(path), linears) for path in adapter_dirs]
    mixed = MixedAdapters(network)
    mixed.route_rows([None if row is None else adapters[row] for row in rows])
    assert (network(input_ids=tokens).logits - expected).abs().max() < 1e-9
    for row, adapter in enumerate(rows):  # the same by the path of packed prompts
        mixed.route_tokens([None if adapter is None else adapters[adapter]], [7])
        assert (network(input_ids=tokens[row : row + 1]).logits - expected[row : row + 1]).abs().max() < 1e-9
    for used in ([0, 2], [1], [None, 2], [0, 1], [2], [None, 0, 1]):  # when the answers of some adapters have ended, and when they come back
        left = [row for row, adapter in enumerate(rows) if adapter in used]
        mixed.route_rows([None if rows[row] is None else adapters[rows[row]] for row in left])
        assert (network(input_ids=tokens[left]).logits - expected[left]).abs().max() < 1e-9
    mixed.route_rows([None] * len(rows))
    assert (network(input_ids=tokens).logits - load(model_dir)(input_ids=tokens).logits).abs().max() < 1e-12


@pytest.fixture
def damaged(tmp_path, adapter_dirs):
    """A copy of an adapter, and a function that changes its weights by name."""
    shutil.copytree(adapter_dirs[0], tmp_path / "adapter")
    path = tmp_path / "adapter" / "adapter_model.safetensors"

    def change(edit):
        save_file(edit(load_file(path)), path)
        return str(tmp_path / "adapter")

    return change


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda w: {k.replace("q_proj", "query"): v for k, v in w.items()}, "no linear module"),
        (lambda w: {k.removeprefix("base_model.model."): v for k, v in w.items()}, "not a LoRA weight"),
        (lambda w: {k: v[:, :5].contiguous() if "lora_A" in k else v for k, v in w.items()}, "wide in the base"),
        (lambda w: {k: v for k, v in w.items() if "lora_B" not in k}, "one half"),
        (lambda w: {k: torch.full_like(v, float("nan")) for k, v in w.items()}, "NaN"),
        (lambda w: {k: v * 1e6 for k, v in w.items()}, "are above 10000"),
        (lambda w: {k: torch.cat([v, v], 0 if "lora_A" in k else 1) for k, v in w.items()}, "have rank 8, but adapter_config.json has 4"),
        (lambda w: {k: v[0].clone() for k, v in w.items()}, "no matrix"),
        (lambda w: {k: v.long() for k, v in w.items()}, "no matrix of floating-point"),
        (lambda w: {k: (v[:0] if "lora_A" in k else v[:, :0]).contiguous() for k, v in w.items()}, "have rank 0|cannot be read"),
        (lambda w: {}, "no weights"),
    ],
)
def test_an_adapter_that_does_not_fit_is_refused(model_dir, damaged, edit, reason):
    with pytest.raises(AdapterUnfit, match=reason):
        read_adapter("a", damaged(edit), linear_modules(load(model_dir)))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"lora_alpha": 1e300}, "lora_alpha"),
        ({"lora_alpha": float("nan")}, "lora_alpha"),
        ({"lora_alpha": "x"}, "lora_alpha"),
        ({"lora_alpha": None}, "lora_alpha"),
        ({"r": 100_000}, "r: "),
        ({"r": 0}, "r: "),
        ({"alpha_pattern": {"(a+)+$": 1}}, "regular expression"),
        ({"alpha_pattern": {"q_proj": 1e300}}, "alpha_pattern.q_proj"),
        ({"rank_pattern": {"q_proj": 7}}, "have rank 4, but adapter_config.json has 7"),
        ({"fan_in_fan_out": True}, "fan_in_fan_out"),
        ({"bias": "all"}, "bias"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"peft_type": "LOHA"}, "peft_type"),
    ],
)
def test_a_config_that_the_server_cannot_follow_is_refused(model_dir, tmp_path, adapter_dirs, change, reason):
    shutil.copytree(adapter_dirs[0], tmp_path / "adapter")
    config = tmp_path / "adapter" / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | change))
    with pytest.raises(AdapterUnfit, match=reason):
        read_adapter("a", str(tmp_path / "adapter"), linear_modules(load(model_dir)))


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b" " * 2_000_000])
def test_a_file_that_is_no_adapter_is_refused(model_dir, tmp_path, adapter_dirs, content):
    shutil.copytree(adapter_dirs[0], tmp_path / "adapter")
    (tmp_path / "adapter" / "adapter_config.json").write_bytes(content)
    with pytest.raises(AdapterUnfit):
        read_adapter("a", str(tmp_path / "adapter"), linear_modules(load(model_dir)))
    shutil.copytree(adapter_dirs[0], tmp_path / "other")
    (tmp_path / "other" / "adapter_model.safetensors").write_bytes(content)
    with pytest.raises(AdapterUnfit, match="cannot be read"):
        read_adapter("a", str(tmp_path / "other"), linear_modules(load(model_dir)))


def test_an_adapter_of_the_output_layer_is_refused_as_it_sees_one_token_only(model_dir, damaged):
    network = load(model_dir)
    weights = {"base_model.model.lm_head.lora_A.weight": torch.ones(4, 32), "base_model.model.lm_head.lora_B.weight": torch.ones(network.vocab_size, 4)}
    with pytest.raises(AdapterUnfit, match="no linear module that this server can adapt"):
        read_adapter("a", damaged(lambda _: weights), linear_modules(network))


def test_a_missing_adapter_and_another_kind_of_adapter_are_refused(model_dir, tmp_path, adapter_dirs):
    linears = linear_modules(load(model_dir))
    with pytest.raises(AdapterMissing):
        read_adapter("a", str(tmp_path), linears)
    shutil.copytree(adapter_dirs[0], tmp_path / "dora")
    config = tmp_path / "dora" / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"use_dora": True}))
    with pytest.raises(AdapterUnfit, match="use_dora"):
        read_adapter("a", str(tmp_path / "dora"), linears)
