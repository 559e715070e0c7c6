"""The routes of the server."""

import asyncio
import logging
import secrets

from aiohttp import web

from .adapter_registry import AdapterRegistry
from .api_error import ApiError, bad_request, not_found, parse_body
from .base_model import BaseModel
from .chat_request import ChatRequest, LoadAdapter, UnloadAdapter
from .chat_response import chat_response
from .generation_request import Choice, GenerationRequest
from .generator import Generator, QueueFull
from .literal_text import LiteralText
from .sampling import choice_key

log = logging.getLogger(__name__)

_LARGEST_BODY = 32 * 1024**2  # bytes


class HttpApi:
    """Translates between HTTP and the generator. Runs in the event loop's thread."""

    def __init__(self, model: BaseModel, served_name: str, generator: Generator, max_batch_size: int):
        self._model, self._generator, self._max_batch_size = model, generator, max_batch_size
        self._adapters = AdapterRegistry(model.network, served_name)

    def app(self) -> web.Application:
        app = web.Application(middlewares=[_errors_as_json], client_max_size=_LARGEST_BODY)
        app.router.add_get("/health", self._health)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/load_lora_adapter", self._load_adapter)
        app.router.add_post("/v1/unload_lora_adapter", self._unload_adapter)
        return app

    async def _health(self, _request: web.Request) -> web.Response:
        return web.Response()

    async def _models(self, _request: web.Request) -> web.Response:
        cards = self._adapters.cards(self._model.name_or_path, self._model.context_length)
        return web.json_response({"object": "list", "data": cards})

    async def _load_adapter(self, request: web.Request) -> web.Response:
        body = await parse_body(request, LoadAdapter)
        return web.Response(text=self._adapters.load(body.lora_name, body.lora_path))

    async def _unload_adapter(self, request: web.Request) -> web.Response:
        body = await parse_body(request, UnloadAdapter)
        return web.Response(text=self._adapters.unload(body.lora_name))

    async def _chat(self, request: web.Request) -> web.Response:
        body = await parse_body(request, ChatRequest)
        generation = self._generation_request(body)
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
        if failures:
            raise ApiError(500, "InternalServerError", f"Generation failed: {failures[0]}")
        return web.json_response(chat_response(generation, body.model, self._model.tokenizer))

    def _generation_request(self, body: ChatRequest) -> GenerationRequest:
        adapter = self._adapters.resolve(body.model)
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
            )
        except Exception as error:  # a template may raise anything; what it raises is about the messages
            raise bad_request(f"messages: the chat template refuses them: {error}", "messages") from error
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
