"""Who may ask the page for what: this machine alone, or a password; no other host, no file elsewhere."""

import ipaddress
import json
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path

from neuralstyle.files import InputError

_Message = MutableMapping[str, object]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]

#: What the page itself asks for; Gradio has more, some of which fetches from other hosts.
_ROUTES = (
    *("/", "/config", "/theme.css", "/login", "/login/", "/logout", "/user", "/token", "/manifest.json"),
    *("/gradio_api/info", "/gradio_api/upload", "/gradio_api/component_server", "/gradio_api/reset"),
    *("/gradio_api/cancel", "/gradio_api/startup-events", "/favicon.ico", "/robots.txt"),
)
_ROUTES_BELOW = (
    *("/assets/", "/static/", "/svelte/", "/gradio_api/queue/", "/gradio_api/run/", "/gradio_api/file="),
    *("/gradio_api/heartbeat/", "/gradio_api/upload_progress"),
)

#: The most that a form may say, in bytes, or a layer of the editor; pictures are uploaded apart from it.
_LARGEST_FORM = 2**24


def read_password(path: Path) -> str:
    """The password in a file: its first line.

    Raises
    ------
    InputError
        If the file cannot be read, or the line has fewer than eight characters.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read; name a file with the password in it") from error
    password = lines[0].strip() if lines else ""
    if len(password) < 8:
        raise InputError(f"{path}: its first line is the password, and needs 8 characters or more")
    return password


def check_address(address: str, password: str | None) -> None:
    """Find out whether the page may answer at an address.

    Raises
    ------
    InputError
        If others can reach the address and there is no password.
    """
    if not is_local(address) and not password:
        raise InputError(
            f"--address {address} lets everybody who reaches this machine use it and see the folder; "
            "give a --password-file as well"
        )


def is_local(address: str) -> bool:
    """Whether only this machine can reach an address."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def asks_this_machine(host: str) -> bool:
    """Whether a request's Host header names this machine, as the browser of somebody who sits at it does.

    A page elsewhere whose name suddenly stands for 127.0.0.1 does not.
    """
    return is_local(host.rsplit(":", 1)[0].strip("[]"))


class Gatekeeper:
    """Lets pass what the page asks for, and nothing else (an ASGI application around another).

    Parameters
    ----------
    app : callable
        The page.
    local : bool
        Whether only this machine may ask. Then it must have asked for this machine, too
        (`asks_this_machine`).
    """

    def __init__(self, app: Callable, local: bool) -> None:
        self._app, self._local = app, local

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        path = scope["path"]
        asked_here = not self._local or asks_this_machine(headers.get("host", ""))
        known = path in _ROUTES or path.startswith(_ROUTES_BELOW)
        elsewhere = "http:" in path or "https:" in path
        if not (asked_here and known) or elsewhere:
            await _refuse(send, 404 if asked_here else 403)
            return
        form = path.startswith(("/gradio_api/queue/join", "/gradio_api/run/"))
        if form or path == "/gradio_api/component_server":
            body = await _whole(receive)
            if body is None or (form and _names_other_hosts(body)):
                await _refuse(send, 403)
                return
            receive = _again(body, receive)
        await self._app(scope, receive, send)


async def _whole(receive: _Receive) -> bytes | None:
    """The body of a request; None where it is too long."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > _LARGEST_FORM:
            return None
    return body


def _again(body: bytes, receive: _Receive) -> _Receive:
    """A body that was read, to be read once more."""
    given = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def next_message() -> _Message:
        for message in given:
            return message
        return await receive()

    return next_message


def _names_other_hosts(body: bytes) -> bool:
    """Whether a form names a file by an address that Gradio would fetch it from."""

    def found(value: object) -> bool:
        if isinstance(value, dict):
            path = value.get("path")
            there = isinstance(path, str) and path.lower().startswith(("http:", "https:"))
            return there or any(map(found, value.values()))
        return isinstance(value, list) and any(map(found, value))

    try:
        return found(json.loads(body))
    except (ValueError, RecursionError):
        return True


async def _refuse(send: _Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
