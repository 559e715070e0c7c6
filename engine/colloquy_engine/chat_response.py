"""Finished answers in OpenAI's and vLLM's shapes."""

import time
import uuid

from transformers import PreTrainedTokenizerBase

from .generation_request import Choice, GenerationRequest, TokenLogprobs


def chat_response(request: GenerationRequest, model: str, tokenizer: PreTrainedTokenizerBase) -> dict:
    """The body of a chat completion."""
    completion_tokens = sum(len(choice.tokens) for choice in request.choices)
    body = {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [_choice(i, choice, request, tokenizer) for i, choice in enumerate(request.choices)],
        "usage": {
            "prompt_tokens": len(request.prompt),
            "completion_tokens": completion_tokens,
            "total_tokens": len(request.prompt) + completion_tokens,
        },
    }
    if request.prompt_logprobs is not None:
        body["prompt_logprobs"] = [_prompt_score(score, tokenizer) for score in request.prompt_scores]
    return body


def _choice(index: int, choice: Choice, request: GenerationRequest, tokenizer: PreTrainedTokenizerBase) -> dict:
    wanted = request.top_logprobs is not None
    return {
        "index": index,
        "message": {"role": "assistant", "content": choice.text},
        "logprobs": {"content": [_token(score, tokenizer) for score in choice.logprobs]} if wanted else None,
        "finish_reason": choice.finish_reason,
    }


def _token(score: TokenLogprobs, tokenizer: PreTrainedTokenizerBase) -> dict:
    top = [_named(token, logprob, tokenizer) for token, logprob in score.top]
    return _named(score.token, score.logprob, tokenizer) | {"top_logprobs": top}


def _named(token: int, logprob: float, tokenizer: PreTrainedTokenizerBase) -> dict:
    text = tokenizer.decode([token])
    return {"token": text, "logprob": logprob, "bytes": list(text.encode())}


def _prompt_score(score: TokenLogprobs | None, tokenizer: PreTrainedTokenizerBase) -> dict | None:
    # vLLM's shape: by token id; the most probable tokens, and the prompt's own wherever it ranks.
    if score is None:
        return None
    ranked = {token: (logprob, rank) for rank, (token, logprob) in enumerate(score.top, start=1)}
    ranked[score.token] = (score.logprob, score.rank)
    return {
        str(token): {"logprob": logprob, "rank": rank, "decoded_token": tokenizer.decode([token])}
        for token, (logprob, rank) in ranked.items()
    }
