"""The embedded quick start: the sandbox provider beside the web process, scheduled jobs inside it."""

import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

from celery.beat import EmbeddedService
from celery.worker import WorkController
from django.conf import settings

from gatewayz.celery import app
from gatewayz.env import SettingsError

SANDBOX_START_SECONDS = 15


def require_free_port(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(
                f"cannot listen on {host}:{port}: {error.strerror}. Set PORT to another one."
            ) from error


def require_data_dir() -> None:
    try:
        settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=settings.DATA_DIR):
            pass
    except OSError as error:
        raise SettingsError(
            f"cannot write to the data directory {settings.DATA_DIR}: {error.strerror}. Set GATEWAYZ_DATA_DIR."
        ) from error


def start_sandbox() -> subprocess.Popen[bytes]:
    """A sandbox provider that ends with this process; ``settings.SANDBOX_URL`` is where it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "apps.sandbox", "--port", str(port), "--exit-with-parent"]
    process = subprocess.Popen(command, cwd=settings.BASE_DIR, stdout=subprocess.DEVNULL)  # noqa: S603
    settings.SANDBOX_URL = f"http://127.0.0.1:{port}"
    return process


def await_sandbox(process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + SANDBOX_START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{settings.SANDBOX_URL}/health", timeout=1):  # noqa: S310
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise SettingsError("the sandbox provider did not start; see its message above.")


def stop_process(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def start_jobs() -> None:
    """Worker and beat as daemon threads over the in-memory broker."""
    worker = WorkController(
        app=app,
        pool_cls="threads",
        concurrency=2,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    threading.Thread(target=worker.start, name="celery-worker", daemon=True).start()
    beat = EmbeddedService(
        app, thread=True, schedule_filename=str(settings.DATA_DIR / "beat-schedule")
    )
    assert isinstance(beat, threading.Thread)
    beat.daemon = True
    beat.start()
