"""When an answer is complete."""

from .base_model import BaseModel
from .generation_request import Choice, GenerationRequest


def finish_reason(request: GenerationRequest, choice: Choice, model: BaseModel) -> str | None:
    """`stop` at an end token or a stop string, `length` at max_tokens, None while the answer goes on.

    Sets the answer's text when it is complete; a stop string is not part of it.
    """
    ended = choice.tokens[-1] in model.end_tokens
    full = len(choice.tokens) >= request.max_tokens
    if not (ended or full or request.stop):
        return None
    text = None
    if request.stop and not ended:
        text = _text_before_stop(request, choice, model)
    if text is not None:
        choice.text = text
        return "stop"
    if ended or full:
        answer = choice.tokens[:-1] if ended else choice.tokens
        choice.text = model.tokenizer.decode(answer, skip_special_tokens=True)
        return "stop" if ended else "length"
    return None


def _text_before_stop(request: GenerationRequest, choice: Choice, model: BaseModel) -> str | None:
    # A token is at least one byte, and a character at most four: these are enough tokens to hold the longest stop string.
    recent = choice.tokens[-(4 * max(map(len, request.stop)) + 4) :]
    tail = model.tokenizer.decode(recent, skip_special_tokens=True)
    if not any(stop in tail for stop in request.stop):
        return None
    text = model.tokenizer.decode(choice.tokens, skip_special_tokens=True)
    places = [text.find(stop) for stop in request.stop if stop in text]
    return text[: min(places)] if places else None
