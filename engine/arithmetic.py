"""The embedded model's task: questions `a+b*c-d`, worked answers to them, and the slips of a careless pupil.

A worked answer writes the three steps and boxes the result: `3*8=24;12+24=36;36-5=31;\\boxed{31}`.
A slip is a wrong result of one step; the following steps use the wrong number.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import NamedTuple

FORM = "a+b*c-d"
RANGES = {"a": (2, 19), "b": (2, 9), "c": (2, 9), "d": (2, 9)}


class Question(NamedTuple):
    """The four numbers of a question. `str()` is the text that a model reads."""

    a: int
    b: int
    c: int
    d: int

    def __str__(self) -> str:
        return f"{self.a}+{self.b}*{self.c}-{self.d}"

    @property
    def result(self) -> int:
        return self.a + self.b * self.c - self.d


@dataclass(frozen=True)
class WorkedAnswer:
    """An answer as the model writes it, and the number in its box."""

    text: str
    result: int


def draw_question(rng: Random) -> Question:
    """A question with each number uniform in its range."""
    return Question(**{name: rng.randint(low, high) for name, (low, high) in RANGES.items()})


def worked_answer(question: Question, carelessness: float, rng: Random) -> WorkedAnswer:
    """The worked answer to `question`. Each step slips with a probability of `carelessness` times its difficulty (0: never)."""
    a, b, c, d = question
    product = _step(b, "*", c, carelessness, rng)
    total = _step(a, "+", product, carelessness, rng)
    result = _step(total, "-", d, carelessness, rng)
    text = f"{b}*{c}={product};{a}+{product}={total};{total}-{d}={result};\\boxed{{{result}}}"
    return WorkedAnswer(text, result)


def summary_of(results: list[int]) -> str:
    """The results in the order of the answers, e.g. `31,29,31`."""
    return ",".join(map(str, results))


def write_task(path: Path) -> None:
    """Writes the form and the ranges of the questions that the model knows; Colloquy draws its questions from them."""
    path.write_text(json.dumps({"form": FORM, "ranges": RANGES}) + "\n")


def _step(left: int, sign: str, right: int, carelessness: float, rng: Random) -> int:
    exact = {"*": left * right, "+": left + right, "-": left - right}[sign]
    if rng.random() >= carelessness * _difficulty(left, sign, right):
        return exact
    return exact + _slip(left, sign, right, rng)


def _difficulty(left: int, sign: str, right: int) -> float:
    """1 for a step with a carry, a borrow or a big product; less for an easy step, more for a misremembered product."""
    if sign == "*":
        return 1.8 if _misremembered(left, right) else (0.4, 0.7, 1.0)[(left >= 5) + (right >= 5)]
    return 1.0 if _carries(left, sign, right) else 0.4


def _slip(left: int, sign: str, right: int, rng: Random) -> int:
    """What a slip adds to the right result: the next entry of the table, a forgotten carry, or a miscount by one."""
    if sign == "*":
        return left if _misremembered(left, right) else rng.choice((left, -left))
    if _carries(left, sign, right) and rng.random() < 0.5:
        return -10 if sign == "+" else 10
    return rng.choice((1, -1))


def _misremembered(left: int, right: int) -> bool:
    """Products at the end of the table. All agents make the same mistake there (the next in the row), so a vote cannot find it."""
    return left >= 7 and right >= 7


def _carries(left: int, sign: str, right: int) -> bool:
    if sign == "+":
        return left % 10 + right % 10 >= 10
    return left < 0 or left % 10 < right % 10
