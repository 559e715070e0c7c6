"""A quick lower bound of the tokens of a text: what cannot fit into the context is refused without being cut into tokens, which takes
seconds for a text of megabytes.

The bound never exceeds the true number of tokens. A token stands for at most as many characters as the longest entry of the vocabulary
has, with three exceptions, and the bound leaves them out:
- Whitespace is not counted. Some tokenizers drop it, and some special tokens take all whitespace beside them (Phi-3's do).
- An unknown word of any length can become one token. So there is a bound only where no character is unknown: byte-level BPE (Qwen,
  Llama 3), BPE with bytes for all others (Llama 2, Gemma, Mistral), and vocabularies of single characters (the embedded model).
- A normaliser may drop or join characters. So there is a bound only with normalisers that are known not to. NFC is known: it joins
  letters with their accents, so the text is counted as NFC writes it.
"""

import json
import unicodedata

from tokenizers.pre_tokenizers import ByteLevel
from transformers import PreTrainedTokenizerBase

# By their names in tokenizer.json. Each of them keeps every character but whitespace.
_NORMALIZERS = {"NFC", "Prepend", "Replace"}
_PRE_TOKENIZERS = {"ByteLevel", "Digits", "Metaspace", "Punctuation", "Split"}
_METASPACE = "▁"  # what some normalisers write for a space
_EVERY_CHARACTER = [{"Regex": "[\\s\\S]"}, {"Regex": "(?s)."}]


class PromptBound:
    """The bound for one tokenizer."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        backend = getattr(tokenizer, "backend_tokenizer", None)
        spec = json.loads(backend.to_str()) if backend is not None else None
        # None: nothing can be said before the text is cut into tokens.
        self._longest_token = None if spec is None else _longest_token(spec)

    def tokens_at_least(self, text: str) -> int:
        """At most as many as the text has tokens. 0 where nothing can be said."""
        if self._longest_token is None:
            return 0
        written = text if text.isascii() else unicodedata.normalize("NFC", text)
        characters = sum(map(len, written.split())) - written.count(_METASPACE)
        return -(-characters // self._longest_token)


def _longest_token(spec: dict) -> int | None:
    """The characters of the longest token; None when a token may stand for any number of them."""
    model, added = spec["model"], [token["content"] for token in spec["added_tokens"]]
    splits = _parts(spec["pre_tokenizer"], "pretokenizers")
    normalizers = _parts(spec["normalizer"], "normalizers")
    if any(each["type"] not in _PRE_TOKENIZERS or each.get("behavior") == "Removed" for each in splits):
        return None
    if any(each["type"] not in _NORMALIZERS or (each["type"] == "Replace" and not _writes_spaces(each)) for each in normalizers):
        return None
    vocabulary = model["vocab"]
    if model["type"] == "WordLevel":
        if not any(each["type"] == "Split" and each["pattern"] in _EVERY_CHARACTER for each in splits):
            return None
        return max(map(len, added), default=1)  # what is no added token is a single character
    if model["type"] != "BPE":
        return None
    byte_level = any(each["type"] == "ByteLevel" for each in splits)
    if not (byte_level or model.get("byte_fallback")):
        return None
    single_bytes = ByteLevel.alphabet() if byte_level else [f"<0x{byte:02X}>" for byte in range(256)]
    if any(byte not in vocabulary for byte in single_bytes):
        return None
    return max(map(len, [*vocabulary, *added]))


def _parts(part: dict | None, name: str) -> list[dict]:
    """A part of a tokenizer that may be a sequence of others."""
    if part is None:
        return []
    return [inner for each in part[name] for inner in _parts(each, name)] if part["type"] == "Sequence" else [part]


def _writes_spaces(replace: dict) -> bool:
    return replace["pattern"] == {"String": " "} and replace["content"] == _METASPACE

