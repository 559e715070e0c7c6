"""Errors as OpenAI clients expect them: {"error": {message, type, param, code}}."""

import json
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError


Body = TypeVar("Body", bound=BaseModel)


class ApiError(Exception):
    """A request that is refused; `status` is the HTTP status and the error's code."""

    def __init__(self, status: int, kind: str, message: str, param: str | None = None, headers: dict[str, str] | None = None):
        super().__init__(message)
        self.status, self.kind, self.message, self.param, self.headers = status, kind, message, param, headers

    def response(self) -> web.Response:
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.status}
        return web.json_response({"error": error}, status=self.status, headers=self.headers)


def bad_request(message: str, param: str | None = None) -> ApiError:
    return ApiError(400, "BadRequestError", message, param)


def not_found(message: str, param: str | None = None) -> ApiError:
    return ApiError(404, "NotFoundError", message, param)


async def parse_body(request: web.Request, schema: type[Body]) -> Body:
    """The request's body, or an ApiError 400 that names the first field at fault."""
    try:
        return schema.model_validate(json.loads(await request.read()))
    except ValidationError as invalid:
        fault = invalid.errors(include_url=False)[0]
        field = ".".join(str(part) for part in fault["loc"])
        raise bad_request(f"{field}: {fault['msg']}" if field else fault["msg"], field or None) from invalid
    except ValueError as error:
        raise bad_request(f"The body is not JSON: {error}") from error
