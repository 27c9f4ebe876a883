"""A study as people take part in it: two at once, in a real browser, through a killed server; and what comes of it."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
import typer
from typer.testing import CliRunner, Result

from followyouremoji.apps.bench_study import study, study_results
from followyouremoji.errors import DataError, SettingsError

pytest.importorskip("skia", reason="the portraits are drawn, which needs skia-python")
pytest.importorskip("uvicorn", reason="the study's page needs uvicorn")
pytest.importorskip("playwright", reason="browsers are led by Playwright")
from playwright import sync_api as playwright

from followyouremoji.benchmark.store import Results
from tests.benchmark.study.sample import SYSTEMS, write_results
from tests.browser import chromium
from tests.programs import environment

BEST, SECOND, WORST = SYSTEMS[:3]
TO_THE_BROWSERS = 30_000  # milliseconds; on a busy machine
SERVE = (
    "import sys; from followyouremoji.apps import bench_study, cli; from followyouremoji.apps.main import main; "
    "cli.app.command('study')(bench_study.study); main(['study', *sys.argv[1:]])"
)

app = typer.Typer()
app.command("study")(study)
app.command("study-results")(study_results)


def bench(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write_results(tmp_path_factory.mktemp("bench"), systems=3)


class Server:
    """`fye bench study` as a process."""

    def __init__(self, results: Results, port: int = 0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(results.folder), "--pairs", "3", "--port", str(port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(),
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
        assert found is not None, line + self.process.stdout.read()
        self.address, self.port = found[0], int(found[1])

    def end(self, how: signal.Signals) -> tuple[int, str]:
        """Its exit code, and what else it printed."""
        self.process.send_signal(how)
        printed, _ = self.process.communicate(timeout=30)
        return self.process.returncode, printed


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers = []

    def begin(results: Results, port: int = 0) -> Server:
        servers.append(Server(results, port))
        return servers[-1]

    yield begin
    for server in servers:
        if server.process.poll() is None:
            server.end(signal.SIGKILL)


@pytest.fixture
def browser() -> Iterator[playwright.Browser]:
    with chromium() as opened:
        yield opened


class Visitor:
    """Somebody at a page, who is told which file is which system's, as nobody else is."""

    def __init__(
        self, browser: playwright.Browser, systems: dict[str, str], address: str, **context: object
    ) -> None:
        self.context = browser.new_context(**context)
        self.systems, self.page, self.urls, self.errors = systems, self.context.new_page(), [], []
        self.page.set_default_timeout(TO_THE_BROWSERS)
        self.page.on("request", lambda request: self.urls.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(error))
        self.page.goto(address)

    def begin(self) -> None:
        self.page.get_by_role("button", name="Begin").click()
        self.page.locator("#question").wait_for()

    @property
    def places(self) -> dict[str, int]:
        """The place of each system among the results."""
        self.page.locator(".card:enabled").first.wait_for()
        sources = self.page.locator(".card video").evaluate_all("clips => clips.map(clip => clip.src)")
        return {self.systems[source.rpartition("/")[2]]: place for place, source in enumerate(sources)}

    def where(self) -> tuple[str, str]:
        return self.page.locator("#place").inner_text(), self.page.locator(
            "[aria-current=step]"
        ).inner_text()[2:]

    def tap(self, *systems: str) -> None:
        """From best to worst; the last one goes without saying."""
        places, cards = self.places, self.page.locator(".card")
        for system in systems[:-1]:
            cards.nth(places[system]).click()

    def order(self) -> list[str]:
        """As the page shows it."""
        by_letter = {chr(ord("A") + place): system for system, place in self.places.items()}
        return [by_letter[text[0]] for text in self.page.locator(".chip").all_inner_texts()]

    def go_on(self) -> None:
        before = self.where()
        self.page.locator("#next").click()
        self.page.wait_for_function(
            "([place, step]) => !document.getElementById('thanks').hidden || place !== document.getElementById('place').innerText"
            " || !document.querySelector('[aria-current=step]').innerText.endsWith(step)",
            arg=before,
        )

    def rank(self, *systems: str) -> None:
        self.tap(*systems)
        self.go_on()


def test_two_people_take_part_through_a_killed_server(
    browser: playwright.Browser, results: Results, serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve(results)
    database = sqlite3.connect(results.folder / "study.db")
    named = database.execute("SELECT name, what FROM media WHERE what LIKE 'result:%'").fetchall()
    systems = {name: what.removeprefix("result:") for name, what in named}

    ada = Visitor(browser, systems, server.address)
    bob = Visitor(
        browser, systems, server.address, reduced_motion="reduce", viewport={"width": 390, "height": 844}
    )
    ada.begin(), bob.begin()
    assert ada.where() == bob.where() == ("1 of 4", "Expression")
    assert ada.places.keys() == bob.places.keys() == set(SYSTEMS[:3])
    ada.page.wait_for_function(
        "[...document.querySelectorAll('video')].filter(clip => !clip.paused).length === 4"
    )
    assert bob.page.locator("video").evaluate_all("clips => clips.every(clip => clip.paused)")

    # Ada drags: the worst comes to the front, and goes back.
    ada.tap(WORST, BEST, SECOND)
    target = ada.page.locator(".order li").nth(2).bounding_box()
    ada.page.locator(".chip").first.hover()
    ada.page.mouse.down()
    ada.page.mouse.move(target["x"] + 20, target["y"] + 20, steps=4)
    ada.page.mouse.up()
    assert ada.order() == [BEST, SECOND, WORST]
    ada.go_on()
    assert ada.where() == ("1 of 4", "Identity")
    for _ in range(3):
        ada.rank(BEST, SECOND, WORST)
    assert ada.where() == ("2 of 4", "Identity")
    address = ada.page.url
    ada.context.close()

    # Bob uses keys, changes an answer, and is in the midst of another when the server is killed.
    bob.page.keyboard.press(chr(ord("a") + bob.places[SECOND]))
    bob.page.keyboard.press("Backspace")
    for system in (BEST, WORST):
        bob.page.keyboard.press(chr(ord("a") + bob.places[system]))
    bob.page.locator(".chip").nth(1).focus()
    bob.page.keyboard.press("ArrowRight")
    assert bob.order() == [BEST, SECOND, WORST]
    bob.go_on()
    bob.rank(BEST, SECOND, WORST)
    bob.page.locator(".steps button").nth(1).click()
    assert bob.order() == [BEST, SECOND, WORST]
    bob.page.locator("#clear").click()
    bob.tap(WORST, SECOND, BEST)
    bob.page.locator("#next").click()
    bob.page.get_by_role("heading", name="best as a whole").wait_for()
    bob.tap(BEST, WORST, SECOND)
    assert server.end(signal.SIGKILL)[0] == -signal.SIGKILL
    bob.page.locator("#next").click()
    bob.page.locator("#offline").wait_for(state="visible")
    server = serve(results, server.port)
    bob.page.locator("#offline").wait_for(state="hidden")
    bob.page.wait_for_function("document.getElementById('place').innerText === '2 of 4'")

    # Both go on where they were, Ada with her address in another browser, Bob with what his remembers.
    ada = Visitor(browser, systems, address)
    ada.page.locator("#question").wait_for()
    assert ada.where() == ("2 of 4", "Identity")
    bob.page.goto(server.address)
    bob.page.locator("#question").wait_for()
    assert bob.where() == ("2 of 4", "Expression")
    while not ada.page.locator("#thanks").is_visible():
        ada.rank(BEST, SECOND, WORST)
    while not bob.page.locator("#thanks").is_visible():
        bob.rank(BEST, SECOND, WORST)
        bob.rank(WORST, SECOND, BEST)
        bob.rank(BEST, WORST, SECOND)
    assert ada.errors == bob.errors == []

    # What reached the browsers came from the server, and names nobody.
    urls = {
        url.partition("#")[0] for visitor in (ada, bob) for url in visitor.urls if not url.startswith("data:")
    }
    assert all(url.startswith(server.address) for url in urls)
    assert sum("/media/" in url for url in urls) >= 3 * 5
    for url in urls:
        if "/questions/" not in url and not url.endswith("/visits"):
            with urlopen(url) as answer:
                delivered = f"{url}{answer.headers}".encode() + answer.read()
            for system in SYSTEMS:
                assert system.partition(":")[0].encode() not in delivered

    # The table while the server runs, and its end.
    ended = bench("study-results", results.folder, "--csv", tmp_path / "all.csv")
    assert ended.exit_code == 0, ended.output
    lines = {line[:37].strip(): line[37:].split("  ") for line in ended.output.splitlines()}
    cells = {name: [cell.strip() for cell in row if cell.strip()] for name, row in lines.items()}
    assert "Visitors: 2, 2 of them to the end. Rankings: 24. Pairs: " in ended.output
    assert cells[BEST] == ["1.00 [1.00, 1.00]", "2.00 [1.00, 3.00]", "1.00 [1.00, 1.00]"]
    assert cells[SECOND] == ["2.00 [2.00, 2.00]", "2.00 [2.00, 2.00]", "2.50 [2.00, 3.00]"]
    assert cells[WORST] == ["3.00 [3.00, 3.00]", "2.00 [1.00, 3.00]", "2.50 [2.00, 3.00]"]
    assert cells["agreement of visitors (Kendall's W)"] == [
        "1.00",
        "0.00",
        "0.75",
    ]  # sums of overall: 2, 5, 5
    assert "both rankings 1.00, the mean of 2 visitors; 0 at 0 or below" in ended.output
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 1 + 24 * 3
    code, printed = server.end(signal.SIGINT)
    assert (code, printed.splitlines()) == (0, [f"Ended. Every answer is in {results.folder / 'study.db'}; "
        f"the results: fye bench study-results {results.folder}"])  # fmt: skip


def test_what_is_wrong_is_said(results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(bench("study", tmp_path).exception, DataError)
    ended = bench("study-results", results.folder, "--db", tmp_path / "new.db")
    assert "nobody has taken part yet" in str(ended.exception)
    (tmp_path / "other.db").write_text("no database " * 500)
    ended = bench("study", results.folder, "--port", 0, "--db", tmp_path / "other.db")
    assert "damaged or no database" in str(ended.exception)
    ended = bench("study", results.folder, "--host", "256.0.0.1")
    assert isinstance(ended.exception, SettingsError)
    assert "--host" in str(ended.exception)
    monkeypatch.setitem(sys.modules, "fastapi", None)  # as where it is not installed
    monkeypatch.delitem(sys.modules, "followyouremoji.benchmark.study.server", raising=False)
    ended = bench("study", results.folder)
    assert "fastapi is missing): pip install 'followyouremoji[bench]'" in str(ended.exception)
