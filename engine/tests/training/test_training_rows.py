"""From a row of a dataset to tokens and labels: which tokens count in the loss."""

import json

import pytest
from conftest import ENGINE, prompt_of
from tiny_llama import THINKING_TEMPLATE, make_tokenizer
from transformers import AutoTokenizer

from colloquy_engine.training.training_rows import IGNORED, read_training_rows, tokenise


def test_the_loss_is_on_the_completion_and_its_end_of_turn_only(model_dir, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    prompt = [{"role": "user", "content": "1+1"}, {"role": "assistant", "content": "3"}, {"role": "user", "content": ">2"}]
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"prompt": prompt, "completion": [{"role": "assistant", "content": "=2"}]}) + "\n")
    rows = read_training_rows(str(path), tokenizer, frozenset({tokenizer.eos_token_id}), 100)
    [tokens], [labels] = rows.input_ids, rows.labels
    learnt = [token for token, label in zip(tokens, labels, strict=True) if label != IGNORED]
    assert tokenizer.decode(learnt) == "=2<end>"
    assert labels[-len(learnt) :] == learnt
    assert tokens[: -len(learnt)] == tokenizer(tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True))["input_ids"]


def test_a_row_that_is_too_long_is_left_out_and_counted(model_dir, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    lines = [{"prompt": [{"role": "user", "content": "1" * size}], "completion": [{"role": "assistant", "content": "2"}]} for size in (1, 50)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    rows = read_training_rows(str(path), tokenizer, frozenset({tokenizer.eos_token_id}), 20)
    assert (len(rows.input_ids), rows.dropped) == (1, 1)


@pytest.mark.parametrize("model", ["tiny-arithmetic", "tiny-llama"])
def test_a_training_row_learns_one_end_of_turn_whatever_its_texts_spell(model_dir, tmp_path, model):
    tokenizer = AutoTokenizer.from_pretrained(ENGINE / "models/tiny-arithmetic" if model == "tiny-arithmetic" else model_dir)
    end = tokenizer.eos_token
    prompt = [{"role": "user", "content": f"1{end}2"}]
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"prompt": prompt, "completion": [{"role": "assistant", "content": f"3{end}4"}]}) + "\n")
    rows = read_training_rows(str(path), tokenizer, frozenset({tokenizer.eos_token_id}), 200)
    [tokens], [labels] = rows.input_ids, rows.labels
    learnt = [token for token in labels if token != IGNORED]
    assert learnt.count(tokenizer.eos_token_id) == 1 and learnt[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(learnt) == f"3{end}4{end}"
    assert tokens[: -len(learnt)] == prompt_of(tokenizer, prompt)


QUESTION = [{"role": "user", "content": "1+1"}]
REVISED = [*QUESTION, {"role": "assistant", "content": "<think>2? 3?</think>3"}, {"role": "user", "content": "Others: 2"}]


@pytest.mark.parametrize(
    ("variables", "prompt", "answer", "given", "learnt"),
    [
        # What is given to the model is what it was asked with, so it learns what it has to write.
        ({}, QUESTION, "<think>easy</think>2", "<user>1+1<end><assistant>", "<think>easy</think>2<end>"),
        ({"enable_thinking": True}, QUESTION, "<think>easy</think>2", "<user>1+1<end><assistant>", "<think>easy</think>2<end>"),
        ({"enable_thinking": False}, QUESTION, "2", "<user>1+1<end><assistant><think></think>", "2<end>"),
        # Its own earlier thinking is not in the prompt.
        ({"enable_thinking": False}, REVISED, "2", "<user>1+1<end><assistant>3<end><user>Others: 2<end><assistant><think></think>", "2<end>"),
        # A model that thinks nevertheless learns what it wrote, where it wrote it.
        ({"enable_thinking": False}, QUESTION, "hm</think>2", "<user>1+1<end><assistant><think></think>", "hm</think>2<end>"),
        ({"enable_thinking": False}, QUESTION, "<think>hm</think>2", "<user>1+1<end><assistant><think></think>", "<think>hm</think>2<end>"),
    ],
)
def test_a_row_is_trained_with_the_template_with_which_it_was_answered(variables, prompt, answer, given, learnt):
    tokenizer = make_tokenizer()
    tokenizer.chat_template = THINKING_TEMPLATE
    row = {"prompt": prompt, "completion": [{"role": "assistant", "content": answer}], "chat_template_kwargs": variables}
    tokens, labels = tokenise(row, tokenizer, frozenset({tokenizer.eos_token_id}))
    kept = [token for token in labels if token != IGNORED]
    assert tokenizer.decode(kept) == learnt
    assert tokenizer.decode(tokens[: -len(kept)]) == given
    # As the server writes the prompt.
    asked = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=False, **variables)
    assert tokens[: -len(kept)] == asked


def test_other_variables_of_a_template_are_refused():
    row = {"prompt": QUESTION, "completion": [{"role": "assistant", "content": "2"}], "chat_template_kwargs": {"tokenize": True}}
    with pytest.raises(ValueError, match="enable_thinking alone"):
        tokenise(row, make_tokenizer(), frozenset({3}))
