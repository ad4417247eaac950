"""Who uses the web page, and who may: sessions, names of the server, origins, password."""

import asyncio
import hmac
import ipaddress
import os
import socket
from collections.abc import Awaitable, Callable, Collection
from typing import Any
from urllib.parse import urlsplit

#: Environment variable with the password of the page; no option, since others can see those.
PASSWORD = "CAMERAPOSE_PASSWORD"
USER = "camerapose"
#: Ports that are left out of addresses.
PORTS = {"http": 80, "https": 443}


class HostCheck:
    """ASGI middleware that refuses requests for other servers and from other pages.

    A page of another server could otherwise use this one through its visitor's browser, directly
    (foreign origin) or after it has directed its own name to this computer (DNS rebinding). Another
    port of this computer is another server. A reverse proxy must pass `Host` on, with its port.

    Args:
        app: application that receives the other requests.
        names: accepted names of this server, besides addresses and the computer's own name.
    """

    def __init__(self, app: Any, names: Collection[str] = ()):
        self._app = app
        own = {"localhost", socket.gethostname().lower()}  # getfqdn may ask a name server
        self._names = own | {name.lower() for name in names}

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        """Pass a request on, or answer it with status 403."""
        refusal = self._refusal(scope) if scope["type"] in ("http", "websocket") else ""
        if not refusal:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            text = [(b"content-type", b"text/plain")]
            await send({"type": "http.response.start", "status": 403, "headers": text})
            await send({"type": "http.response.body", "body": refusal.encode()})

    def _refusal(self, scope: dict[str, Any]) -> str:
        """Return why a request is refused; empty if it is not."""
        values = [(name.lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        hosts = [value for name, value in values if name == b"host"]
        if len(hosts) != 1 or not self._is_own(hosts[0]):
            return f"unknown host {', '.join(hosts)!r}; use an address or a name of --names"
        for name, value in values:
            if name == b"origin" and not _is_same_origin(value, hosts[0], scope.get("scheme", "")):
                return (
                    f"Origin {value!r} is not that of Host {hosts[0]!r}; open the page itself "
                    "(a reverse proxy must pass the header Host on, with its port)"
                )
        return ""

    def _is_own(self, host: str) -> bool:
        name = _host(f"//{host}")
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True  # an address cannot be redirected


def _is_same_origin(origin: str, host: str, scheme: str) -> bool:
    """Return whether a page has the scheme, name and port of a request.

    Args:
        origin, host: headers of the request.
        scheme: of the request. A reverse proxy that decrypts may not report "https", so a page
            with encryption is accepted in any case.
    """
    try:
        page, server = urlsplit(origin), urlsplit(f"//{host}")
        ports = [PORTS.get(page.scheme) if url.port is None else url.port for url in (page, server)]
    except ValueError:
        return False
    encrypted = scheme in ("https", "wss")
    return (
        page.scheme in (("https",) if encrypted else PORTS)
        and page.hostname == server.hostname
        and ports[0] == ports[1]
    )


def _host(url: str) -> str:
    """Return the name or address in a URL; empty if there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def authentication() -> Callable[[str, str], bool] | None:
    """Return the check of user name and password; None without a password in the environment."""
    password = os.environ.get(PASSWORD)
    if not password:
        return None
    expected = password.encode()
    return lambda user, given: (
        user == USER and hmac.compare_digest(given.encode(errors="replace"), expected)
    )


class Sessions:
    """ASGI middleware that notices when a page is opened and closed.

    Pages keep a request open (Gradio's heartbeat). Gradio reports its end only if the request is
    cancelled while it waits, not while it sends, and not if an error ends it.

    Args:
        app: application that receives all requests.
        begin, end: called with the identifier of a session; `end` in another thread.
    """

    def __init__(self, app: Any, begin: Callable[[str], None], end: Callable[[str], None]):
        self._app, self._begin, self._end = app, begin, end

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        """Pass a request on."""
        _, heartbeat, session = scope.get("path", "").partition("/heartbeat/")
        if scope["type"] != "http" or not (heartbeat and session):
            await self._app(scope, receive, send)
            return
        self._begin(session)
        try:
            await self._app(scope, receive, send)
        finally:  # deleting files takes time, and this task may be cancelled
            asyncio.get_running_loop().run_in_executor(None, self._end, session)
