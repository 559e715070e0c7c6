"""The messages of the server, in the names, shapes and limits of OpenAI's and vLLM's API.

src/config/server-contract.ts declares what Colloquy's own client sends and reads; contract.json is generated from it.
tests/protocol/test_contract.py fails when a request of that client would be refused here, or an answer could not be read there.
"""

import json
import re
from typing import Annotated, Literal, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, ValidationError, model_validator

from .process import Written


class TextPart(BaseModel):
    type: Literal["text"]
    text: StrictStr


class Message(BaseModel):
    model_config = ConfigDict(extra="allow")
    role: Annotated[StrictStr, Field(min_length=1)]
    content: StrictStr | list[TextPart]

    def for_template(self) -> dict[str, str]:
        """The message as chat templates expect it."""
        content = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return {"role": self.role, "content": content}


class ChatTemplateKwargs(BaseModel):
    """Variables for the chat template. Others are refused: here they would have no effect."""

    model_config = ConfigDict(extra="forbid")
    enable_thinking: StrictBool


class ChatRequest(BaseModel):
    """POST /v1/chat/completions. As in vLLM, unknown fields are ignored; a known field that would have no effect is refused."""

    model: StrictStr
    messages: Annotated[list[Message], Field(min_length=1)]
    n: Annotated[StrictInt, Field(ge=1)] = 1
    seed: Annotated[StrictInt, Field(ge=-(2**63), lt=2**63)] | None = None
    temperature: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_tokens: Annotated[StrictInt, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[StrictInt, Field(ge=1)] | None = None
    stop: StrictStr | list[StrictStr] | None = None
    logprobs: StrictBool | None = None
    top_logprobs: Annotated[StrictInt, Field(ge=0, le=20)] | None = None
    prompt_logprobs: Annotated[StrictInt, Field(ge=0, le=20)] | None = None
    add_generation_prompt: StrictBool = True
    continue_final_message: StrictBool = False
    chat_template_kwargs: ChatTemplateKwargs | None = None
    stream: Literal[False] | None = None

    @model_validator(mode="after")
    def _top_needs_logprobs(self) -> "ChatRequest":
        if self.top_logprobs and not self.logprobs:
            raise ValueError("top_logprobs needs logprobs: true")
        return self

    @model_validator(mode="after")
    def _ends_one_way(self) -> "ChatRequest":
        if self.continue_final_message and self.add_generation_prompt:
            raise ValueError("continue_final_message needs add_generation_prompt: false")
        return self

    @property
    def template_variables(self) -> dict[str, bool]:
        return {} if self.chat_template_kwargs is None else self.chat_template_kwargs.model_dump()

    @property
    def stop_strings(self) -> list[str]:
        return [text for text in ([self.stop] if isinstance(self.stop, str) else self.stop or []) if text]

    @property
    def answer_limit(self) -> int | None:
        return self.max_completion_tokens if self.max_completion_tokens is not None else self.max_tokens


class LoadAdapter(BaseModel):
    """POST /v1/load_lora_adapter."""

    lora_name: Annotated[StrictStr, Field(min_length=1)]
    lora_path: Annotated[StrictStr, Field(min_length=1)]


class UnloadAdapter(BaseModel):
    """POST /v1/unload_lora_adapter."""

    lora_name: Annotated[StrictStr, Field(min_length=1)]


class CheckExample(BaseModel):
    """A made-up row of a dataset."""

    kind: StrictStr
    prompt: Annotated[list[Message], Field(min_length=1)]
    completion: Annotated[list[Message], Field(min_length=1)]
    chat_template_kwargs: ChatTemplateKwargs | None = None


class MadeUpAdapter(BaseModel):
    """An adapter to be written in the folder. Only engine/train.py writes it, for a server that has to be asked to load one."""

    folder: Annotated[StrictStr, Field(min_length=1)]
    lora_r: Annotated[StrictInt, Field(ge=1)]
    lora_alpha: Annotated[float, Field(gt=0)]


class CheckTraining(BaseModel):
    """POST /v1/check_training: can such rows and target modules be trained, and can this server load what comes of it?"""

    examples: list[CheckExample]
    lora_target_modules: StrictStr | list[StrictStr] | None  # None: all weights are trained
    load_in_4bit: StrictBool = False  # the base model, while an adapter is trained on it
    made_up_adapter: MadeUpAdapter | None = None


class TrainingChecked(Written):
    """The answer when they can."""

    modules: Annotated[int, Field(ge=0)]  # that an adapter would adapt


class ServerReady(Written):
    """The line on stdout once the server listens."""

    event: Literal["ready"] = "ready"
    port: int = Field(ge=1, le=65_535)
    model: str
    memory: Annotated[int, Field(ge=1)] | None  # bytes that one more process with this model takes; None where one uses all of the machine


class ServerRefuses(Written):
    """The line on stdout when the server cannot serve its model; another start would end in the same way."""

    event: Literal["refuses"] = "refuses"
    message: str


class TokenLogprob(Written):
    token: str
    logprob: float
    bytes: list[int]


class AnswerToken(TokenLogprob):
    top_logprobs: list[TokenLogprob]


class AnswerLogprobs(Written):
    content: list[AnswerToken]


class Answer(Written):
    role: Literal["assistant"] = "assistant"
    content: str


class AnswerChoice(Written):
    index: int
    message: Answer
    logprobs: AnswerLogprobs | None
    finish_reason: Literal["stop", "length"]


class Usage(Written):
    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(ge=0)
    total_tokens: int = Field(ge=0)


class PromptToken(Written):
    """The log-probability of a token of the prompt; rank 1 is the most probable one."""

    logprob: float
    rank: int
    decoded_token: str


class ChatCompletion(Written):
    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: Annotated[list[AnswerChoice], Field(min_length=1)]
    usage: Usage
    prompt_logprobs: list[dict[str, PromptToken] | None] | None  # by place in the prompt, then by token id; left out when None

    def body(self) -> dict:
        return self.model_dump(exclude={"prompt_logprobs"} if self.prompt_logprobs is None else None)


class ModelCard(Written):
    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: Literal["colloquy"] = "colloquy"
    root: str
    parent: str | None
    max_model_len: int | None  # tokens; the base model's card has it, an adapter's leaves it out

    def body(self) -> dict:
        return self.model_dump(exclude={"max_model_len"} if self.max_model_len is None else None)


class ModelList(Written):
    """GET /v1/models."""

    object: Literal["list"] = "list"
    data: list[ModelCard]

    def body(self) -> dict:
        return {"object": self.object, "data": [card.body() for card in self.data]}


class ErrorFacts(Written):
    message: str
    type: str
    param: str | None
    code: int


class ErrorAnswer(Written):
    """An error as OpenAI's clients expect it."""

    error: ErrorFacts


class ApiError(Exception):
    """A request that is refused; `status` is the HTTP status and the error's code."""

    def __init__(self, status: int, kind: str, message: str, param: str | None = None, headers: dict[str, str] | None = None):
        super().__init__(message)
        self.status, self.kind, self.message, self.param, self.headers = status, kind, message, param, headers

    def response(self) -> web.Response:
        answer = ErrorAnswer(error=ErrorFacts(message=self.message, type=self.kind, param=self.param, code=self.status))
        return web.json_response(answer.model_dump(), status=self.status, headers=self.headers)


def bad_request(message: str, param: str | None = None) -> ApiError:
    return ApiError(400, "BadRequestError", message, param)


def not_found(message: str, param: str | None = None) -> ApiError:
    return ApiError(404, "NotFoundError", message, param)


Body = TypeVar("Body", bound=BaseModel)


async def parse_body(request: web.Request, schema: type[Body]) -> Body:
    """The request's body. Raises ApiError 400, which names the first field at fault."""
    try:
        content = json.loads(await request.read())
        if place := _half_character(content):
            raise bad_request(f"{place}: holds half of a character (a lone surrogate), which no tokenizer takes", place)
        return schema.model_validate(content)
    except ValidationError as invalid:
        fault = invalid.errors(include_url=False)[0]
        field = ".".join(str(part) for part in fault["loc"])
        raise bad_request(f"{field}: {fault['msg']}" if field else fault["msg"], field or None) from invalid
    except (ValueError, RecursionError) as error:
        raise bad_request(f"The body is not JSON: {error}") from error


def _half_character(value: object, place: str = "") -> str | None:
    """Where a text is that cannot be written as UTF-8; None when there is none."""
    if isinstance(value, str):
        return None if value.isascii() or not _SURROGATE.search(value) else place or "body"
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        if found := _half_character(part, f"{place}.{name}" if place else str(name)):
            return found
    return None


_SURROGATE = re.compile("[\ud800-\udfff]")
