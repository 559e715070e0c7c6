"""From a row of a dataset to tokens and labels: which tokens count in the loss."""

import json

import pytest
from conftest import ENGINE, prompt_of
from transformers import AutoTokenizer

from colloquy_engine.training.training_rows import IGNORED, read_training_rows


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
