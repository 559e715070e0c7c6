"""An OpenAI-compatible server for one base model with many LoRA adapters.

    python engine/serve.py --model DIR_OR_ID [--port 0] ...

Prints one JSON line on stdout when it listens: {"event": "ready", "port": 12345, "model": "NAME"}. Logs go to stderr.
"""

import argparse
import asyncio
import logging
import signal
import sys

from colloquy_engine.protocol.process import ProtocolStdout, leave, leave_with_parent, loading_libraries, quiet_libraries, resident_memory

# Only this machine, without an option to change that: the server does not authenticate its clients.
_HOST = "127.0.0.1"


def main() -> int:
    options = _parse_options()
    quiet_libraries()
    protocol = ProtocolStdout()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)

    if options.exit_with_parent:
        leave_with_parent(watch_stdin=True)

    with loading_libraries():
        from colloquy_engine.generation.base_model import ModelNotServable, load_base_model
        from colloquy_engine.protocol.server_messages import ServerRefuses

    try:
        model = load_base_model(options.model, options.dtype, threads=options.threads)
    except ModelNotServable as error:
        protocol.emit(ServerRefuses(message=str(error)))
        print(error, file=sys.stderr)
        return 2
    return asyncio.run(_serve(options, model, protocol))


async def _serve(options: argparse.Namespace, model, protocol: ProtocolStdout) -> int:
    with loading_libraries():
        from aiohttp import web
        from transformers import AutoConfig

        from colloquy_engine.generation.generator import Generator
        from colloquy_engine.generation.http_api import HttpApi
        from colloquy_engine.protocol.server_messages import CheckTraining, ServerReady

    name = options.served_model_name or options.model
    generator = Generator(model, options.max_batch_size, options.max_queue)
    generating = generator.start()

    def check(request: CheckTraining) -> list[str]:
        from colloquy_engine.training.check import check_training  # only now, as most engines are never asked

        return check_training(request, model.tokenizer, model.end_tokens, AutoConfig.from_pretrained(options.model))

    api = HttpApi(model, name, generator, options.max_batch_size, check)
    # When a client closes its connection, its handler is cancelled: that takes the request out of the batch.
    runner = web.AppRunner(api.app(), handler_cancellation=True, access_log=None, shutdown_timeout=2)
    await runner.setup()
    site = web.TCPSite(runner, _HOST, options.port)
    try:
        await site.start()
    except OSError as error:
        print(f"Cannot listen on {_HOST}:{options.port}: {error}", file=sys.stderr)
        return 3
    leave = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, leave.set)
    port = runner.addresses[0][1]
    protocol.emit(ServerReady(port=port, model=name, memory=resident_memory() if model.one_thread else None))
    await leave.wait()
    generator.stop()
    await asyncio.to_thread(generating.join, 5)
    await runner.cleanup()
    return 0


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a directory in the Hugging Face format, or an id on the hub")
    parser.add_argument("--served-model-name", help="the base model's name in requests (default: --model)")
    parser.add_argument("--port", type=int, default=0, help="0 (default): a free one")
    parser.add_argument("--max-batch-size", type=int, default=128, help="answers that are generated at the same time")
    parser.add_argument("--max-queue", type=int, default=4096, help="answers that may wait; further requests get 503")
    parser.add_argument("--dtype", choices=["auto", "float64", "float32", "bfloat16", "float16"], default="auto")
    parser.add_argument("--threads", type=int, help="number of threads on a CPU (default: 1 for a small model, else all cores but one)")
    parser.add_argument("--exit-with-parent", action="store_true", help="end when stdin closes or the parent process dies")
    return parser.parse_args()


if __name__ == "__main__":
    leave(main())
