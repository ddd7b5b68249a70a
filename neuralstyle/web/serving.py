"""Where the page is: it answers at once, says that it is starting, and is the page once it is loaded."""

import hmac
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from typing import TYPE_CHECKING

from neuralstyle.files import InputError
from neuralstyle.web.folder import LARGEST_FILE, Folder
from neuralstyle.web.manners import Gatekeeper, asks_this_machine, is_local

if TYPE_CHECKING:
    import gradio as gr
    import uvicorn

    from neuralstyle.web.form import Program
    from neuralstyle.web.painting import Painter

#: What Gradio reads before it is imported: it then asks no other host for anything.
_SETTINGS = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


@dataclass(frozen=True)
class Place:
    """Where the page is to be, and who may ask it.

    Attributes
    ----------
    address : str
    port : int
    password : str or None
        What is asked for; None: nothing.
    """

    address: str
    port: int
    password: str | None = None

    @property
    def url(self) -> str:
        """What is to be typed into a browser."""
        named = socket.gethostname() if self.address in ("0.0.0.0", "::", "") else self.address
        return f"http://{f'[{named}]' if ':' in named else named}:{self.port}/"


#: Gives the socket that listens where the page is to be; nobody else answers there from then on.
TakeOver = Callable[[], socket.socket]

#: What is shown until the page is there. The browser asks again each second, and needs no script for it.
_STARTING = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="1"><meta name="color-scheme" content="light dark">
<title>neuralstyle</title><link rel="icon" href="data:,">
<style>body {font: 18px/1.5 system-ui, sans-serif; margin: 20vh auto; max-width: 26em; padding: 0 1em}</style>
</head><body><h1>neuralstyle</h1><p role="status">The page is starting; it comes up here by itself.</p>
</body></html>
"""


def check_installed() -> None:
    """Find out whether Gradio is there, without importing it, which takes seconds.

    Raises
    ------
    InputError
        If it is not.
    """
    if find_spec("gradio") is None:
        raise InputError("the page needs Gradio: pip install 'neuralstyle[page]'")


@contextmanager
def answering(place: Place) -> Iterator[TakeOver]:
    """Answer every request with a page that says that this one is starting, until somebody takes over.

    What is asked for between two who answer waits in the socket, which listens all the time.

    Parameters
    ----------
    place : Place

    Yields
    ------
    callable
        Ends these answers, and gives the socket.

    Raises
    ------
    InputError
        If the address is none of this machine, or in use.
    """
    where = place.address, place.port
    try:
        listening = socket.create_server(
            where, family=socket.AF_INET6 if ":" in place.address else socket.AF_INET
        )
    except OSError as error:
        raise InputError(
            f"--address {where[0]} --port {where[1]}: cannot be used ({error.strerror}); choose another port"
        ) from error
    # It would bind a socket of its own, and ask for the machine's name.
    server = ThreadingHTTPServer(where, _starting(is_local(place.address)), bind_and_activate=False)
    server.socket.close()
    server.socket = listening
    # The shorter it waits between looking whether it is to end, the sooner the page is there.
    thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
    thread.start()

    def take_over() -> socket.socket:
        server.shutdown()
        thread.join()
        return listening

    try:
        yield take_over
    finally:
        take_over().close()


def _starting(local: bool) -> type[BaseHTTPRequestHandler]:
    """What answers as long as the page is starting; who may ask is as for the page."""

    class Starting(BaseHTTPRequestHandler):
        timeout = 5  # for those who connect and say nothing

        def answer(self) -> None:
            refused = local and not asks_this_machine(self.headers.get("Host", ""))
            body = b"" if refused else _STARTING
            self.send_response(403 if refused else 503)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("Retry-After", "1")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_POST = answer

        def version_string(self) -> str:
            return "neuralstyle"

        def log_message(self, *_: object) -> None:
            pass

    return Starting


def load(folder: Folder) -> None:
    """Load Gradio, which takes seconds, with a place in the folder for what is uploaded."""
    uploads = (folder.own / "uploads").absolute()
    shutil.rmtree(uploads, ignore_errors=True)  # of a process that is no more
    os.environ.update(_SETTINGS, GRADIO_TEMP_DIR=str(uploads))
    import neuralstyle.web.page  # noqa: F401


@contextmanager
def opened(
    folder: Folder, program: "Program", painter: "Painter", place: Place, take_over: TakeOver
) -> Iterator[None]:
    """Open the page for as long as the block lasts; what is being painted then is stopped and kept.

    Parameters
    ----------
    folder : Folder
        Made, and `load` was called for it.
    program : Program
    painter : Painter
        Started by whoever opens the page, and closed with it.
    place : Place
    take_over : callable
        Gives its socket, once the page can answer.
    """
    from neuralstyle.web.page import build

    blocks = build(folder, program, painter)
    server = _server(blocks, folder, place)
    thread = threading.Thread(target=server.run, args=[[take_over()]], name="page", daemon=True)
    thread.start()
    try:
        yield
    finally:
        painter.close()
        blocks.close(verbose=False)
        server.should_exit = True
        thread.join(5)


def _server(blocks: "gr.Blocks", folder: Folder, place: Place) -> "uvicorn.Server":
    """A server of the page."""
    import gradio as gr
    import uvicorn
    from fastapi import FastAPI

    from neuralstyle.web.style import STYLE, theme

    app = gr.mount_gradio_app(
        FastAPI(openapi_url=None),
        blocks,
        "/",
        ssr_mode=False,
        auth=_right(place.password) if place.password else None,
        auth_message="Any name will do, and the password.",
        allowed_paths=[str(folder.path.absolute())],
        max_file_size=LARGEST_FILE,
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        show_error=False,
        theme=theme(),
        css=STYLE,
    )
    guarded = Gatekeeper(app, local=is_local(place.address))
    # A page that is open in a browser is told nothing while it waits; it does not hold up the end.
    return uvicorn.Server(uvicorn.Config(guarded, log_level="critical", timeout_graceful_shutdown=1))


def _right(password: str) -> Callable[[str, str], bool]:
    """Whether a password is the right one, in a time that does not tell how much of it is."""
    return lambda name, given: hmac.compare_digest(given.encode(), password.encode())
