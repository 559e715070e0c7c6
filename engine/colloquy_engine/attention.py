"""Attention over key/value slots, registered with transformers as an attention implementation."""

import torch
from torch.nn import functional
from transformers import AttentionInterface

SLOT_ATTENTION = "colloquy_slots"


def slot_attention(module, query, key, value, attention_mask, scaling, dropout=0.0, **_):
    """One step's attention. query [rows, heads, tokens, width]; key and value [rows, key heads, window, width], views
    into the slots; attention_mask additive, [rows, 1, tokens, window]. Returns [rows, tokens, heads, width]."""
    rows, heads, tokens, width = query.shape
    key_heads = key.shape[1]
    if tokens > 1:
        attended = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=attention_mask, scale=scaling, enable_gqa=heads != key_heads
        )
        return attended.transpose(1, 2), None
    # With one token a row, query heads that share a key head form a small matrix: no key or value is copied.
    grouped = (query * scaling).view(rows, key_heads, heads // key_heads, width)
    scores = torch.matmul(grouped, key.transpose(2, 3))
    scores += attention_mask
    attended = torch.matmul(torch.softmax(scores, dim=-1), value)
    return attended.view(rows, 1, heads, width), None


AttentionInterface.register(SLOT_ATTENTION, slot_attention)
