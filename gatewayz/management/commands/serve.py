"""manage.py serve: the whole gateway in one command; what ``make run`` runs."""

from typing import Any

import uvicorn
from django.conf import settings
from django.core.checks.registry import registry
from django.core.management import call_command
from django.core.management.base import BaseCommand
from typing_extensions import override

from apps.common import single
from gatewayz import checks, embedded, env
from gatewayz.bootstrap import Demo, bootstrap_catalogue, bootstrap_demo
from gatewayz.server import Protocol

BANNER = """
Gatewayz is ready.

  Home       {url}
  Admin      {url}/admin/    {demo.admin_email} / {demo.admin_password}
  API docs   {url}/v1/docs
  Health     {url}/health/ready    Metrics  {url}/metrics

Ask it something:

  curl {url}/v1/chat/completions \\
    -H 'Authorization: Bearer {demo.api_key}' -H 'Content-Type: application/json' \\
    -d '{{"model": "sandbox/echo", "messages": [{{"role": "user", "content": "Hello"}}]}}'

The same credentials are in {path}. Ctrl-C stops; all data stays.
"""


class Server(uvicorn.Server):
    """Prints the banner once the server listens."""

    banner = ""

    @override
    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self.banner, flush=True)  # noqa: T201 - what the command is for


class Command(BaseCommand):
    help = "Migrate, bootstrap and serve, with the sandbox provider and scheduled jobs beside it."
    # The others the web process tells, in its log.
    requires_system_checks = sorted(registry.tags_available() - {checks.TOLD_AT_START})

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        host, port = env.text("HOST"), env.integer("PORT", least=1, most=65535)
        embedded.require_data_dir()
        embedded.require_free_port(host, port)
        try:
            single.claim()
        except single.SecondWebProcess as error:
            raise env.SettingsError(str(error)) from error
        sandbox = None
        if settings.SANDBOX_ENABLED and not settings.SANDBOX_URL:
            sandbox = embedded.start_sandbox()
        try:
            call_command("migrate", verbosity=0, interactive=False)
            bootstrap_catalogue()
            shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - compared, not bound
            url = f"http://{shown}:{port}"
            demo = bootstrap_demo(base_url=f"{url}/v1")
            if sandbox is not None:
                embedded.await_sandbox(sandbox)
            embedded.start_jobs()
            self._serve(host, port, url, demo)
        finally:
            if sandbox is not None:
                embedded.stop_process(sandbox)

    def _serve(self, host: str, port: int, url: str, demo: Demo) -> None:
        config = uvicorn.Config(
            "gatewayz.asgi:application",
            host=host,
            port=port,
            http=Protocol,
            log_config=None,
            access_log=False,
            lifespan="on",
            server_header=False,
            timeout_graceful_shutdown=15,
        )
        server = Server(config)
        server.banner = BANNER.format(url=url, demo=demo, path=settings.DATA_DIR / "demo.json")
        try:
            server.run()
        except KeyboardInterrupt:
            return
        if not server.started:
            raise env.SettingsError("the web server did not start; see the message above.")
