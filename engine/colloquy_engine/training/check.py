"""What training cannot use is found before anything is asked: a template, a tokenizer, names of modules. Needs no weights."""

import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn
from transformers import AutoConfig, AutoTokenizer, GenerationConfig, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from ..generation.chat_tokens import end_tokens
from ..protocol.process import refused_by_system
from ..protocol.server_messages import CheckTraining
from ..protocol.trainer_messages import TrainingFailure
from .quantised import require_bitsandbytes
from .training_rows import tokenise

Targets = str | list[str]


def check_base(name_or_path: str, request: CheckTraining) -> list[str]:
    """As `check_training`, for a model of which nothing is loaded yet. Raises also TrainingFailure `missing_model`."""
    try:
        config = AutoConfig.from_pretrained(name_or_path)
        tokenizer = AutoTokenizer.from_pretrained(name_or_path)
        if tokenizer.chat_template is None:
            raise ValueError("its tokenizer has no chat template")
    except (OSError, ValueError) as error:
        if refused_by_system(error):
            raise
        raise TrainingFailure("missing_model", f"The base model {name_or_path} cannot be loaded: {error}") from error
    try:
        generation = GenerationConfig.from_pretrained(name_or_path)
    except OSError:  # not every model has one
        generation = GenerationConfig.from_model_config(config)
    return check_training(request, tokenizer, end_tokens(generation, tokenizer), config)


def check_training(request: CheckTraining, tokenizer: PreTrainedTokenizerBase, end_tokens: frozenset[int], config: PretrainedConfig) -> list[str]:
    """The names of the modules that an adapter of these settings adapts; none when all weights are trained. Raises TrainingFailure `bad_data` when a made-up example cannot
    become a row, `bad_settings` when the target modules cannot be trained."""
    if request.load_in_4bit:
        require_bitsandbytes()
    for example in request.examples:
        messages = [*example.prompt, *example.completion]
        try:
            tokens, _ = tokenise(example.model_dump(), tokenizer, end_tokens)
            read = tokenizer.decode(tokens, skip_special_tokens=True)
            lost = next((message.content for message in messages if not _is_in(message.content, read, tokenizer)), None)
            if lost is not None:
                raise ValueError(f"it leaves out the text of a message ({lost[:60]!r}); does it want content as parts?")
        except (ValueError, KeyError, TypeError) as error:
            raise TrainingFailure("bad_data", f"the chat template cannot write {example.kind}: {error}") from error
    return [] if request.lora_target_modules is None else adapted_modules(config, request.lora_target_modules)


def _is_in(content: str, text: str, tokenizer: PreTrainedTokenizerBase) -> bool:
    # A tokenizer may change spaces, and characters that it does not know.
    ids = tokenizer(content, add_special_tokens=False)["input_ids"]
    return "".join(tokenizer.decode(ids, skip_special_tokens=True).split()) in "".join(text.split())


def adapted_modules(config: PretrainedConfig, targets: Targets) -> list[str]:
    """PEFT's own choice, on a model without weights. Raises TrainingFailure `bad_settings`."""
    with torch.device("meta"):
        network = AutoModelForCausalLM.from_config(config)
        require_targets(network, targets)
        try:
            adapted = get_peft_model(network, LoraConfig(r=1, target_modules=targets, task_type="CAUSAL_LM"))
        except ValueError as error:
            raise TrainingFailure("bad_settings", f"lora_target_modules: {error}") from error
    names = {name.removeprefix("base_model.model.").removesuffix(".base_layer") for name, module in adapted.named_modules() if isinstance(module, BaseTunerLayer)}
    return sorted(names)


def require_targets(network: PreTrainedModel, targets: Targets) -> None:
    """Raises TrainingFailure `bad_settings` for the embeddings, and for a name that no module has: PEFT drops it silently when another
    name of the list has one."""
    embeddings = (network.get_input_embeddings(), network.get_output_embeddings())
    names = dict(network.named_modules())
    if isinstance(targets, str):
        return
    for target in targets:
        found = [module for name, module in names.items() if name == target or name.endswith(f".{target}")]
        if not found:
            raise TrainingFailure("bad_settings", f"lora_target_modules: the model has no module {target!r}. It has {', '.join(_linear_names(names))}.")
        if any(module is each for module in found for each in embeddings):
            raise TrainingFailure("bad_settings", f"lora_target_modules: {target!r} is an embedding, whose adapter no engine here can load. Leave it out.")


def _linear_names(modules: dict[str, nn.Module]) -> list[str]:
    kinds = ("Linear", "Conv1D")
    leaves = [name.rpartition(".")[2] for name, module in modules.items() if type(module).__name__ in kinds]
    return list(dict.fromkeys(leaf for leaf in leaves if leaf != "lm_head"))
