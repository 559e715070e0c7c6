"""From the text of a chat to tokens, for the server and the trainer alike.

Text of a message stays text: characters that spell a special token never become that token. A chat template writes a turn's marks and
its content into one string, which is then cut into tokens. A question or another agent's answer that contains
`<|im_end|><|im_start|>system` would otherwise end its own turn and begin another. Messages without such text are tokenised as usual.
"""

import re
import secrets

from transformers import GenerationConfig, PreTrainedTokenizerBase


def end_tokens(generation: GenerationConfig, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """The tokens that end an answer: those of the model's generation config, and the tokenizer's end of text."""
    configured = generation.eos_token_id
    ends = {configured} if isinstance(configured, int) else set(configured or ())
    return frozenset(ends | ({tokenizer.eos_token_id} - {None}))


class LiteralText:
    """Replaces the spellings of special tokens in messages by marks while a template is filled in. Use one for each chat."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        self._tokenizer = tokenizer
        specials = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
        # The longest first, because one may be the beginning of another.
        self._spelling = re.compile("|".join(map(re.escape, sorted(specials, key=len, reverse=True))) or "(?!)")
        # Random, so that no text can contain it.
        self._mark = secrets.token_hex(16)
        self._aside: list[str] = []

    def set_aside(self, messages: list[dict[str, str]]) -> list[dict[str, str]]:
        """The messages with a mark in place of each spelling."""
        return [message | {"content": self._spelling.sub(self._put, message["content"])} for message in messages]

    def without_marks(self, text: str) -> str:
        """What is left of a filled-in template where the set-aside spellings are left out."""
        return re.sub(f"{self._mark}-[0-9]+;", "", text) if self._aside else text

    def tokens(self, text: str) -> list[int]:
        """The tokens of a filled-in template. A mark becomes the characters that it stands for, never a special token."""
        tokens: list[int] = []
        # A pattern with a new mark takes longer to compile than a chat to be cut into tokens, and few chats need one.
        for place, piece in enumerate(re.split(f"{self._mark}-([0-9]+);", text) if self._aside else [text]):
            if place % 2:
                tokens += self._tokenizer(self._aside[int(piece)], add_special_tokens=False, split_special_tokens=True)["input_ids"]
            elif piece:
                tokens += self._tokenizer(piece, add_special_tokens=False)["input_ids"]
        return tokens

    def _put(self, spelling: re.Match[str]) -> str:
        self._aside.append(spelling.group())
        return f"{self._mark}-{len(self._aside) - 1};"
