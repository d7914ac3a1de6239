"""Liveness and readiness pages."""

from collections.abc import Callable

from aiohttp import web


async def serve(port: int, alive: Callable[[], str | None]) -> web.AppRunner:
    """``alive`` returns what is wrong, or None. /readyz answers as soon as the process serves:
    a stand-by is ready to take over."""

    async def livez(_: web.Request) -> web.Response:
        wrong = alive()
        return web.Response(text=wrong or "ok", status=500 if wrong else 200)

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application()
    app.add_routes([web.get("/healthz", livez), web.get("/readyz", readyz)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, port=port).start()
    return runner
