"""A random Llama with a character tokenizer, small enough to build for each test run."""

from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedConfig, PreTrainedTokenizerFast

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<user>' if message.role == 'user' else '<assistant>' }}"
    "{{ message.content }}<end>{% endfor %}{% if add_generation_prompt %}<assistant>"
    "{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}{% endif %}"
)
# Like the templates of models that can think: the thinking stays in the last answer alone, which has an empty one where it has none, and a
# prompt without thinking begins the answer with an empty one.
THINKING_TEMPLATE = (
    "{% for message in messages %}{% if message.role == 'user' %}<user>{{ message.content }}{% else %}<assistant>"
    "{% set parts = message.content.split('</think>') %}"
    "{% if loop.last %}<think>{{ parts[0].replace('<think>', '') if parts | length > 1 }}</think>{% endif %}{{ parts[-1] }}"
    "{% endif %}<end>{% endfor %}{% if add_generation_prompt %}<assistant>"
    "{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}{% endif %}"
)


def make_tiny_llama(directory: Path, hidden: int = 32, layers: int = 2, heads: int = 4, key_heads: int = 2, seed: int = 0) -> Path:
    """Writes the model and returns its directory."""
    make_tokenizer().save_pretrained(directory)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(make_tokenizer()),
        hidden_size=hidden,
        intermediate_size=hidden * 11 // 4,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=key_heads,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        initializer_range=0.15,
        bos_token_id=None,
        eos_token_id=3,
        pad_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(directory)
    return directory


# What every family of decoder models calls by these names.
_SIZES = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "max_position_embeddings": 256, "bos_token_id": None, "eos_token_id": 3, "pad_token_id": 0,
}  # fmt: skip


def make_family(directory: Path, family: str, **sizes) -> Path:
    """Writes a random model of a family, by its name in transformers, and returns its directory."""
    make_tokenizer().save_pretrained(directory)
    torch.manual_seed(0)
    network = AutoModelForCausalLM.from_config(family_config(family, **sizes))
    for parameter in network.parameters():
        if parameter.ndim >= 2:  # as its family would begin, all logits would be nearly the same
            parameter.data.normal_(0, 0.15)
    network.save_pretrained(directory)
    return directory


def family_config(family: str, **sizes) -> PreTrainedConfig:
    return AutoConfig.for_model(family, **{"vocab_size": len(make_tokenizer())} | _SIZES | sizes)


def make_tokenizer() -> PreTrainedTokenizerFast:
    special = ["<pad>", "<user>", "<assistant>", "<end>", "<unk>"]
    characters = ["\n", *map(chr, range(32, 127))]
    vocabulary = {token: index for index, token in enumerate(special + characters)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("[\\s\\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<end>",
        unk_token="<unk>",
        additional_special_tokens=["<user>", "<assistant>"],
        chat_template=CHAT_TEMPLATE,
    )


def make_adapter(base: Path, directory: Path, seed: int, rank: int, targets: str | list[str]) -> Path:
    """Writes a LoRA adapter with random A and B, large enough to change answers, and returns its directory."""
    network = AutoModelForCausalLM.from_pretrained(base)
    torch.manual_seed(seed)
    adapted = get_peft_model(network, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=targets, init_lora_weights=False))
    adapted.save_pretrained(directory)
    return directory
