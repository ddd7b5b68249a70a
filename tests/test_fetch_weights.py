import fcntl
import hashlib
import os
import pty
import socket
import stat
import struct
import subprocess
import sys
import termios
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from neuralstyle.files import InputError
from neuralstyle.networks.catalogue import CATALOGUE, PublishedFile, fetch

SCRIPT = Path(__file__).parents[1] / "scripts" / "fetch_weights.py"
CONTENT = np.random.default_rng(0).bytes(3_000_000)
FILE = PublishedFile(
    "tiny", "http://localhost/tiny.mat", f"sha256:{hashlib.sha256(CONTENT).hexdigest()}", 3, "CC0", "noise"
)


class Handler(BaseHTTPRequestHandler):
    """Serves /whole, /wrong (other bytes), /cut (fewer bytes than announced); nothing else is there."""

    def do_GET(self):
        self.server.requested.append(self.path)
        content = {"/whole": CONTENT, "/wrong": CONTENT[::-1], "/cut": CONTENT[:1_000_000]}.get(self.path)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.requested = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def address(server):
    server.requested.clear()
    return f"http://127.0.0.1:{server.server_port}"


def unused_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def test_the_right_file_is_stored_under_its_name(tmp_path, address):
    path = fetch(FILE, tmp_path, f"{address}/whole")
    assert path == tmp_path / "tiny.mat"
    assert path.read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [path]


def test_a_fetched_file_can_be_read_by_others_as_any_new_file(tmp_path, address):
    path = fetch(FILE, tmp_path, f"{address}/whole")
    (tmp_path / "plain").touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_the_file_is_taken_from_its_published_address_without_another(tmp_path, address):
    file = PublishedFile("tiny", f"{address}/whole", FILE.digest, 3, "CC0", "noise")
    assert fetch(file, tmp_path).read_bytes() == CONTENT


def test_a_file_that_is_there_already_is_not_fetched_again(tmp_path, server, address):
    fetch(FILE, tmp_path, f"{address}/whole")
    fetch(FILE, tmp_path, f"{address}/whole")
    assert server.requested == ["/whole"]


def test_a_damaged_file_under_the_name_is_replaced(tmp_path, address):
    (tmp_path / "tiny.mat").write_bytes(CONTENT[:100])
    assert fetch(FILE, tmp_path, f"{address}/whole").read_bytes() == CONTENT


FAILURES = {
    "wrong hash": ("/wrong", "sha256"),
    "cut short": ("/cut", "cut short"),
    "404": ("/nothing", "404"),
}


@pytest.mark.parametrize(("page", "word"), FAILURES.values(), ids=FAILURES.keys())
@pytest.mark.parametrize("standing", [None, b"older file"], ids=["empty folder", "older file"])
def test_a_failed_download_changes_nothing_and_says_why(tmp_path, address, page, word, standing):
    if standing:
        (tmp_path / "tiny.mat").write_bytes(standing)
    with pytest.raises(InputError) as caught:
        fetch(FILE, tmp_path, address + page)
    assert address + page in str(caught.value) and word in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == ([standing] if standing else [])


def test_a_server_that_is_not_there_is_named(tmp_path):
    url = unused_address() + "/whole"
    with pytest.raises(InputError, match=f"{url}: cannot be reached"):
        fetch(FILE, tmp_path, url)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("url", ["", "nonsense", "file:///etc/hostname", "http://"])
def test_an_address_that_is_none_is_refused_in_one_line(tmp_path, url):
    with pytest.raises(InputError) as caught:
        fetch(FILE, tmp_path, url or "nowhere/tiny.mat")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_named_before_anything_is_fetched(tmp_path, server, address):
    with pytest.raises(InputError, match="does not exist"):
        fetch(FILE, tmp_path / "nowhere", f"{address}/whole")
    assert server.requested == []


run = partial(subprocess.run, capture_output=True, text=True)


def test_the_script_lists_every_file_with_its_address_and_licence():
    for arguments in ([], ["--list"]):
        finished = run([sys.executable, SCRIPT, *arguments])
        assert finished.returncode == 0
        for file in CATALOGUE.values():
            assert file.name in finished.stdout and file.url in finished.stdout
        assert "CC BY 4.0" in finished.stdout


@pytest.mark.parametrize("page", ["/wrong", "/cut", "/nothing"])
def test_the_script_ends_with_status_2_and_one_line_when_it_fails(tmp_path, address, page):
    arguments = ["vgg19-keras-notop", "--folder", tmp_path, "--url", address + page]
    finished = run([sys.executable, SCRIPT, *arguments])
    assert finished.returncode == 2
    assert finished.stdout == ""
    assert len(finished.stderr.splitlines()) == 1
    assert finished.stderr.startswith(f"fetch_weights.py: {address}{page}: ")
    assert not list(tmp_path.iterdir())


def test_the_script_names_the_files_there_are_when_asked_for_another():
    finished = run([sys.executable, SCRIPT, "vgg20"])
    assert finished.returncode == 2
    assert len(finished.stderr.splitlines()) == 1
    assert "vgg20" in finished.stderr and "vgg19-beta16" in finished.stderr


def test_a_terminal_shows_how_far_the_download_is(tmp_path, address):
    terminal, standard_error = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    arguments = ["vgg19-keras-notop", "--folder", tmp_path, "--url", f"{address}/wrong"]
    finished = subprocess.run([sys.executable, SCRIPT, *arguments], stderr=standard_error)
    os.close(standard_error)
    shown = os.read(terminal, 100_000).decode()
    os.close(terminal)
    assert finished.returncode == 2
    assert "vgg19-keras-notop:" in shown and "/3.00M" in shown
