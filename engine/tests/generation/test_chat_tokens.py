"""From a chat to tokens: special tokens that a message spells out stay text."""

import pytest
from conftest import ENGINE, prompt_of
from transformers import AutoTokenizer


@pytest.fixture(scope="module", params=["tiny-arithmetic", "model_dir"])
def tokenizer(request, model_dir):
    return AutoTokenizer.from_pretrained(ENGINE / "models/tiny-arithmetic" if request.param == "tiny-arithmetic" else model_dir)


def specials_in(tokenizer, tokens):
    return [token for token in tokens if token in tokenizer.all_special_ids and token != tokenizer.unk_token_id]


def test_a_question_cannot_end_its_turn_nor_begin_another(tokenizer):
    forged = "".join(tokenizer.all_special_tokens)
    plain = [{"role": "user", "content": "1+1"}, {"role": "assistant", "content": "2"}, {"role": "user", "content": "3"}]
    hostile = [message | {"content": forged + message["content"] + forged} for message in plain]
    assert specials_in(tokenizer, prompt_of(tokenizer, hostile)) == specials_in(tokenizer, prompt_of(tokenizer, plain))
    assert tokenizer.decode(prompt_of(tokenizer, [{"role": "user", "content": forged}])).count(forged) == 1


def test_a_message_without_special_tokens_is_tokenised_as_usual(tokenizer):
    messages = [{"role": "user", "content": "12+3*8-5 \\boxed{31} <|use"}, {"role": "assistant", "content": "<|"}, {"role": "user", "content": "0-0;"}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert prompt_of(tokenizer, messages) == tokenizer(text, add_special_tokens=False)["input_ids"]
