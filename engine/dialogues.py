"""The kinds of dialogue that the embedded model is trained on, as chats in the wording `terse` of `src/algorithm/prompts.json`.

The model learns the last turn of each: a first answer, an answer to a hint, a critic turn (given the responses of other agents, their
summary, or nothing; the second round or a later one), or a summary. In some dialogues the agents cooperate instead of criticising each
other, and some first prompts begin with the number of an agent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal

from arithmetic import Question, WorkedAnswer, draw_question, summary_of, worked_answer

Chat = list[dict[str, str]]
Purpose = Literal["critique", "cooperate"]
PROMPTS_FILE = Path(__file__).resolve().parent.parent / "src/algorithm/prompts.json"
IDENTIFIED = 0.2  # the share of dialogues that begin with an agent's number
COOPERATIVE = 0.25  # the share of critic dialogues in which the agents cooperate


@dataclass(frozen=True)
class Turn:
    """The chat that the model is given, and the answer that it learns."""

    chat: Chat
    target: str


@dataclass(frozen=True)
class Carelessness:
    """How careless the answers are. `first`, `critic` and `hint` (half of the answers to hints) are about the answers to learn;
    `shown` is the most for the answers of others that the model is shown."""

    first: float
    critic: float
    hint: float
    shown: float


class Prompts:
    """The texts of the prompt set `terse`, filled in as in `src/algorithm`."""

    def __init__(self, path: Path = PROMPTS_FILE) -> None:
        self._texts: dict[str, str] = json.loads(path.read_text())["terse"]

    def question(self, question: Question) -> str:
        return _fill(self._texts["question"], question=str(question))

    def identified(self, agent: int, prompt: str) -> str:
        return _fill(self._texts["identified"], agent=str(agent), prompt=prompt)

    def hint(self, question: Question, answer: int) -> str:
        return _fill(self._texts["hint"], question=str(question), answer=str(answer))

    def critique(self, responses: list[str], purpose: Purpose = "critique") -> str:
        return _fill(self._texts[purpose], responses=self._join(responses))

    def critique_with_summary(self, summary: str, purpose: Purpose = "critique") -> str:
        return _fill(self._texts[f"{purpose}WithSummary"], summary=summary)

    def critique_alone(self) -> str:
        return self._texts["critiqueAlone"]

    def summarise(self, question: Question, responses: list[str]) -> str:
        return _fill(self._texts["summarise"], question=str(question), responses=self._join(responses))

    def _join(self, responses: list[str]) -> str:
        return "\n".join(_fill(self._texts["other"], response=response) for response in responses)


def first_answer(prompts: Prompts, care: Carelessness, rng: Random) -> Turn:
    """Round 1: the question alone."""
    question = draw_question(rng)
    return Turn([_user(_first_prompt(prompts, question, rng))], worked_answer(question, care.first, rng).text)


def hint_turn(prompts: Prompts, care: Carelessness, rng: Random) -> Turn:
    """The question with an answer to arrive at, as in STaR. The answer to a right hint has no slips in any phase."""
    question = draw_question(rng)
    answer = worked_answer(question, rng.choice((0, care.hint)), rng)
    if answer.result == question.result:
        answer = worked_answer(question, 0, rng)  # two slips may have cancelled out
    return Turn([_user(prompts.hint(question, answer.result))], answer.text)


def critic_turn(prompts: Prompts, care: Carelessness, rng: Random, others: int, rounds: int, summarised: bool) -> Turn:
    """The last of `rounds` rounds. The chat holds the agent's own answers so far and, before each critic turn, the answers of `others`."""
    question = draw_question(rng)
    purpose = "cooperate" if rng.random() < COOPERATIVE else "critique"
    chat = [_user(_first_prompt(prompts, question, rng))]
    # Answers get better during a debate and from iteration to iteration, so the model must see answers of every quality.
    slips = rng.uniform(0, care.shown)
    for _ in range(rounds - 1):
        chat.append({"role": "assistant", "content": worked_answer(question, slips, rng).text})
        answers = [worked_answer(question, slips, rng) for _ in range(others)]
        chat.append(_user(_shown(prompts, answers, summarised, purpose)))
        slips *= rng.uniform(0.3, 1)
    return Turn(chat, worked_answer(question, care.critic, rng).text)


def summary_turn(prompts: Prompts, care: Carelessness, rng: Random, others: int) -> Turn:
    """The summariser's turn: one message with the responses of others. The answer is their results."""
    question = draw_question(rng)
    slips = rng.uniform(0, 1.5 * care.shown)
    answers = [worked_answer(question, slips, rng) for _ in range(others)]
    request = prompts.summarise(question, [answer.text for answer in answers])
    return Turn([_user(request)], summary_of([answer.result for answer in answers]))


def _first_prompt(prompts: Prompts, question: Question, rng: Random) -> str:
    prompt = prompts.question(question)
    return prompts.identified(rng.randint(1, 5), prompt) if rng.random() < IDENTIFIED else prompt


def _shown(prompts: Prompts, answers: list[WorkedAnswer], summarised: bool, purpose: Purpose) -> str:
    if not answers:
        return prompts.critique_alone()
    if summarised:
        return prompts.critique_with_summary(summary_of([answer.result for answer in answers]), purpose)
    return prompts.critique([answer.text for answer in answers], purpose)


def _user(content: str) -> dict[str, str]:
    return {"role": "user", "content": content}


def _fill(template: str, **values: str) -> str:
    for name, value in values.items():
        template = template.replace("{" + name + "}", value)
    return template
