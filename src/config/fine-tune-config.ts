/** The `fine_tune` of an experiment: the trainer's settings under TRL's and PEFT's own names. */
import { z } from 'zod';

export const fineTuneConfigSchema = z
  .strictObject({
    learning_rate: z
      .number()
      .positive()
      .max(1)
      .default(1e-5)
      .describe('Peak learning rate. LoRA wants about ten times that of full fine-tuning.'),
    num_train_epochs: z.number().positive().max(1000).default(2).describe('Passes over a dataset.'),
    per_device_train_batch_size: z.int().min(1).max(1024).default(3).describe('Rows in a batch.'),
    gradient_accumulation_steps: z
      .int()
      .min(1)
      .max(4096)
      .default(64)
      .describe('Batches in an optimiser step. 64 is the paper’s 16 on each of 4 GPUs, on one device.'),
    lr_scheduler_type: z
      .enum(['linear', 'cosine', 'constant', 'constant_with_warmup', 'polynomial', 'inverse_sqrt'])
      .default('cosine')
      .describe('Course of the learning rate.'),
    warmup_ratio: z.number().min(0).max(1).default(0.03).describe('Share of the steps that warm up.'),
    weight_decay: z.number().min(0).max(1).default(0).describe('Weight decay of AdamW.'),
    max_length: z
      .int()
      .min(1)
      .max(1_048_576)
      .default(2048)
      .describe('Tokens of a row; longer rows are left out, and counted.'),
    save_steps: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(50)
      .describe('Optimiser steps between two checkpoints.'),
    gradient_checkpointing: z.boolean().default(false).describe('Less memory for more computing.'),
    lora_r: z.int().min(1).max(512).default(16).describe('Rank of the LoRA adapters.'),
    lora_alpha: z
      .number()
      .positive()
      .max(4096)
      .default(32)
      .describe('Scale of the LoRA adapters is lora_alpha / lora_r.'),
    lora_dropout: z.number().min(0).max(0.99).default(0).describe('Dropout of the LoRA adapters.'),
    lora_target_modules: z
      .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
      .default('all-linear')
      .describe('`all-linear`, or the names of the modules that get an adapter.'),
  })
  .describe('How each generation and critic model is fine-tuned (LoRA), under the names of TRL and PEFT.');
