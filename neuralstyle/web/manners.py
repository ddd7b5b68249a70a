"""Who may ask the page for what: this machine alone, or a password; no other host, no file elsewhere."""

import hmac
import ipaddress
import json
import os
import shutil
import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from neuralstyle.files import InputError
from neuralstyle.web.folder import LARGEST_FILE, Folder
from neuralstyle.web.painting import Painter

if TYPE_CHECKING:
    from neuralstyle.web.form import Program

_Message = MutableMapping[str, object]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]

#: What Gradio reads before it is imported: it then asks no other host for anything.
_SETTINGS = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}

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


def check_address(address: str, port: int, password: str | None) -> None:
    """Find out whether the page may answer at an address, and whether nobody else does.

    Raises
    ------
    InputError
        If others can reach the address and there is no password; if it is none of this machine, or in use.
    """
    if not is_local(address) and not password:
        raise InputError(
            f"--address {address} lets everybody who reaches this machine use it and see the folder; "
            "give a --password-file as well"
        )
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((address, port))
        except OSError as error:
            raise InputError(
                f"--address {address} --port {port}: cannot be used ({error.strerror}); choose another port"
            ) from error


def is_local(address: str) -> bool:
    """Whether only this machine can reach an address."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


@contextmanager
def opened(
    folder: Folder, program: "Program", painter: Painter, address: str, port: int, password: str | None
) -> Iterator[str]:
    """Open the page for as long as the block lasts; what is being painted then is stopped and kept.

    Parameters
    ----------
    folder : Folder
        Made.
    program : Program
    painter : Painter
        Started by whoever opens the page, and closed with it.
    address : str
    port : int
    password : str or None

    Yields
    ------
    str
        Where the page is.

    Raises
    ------
    InputError
        If Gradio is not installed.
    """
    uploads = (folder.own / "uploads").absolute()
    shutil.rmtree(uploads, ignore_errors=True)  # of a process that is no more
    os.environ.update(_SETTINGS, GRADIO_TEMP_DIR=str(uploads))
    try:
        import gradio  # noqa: F401
    except ImportError as error:
        raise InputError("the page needs Gradio: pip install 'neuralstyle[page]'") from error
    from neuralstyle.web.layout import STYLE, theme
    from neuralstyle.web.page import build

    blocks = build(folder, program, painter)
    try:
        blocks.launch(
            server_name=address,
            server_port=port,
            prevent_thread_lock=True,
            quiet=True,
            share=False,
            ssr_mode=False,
            auth=_right(password) if password else None,
            auth_message="Any name will do, and the password.",
            allowed_paths=[str(folder.path.absolute())],
            max_file_size=LARGEST_FILE,
            footer_links=[],
            enable_monitoring=False,
            theme=theme(),
            css=STYLE,
            app_kwargs={"middleware": [_gatekeeper(address)]},
        )
        yield f"http://{address if address != '0.0.0.0' else socket.gethostname()}:{port}/"
    finally:
        painter.close()
        blocks.close(verbose=False)


def _right(password: str) -> Callable[[str, str], bool]:
    """Whether a password is the right one, in a time that does not tell how much of it is."""
    return lambda name, given: hmac.compare_digest(given.encode(), password.encode())


def _gatekeeper(address: str):
    from starlette.middleware import Middleware

    return Middleware(Gatekeeper, local=is_local(address))


class Gatekeeper:
    """Lets pass what the page asks for, and nothing else (an ASGI application around another).

    Parameters
    ----------
    app : callable
        The page.
    local : bool
        Whether only this machine may ask. Then it must have asked for this machine, too: a page elsewhere
        whose name suddenly stands for 127.0.0.1 does not.
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
        asked_here = not self._local or is_local(headers.get("host", "").rsplit(":", 1)[0].strip("[]"))
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
