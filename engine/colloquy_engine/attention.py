"""Attention over key/value slots, registered with transformers as an attention implementation."""

import torch
from torch.nn import functional
from transformers import AttentionInterface

from .key_value_store import AttentionPiece

SLOT_ATTENTION = "colloquy_slots"


def slot_attention(module, query, key: list[AttentionPiece], value, attention_mask, scaling, dropout=0.0, **_):
    """One layer's attention. query is [rows, heads, 1, width] in a decode step, and [1, heads, tokens, width] for packed
    prompts. Key and value are the pieces that KeyValueStore.update returned. Returns [rows, tokens, heads, width]."""
    attended = query.new_empty(query.shape[0], query.shape[2], query.shape[1], query.shape[3])
    for piece in key:
        if piece.mask is None:
            attended[:, piece.span] = _prompt(query[:, :, piece.span], piece, scaling)
        else:
            attended[piece.span] = _step(query[piece.span], piece, scaling)
    return attended, None


def _prompt(query: torch.Tensor, piece: AttentionPiece, scaling: float) -> torch.Tensor:
    grouped = query.shape[1] != piece.key.shape[1]
    return functional.scaled_dot_product_attention(
        query, piece.key, piece.value, is_causal=True, scale=scaling, enable_gqa=grouped
    ).transpose(1, 2)


def _step(query: torch.Tensor, piece: AttentionPiece, scaling: float) -> torch.Tensor:
    # With one token a row, query heads that share a key head form a small matrix: no key or value is copied.
    rows, heads, _, width = query.shape
    key_heads = piece.key.shape[1]
    grouped = (query * scaling).view(rows, key_heads, heads // key_heads, width)
    scores = torch.matmul(grouped, piece.key.transpose(2, 3))
    scores += piece.mask
    return torch.matmul(torch.softmax(scores, dim=-1), piece.value).view(rows, 1, heads, width)


AttentionInterface.register(SLOT_ATTENTION, slot_attention)
