"""The kinds of turn that the embedded model is trained on, as chats in the wording of `src/algorithm/prompts/terse.json`.

first answer · critic turn given the others' responses · critic turn given their summary · later critic turns · summary.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from random import Random

from arithmetic import Question, WorkedAnswer, draw_question, summary_of, worked_answer

Chat = list[dict[str, str]]
PROMPTS_FILE = Path(__file__).resolve().parent.parent / "src/algorithm/prompts/terse.json"


@dataclass(frozen=True)
class Turn:
    """What the model is given, and the answer it learns."""

    chat: Chat
    target: str


@dataclass(frozen=True)
class Carelessness:
    """Slips in the answers to learn (first answers, critic turns) and, at most, in the answers that a turn shows."""

    first: float
    critic: float
    shown: float


class Prompts:
    """The texts of one prompt set, filled in as `src/algorithm` fills them in."""

    def __init__(self, path: Path = PROMPTS_FILE) -> None:
        self._texts: dict[str, str] = json.loads(path.read_text())

    def question(self, question: Question) -> str:
        return _fill(self._texts["question"], question=str(question))

    def critique(self, responses: list[str]) -> str:
        return _fill(self._texts["critique"], responses=self._join(responses))

    def critique_with_summary(self, summary: str) -> str:
        return _fill(self._texts["critiqueWithSummary"], summary=summary)

    def summarise(self, question: Question, responses: list[str]) -> str:
        return _fill(self._texts["summarise"], question=str(question), responses=self._join(responses))

    def _join(self, responses: list[str]) -> str:
        return "\n".join(_fill(self._texts["other"], response=response) for response in responses)


def first_answer(prompts: Prompts, care: Carelessness, rng: Random) -> Turn:
    """Round 1: the bare question."""
    question = draw_question(rng)
    return Turn([_user(prompts.question(question))], worked_answer(question, care.first, rng).text)


def critic_turn(prompts: Prompts, care: Carelessness, rng: Random, others: int, rounds: int, summarised: bool) -> Turn:
    """The last of `rounds` rounds: the agent's own answers so far, and what `others` answered before each critic turn."""
    question = draw_question(rng)
    chat = [_user(prompts.question(question))]
    # The answers get better as a debate goes on and as iterations pass: every quality must have been seen.
    slips = rng.uniform(0, care.shown)
    for _ in range(rounds - 1):
        chat.append({"role": "assistant", "content": worked_answer(question, slips, rng).text})
        answers = [worked_answer(question, slips, rng) for _ in range(others)]
        chat.append(_user(_shown(prompts, answers, summarised)))
        slips *= rng.uniform(0.3, 1)
    return Turn(chat, worked_answer(question, care.critic, rng).text)


def summary_turn(prompts: Prompts, care: Carelessness, rng: Random, others: int) -> Turn:
    """The summariser: one message with the others' responses; the answer is their results with the votes of each."""
    question = draw_question(rng)
    slips = rng.uniform(0, 1.5 * care.shown)
    answers = [worked_answer(question, slips, rng) for _ in range(others)]
    request = prompts.summarise(question, [answer.text for answer in answers])
    return Turn([_user(request)], summary_of([answer.result for answer in answers]))


def _shown(prompts: Prompts, answers: list[WorkedAnswer], summarised: bool) -> str:
    if summarised:
        return prompts.critique_with_summary(summary_of([answer.result for answer in answers]))
    return prompts.critique([answer.text for answer in answers])


def _user(content: str) -> dict[str, str]:
    return {"role": "user", "content": content}


def _fill(template: str, **values: str) -> str:
    for name, value in values.items():
        template = template.replace("{" + name + "}", value)
    return template
