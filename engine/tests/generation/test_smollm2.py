"""A real small model, if convert_smollm2.py has made it and COLLOQUY_SMOLLM2_DIR names its directory."""

import os
import time

import pytest
from conftest import engine_process, next_event
from test_serve import call

DIRECTORY = os.environ.get("COLLOQUY_SMOLLM2_DIR")


@pytest.mark.skipif(not DIRECTORY, reason="COLLOQUY_SMOLLM2_DIR is not set")
def test_smollm2_answers_a_question():
    with engine_process("serve.py", "--model", DIRECTORY, "--served-model-name", "smollm2") as process:
        port = next_event(process)["port"]
        body = {"model": "smollm2", "messages": [{"role": "user", "content": "What is the capital of France?"}], "temperature": 0, "max_tokens": 40}
        began = time.monotonic()
        status, _, answer = call(port, "POST", "/v1/chat/completions", body | {"n": 8})
        seconds = time.monotonic() - began
    assert status == 200
    texts = {choice["message"]["content"] for choice in answer["choices"]}
    print(texts, answer["usage"], f"{answer['usage']['completion_tokens'] / seconds:.1f} tokens/s")
    assert len(texts) == 1 and "Paris" in texts.pop()
