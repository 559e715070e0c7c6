"""The committed model: it loads, its chats are those that it was trained on, its answers have the right form, and the log names its weights."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from random import Random

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

ENGINE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ENGINE))

from arithmetic import FORM, RANGES, Question, draw_question, summary_of, worked_answer  # noqa: E402
from make_model import IGNORED, MODEL_DIR, encode, weights_sha256  # noqa: E402
from dialogues import Carelessness, Prompts, Turn, critic_turn, first_answer, hint_turn, summary_turn  # noqa: E402

ANSWER_FORM = re.compile(r"\d+\*\d+=-?\d+;\d+\+-?\d+=-?\d+;-?\d+-\d+=(-?\d+);\\boxed\{(-?\d+)\}")
CARE = Carelessness(first=0.3, critic=0.3, hint=0.3, shown=0.5)


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(MODEL_DIR)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_pretrained(MODEL_DIR).eval()


def answer(model, tokenizer, chat: list[dict[str, str]]) -> str:
    ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    output = model.generate(**ids, do_sample=False, max_new_tokens=64)
    return tokenizer.decode(output[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)


def kinds_of_turn() -> dict[str, Turn]:
    prompts, rng = Prompts(), Random(3)
    return {
        "first": first_answer(prompts, CARE, rng),
        "critic": critic_turn(prompts, CARE, rng, others=2, rounds=2, summarised=False),
        "critic, summarised": critic_turn(prompts, CARE, rng, others=2, rounds=2, summarised=True),
        "critic, alone": critic_turn(prompts, CARE, rng, others=0, rounds=2, summarised=False),
        "hint": hint_turn(prompts, CARE, rng),
        "third round": critic_turn(prompts, CARE, rng, others=4, rounds=3, summarised=False),
        "summary": summary_turn(prompts, CARE, rng, others=5),
    }


def test_the_template_renders_each_kind_of_turn_as_a_conversation_that_starts_with_its_prompt(tokenizer):
    for turn in kinds_of_turn().values():
        prompt = tokenizer.apply_chat_template(turn.chat, tokenize=False, add_generation_prompt=True)
        whole = tokenizer.apply_chat_template([*turn.chat, {"role": "assistant", "content": turn.target}], tokenize=False)
        assert whole == prompt + turn.target + tokenizer.eos_token


def test_the_template_renders_a_critic_turn_word_for_word(tokenizer):
    chat = [
        {"role": "user", "content": "12+3*8-5"},
        {"role": "assistant", "content": "A"},
        {"role": "user", "content": Prompts().critique(["B", "C"])},
    ]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert text == "<|user|>12+3*8-5<|end|><|assistant|>A<|end|><|user|>>B\n>C<|end|><|assistant|>"


def test_only_the_target_and_its_end_of_turn_are_learnt(tokenizer):
    turns = list(kinds_of_turn().values())
    inputs, labels = encode(tokenizer, turns)
    for row, turn in enumerate(turns):
        learnt = labels[row] != IGNORED
        assert tokenizer.decode(labels[row][learnt]) == turn.target + tokenizer.eos_token
        assert torch.equal(inputs[row][learnt], labels[row][learnt])


def test_a_character_is_a_token_and_so_is_the_box(tokenizer):
    text = "3*8=24;\\boxed{24}\n ~>?"
    assert len(tokenizer(text)["input_ids"]) == len(text) - len("boxed{")
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert tokenizer("é")["input_ids"] == [tokenizer.unk_token_id]


def test_the_model_answers_in_the_form_it_was_taught(model, tokenizer):
    prompts, rng = Prompts(), Random(11)
    for _ in range(5):
        question = draw_question(rng)
        shown = [worked_answer(question, 0.3, rng) for _ in range(3)]
        first = answer(model, tokenizer, [{"role": "user", "content": prompts.question(question)}])
        assert_in_form(first)
        critique = prompts.critique([shown[1].text, shown[2].text])
        assert_in_form(answer(model, tokenizer, dialogue(prompts, question, first, critique)))
        summary = prompts.critique_with_summary(summary_of([shown[1].result, shown[2].result]))
        assert_in_form(answer(model, tokenizer, dialogue(prompts, question, first, summary)))
        together = prompts.critique([shown[1].text, shown[2].text], "cooperate")
        assert_in_form(answer(model, tokenizer, dialogue(prompts, question, first, together)))
        assert_in_form(answer(model, tokenizer, dialogue(prompts, question, first, prompts.critique_alone())))
        assert_in_form(answer(model, tokenizer, [{"role": "user", "content": prompts.identified(3, prompts.question(question))}]))
        request = prompts.summarise(question, [shown[1].text, shown[2].text])
        assert re.fullmatch(r"-?\d+,-?\d+", answer(model, tokenizer, [{"role": "user", "content": request}]))


def test_without_chance_the_model_is_mostly_right(model, tokenizer):
    prompts, rng = Prompts(), Random(5)
    questions = [draw_question(rng) for _ in range(20)]
    answers = [answer(model, tokenizer, [{"role": "user", "content": prompts.question(question)}]) for question in questions]
    right = sum(text.endswith(f"\\boxed{{{question.result}}}") for question, text in zip(questions, answers))
    assert right >= 14


def test_the_weights_are_those_that_the_log_and_the_card_name():
    log = [json.loads(line) for line in (MODEL_DIR / "training-log.jsonl").read_text().splitlines()]
    digest = weights_sha256(MODEL_DIR)
    assert log[-1] == {"event": "saved", "weights_sha256": digest}
    assert digest in (MODEL_DIR / "README.md").read_text()


def test_the_task_file_says_what_the_model_was_trained_on():
    task = json.loads((MODEL_DIR / "task.json").read_text())
    assert task == {"form": FORM, "ranges": {name: list(bounds) for name, bounds in RANGES.items()}}


def test_a_careful_answer_is_right_and_a_slip_is_carried_on():
    rng = Random(1)
    for _ in range(200):
        question = draw_question(rng)
        assert worked_answer(question, 0, rng).result == question.result
        slipped = worked_answer(question, 1, rng)
        match = ANSWER_FORM.fullmatch(slipped.text)
        assert match and match[1] == match[2] == str(slipped.result)
    assert worked_answer(Question(12, 3, 8, 5), 0, rng).text == "3*8=24;12+24=36;36-5=31;\\boxed{31}"


def test_the_end_of_the_table_is_misremembered_always_in_the_same_way():
    """Only the product can slip here, and a wrong product is always the next in the row."""
    rng, slipped = Random(2), set()
    for _ in range(200):
        product = worked_answer(Question(2, 7, 8, 2), 0.5, rng).text.split(";")[0]
        slipped.add(product)
    assert slipped == {"7*8=56", "7*8=63"}


def test_an_answer_to_a_hint_ends_with_the_hinted_number_and_has_no_slip_when_the_hint_is_right():
    prompts, rng = Prompts(), Random(4)
    right = 0
    for _ in range(200):
        turn = hint_turn(prompts, CARE, rng)
        text, hinted = turn.chat[0]["content"].split("!")
        assert turn.target.endswith(f"\\boxed{{{hinted}}}")
        question = Question(*map(int, re.split(r"[+*-]", text)))
        if question.result == int(hinted):
            right += 1
            assert turn.target == worked_answer(question, 0, rng).text
    assert 100 < right < 200  # half of them is drawn to be right, and of the others some are


def test_some_dialogues_begin_with_an_agents_number_and_in_some_the_agents_cooperate():
    prompts, rng = Prompts(), Random(9)
    turns = [critic_turn(prompts, CARE, rng, others=2, rounds=2, summarised=rng.random() < 0.5) for _ in range(200)]
    numbers = {turn.chat[0]["content"].split("#")[0] for turn in turns if "#" in turn.chat[0]["content"]}
    assert numbers == {"1", "2", "3", "4", "5"}
    openings = {turn.chat[2]["content"][:2] for turn in turns}
    assert {"&~", "&>"} <= openings and {opening[0] for opening in openings} == {"&", "~", ">"}


def test_a_summary_names_the_results_in_the_order_of_the_answers():
    assert summary_of([29, 31, 29]) == "29,31,29"
    assert summary_of([-4]) == "-4"


def dialogue(prompts: Prompts, question: Question, own: str, critique: str) -> list[dict[str, str]]:
    return [
        {"role": "user", "content": prompts.question(question)},
        {"role": "assistant", "content": own},
        {"role": "user", "content": critique},
    ]


def assert_in_form(text: str) -> None:
    match = ANSWER_FORM.fullmatch(text)
    assert match and match[1] == match[2], text
