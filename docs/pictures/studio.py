"""Takes the pictures of the studio: `python docs/pictures/studio.py [TAB ...]`, in the checkout, with the development
extras; all of them, or those of some tabs (History shows what Animate has made).

A studio is started with the bundled model, in a folder of its own that is gone in the end; a browser visits each tab.
Before its camera moves a drawn person as the bundled greeting does. What the tab Live says of its rate is printed.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from followyouremoji.posing import PoseSession
from followyouremoji.requests.bundled import bundled_motion, portrait_path
from followyouremoji.requests.request import ModelChoice
from followyouremoji.serving import address_of, listen, server
from followyouremoji.studio.server import studio_app
from followyouremoji.studio.settings import StudioSettings
from followyouremoji.studio.studio import Studio

HERE = Path(__file__).parent
HOST, WIDTH, PATIENCE = "127.0.0.1", 1280, 300_000
MOST = 150_000  # bytes of a picture
FILMED = (
    "--use-fake-device-for-media-stream --use-fake-ui-for-media-stream --use-file-for-fake-video-capture="
)
"""Have the browser's camera see a film, whose path is appended."""
BROWSERS = ("chromium", "google-chrome")

WINK = 0.62
"""Of `hello`, how much has passed when it winks."""
POSES = [(0.0, "Smile"), (1.0, "Wink left"), (2.0, "Surprised")]
"""Seconds and named expression of keyframes."""
MADE = [("ada", "laugh"), ("emoji", "surprised"), ("stone", "wink_left"), ("max", "kiss"), ("fox", "shout")]
"""Portraits and motions of the history, the latest last."""


@contextmanager
def studio() -> Iterator[tuple[str, Path]]:
    """The address of one that listens, and a film for its visitor's camera."""
    with (
        TemporaryDirectory() as folder,
        listen(HOST, 0) as listening,
        Studio(StudioSettings(port=0, folder=Path(folder) / "studio"), ModelChoice()) as opened,
    ):
        film = Path(folder) / "film.mjpeg"
        write_film(film, opened)
        running = server(studio_app(opened))
        thread = threading.Thread(target=running.run, args=([listening],))
        thread.start()
        yield address_of(HOST, listening), film
        running.should_exit = True
        thread.join()


def write_film(film: Path, opened: Studio) -> None:
    """A person who is at rest for five seconds, greets, and stays so as it winks: JPEGs, 30 a second."""
    session, motion = PoseSession(opened.animator, portrait_path("bundled:max")), bundled_motion("hello")
    wink = round(WINK * len(motion))
    with film.open("wb") as written:
        for frame, times in [(0, 150), *((frame, 1) for frame in range(wink)), (wink, 300)]:
            jpeg = BytesIO()
            Image.fromarray(session.picture(motion, frame=frame)).save(jpeg, "JPEG", quality=90)
            written.write(times * jpeg.getvalue())


def take(page: Page, name: str, height: int = 900, most: int = MOST, scale: float = 1.0) -> None:
    """A picture of the page as it is, or scaled, in as good a quality as its size allows, `most` bytes."""
    path = HERE / "studio" / name
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.mouse.move(0, 0)
    page.wait_for_timeout(1500)
    image = Image.open(BytesIO(page.screenshot())).convert("RGB")
    image = image.resize((round(scale * WIDTH), round(scale * height)), Image.Resampling.LANCZOS)
    for quality in range(90, 30, -5):
        image.save(path, quality=quality, method=6)
        if path.stat().st_size < most:
            return
    raise ValueError(f"{path} cannot be made small enough")


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def animate(page: Page) -> None:
    """A finished animation beside what drives it, as it winks."""
    page.locator(".fye-animate").click()
    page.get_by_role("button", name="Download as MP4").wait_for()
    page.get_by_role("slider", name="Place in the animation").fill(str(round(1000 * WINK)))
    take(page, "animate.jpg")


def live(page: Page) -> None:
    """A sculpture that winks as the person before the camera does."""
    open_tab(page, "Live")
    page.locator("#fye-live").get_by_role("button", name="Stone").click()
    page.get_by_role("button", name="Start the camera").click()
    page.locator("[data-state=live]").wait_for()
    page.wait_for_timeout(6500)
    take(page, "live.jpg", 860, 120_000)
    print(page.locator(".fye-live-figures").inner_text())
    page.get_by_role("button", name="Stop").click()


def expressions(page: Page) -> None:
    """A pose, and keyframes of it and others."""
    open_tab(page, "Expressions")
    page.wait_for_function("document.querySelector('.fye-made img')?.src.startsWith('blob:')")
    editor = page.locator("#fye-express")
    for seconds, expression in POSES:
        cursor = editor.get_by_role("slider", name="Time", exact=True)
        cursor.fill(str(seconds))
        page.wait_for_timeout(1000)
        editor.get_by_role("group", name="Expressions").get_by_role("button", name=expression).click()
        if editor.locator(".fye-keyframe[aria-pressed=true]").count() == 0:
            editor.get_by_role("button", name="Add keyframe").click()
        page.wait_for_timeout(3000)
    take(page, "expressions.jpg", 1240)


def stickers(page: Page) -> None:
    """A sticker that was made, as it begins."""
    open_tab(page, "Stickers")
    tab = page.locator("#fye-stickers")
    tab.get_by_role("button", name="Fox").click()
    tab.get_by_role("button", name="Laugh").click()
    tab.get_by_label("Caption").fill("Ha!")
    tab.get_by_role("button", name="Make the sticker").click()
    tab.get_by_role("link", name="Download the sticker").wait_for()
    page.evaluate("""() => Promise.all([...document.querySelectorAll("#fye-stickers video")].map((clip) =>
      new Promise((shown) => {
        clip.pause();
        clip.onseeked = shown;
        clip.currentTime = 0;
      })))""")
    take(page, "stickers.webp", 820, 30_000, 0.75)


def points(page: Page) -> None:
    """The points of a fox, and the wire frame through them."""
    open_tab(page, "Points")
    page.locator("#fye-points").get_by_role("button", name="Fox").click()
    page.locator("#fye-points .fye-handle").first.wait_for()
    page.locator("#fye-points .fye-list").get_by_role("button", name="Tip of the nose").click()
    take(page, "points.jpg")


def history(page: Page) -> None:
    """Several results, each as it looks in its middle."""
    for portrait, motion in MADE:
        page.evaluate(
            "wanted => fetch('/studio/results', {method: 'POST', body: JSON.stringify(wanted)})",
            {"portrait": f"bundled:{portrait}", "driving": f"bundled:{motion}"},
        )
    open_tab(page, "History")
    cards = page.get_by_role("article")
    cards.nth(len(MADE)).wait_for()
    page.wait_for_function(
        "count => document.querySelectorAll('#fye-history video').length === count", arg=len(MADE) + 1
    )
    page.evaluate("""() => Promise.all([...document.querySelectorAll("#fye-history video")].map((clip) =>
      new Promise((shown) => {
        clip.onloadedmetadata = () => { clip.currentTime = clip.duration / 2; };
        clip.onseeked = shown;
        clip.preload = "auto";
        clip.load();
      })))""")
    take(page, "history.jpg")


TABS: dict[str, Callable[[Page], None]] = {
    "animate": animate,
    "live": live,
    "expressions": expressions,
    "stickers": stickers,
    "points": points,
    "history": history,
}


def main() -> None:
    browser_path = next(filter(None, map(which, BROWSERS)), None)
    (HERE / "studio").mkdir(exist_ok=True)
    with studio() as (address, film), sync_playwright() as driver:
        flags = f"--no-sandbox {FILMED}{film}".split()
        browser = driver.chromium.launch(executable_path=browser_path, args=flags)
        page = browser.new_page(viewport={"width": WIDTH, "height": 900})
        page.set_default_timeout(PATIENCE)
        page.goto(f"{address.rstrip('/')}/?__theme=light")
        page.locator("canvas[aria-label*='over Ada']").wait_for()
        for name in sys.argv[1:] or TABS:
            TABS[name](page)
        browser.close()


if __name__ == "__main__":
    main()
