"""From a dataset file to tokens and labels. Only the completion counts in the loss."""

import hashlib
import json
import math
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from transformers import PreTrainedTokenizerBase

from ..generation.chat_tokens import LiteralText
from ..protocol.process import refused_by_system
from ..protocol.trainer_messages import TrainingFailure

IGNORED = -100  # a label that adds nothing to the loss

# What a row is: a completion; a chosen and a rejected one; or a completion with a `label` that is true when it is wanted.
RowShape = Literal["answers", "pairs", "labelled answers"]


@dataclass(frozen=True)
class TrainingRows:
    """Tokenised rows. A row longer than max_length is left out, never cut: a cut answer would teach the model not to end."""

    input_ids: list[list[int]]  # of pairs: of the prompt and the chosen answer
    labels: list[list[int]]
    sha256: str  # of the file
    dropped: int  # rows longer than max_length
    weights: list[float] | None = None  # of the rows in the loss, 1 on average; None when all are equal
    rejected: list[tuple[list[int], list[int]]] | None = None  # of pairs: tokens and labels of the prompt and the rejected answer
    desirable: list[bool] | None = None  # of labelled answers
    equal: int = 0  # pairs that were left out because both answers have the same tokens: they have no gradient

    @property
    def tokens(self) -> int:
        return sum(map(len, self.input_ids)) + sum(len(tokens) for tokens, _ in self.rejected or [])


def read_training_rows(
    path: str, tokenizer: PreTrainedTokenizerBase, end_tokens: frozenset[int], max_length: int, shape: RowShape = "answers"
) -> TrainingRows:
    """Reads the rows of a dataset in TRL's forms, a JSON object in each line.

    answers: {"prompt": [messages], "completion": [one assistant message]}. labelled answers: the same with a "label", true or false.
    pairs: {"prompt", "chosen": [one assistant message], "rejected": [one]}. Each row may have a "weight" above 0 (1 when it has none) and
    "chat_template_kwargs", the variables with which the template was filled in when the completion was asked for. Raises TrainingFailure `bad_data`."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        if refused_by_system(error):
            raise
        raise TrainingFailure("bad_data", f"The dataset {path} cannot be read: {error}") from error
    rows, dropped, equal = [], 0, 0
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            row = json.loads(line)
            answer = {"completion": row["chosen"]} if shape == "pairs" else {}
            tokens, labels = tokenise(row | answer, tokenizer, end_tokens)
            rejected = tokenise(row | {"completion": row["rejected"]}, tokenizer, end_tokens) if shape == "pairs" else None
            desirable = _label(row) if shape == "labelled answers" else None
            weight = _weight(row)
        except (ValueError, KeyError, TypeError) as error:
            raise TrainingFailure("bad_data", f"{path}:{number}: {type(error).__name__}: {error}") from error
        if max(len(tokens), len(rejected[0]) if rejected else 0) > max_length:
            dropped += 1
        elif rejected and rejected[0] == tokens:
            equal += 1
        else:
            rows.append((tokens, labels, weight, rejected, desirable))
    if not rows:
        pairs = f", {equal} pairs of two equal answers" if equal else ""
        raise TrainingFailure("bad_data", f"The dataset {path} has no rows to train on ({dropped} longer than max_length {max_length}{pairs}).")
    input_ids, labels, weights, rejected, desirable = (list(column) for column in zip(*rows, strict=True))
    if shape == "labelled answers" and len(set(desirable)) < 2:
        raise TrainingFailure(
            "bad_data",
            f"All {len(rows)} rows of the dataset {path} have the label {json.dumps(desirable[0])}. KTO learns from wanted (true) and unwanted (false) "
            f"answers: it needs both ({dropped} rows were longer than max_length {max_length}).",
        )
    return TrainingRows(
        input_ids, labels, hashlib.sha256(content).hexdigest(), dropped, _relative(weights),
        rejected if shape == "pairs" else None, desirable if shape == "labelled answers" else None, equal,
    )  # fmt: skip


def _label(row: dict) -> bool:
    if not isinstance(row["label"], bool):
        raise ValueError(f"label must be true or false, not {row['label']!r}")
    return row["label"]


def _weight(row: dict) -> float:
    weight = row.get("weight", 1)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not math.isfinite(weight) or weight <= 0:
        raise ValueError(f"weight must be a number above 0, not {weight!r}")
    return float(weight)


def _relative(weights: list[float]) -> list[float] | None:
    """The weights over their mean. Equal weights, whatever they are, give None: the loss is then TRL's own."""
    if min(weights) == max(weights):
        return None
    mean = math.fsum(weights) / len(weights)
    return [weight / mean for weight in weights]


def tokenise(row: dict, tokenizer: PreTrainedTokenizerBase, end_tokens: frozenset[int]) -> tuple[list[int], list[int]]:
    """The tokens and labels of a row. Raises ValueError, KeyError or TypeError for a row that cannot be used."""
    prompt, completion = _messages(row, "prompt"), _messages(row, "completion")
    if len(completion) != 1 or completion[0]["role"] != "assistant":
        raise ValueError("completion must be one assistant message")
    literal, variables = LiteralText(tokenizer), _template_variables(row)
    prompt, completion = literal.set_aside(prompt), literal.set_aside(completion)

    def filled(messages: list[dict[str, str]], **options: bool) -> str:
        try:
            return tokenizer.apply_chat_template(messages, tokenize=False, **options, **variables)
        except Exception as error:  # a template may raise any class; the cause is always in the messages
            raise ValueError(f"the chat template refuses the messages: {error}") from error

    before = filled(prompt, add_generation_prompt=True)
    whole = filled(prompt + completion)
    if not whole.startswith(before):
        # A template may move a part of this very answer to another place: one with `</think>` where thinking is off, say. The model wrote
        # it as it is, so that is what it learns, with what the template writes behind any answer.
        text, mark = completion[0]["content"], secrets.token_hex(16)
        whole = filled([*prompt, completion[0] | {"content": mark}]).replace(mark, text)
    if not whole.startswith(before):
        raise ValueError("the chat template writes the prompt differently when an answer follows, so the loss cannot be placed")
    # Tokenised separately, as in the server, so that the answer's tokens are those that the model itself writes.
    given = literal.tokens(before)
    learnt = _up_to_end(literal.tokens(whole[len(before) :]), tokenizer, end_tokens)
    return given + learnt, [IGNORED] * len(given) + learnt


def _template_variables(row: dict) -> dict[str, bool]:
    variables = row.get("chat_template_kwargs") or {}
    if not isinstance(variables, dict) or not variables.keys() <= {"enable_thinking"}:
        raise ValueError(f"chat_template_kwargs may have enable_thinking alone, not {variables!r}")
    return variables


def _messages(row: dict, field: str) -> list[dict[str, str]]:
    messages = row[field]
    if not isinstance(messages, list) or not messages:
        raise ValueError(f"{field} must be a list of messages")
    for message in messages:
        if not isinstance(message.get("role"), str) or not isinstance(message.get("content"), str):
            raise ValueError(f"each message of {field} needs a role and a content, both text")
    return messages


def _up_to_end(tokens: list[int], tokenizer: PreTrainedTokenizerBase, end_tokens: frozenset[int]) -> list[int]:
    # What a template writes after the first end of turn (a newline, the end of the text) the model never has to write: its answer ends
    # there. If it writes no end of turn, the tokenizer's is added: otherwise the model would learn to answer without end.
    for place, token in enumerate(tokens):
        if token in end_tokens:
            return tokens[: place + 1]
    if tokenizer.eos_token_id is None:
        raise ValueError("the tokenizer has no end-of-turn token")
    return [*tokens, tokenizer.eos_token_id]
