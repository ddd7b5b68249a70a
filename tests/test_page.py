"""The page as somebody uses it: a server of its own, and a real browser that clicks, drops and paints."""

import base64
import json
import os
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zlib
from contextlib import suppress
from fractions import Fraction
from functools import partial

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

from neuralstyle.command import main as cli
from neuralstyle.networks import weights_folder
from neuralstyle.runs.film import Film

#: Where the gate says that the browser must be there, its tests must not be skipped.
REQUIRED = bool(os.environ.get("NEURALSTYLE_TEST_PAGE"))
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

if not REQUIRED:
    pytest.importorskip("gradio")
    pytest.importorskip("playwright")
    if CHROMIUM is None:
        pytest.skip("no chromium", allow_module_level=True)
from playwright.sync_api import expect, sync_playwright  # noqa: E402

expect.set_options(timeout=60_000)

#: Starts the page in a process that writes down every connection it makes to another host.
PROGRAM = """
import sys
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        host = arguments[1][0] if event == "socket.connect" else arguments[0]
        if host not in ("127.0.0.1", "::1", "localhost", None, "") and not str(host).startswith("/"):
            with open(sys.argv[1], "a") as file:
                print(event, host, file=file)
sys.addaudithook(watch)
from neuralstyle.command.main import main
sys.exit(main(["page", *sys.argv[2:]]))
"""


class Server:
    """A process with the page, in a folder of its own; from its first answer on, it is never refused."""

    def __init__(self, folder, *options, wait=True):
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}/"
        command = [sys.executable, "-c", PROGRAM, "others.txt", "--port", str(self.port), "--no-browser"]
        self.log = (folder / "log.txt").open("w")
        self.process = subprocess.Popen([*command, *options], cwd=folder, stderr=self.log)
        while "the page is at" not in (folder / "log.txt").read_text():
            assert self.process.poll() is None, (folder / "log.txt").read_text()
            time.sleep(0.05)
        while wait and self.answer("/config")[0] == 503:  # it is starting
            time.sleep(0.05)

    def answer(self, path, data=None, **headers):
        """The status of a request, and the body where it is 200 or 503."""
        request = urllib.request.Request(self.address + path.lstrip("/"), data, headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read() if error.code == 503 else b""

    def end(self, number):
        self.process.send_signal(number)
        self.process.wait(60)
        self.log.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    (folder / "networks").mkdir()
    for ending in (".index", ".data-00000-of-00001"):
        file = weights_folder() / f"wheat-field.ckpt{ending}"
        shutil.copyfile(file, folder / "networks" / f"painting.ckpt{ending}")
    server = Server(folder, "--networks", "networks")
    yield server
    server.end(signal.SIGKILL)


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def asked():
    """Every address that the browser has asked for."""
    return set()


@pytest.fixture
def page(server, browser, asked):
    """A page that is just opened."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    yield opened(page, server, asked)
    page.close()


def opened(page, server, asked):
    """A page that has been told what is being painted: before, it may stand there and not listen yet."""
    page.on("request", lambda request: asked.add(request.url))
    page.goto(server.address)
    expect(page.locator("#status")).to_contain_text(".")
    return page


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, photograph):
    """A photograph and a painting of 64 and 48 pixels."""
    folder = tmp_path_factory.mktemp("pictures")
    iio.imwrite(folder / "cat.png", photograph[100:148, 120:184].astype(np.uint8))
    iio.imwrite(folder / "fur.png", photograph[:48, 200:248].astype(np.uint8))
    return folder


def drop(page, where, file):
    page.set_input_files(f"#{where} input[type=file]", file)


def drop_until(page, where, file, check):
    """Put in a file until the page shows it: a place that is just being made anew takes none."""
    for _ in range(10):
        drop(page, where, file)
        with suppress(AssertionError):
            return check(5000)
    return check(5000)


def put_in(page, pictures):
    """Put in both pictures, with no quick look."""
    page.uncheck("#look input")
    for where, name in (("content", "cat.png"), ("style-1", "fur.png")):
        drop(page, where, pictures / name)
        expect(page.locator(f"#{where} img")).to_be_visible()


def choose(page, method, where="method"):
    page.click(f"#{where} input")
    page.fill(f"#{where} input", f"{method}:")
    page.click(f"[role=option]:has-text('{method}:')")


def box(name):
    """Where a setting is typed."""
    return f"#set-{name} textarea, #set-{name} input"


def open_settings(page):
    if not page.locator("#set-iterations").is_visible():
        page.click("#all-settings > button")


def say(page, **settings):
    """Type values into the boxes of all settings."""
    open_settings(page)
    for name, value in settings.items():
        page.fill(box(name), value)


def small(page, iterations):
    """A recipe of small pictures and few iterations."""
    choose(page, "neural-style")
    page.fill("#size input[type=number]", "64")
    say(page, iterations=str(iterations))


def paint(page):
    page.click("#paint")


def status(page, text):
    expect(page.locator("#status")).to_contain_text(text)


def command_of(page):
    """The command line that the page shows, without the program's name."""
    page.click("button[role=tab]:has-text('Command line')")
    return shlex.split(page.input_value("#command textarea"))[1:]


def alert(page):
    expect(page.locator("#message [role=alert]")).to_be_visible()
    return page.inner_text("#message")


def test_what_cannot_be_painted_is_said_on_the_page(page, pictures):
    for _ in range(10):  # an answer to a first click has been lost
        paint(page)
        with suppress(AssertionError):
            expect(page.locator("#message [role=alert]")).to_be_visible(timeout=5000)
            break
    assert "no photograph yet" in alert(page)
    put_in(page, pictures)
    small(page, "many")
    paint(page)
    expect(page.locator("#message [role=alert]")).to_contain_text("invalid int value")
    say(page, iterations="2 --output /tmp/elsewhere.png")
    paint(page)
    expect(page.locator("#message [role=alert]")).to_contain_text("is no value")
    say(page, iterations="2", beta1="7")
    paint(page)
    expect(page.locator("#message [role=alert]")).to_contain_text("beta1 is 7")


def test_masks_painted_with_the_mouse_say_which_painting_counts_where(page, server):
    page.uncheck("#look input")
    page.click("#bundled")
    expect(page.locator("#style-1 img")).to_be_visible()
    page.click("#masks > button")
    canvas = page.locator("#editor canvas").first
    expect(canvas).to_be_visible()
    for _ in range(10):  # the editor may need some seconds before it takes a stroke
        canvas.scroll_into_view_if_needed()
        box_of = canvas.bounding_box()
        x, y = box_of["x"] + 0.3 * box_of["width"], box_of["y"] + box_of["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x, y + 0.1 * box_of["height"], steps=8)
        page.mouse.up()
        page.wait_for_timeout(500)
        page.click("#use-masks")
        page.wait_for_timeout(1500)
        if "Masks for" in page.inner_text("#masks-said"):
            break
    expect(page.locator("#masks-said")).to_contain_text("Masks for painting 1")
    small(page, 2)
    paint(page)
    status(page, "is done")
    command = command_of(page)
    mask = iio.imread(server.folder / command[command.index("--masks") + 1])[..., 0]
    assert mask.max() == 255 and mask.min() == 0
    half = mask.shape[1] // 2
    assert (mask[:, :half] > 0).mean() > 10 * (mask[:, half:] > 0).mean()


def test_the_bundled_pair_is_shown_in_any_style(page):
    page.click("#bundled")
    status(page, "any style is done")
    expect(page.locator("#result img")).to_be_visible()
    assert page.evaluate("document.querySelector('#result img').naturalWidth") == 512


def test_a_painting_stopped_and_gone_on_with_is_the_commands_to_the_bit(
    page, server, pictures, tmp_path, monkeypatch
):
    put_in(page, pictures)
    small(page, 100)
    paint(page)
    status(page, "of 100")
    expect(page.locator("#result img")).to_be_visible()  # it is seen while it grows
    page.click("#stop")
    status(page, "was stopped")
    page.click("#go-on")
    status(page, "is done")
    with page.expect_download() as download:
        page.click("#result [aria-label=Download], #result button[title=Download]")
    download.value.save_as(tmp_path / "downloaded.png")
    monkeypatch.chdir(server.folder)
    command = command_of(page)
    command[command.index("--output") + 1] = str(tmp_path / "command.png")
    assert cli.main([*command, "--quiet"]) == 0
    again = ["--from-record", str(tmp_path / "downloaded.png"), "--output", str(tmp_path / "again.png")]
    assert cli.main([*again, "--quiet"]) == 0
    pixels = iio.imread(tmp_path / "downloaded.png")
    np.testing.assert_array_equal(pixels, iio.imread(tmp_path / "command.png"))
    np.testing.assert_array_equal(pixels, iio.imread(tmp_path / "again.png"))


def test_a_run_goes_on_without_its_tab_and_others_wait_for_it(page, server, pictures, browser, asked):
    put_in(page, pictures)
    small(page, 400)
    paint(page)
    status(page, "of 400")
    paint(page)
    status(page, "1 more waits")
    page.reload()
    status(page, "of 400")
    expect(page.locator("#content img")).to_be_visible()
    open_settings(page)
    expect(page.locator(box("iterations"))).to_have_value("400")
    other = opened(browser.new_page(), server, asked)
    page.close()
    status(other, "of 400")
    expect(other.locator("#status")).to_contain_text("1 more waits")
    other.click("#stop")
    expect(other.locator("#status")).not_to_contain_text("1 more")
    other.click("#stop")
    status(other, "was stopped")
    written = len(list((server.folder / "results").glob("*.png")))
    expect(other.locator("#gallery img")).to_have_count(written)
    other.close()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def large_png(path, width, height):
    """A PNG of one bit a pixel: few bytes, many pixels."""
    rows = zlib.compressobj(9)
    data = b"".join(rows.compress(bytes(1 + width // 8)) for _ in range(height)) + rows.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


def test_files_that_cannot_be_used_get_one_sentence_on_the_page(page, tmp_path):
    (tmp_path / "words.jpg").write_text("no picture")
    large_png(tmp_path / "large.png", 20_000, 15_000)
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    for name, words in (
        ("words.jpg", "words.jpg: cannot be read as a picture"),
        ("large.png", "has 300 megapixels, and the page takes 64"),
        ("dot.png", "has 1×1 pixels"),
    ):
        message = expect(page.locator("#message [role=alert]"))
        said = partial(message.to_contain_text, words)
        drop_until(page, "content", tmp_path / name, lambda wait, said=said: said(timeout=wait))
        assert str(tmp_path) not in alert(page) and "Traceback" not in alert(page)
        expect(page.locator("#content img")).to_have_count(0)


def test_a_picture_of_printing_colours_is_taken(page, tmp_path):
    Image.new("CMYK", (40, 30), (0, 200, 200, 0)).save(tmp_path / "print.jpg")
    page.uncheck("#look input")
    drop(page, "content", tmp_path / "print.jpg")
    expect(page.locator("#content img")).to_be_visible()
    expect(page.locator("#message [role=alert]")).to_have_count(0)


def test_a_result_of_the_folder_gives_its_settings_and_its_command_back(page, server):
    page.locator("#gallery button").last.click()
    expect(page.locator("#chosen img")).to_be_visible()
    expect(page.locator("#chosen-command textarea")).to_have_value(re.compile("coffee-.*neural-style.png"))
    page.click("#again")
    expect(page.locator("#content img")).to_be_visible()
    expect(page.locator("#size input[type=number]")).to_have_value("64")
    open_settings(page)
    expect(page.locator(box("iterations"))).to_have_value("2")


def test_a_png_that_the_command_wrote_gives_its_settings(page, pictures, tmp_path):
    options = ["--content", str(pictures / "cat.png"), "--style", str(pictures / "fur.png")]
    options += ["--recipe", "neural-style", "--style-weight", "1234", "--tv-weight", "9", "--iterations", "3"]
    assert cli.main([*options, "--output", str(tmp_path / "own.png"), "--quiet"]) == 0
    with page.expect_file_chooser() as chosen:
        page.click("#own-png")
    chosen.value.set_files(tmp_path / "own.png")
    open_settings(page)
    for name, value in (("style_weight", "1234"), ("tv_weight", "9"), ("iterations", "3"), ("beta1", "")):
        expect(page.locator(box(name))).to_have_value(value)


def test_the_keyboard_alone_paints(page, pictures):
    put_in(page, pictures)
    choose(page, "transform")
    page.fill("#size input[type=number]", "64")
    page.focus("#look input")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "paint"
    page.keyboard.press("Enter")
    status(page, "cat-transform.png is done")


def test_a_pasted_picture_and_a_network_of_ones_own_give_a_picture_at_full_size(page, pictures):
    page.uncheck("#look input")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(
        """async data => {
            const blob = await (await fetch("data:image/png;base64," + data)).blob();
            await navigator.clipboard.write([new ClipboardItem({"image/png": blob})]);
        }""",
        base64.b64encode((pictures / "cat.png").read_bytes()).decode(),
    )
    page.click("#content [aria-label='Paste from clipboard']")
    expect(page.locator("#content img")).to_be_visible()
    choose(page, "network painting.ckpt")
    page.fill("#size input[type=number]", "64")
    paint(page)
    status(page, "painting-ckpt.png is done")
    with page.context.expect_page() as opened_page:
        page.click("#whole a")
    opened_page.value.wait_for_load_state()
    shown = "[document.contentType, document.images[0].naturalWidth]"
    assert opened_page.value.evaluate(shown) == ["image/png", 64]
    opened_page.value.close()


@pytest.fixture(scope="module")
def film(tmp_path_factory, photograph):
    """Eight frames of 64×48 pixels."""
    path = tmp_path_factory.mktemp("films") / "cat.mp4"
    with Film(path, (48, 64), Fraction(10)) as written:
        for at in range(8):
            written.add(photograph[100:148, 120 + at : 184 + at])
    return path


def test_a_film_is_painted_with_its_command_and_played(page, film, tmp_path):
    (tmp_path / "list.mp4").write_text("#EXTM3U\nfile:///etc/passwd\n")
    page.click("#film > button")
    message, frames = (expect(page.locator(what)) for what in ("#message [role=alert]", "#film-frames img"))
    refused = "list.mp4: is no film that the page takes"
    drop_until(
        page, "film-file", tmp_path / "list.mp4", lambda wait: message.to_contain_text(refused, timeout=wait)
    )
    page.click("#film-file [aria-label=Clear]")
    drop_until(page, "film-file", film, lambda wait: frames.to_have_count(6, timeout=wait))
    choose(page, "transform", "film-method")
    page.fill("#frames input[type=number]", "3")
    page.fill("#film-width input[type=number]", "64")
    page.click("#paint-film")
    expect(page.locator("#whole video")).to_be_visible()
    shown = "document.querySelector('#whole video')"
    page.wait_for_function(f"{shown}.readyState > 0")
    assert page.evaluate(f"[{shown}.videoWidth, {shown}.duration]") == [64, pytest.approx(0.3, abs=0.01)]
    expect(page.locator("#films a")).to_have_text("cat-transform.mp4")
    command = command_of(page)
    assert command[0] == "video" and command[command.index("--frames") + 1] == "1:3"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_telephone_shows_the_page_without_scrolling_sideways(server, browser, asked, scheme):
    page = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme=scheme)
    opened(page, server, asked)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 390
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    light = sum(map(int, re.findall(r"\d+", colour)[:3])) > 3 * 128
    assert light == (scheme == "light")
    page.close()


def test_nothing_outside_the_folder_can_be_read(server, tmp_path):
    (server.folder / "secret.txt").write_text("secret")
    results = server.folder / "results"
    (results / "link.png").symlink_to(server.folder / "secret.txt")
    shown = results / "shown.png"
    Image.new("RGB", (20, 20)).save(shown)
    assert server.answer(f"/gradio_api/file={shown}")[0] == 200
    for path in (
        "/etc/passwd",
        f"{server.folder}/secret.txt",
        f"{results}/../secret.txt",
        f"{results}/%2e%2e/secret.txt",
        f"{results}/link.png",
        "http://127.0.0.1:1/x.png",
    ):
        assert server.answer(f"/gradio_api/file={path}")[0] in (403, 404), path
    (results / "link.png").unlink()
    shown.unlink()


def predict(server, function, *data):
    """Call a handler past the page; the status, and the answer."""
    config = json.loads(server.answer("/config")[1])
    number = next(
        entry["id"]
        for entry in config["dependencies"]
        if [event for _, event in entry["targets"]] == [function]
    )
    body = json.dumps({"data": data, "fn_index": number, "session_hash": "test", "trigger_id": None})
    return server.answer("/gradio_api/run/predict", body.encode(), **{"Content-Type": "application/json"})


def test_files_that_a_browser_only_names_are_not_taken(server):
    file = {"path": "/etc/passwd", "orig_name": "a.png", "meta": {"_type": "gradio.FileData"}}
    status, body = predict(server, "upload", file, None)
    assert status != 200 or b"root:" not in body
    remote = {**file, "path": "http://192.0.2.1/a.png"}
    assert predict(server, "upload", remote, None)[0] == 403
    assert not list((server.folder / "results" / "inputs").glob("*passwd*"))


def test_a_page_elsewhere_cannot_ask_by_a_name_that_stands_for_this_machine(server):
    assert server.answer("/", Host="somewhere.example")[0] == 403
    assert server.answer("/gradio_api/proxy=http://192.0.2.1/")[0] == 404


def test_it_answers_while_it_is_starting_and_can_be_closed(tmp_path, server):
    starting = Server(tmp_path, wait=False)
    status, body = starting.answer("/")
    assert (status, b"is starting" in body, b'http-equiv="refresh"' in body) == (503, True, True)
    assert starting.answer("/", Host="somewhere.example")[0] == 403
    starting.end(signal.SIGINT)
    assert starting.process.returncode == 0
    taken = ["page", "--port", str(server.port), "--folder", str(tmp_path / "x"), "--no-browser"]
    assert cli.main(taken) == 2
    assert "Traceback" not in (tmp_path / "log.txt").read_text()


def test_everybody_is_asked_for_the_password(tmp_path, capsys):
    assert cli.main(["page", "--address", "0.0.0.0", "--folder", str(tmp_path / "x"), "--no-browser"]) == 2
    assert "give a --password-file" in capsys.readouterr().err
    (tmp_path / "password").write_text("tell nobody\n")
    server = Server(tmp_path, "--address", "0.0.0.0", "--password-file", "password")
    assert server.answer("/config")[0] == 401
    assert server.answer("/gradio_api/file=results/x.png")[0] in (401, 403, 404)
    for password, status in (("wrong words", 400), ("tell nobody", 200)):
        data = f"username=me&password={password.replace(' ', '+')}".encode()
        assert server.answer("/login", data)[0] == status
    server.end(signal.SIGKILL)


def test_no_other_host_was_asked_for_anything(server, asked):
    assert asked
    elsewhere = {url for url in asked if not re.match(r"(http://127\.0\.0\.1:\d+/|data:|blob:)", url)}
    assert elsewhere == set()
    assert not (server.folder / "others.txt").exists()


def test_a_page_that_was_killed_shows_what_it_had_and_goes_on(page, server, browser, pictures, asked):
    """The last test with the server that the others share: it ends it."""
    put_in(page, pictures)
    results = server.folder / "results"
    there = {path.name for path in results.glob("*.png")}
    small(page, 100_000)
    paint(page)
    status(page, "of 100000")
    server.end(signal.SIGINT)  # keeps what is being painted
    (kept,) = {path.name for path in results.glob("*.png")} - there
    assert (results / f"{kept}.unfinished").exists()
    server = Server(server.folder)
    page = opened(browser.new_page(), server, asked)
    status(page, f"{kept} was stopped")
    expect(page.locator("#gallery img")).to_have_count(1 + len(there))
    page.click("#go-on")
    status(page, "of 100000")
    page.close()
    server.end(signal.SIGKILL)
    assert (results / f"{kept}.unfinished").exists()
    assert not (server.folder / "others.txt").exists()


def test_the_folder_takes_names_of_its_own_files_only(tmp_path):
    from neuralstyle.files import InputError
    from neuralstyle.web.folder import Folder

    (tmp_path / "outside.png").write_bytes(b"x")
    folder = Folder(tmp_path / "results")
    folder.make()
    (folder.path / "own.png").write_bytes(b"x")
    (folder.path / "link.png").symlink_to(tmp_path / "outside.png")
    assert folder.result("own.png").is_file()
    for name in ("../outside.png", str(tmp_path / "outside.png"), "link.png", "", ".page", "a\0b", None, 3):
        with pytest.raises(InputError, match="no such picture"):
            folder.result(name)


def test_every_field_of_a_recipe_that_an_option_sets_has_a_control():
    from dataclasses import fields

    from neuralstyle.command.options import parser
    from neuralstyle.command.page import program
    from neuralstyle.recipe import Recipe

    shown = {setting.name for setting in program().settings}
    options = {action.dest for action in parser()._actions}
    own = {"style_blend", "style_scales", "keep_colours", "match_colours", "scales"}
    assert {field.name for field in fields(Recipe)} & options - own <= shown
    assert "learning_rate" in shown


def test_a_png_rendered_in_one_pass_gives_its_settings(pictures, tmp_path):
    from neuralstyle.command.page import program
    from neuralstyle.web.folder import Folder
    from neuralstyle.web.record import wish_of_record

    folder = Folder(tmp_path / "results")
    folder.make()
    names = [folder.keep(pictures / name, name) for name in ("cat.png", "fur.png")]
    options = ["--content", str(pictures / "cat.png"), "--any-style", "--style", str(pictures / "fur.png")]
    options += ["--strength", "0.5", "--output", str(tmp_path / "one.png"), "--quiet"]
    assert cli.main(options) == 0
    wish = wish_of_record(tmp_path / "one.png", folder, program())
    assert [wish.content, *wish.styles] == names
    assert (wish.method, wish.size, wish.strength) == ("any-style", 64, 0.5)


def test_what_is_said_for_all_runs_is_part_of_each_recipes_command(pictures, tmp_path):
    from neuralstyle.command.page import program
    from neuralstyle.web.folder import Folder
    from neuralstyle.web.form import Wish, arguments_of

    folder = Folder(tmp_path / "results")
    folder.make()
    cat, fur = (folder.keep(pictures / name, name) for name in ("cat.png", "fur.png"))
    own = program(machine=["--workers", "2"])
    wish = Wish(cat, (fur,), "neural-style", initial=fur, settings={"start": "noise"})
    arguments = arguments_of(wish, folder, tmp_path / "x.png", own)
    assert arguments[-2:] == ["--workers", "2"]
    assert arguments.count("--initial") == 1
    assert arguments[arguments.index("--initial") + 1] == str(folder.input(fur))
    assert "--workers" not in arguments_of(Wish(cat, method="transform"), folder, tmp_path / "x.png", own)


def test_networks_of_a_folder_are_found_by_their_names(tmp_path):
    from neuralstyle.command.page import own_networks
    from neuralstyle.files import InputError

    for name in (
        "a.ckpt.index",
        "a.ckpt.data-00000-of-00001",
        "a.ckpt.training.index",
        "b.ckpt",
        "notes.txt",
    ):
        (tmp_path / name).write_bytes(b"\n")
    (tmp_path / "exported").mkdir()
    (tmp_path / "exported" / "saved_model.pb").write_bytes(b"\x08")
    assert own_networks(tmp_path) == {name: tmp_path / name for name in ("a.ckpt", "b.ckpt", "exported")}
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="has no network"):
        own_networks(tmp_path / "none")
