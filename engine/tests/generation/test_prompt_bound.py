"""The quick lower bound of a text's tokens: it never exceeds their true number, for any kind of tokenizer."""

import pytest
from conftest import ENGINE
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from colloquy_engine.generation.prompt_bound import PromptBound

CORPUS = ["the answer is therefore the answer " * 20, "======== ========", "naïve café 12+3*8"]


def trained(model, trainer, normalizer=None, pre_tokenizer=None) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(model)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.train_from_iterator(CORPUS, trainer)
    # As Phi-3's: it takes all whitespace beside it.
    tokenizer.add_special_tokens([AddedToken("<|end|>", rstrip=True, lstrip=True, special=True)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def byte_level(normalizer=None, alphabet=True):
    alphabet = pre_tokenizers.ByteLevel.alphabet() if alphabet else []
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    return trained(models.BPE(), trainer, normalizer, pre_tokenizers.ByteLevel(add_prefix_space=False))


def byte_fallback():
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<unk>", *(f"<0x{byte:02X}>" for byte in range(256))], show_progress=False
    )
    spaces = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return trained(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True), trainer, spaces)


def with_unknown_words(kind):
    if kind == "word-level":
        trainer = trainers.WordLevelTrainer(special_tokens=["<unk>"], show_progress=False)
        return trained(models.WordLevel(unk_token="<unk>"), trainer, pre_tokenizer=pre_tokenizers.WhitespaceSplit())
    if kind == "unigram":
        return trained(models.Unigram(), trainers.UnigramTrainer(unk_token="<unk>", special_tokens=["<unk>"], show_progress=False))
    trainer = trainers.BpeTrainer(special_tokens=["<unk>"], show_progress=False)
    return trained(models.BPE(unk_token="<unk>", fuse_unk=True), trainer)


def embedded():
    return AutoTokenizer.from_pretrained(ENGINE / "models/tiny-arithmetic")


TEXTS = [
    "",
    " \n\t" * 3000,
    "the answer " * 500,
    "therefore" * 500,
    "=" * 5000,
    "▁" * 3000,
    "12+3*8-5 \\boxed{31}" * 100,
    "e\u0301" * 3000,  # a letter and its accent, which NFC joins
    "\u03b1\u0313\u0300\u0345" * 1000,  # four characters that NFC joins
    "\U0001f600" * 2000,
    "<|end|>" + " " * 5000 + "x",
    "\x00\x07" * 1000,
    "가각힣" * 1000,
]


@pytest.mark.parametrize(
    "tokenizer",
    [byte_level(), byte_level(normalizers.NFC()), byte_fallback(), embedded(), *map(with_unknown_words, ("word-level", "unigram", "bpe"))],
    ids=["byte-level", "byte-level with NFC", "byte fallback", "single characters", "word level", "Unigram", "BPE with unknown characters"],
)
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_the_bound_never_exceeds_the_tokens_of_a_text(tokenizer, text):
    bound = PromptBound(tokenizer)
    for whole in (text, f"{text}the answer{text}"):
        assert bound.tokens_at_least(whole) <= len(tokenizer(whole, add_special_tokens=False)["input_ids"])


@pytest.mark.parametrize("tokenizer", [byte_level(), byte_level(normalizers.NFC()), byte_fallback(), embedded()])
def test_there_is_a_bound_where_no_character_is_unknown(tokenizer):
    assert PromptBound(tokenizer).tokens_at_least("7" * 100_000) > 100


@pytest.mark.parametrize(
    "tokenizer", [*map(with_unknown_words, ("word-level", "unigram", "bpe")), byte_level(normalizers.NFKC()), byte_level(alphabet=False)]
)
def test_there_is_none_where_a_token_may_stand_for_any_text(tokenizer):
    assert PromptBound(tokenizer).tokens_at_least("7" * 100_000) == 0
