"""What the process loads once that the tests' programs are forked from (`engine_process` in conftest.py)."""

from colloquy_engine.protocol.process import loading_libraries

with loading_libraries():
    import aiohttp.web  # noqa: F401
    import datasets  # noqa: F401
    import peft  # noqa: F401
    import transformers.models.auto.modeling_auto  # noqa: F401
    import trl.trainer.sft_trainer  # noqa: F401
