"""Runs the fake: ``python -m tests.fakes.stripe --port 0``. Prints one line when it listens; leaves with its parent."""

import argparse
import asyncio
import os
import signal

from aiohttp import web

from tests.fakes.stripe.server import build_app

PARENT_CHECK_SECONDS = 0.5


async def serve(host: str, port: int, *, parent: int | None) -> None:
    """``parent`` is the process to leave with; None stays."""
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
        build_app(), access_log=None, handler_cancellation=True, shutdown_timeout=0.2
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        address = runner.addresses[0]
        print(f"fake stripe on http://{address[0]}:{address[1]}", flush=True)  # noqa: T201
        if parent is not None:
            watch_parent()
        await told_to_stop.wait()
    finally:
        await runner.cleanup()


def main() -> None:
    parent = os.getppid()
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.stripe")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--stay", action="store_true", help="do not end with the parent process")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.host, arguments.port, parent=None if arguments.stay else parent))


if __name__ == "__main__":
    main()
