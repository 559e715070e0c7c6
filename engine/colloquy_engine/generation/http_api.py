"""The routes of the server: from an HTTP request to a generation request, and from its answers to an HTTP response."""

import asyncio
import json
import logging
import secrets
import time
import uuid
from collections.abc import Callable
from urllib.parse import urlsplit

from aiohttp import web
from transformers import PreTrainedTokenizerBase

from ..protocol.server_messages import (
    Answer, AnswerChoice, AnswerLogprobs, AnswerToken, ApiError, ChatCompletion, ChatRequest, CheckTraining, LoadAdapter, ModelList,
    PromptToken, TokenLogprob, TrainingChecked, UnloadAdapter, Usage, bad_request, not_found, parse_body,
)  # fmt: skip
from ..protocol.trainer_messages import TrainingFailure
from .adapters import Adapter, AdapterRegistry
from .base_model import BaseModel
from .chat_tokens import LiteralText
from .generation_request import Choice, GenerationRequest, TokenLogprobs
from .generator import Generator, NoNumbers, QueueFull
from .prompt_bound import PromptBound
from .sampling import choice_key

log = logging.getLogger(__name__)

_LARGEST_BODY = 32 * 1024**2  # bytes
_SHORT_BODY, _SHORT_ANSWER = 8192, 1024  # bytes, tokens: less than a millisecond or two
# Which weights gave an answer: the base model's hash and, after a plus sign, the adapter's. A name alone could have come to mean others.
WEIGHTS_HEADER = "Colloquy-Weights"


# The names of the modules that training would adapt. Raises TrainingFailure.
Check = Callable[[CheckTraining], list[str]]


class HttpApi:
    """Translates between HTTP and the generator. Runs in the event loop's thread."""

    def __init__(self, model: BaseModel, served_name: str, generator: Generator, max_batch_size: int, check_training: Check):
        self._model, self._generator, self._max_batch_size = model, generator, max_batch_size
        self._check = check_training
        self._adapters = AdapterRegistry(model.linears, served_name)
        self._bound = PromptBound(model.tokenizer)

    def app(self) -> web.Application:
        app = web.Application(middlewares=[_errors_as_json, _only_programs_of_this_host], client_max_size=_LARGEST_BODY)
        app.router.add_get("/health", self._health)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/load_lora_adapter", self._load_adapter)
        app.router.add_post("/v1/check_training", self._check_training)
        app.router.add_post("/v1/unload_lora_adapter", self._unload_adapter)
        return app

    async def _health(self, _request: web.Request) -> web.Response:
        return web.Response()

    async def _models(self, _request: web.Request) -> web.Response:
        cards = self._adapters.cards(self._model.name_or_path, self._model.context_length)
        return web.json_response(ModelList(data=cards).body())

    async def _load_adapter(self, request: web.Request) -> web.Response:
        body = await parse_body(request, LoadAdapter)
        return web.Response(text=await self._adapters.load(body.lora_name, body.lora_path))

    async def _unload_adapter(self, request: web.Request) -> web.Response:
        body = await parse_body(request, UnloadAdapter)
        return web.Response(text=self._adapters.unload(body.lora_name))

    async def _check_training(self, request: web.Request) -> web.Response:
        body = await parse_body(request, CheckTraining)
        try:
            modules = await asyncio.to_thread(self._check, body)
        except TrainingFailure as failure:
            raise ApiError(400, failure.kind, str(failure)) from failure
        if unfit := [name for name in modules if name not in self._model.linears]:
            others = sorted({name.rpartition(".")[2] for name in self._model.linears})
            advice = f"Take lora_target_modules of {', '.join(others)}, or use vLLM" if others else "Use vLLM"
            words = f"{len(unfit)} of the {len(modules)} modules that training would adapt cannot be adapted by the embedded engine, such as {unfit[0]}."
            raise ApiError(400, "bad_settings", f"lora_target_modules: {words} {advice} (an endpoint of kind vllm).")
        return web.json_response(TrainingChecked(modules=len(modules)).model_dump())

    async def _chat(self, request: web.Request) -> web.Response:
        body = await parse_body(request, ChatRequest)
        adapter = self._adapters.resolve(body.model)
        # Long texts take seconds to cut into tokens, and long answers to write: other requests must not wait for it. The way to another
        # thread and back costs a twentieth of a short answer. The whole body counts: a template takes its time for empty messages too.
        if len(await request.read()) < _SHORT_BODY:
            generation = self._generation_request(body, adapter)
        else:
            generation = await asyncio.to_thread(self._generation_request, body, adapter)
        loop, finished = asyncio.get_running_loop(), asyncio.Event()
        failures: list[Exception] = []

        def done(error: Exception | None) -> None:
            failures.extend([error] if error else [])
            loop.call_soon_threadsafe(finished.set)

        generation.done = done
        try:
            self._generator.submit(generation)
        except QueueFull as full:
            raise ApiError(503, "ServiceUnavailableError", str(full), headers={"Retry-After": "1"}) from full
        try:
            await finished.wait()
        except asyncio.CancelledError:  # the client went away
            generation.cancelled = True
            raise
        if failures and isinstance(failures[0], NoNumbers):
            raise bad_request(f"The model `{body.model}` {failures[0]}", "model")
        if failures:
            raise ApiError(500, "InternalServerError", f"Generation failed: {failures[0]}")
        scored = generation.top_logprobs is not None or generation.prompt_logprobs is not None
        if sum(len(choice.tokens) for choice in generation.choices) < _SHORT_ANSWER and not scored:
            text = self._text(generation, body.model)
        else:
            text = await asyncio.to_thread(self._text, generation, body.model)
        weights = self._model.weights if adapter is None else f"{self._model.weights}+{adapter.weights}"
        return web.Response(text=text, content_type="application/json", headers={WEIGHTS_HEADER: weights})

    def _text(self, generation: GenerationRequest, model: str) -> str:
        return json.dumps(chat_completion(generation, model, self._model.tokenizer).body())

    def _generation_request(self, body: ChatRequest, adapter: Adapter | None) -> GenerationRequest:
        if body.n > self._max_batch_size:
            raise bad_request(f"n: at most {self._max_batch_size}, the server's batch size, got {body.n}", "n")
        prompt = self._prompt(body)
        seed = secrets.randbits(62) if body.seed is None else body.seed
        return GenerationRequest(
            prompt=prompt,
            adapter=adapter,
            temperature=body.temperature,
            top_p=body.top_p,
            max_tokens=self._max_tokens(len(prompt), body.answer_limit),
            stop=body.stop_strings,
            top_logprobs=(body.top_logprobs or 0) if body.logprobs else None,
            prompt_logprobs=body.prompt_logprobs,
            choices=[Choice(choice_key(seed, index)) for index in range(body.n)],
        )

    def _prompt(self, body: ChatRequest) -> list[int]:
        tokenizer, literal = self._model.tokenizer, LiteralText(self._model.tokenizer)
        messages = literal.set_aside([message.for_template() for message in body.messages])
        try:
            text = tokenizer.apply_chat_template(
                messages,
                tokenize=False,
                add_generation_prompt=body.add_generation_prompt,
                continue_final_message=body.continue_final_message,
                **body.template_variables,
            )
        except Exception as error:  # a template may raise any class; the cause is always in the messages
            raise bad_request(f"messages: the chat template refuses them: {error}", "messages") from error
        if (least := self._bound.tokens_at_least(literal.without_marks(text))) > self._model.context_length:
            raise bad_request(
                f"This model's maximum context length is {self._model.context_length} tokens. However, your messages have at least {least} tokens.",
                "messages",
            )
        return literal.tokens(text)

    def _max_tokens(self, prompt_tokens: int, wanted: int | None) -> int:
        room = self._model.context_length - prompt_tokens
        if room < 1 or (wanted is not None and wanted > room):
            raise bad_request(
                f"This model's maximum context length is {self._model.context_length} tokens. However, you requested "
                f"{prompt_tokens + (wanted or 1)} tokens ({prompt_tokens} in the messages, {wanted or 1} in the completion).",
                "messages" if room < 1 else "max_tokens",
            )
        return room if wanted is None else wanted


@web.middleware
async def _only_programs_of_this_host(request: web.Request, handler) -> web.StreamResponse:
    """Keeps out the pages that a browser on this host shows. A page names its Origin; one whose host name was made to point here names
    another Host; and no page can send JSON elsewhere without asking first, which this server never allows."""
    host = urlsplit(f"//{request.host}").hostname
    if host not in ("127.0.0.1", "localhost", "::1"):
        raise ApiError(403, "ForbiddenError", f"This server answers to its own host only, not as {request.host!r}.")
    if "Origin" in request.headers or request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise ApiError(403, "ForbiddenError", "This server does not answer web pages.")
    if request.method == "POST" and request.content_type != "application/json":
        raise ApiError(415, "UnsupportedMediaTypeError", "The content type has to be application/json.")
    return await handler(request)


@web.middleware
async def _errors_as_json(request: web.Request, handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as error:
        return error.response()
    except web.HTTPNotFound:
        return not_found(f"There is no {request.path} here.").response()
    except web.HTTPException as error:
        return ApiError(error.status, "BadRequestError", error.reason).response()
    except Exception:
        log.exception("request failed")
        return ApiError(500, "InternalServerError", "Internal error; the server's log has the details.").response()


def chat_completion(request: GenerationRequest, model: str, tokenizer: PreTrainedTokenizerBase) -> ChatCompletion:
    """The answer to a chat request whose answers are complete."""
    completion_tokens = sum(len(choice.tokens) for choice in request.choices)
    return ChatCompletion(
        id=f"chatcmpl-{uuid.uuid4().hex}",
        created=int(time.time()),
        model=model,
        choices=[_choice(index, choice, request, tokenizer) for index, choice in enumerate(request.choices)],
        usage=Usage(
            prompt_tokens=len(request.prompt),
            completion_tokens=completion_tokens,
            total_tokens=len(request.prompt) + completion_tokens,
        ),
        prompt_logprobs=None if request.prompt_logprobs is None else [_prompt_place(score, tokenizer) for score in request.prompt_scores],
    )


def _choice(index: int, choice: Choice, request: GenerationRequest, tokenizer: PreTrainedTokenizerBase) -> AnswerChoice:
    wanted = request.top_logprobs is not None
    return AnswerChoice(
        index=index,
        message=Answer(content=choice.text),
        logprobs=AnswerLogprobs(content=[_answer_token(score, tokenizer) for score in choice.logprobs]) if wanted else None,
        finish_reason=choice.finish_reason,
    )


def _answer_token(score: TokenLogprobs, tokenizer: PreTrainedTokenizerBase) -> AnswerToken:
    top = [TokenLogprob(**_token(token, logprob, tokenizer)) for token, logprob in score.top]
    return AnswerToken(**_token(score.token, score.logprob, tokenizer), top_logprobs=top)


def _token(token: int, logprob: float, tokenizer: PreTrainedTokenizerBase) -> dict:
    text = tokenizer.decode([token])
    return {"token": text, "logprob": logprob, "bytes": list(text.encode())}


def _prompt_place(score: TokenLogprobs | None, tokenizer: PreTrainedTokenizerBase) -> dict[str, PromptToken] | None:
    # As in vLLM: by token id, the most probable tokens and, whatever its rank, the prompt's own.
    if score is None:
        return None
    ranked = {token: (logprob, rank) for rank, (token, logprob) in enumerate(score.top, start=1)}
    ranked[score.token] = (score.logprob, score.rank)
    return {
        str(token): PromptToken(logprob=logprob, rank=rank, decoded_token=tokenizer.decode([token]))
        for token, (logprob, rank) in ranked.items()
    }
