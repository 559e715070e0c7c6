"""What the engine uses of TRL, transformers and PEFT beyond their documented interfaces, each with its signature.

After an upgrade of a library, a failure here names what has changed and the file of ours that depends on it.
"""

import inspect
from dataclasses import fields

import pytest
from accelerate.data_loader import prepare_data_loader
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraModel
from torch.nn.attention.varlen import varlen_attn
from transformers import AttentionInterface, PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback, TrainerControl, TrainerState, get_scheduler
from transformers.cache_utils import Cache
from transformers.masking_utils import create_causal_mask
from transformers.models.llama import modeling_llama
from transformers.utils import cached_file
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer, SFTConfig, SFTTrainer

CALLBACK = "(self, args, state, control, **kwargs)"

SIGNATURES = [
    # training/job_trainer.py overrides these
    (SFTTrainer.training_step, "(self, *args, **kwargs)"),
    (SFTTrainer.get_train_dataloader, "(self)"),
    (SFTTrainer._get_num_items_in_batch, "(self, batch_samples, device)"),
    (SFTTrainer.floating_point_ops, "(self, inputs)"),
    (SFTTrainer._save_checkpoint, "(self, model, trial)"),
    (SFTTrainer.create_scheduler, "(self, num_training_steps, optimizer=None)"),
    *((kind.compute_loss, "(self, model, inputs, return_outputs=False, num_items_in_batch=None)") for kind in (SFTTrainer, DPOTrainer, KTOTrainer)),
    # training/preference.py overrides these
    *((kind._prepare_dataset, "(self, dataset, processing_class, args, dataset_name)") for kind in (DPOTrainer, KTOTrainer)),
    *((kind._precompute_ref_logps, "(self, dataset, name, batch_size)") for kind in (DPOTrainer, KTOTrainer)),
    *((kind.training_step, "(self, *args, **kwargs)") for kind in (DPOTrainer, KTOTrainer)),
    *((kind._save_checkpoint, "(self, model, trial)") for kind in (DPOTrainer, KTOTrainer)),
    # ... and training/reporter.py these
    (TrainerCallback.on_train_begin, CALLBACK),
    (TrainerCallback.on_step_begin, CALLBACK),
    (TrainerCallback.on_step_end, CALLBACK),
    (TrainerCallback.on_log, CALLBACK),
    # training/job_trainer.py calls these
    (
        SFTTrainer.__init__,
        "(self, model, args=None, data_collator=None, train_dataset=None, eval_dataset=None, processing_class=None, "
        "compute_loss_func=None, compute_metrics=None, callbacks=None, optimizers=(None, None), optimizer_cls_and_kwargs=None, "
        "preprocess_logits_for_metrics=None, quantization_config=None, peft_config=None, formatting_func=None)",
    ),
    *(
        (
            kind.__init__,
            "(self, model, ref_model=None, args=None, data_collator=None, train_dataset=None, eval_dataset=None, processing_class=None, "
            "compute_metrics=None, callbacks=None, optimizers=(None, None), quantization_config=None, peft_config=None)",
        )
        for kind in (DPOTrainer, KTOTrainer)
    ),
    (PeftModel.delete_adapter, "(self, adapter_name)"),
    (SFTTrainer.train, "(self, resume_from_checkpoint=None, trial=None, ignore_keys_for_eval=None)"),
    (SFTTrainer.remove_callback, "(self, callback)"),
    (SFTTrainer._save_optimizer_and_scheduler, "(self, output_dir)"),
    (SFTTrainer._save_rng_state, "(self, output_dir)"),
    (SFTTrainer.create_accelerator_and_postprocess, "(self)"),
    (TrainerState.save_to_json, "(self, json_path)"),
    (SFTConfig.get_warmup_steps, "(self, num_training_steps)"),
    (
        prepare_data_loader,
        "(dataloader, device=None, num_processes=None, process_index=None, split_batches=False, put_on_device=False, rng_types=None, "
        "dispatch_batches=None, even_batches=True, slice_fn_for_dispatch=None, use_seedable_sampler=False, data_seed=None, "
        "non_blocking=False, use_stateful_dataloader=False, torch_device_mesh=None)",
    ),
    # training/execution.py takes the place of an attention of transformers with this one
    (
        varlen_attn,
        "(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, return_aux=None, scale=None, window_size=(-1, -1), "
        "enable_gqa=False, seqused_k=None, block_table=None, num_splits=None)",
    ),
    (get_scheduler, "(name, optimizer, num_warmup_steps=None, num_training_steps=None, scheduler_specific_kwargs=None)"),
    # ... and these read the checkpoints that it writes; two of them it overrides for sharded weights
    (SFTTrainer._load_from_checkpoint, "(self, resume_from_checkpoint, model=None)"),
    (SFTTrainer._load_optimizer_and_scheduler, "(self, checkpoint)"),
    (SFTTrainer._load_rng_state, "(self, checkpoint)"),
    # training/network.py
    (cached_file, "(path_or_repo_id, filename, **kwargs)"),
    (
        get_peft_model,
        "(model, peft_config, adapter_name='default', mixed=False, autocast_adapter_dtype=True, revision=None, low_cpu_mem_usage=False)",
    ),
    (
        PeftModel.from_pretrained,
        "(model, model_id, adapter_name='default', is_trainable=False, config=None, autocast_adapter_dtype=True, "
        "ephemeral_gpu_offload=False, low_cpu_mem_usage=False, key_mapping=None, **kwargs)",
    ),
    (LoraModel.unload, "(self)"),
    (PreTrainedModel.gradient_checkpointing_disable, "(self)"),
    (PreTrainedModel.disable_input_require_grads, "(self)"),
    # generation/key_value_store.py takes the place of these
    (Cache.update, "(self, key_states, value_states, layer_idx, *args, **kwargs)"),
    (Cache.get_seq_length, "(self, layer_idx=0)"),
    (modeling_llama.eager_attention_forward, "(module, query, key, value, attention_mask, scaling, dropout=0.0, **kwargs)"),
    (AttentionInterface.register, "(key, value)"),
    # generation/base_model.py
    (PreTrainedModel.set_attn_implementation, "(self, attn_implementation, allow_all_kernels=False)"),
    (modeling_llama.LlamaRMSNorm.forward, "(self, hidden_states)"),
    # generation/generator.py; a mask of four dimensions is passed on as it is
    (
        modeling_llama.LlamaForCausalLM.forward,
        "(self, input_ids=None, attention_mask=None, position_ids=None, past_key_values=None, inputs_embeds=None, labels=None, "
        "use_cache=None, logits_to_keep=0, **kwargs)",
    ),
    (
        create_causal_mask,
        "(config, inputs_embeds, attention_mask, past_key_values, position_ids=None, or_mask_function=None, and_mask_function=None, "
        "block_sequence_ids=None, layer_idx=None, allow_is_causal_skip=True)",
    ),
    # generation/chat_tokens.py, generation/http_api.py and training/training_rows.py
    (
        PreTrainedTokenizerBase.apply_chat_template,
        "(self, conversation, tools=None, documents=None, chat_template=None, add_generation_prompt=False, "
        "continue_final_message=False, tokenize=True, sanitize_control_tokens=False, padding=False, truncation=False, "
        "max_length=None, return_tensors=None, return_dict=True, return_assistant_tokens_mask=False, tokenizer_kwargs=None, **kwargs)",
    ),
]

ATTRIBUTES = [
    (PreTrainedModel, {"_hf_peft_config_loaded"}),  # training/network.py removes it from the instance
    (PreTrainedModel, {"_supports_flash_attn", "_supports_attention_backend"}),  # training/execution.py
    (TrainerState, {"global_step", "max_steps", "epoch", "log_history"}),
    (TrainerControl, {"should_save", "should_training_stop"}),
    (LoraConfig, {"base_model_name_or_path", "task_type", "r", "lora_alpha", "lora_dropout", "target_modules", "inference_mode"}),
    (DPOConfig, {"beta", "loss_type", "loss_weights", "disable_dropout", "precompute_ref_log_probs"}),
    (KTOConfig, {"beta", "disable_dropout", "precompute_ref_log_probs", "train_sampling_strategy"}),
    (
        SFTConfig,
        {
            "output_dir", "learning_rate", "num_train_epochs", "per_device_train_batch_size", "gradient_accumulation_steps",
            "lr_scheduler_type", "warmup_steps", "weight_decay", "gradient_checkpointing", "save_strategy", "save_steps", "seed",
            "data_seed", "max_length", "dataset_kwargs", "logging_strategy", "logging_steps", "logging_nan_inf_filter", "report_to",
            "disable_tqdm", "use_cpu", "bf16", "dataloader_pin_memory", "use_liger_kernel", "ddp_broadcast_buffers", "fsdp", "fsdp_config",
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("function", "expected"), SIGNATURES, ids=[function.__qualname__ for function, _ in SIGNATURES])
def test_a_method_that_is_overridden_or_not_public_has_the_signature_it_was_written_for(function, expected):
    signature = inspect.signature(function)
    bare = [parameter.replace(annotation=parameter.empty) for parameter in signature.parameters.values()]
    assert str(signature.replace(parameters=bare, return_annotation=signature.empty)) == expected


@pytest.mark.parametrize(("owner", "names"), ATTRIBUTES, ids=[owner.__name__ for owner, _ in ATTRIBUTES])
def test_an_attribute_that_is_used_is_there(owner, names):
    there = set(vars(owner)) | {name for base in owner.__mro__ for name in vars(base)}
    assert names <= there | ({field.name for field in fields(owner)} if hasattr(owner, "__dataclass_fields__") else set())


def test_a_number_of_warmup_steps_below_one_is_a_share_of_all_steps(tmp_path):
    assert SFTConfig(output_dir=str(tmp_path), warmup_steps=0.25, use_cpu=True).get_warmup_steps(100) == 25


def test_enabling_gradients_of_the_input_leaves_the_hook_that_is_looked_for(model_dir):
    from transformers import AutoModelForCausalLM

    network = AutoModelForCausalLM.from_pretrained(model_dir)
    network.enable_input_require_grads()
    assert hasattr(network, "_require_grads_hook")
    network.disable_input_require_grads()
    assert not hasattr(network, "_require_grads_hook")
