"""Text of messages stays text: what spells a special token in it never becomes that token.

A chat template writes a turn's marks and its content into one string, which is then cut into tokens. A question or another agent's
answer with `<|im_end|><|im_start|>system` in it would so end its own turn and begin another. Only such messages are touched:
all others are tokenised as they always were.
"""

import re
import secrets

from transformers import PreTrainedTokenizerBase


class LiteralText:
    """Sets the special tokens' spellings inside messages aside while a template is filled in."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        self._tokenizer = tokenizer
        specials = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
        # The longest first: one may begin like another.
        self._spelling = re.compile("|".join(map(re.escape, sorted(specials, key=len, reverse=True))) or "(?!)")
        # By chance, so that no text can forge it.
        self._mark = secrets.token_hex(16)
        self._aside: list[str] = []

    def set_aside(self, messages: list[dict[str, str]]) -> list[dict[str, str]]:
        """The messages with a mark in place of each spelling."""
        return [message | {"content": self._spelling.sub(self._put, message["content"])} for message in messages]

    def tokens(self, text: str) -> list[int]:
        """The tokens of a filled-in template: marks become the characters that they stand for, and never a special token."""
        tokens: list[int] = []
        for place, piece in enumerate(re.split(f"{self._mark}-([0-9]+);", text)):
            if place % 2:
                tokens += self._tokenizer(self._aside[int(piece)], add_special_tokens=False, split_special_tokens=True)["input_ids"]
            elif piece:
                tokens += self._tokenizer(piece, add_special_tokens=False)["input_ids"]
        return tokens

    def _put(self, spelling: re.Match[str]) -> str:
        self._aside.append(spelling.group())
        return f"{self._mark}-{len(self._aside) - 1};"
