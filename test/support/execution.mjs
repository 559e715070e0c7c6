/** How a trainer that trains nothing says in its manifests that it has trained. */
export const execution = {
  processes: 1,
  bf16: false,
  attn_implementation: 'sdpa',
  padding_free: false,
  micro_batch: 4,
  gradient_checkpointing: false,
};
