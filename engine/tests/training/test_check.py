"""What training cannot use is found before anything is asked of a model."""

import json
import sys

import pytest
import torch
from tiny_llama import CHAT_TEMPLATE, THINKING_TEMPLATE, family_config, make_tiny_llama, make_tokenizer

from colloquy_engine.generation.base_model import ModelNotServable, load_base_model
from colloquy_engine.protocol.server_messages import CheckTraining
from colloquy_engine.protocol.trainer_messages import TrainingFailure
from colloquy_engine.training.check import check_base, check_training
from colloquy_engine.training.training_rows import IGNORED, tokenise

END = 3
DIALOGUE = [
    {"role": "user", "content": "12+3"},
    {"role": "assistant", "content": "15 it is"},
    {"role": "user", "content": "Others say 14 and 16."},
    {"role": "assistant", "content": "Still 15."},
]
EXAMPLES = [
    {"kind": "a first answer", "prompt": DIALOGUE[:1], "completion": DIALOGUE[1:2]},
    {"kind": "a revised answer", "prompt": DIALOGUE[:3], "completion": DIALOGUE[3:]},
]


def check(template=CHAT_TEMPLATE, family="llama", targets="all-linear", tokenizer=None, **sizes):
    tokenizer = tokenizer or make_tokenizer()
    tokenizer.chat_template = template
    request = CheckTraining.model_validate({"examples": EXAMPLES, "lora_target_modules": targets})
    return check_training(request, tokenizer, frozenset({END}), family_config(family, **sizes))


def test_what_can_be_trained_names_the_modules_that_are_adapted():
    assert len(check()) == 14
    assert check(targets=["q_proj", "model.layers.1.self_attn.v_proj"]) == [
        "model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.q_proj", "model.layers.1.self_attn.v_proj",
    ]  # fmt: skip


THINKING = CHAT_TEMPLATE.replace("{% if add_generation_prompt %}<assistant>", "{% if add_generation_prompt %}<assistant><think>")
PARTS = CHAT_TEMPLATE.replace("{{ message.content }}", "{% for part in message.content if part.text %}{{ part.text }}{% endfor %}")
ALTERNATING = "{% if messages | length > 2 %}{{ raise_exception('roles have to alternate') }}{% endif %}" + CHAT_TEMPLATE
SYSTEM = "{% if messages[0].role != 'system' %}{{ raise_exception('a system message is needed') }}{% endif %}" + CHAT_TEMPLATE
FIRST_ONLY = CHAT_TEMPLATE.replace("{{ message.content }}", "{{ message.content if loop.first or message.role == 'assistant' }}")


@pytest.mark.parametrize(
    ("template", "kind", "why"),
    [
        (THINKING, "a first answer", "writes the prompt differently when an answer follows"),
        (PARTS, "a first answer", "content as parts"),
        (ALTERNATING, "a revised answer", "roles have to alternate"),
        (SYSTEM, "a first answer", "a system message is needed"),
        (FIRST_ONLY, "a revised answer", "leaves out the text of a message .'Others say"),
        ("{{ nothing.at.all }}", "a first answer", "undefined"),
    ],
)
def test_a_template_that_cannot_write_a_row_is_named_with_the_kind_of_row(template, kind, why):
    with pytest.raises(TrainingFailure, match=f"cannot write {kind}: .*{why}") as failure:
        check(template)
    assert failure.value.kind == "bad_data"


def test_made_up_rows_have_the_variables_of_the_template():
    tokenizer, ends = make_tokenizer(), frozenset({END})
    # The prompt without thinking begins the answer with an empty one, and a finished answer has none: only a row without thinking shows it.
    tokenizer.chat_template = CHAT_TEMPLATE
    rows = [example | {"chat_template_kwargs": {"enable_thinking": False}} for example in EXAMPLES]
    request = CheckTraining.model_validate({"examples": rows, "lora_target_modules": "all-linear"})
    with pytest.raises(TrainingFailure, match="cannot write a first answer: .*writes the prompt differently"):
        check_training(request, tokenizer, ends, family_config("llama"))
    tokenizer.chat_template = THINKING_TEMPLATE
    assert len(check_training(request, tokenizer, ends, family_config("llama"))) == 14


def test_a_tokenizer_without_an_end_of_turn_is_refused():
    tokenizer = make_tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(TrainingFailure, match="no end-of-turn token"):
        check(CHAT_TEMPLATE.replace("<end>", ""), tokenizer=tokenizer)


@pytest.mark.parametrize(
    ("family", "targets", "why"),
    [
        ("llama", ["lm_head"], "'lm_head' is an embedding"),
        ("llama", ["q_proj", "embed_tokens"], "'embed_tokens' is an embedding"),
        ("phi3", ["qkv_proj", "q_proj"], "no module 'q_proj'. It has o_proj, qkv_proj, gate_up_proj, down_proj"),
        ("gpt2", ["q_proj"], "no module 'q_proj'. It has c_attn, c_proj, c_fc"),
        ("llama", "no-such-expression", "lora_target_modules: "),
    ],
)
def test_target_modules_that_cannot_be_trained_are_named(family, targets, why):
    with pytest.raises(TrainingFailure, match=why) as failure:
        check(family=family, targets=targets)
    assert failure.value.kind == "bad_settings"


def test_the_loss_ends_at_the_first_end_token_though_the_template_goes_on():
    tokenizer = make_tokenizer()
    tokenizer.chat_template = CHAT_TEMPLATE.replace("<end>{% endfor %}", "<end>\n{% endfor %}{% if not add_generation_prompt %}<pad>{% endif %}")
    tokens, labels = tokenise(EXAMPLES[0], tokenizer, frozenset({END, 0}))
    assert tokens[-1] == END and tokenizer.decode([token for token in labels if token != IGNORED]) == "15 it is<end>"


def test_qlora_is_refused_where_bitsandbytes_is_missing_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)  # an import then fails
    request = CheckTraining.model_validate({"examples": EXAMPLES, "lora_target_modules": "all-linear", "load_in_4bit": True})
    with pytest.raises(TrainingFailure, match="method: qlora needs the Python package bitsandbytes .*npx colloquy setup --qlora") as failure:
        check_training(request, make_tokenizer(), frozenset({END}), family_config("llama"))
    assert failure.value.kind == "bad_settings"


def test_a_base_model_is_checked_by_its_config_and_tokenizer_alone(tmp_path):
    make_tiny_llama(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    request = CheckTraining.model_validate({"examples": EXAMPLES, "lora_target_modules": ["q_proj"]})
    assert len(check_base(str(tmp_path), request)) == 2
    with pytest.raises(TrainingFailure) as failure:
        check_base(str(tmp_path / "none"), request)
    assert failure.value.kind == "missing_model"


def test_a_base_model_without_a_chat_template_is_neither_trained_nor_served(tmp_path):
    tokenizer = make_tokenizer()
    tokenizer.chat_template = None
    make_tiny_llama(tmp_path)
    for template in tmp_path.glob("chat_template*"):
        template.unlink()
    tokenizer.save_pretrained(tmp_path)
    request = CheckTraining.model_validate({"examples": EXAMPLES, "lora_target_modules": ["q_proj"]})
    with pytest.raises(TrainingFailure, match="has no chat template") as failure:
        check_base(str(tmp_path), request)
    assert failure.value.kind == "missing_model"
    with pytest.raises(ModelNotServable, match="has no chat template, so it cannot answer chats"):
        load_base_model(str(tmp_path))


def test_a_made_up_adapter_is_loaded_by_peft_and_changes_every_answer(tmp_path):
    from peft import PeftModel
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    from colloquy_engine.protocol.server_messages import MadeUpAdapter
    from colloquy_engine.training.made_up import write_made_up_adapter

    base = make_tiny_llama(tmp_path / "base")
    write_made_up_adapter(str(base), "all-linear", MadeUpAdapter(folder=str(tmp_path / "made-up"), lora_r=4, lora_alpha=8))
    network = AutoModelForCausalLM.from_pretrained(base)
    tokens = torch.tensor([[5, 6, 7]])
    before = network(tokens).logits.log_softmax(-1)
    adapted = PeftModel.from_pretrained(network, tmp_path / "made-up")
    moved = (adapted(tokens).logits.log_softmax(-1) - before).abs().max()
    assert 0.01 < moved < 20
    parts = {part.name: load_file(part / "adapter_model.safetensors") for part in (tmp_path / "made-up" / "parts").iterdir()}
    assert set(parts) == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    assert {name for part in parts.values() for name in part} == set(load_file(tmp_path / "made-up" / "adapter_model.safetensors"))
    for module in parts:
        only = json.loads((tmp_path / "made-up" / "parts" / module / "adapter_config.json").read_text())
        assert only["target_modules"] == [module] and only["r"] == 4
    manifest = json.loads((tmp_path / "made-up" / "manifest.json").read_text())
    assert sorted(manifest["files"]) == ["adapter_config.json", "adapter_model.safetensors"]
