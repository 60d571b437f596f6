"""Runs the sandbox provider: ``python -m apps.sandbox --host 127.0.0.1 --port 8099``.

Prints one line when it listens (port 0 takes a free one), and leaves on SIGTERM, SIGINT, or with its parent.
"""

import argparse
import asyncio
import gc
import os
import signal

import uvloop
from aiohttp import web

from apps.sandbox.app import build_app

PARENT_CHECK_SECONDS = 0.5


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m apps.sandbox", description="The sandbox provider."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8099, help="0 takes a free port")
    parser.add_argument(
        "--exit-with-parent", action="store_true", help="end when the parent process has ended"
    )
    parser.add_argument(
        "--any-model", action="store_true", help="unknown models answer like echo, instead of 404"
    )
    return parser.parse_args()


async def serve(arguments: argparse.Namespace, parent: int) -> None:
    loop = asyncio.get_running_loop()
    told_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop.set)

    def watch_parent() -> None:
        if os.getppid() != parent:
            told_to_stop.set()
            return
        loop.call_later(PARENT_CHECK_SECONDS, watch_parent)

    # Cancelling handlers is how a client that left is noticed in the middle of a silence.
    runner = web.AppRunner(
        build_app(any_model=arguments.any_model),
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=0.2,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, arguments.host, arguments.port, backlog=4096).start()
        host, port = runner.addresses[0][:2]
        print(
            f"sandbox provider on http://{f'[{host}]' if ':' in host else host}:{port}", flush=True
        )
        if arguments.exit_with_parent:
            watch_parent()
        await told_to_stop.wait()
    finally:
        await runner.cleanup()


def main() -> None:
    parent = os.getppid()
    arguments = parse_arguments()
    # Everything that was imported stays: keep the collector from walking it during load runs.
    gc.freeze()
    uvloop.run(serve(arguments, parent))


if __name__ == "__main__":
    main()
