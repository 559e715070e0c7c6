"""What the process loads once that the tests' programs are forked from (`engine_process` in conftest.py)."""

import gc

from colloquy_engine.protocol.process import loading_libraries

with loading_libraries():
    import aiohttp.web  # noqa: F401
    import datasets  # noqa: F401
    import peft  # noqa: F401
    import transformers.models.auto.modeling_auto  # noqa: F401
    import trl.trainer.sft_trainer  # noqa: F401

gc.freeze()  # a search for garbage in a fork would look at all of it, and copy its pages
