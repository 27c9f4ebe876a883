"""The page: whole, alone, and safe with any names; in a real browser it works without a network."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from followyouremoji.benchmark.report import compact_table, report_texts
from followyouremoji.benchmark.report import page as page_module
from followyouremoji.benchmark.report.clips import result_frames
from followyouremoji.benchmark.store import Results
from followyouremoji.benchmark.suite import Suite
from followyouremoji.errors import SettingsError
from tests.benchmark.report.sample import HOSTILE, MISSING, written_results
from tests.browser import chromium

VOID = {"meta", "link", "input", "circle", "line", "path", "polyline", "br", "img"}


class Tags(HTMLParser):
    """Collects tags, and what is not closed in its order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text.append(data)


def parsed(text: str) -> Tags:
    tags = Tags()
    tags.feed(text)
    tags.close()
    return tags


def test_the_page_is_well_formed(texts: dict[str, str]) -> None:
    tags = parsed(texts[".html"])
    assert tags.wrong == []
    assert tags.open == []
    ids = [attributes["id"] for _, attributes in tags.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {(attributes.get("href") or "") for tag, attributes in tags.tags if tag == "a"}
    assert {target[1:] for target in targets if target.startswith("#")} <= set(ids)


def test_the_page_needs_nothing_else(texts: dict[str, str]) -> None:
    tags = parsed(texts[".html"])
    for tag, attributes in tags.tags:
        for name in ("src", "srcset", "poster", "data", "action"):
            assert (attributes.get(name) or "data:").startswith("data:"), (tag, attributes)
        if (address := attributes.get("href")) is not None:
            assert address.startswith(("#", "https://arxiv.org/") if tag == "a" else "data:")
    style = texts[".html"].split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_names_and_problems_are_text_and_never_markup(texts: dict[str, str]) -> None:
    tags = parsed(texts[".html"])
    text = " ".join(tags.text)
    assert HOSTILE in text
    assert "<b>no face</b> was found" in text
    scripts = [attributes for tag, attributes in tags.tags if tag == "script"]
    assert len(scripts) == 1  # ours
    assert "alert" not in texts[".html"].split("<script>")[-1]


def test_the_page_says_everything(measured: Results, texts: dict[str, str]) -> None:
    text = re.sub(r"\s+", " ", " ".join(parsed(texts[".html"]).text))
    protocol = measured.run.protocol
    for said in (
        *("Self-reenactment", "Cross-reenactment", "Paired tests", "Best, median and worst"),
        *("not comparable", "Face Vid2vid", "without pupils", "410 portraits"),
        *(protocol.reference, protocol.crop, protocol.detector, measured.run.fingerprint, MISSING),
        *(f"{library} {version}" for library, version in protocol.versions.items()),
        *("models/near?steps=8", "different from run to run"),
    ):
        assert said in text, said


def test_clips_are_small_videos_of_all_tiles(texts: dict[str, str]) -> None:
    tags = parsed(texts[".html"])
    videos = [attributes for tag, attributes in tags.tags if tag == "video"]
    assert videos
    assert all((one["src"] or "").startswith("data:video/mp4;base64,") for one in videos)
    assert len([tag for tag, _ in tags.tags if tag == "canvas"]) >= 4 * len(videos)
    assert len(texts[".html"]) < 2_000_000


def test_the_tables_beside_the_page_have_the_same_numbers(texts: dict[str, str]) -> None:
    figure = re.search(r"\*\*([\d.]+)\*\* \[", texts[".md"])
    assert figure is not None
    assert rf"\textbf{{{figure[1]}}}" in texts[".tex"]
    assert f'<span class="value">{figure[1]}</span>' in texts[".html"]
    assert MISSING in texts[".md"].replace("\\", "")
    assert "<script>" not in texts[".md"]


def test_the_same_results_make_the_same_page(measured: Results, texts: dict[str, str]) -> None:
    assert report_texts([measured]) == texts


def test_a_page_without_the_suite_has_everything_but_clips(tmp_path: Path) -> None:
    figures = {"ours": {"self-person": {"l1": 0.1}}, "theirs": {"self-person": "it is <broken>"}}
    text = report_texts([written_results(tmp_path, figures)])[".html"]
    assert "<video" not in text
    assert "no clip to show" in text
    assert "it is &lt;broken&gt;" in text
    assert "Cross-reenactment" not in text


def test_a_page_on_which_every_system_failed(tmp_path: Path) -> None:
    results = written_results(tmp_path, {"ours": {"self-person": "lost", "cross-person": "lost"}})
    text = report_texts([results])[".html"]
    assert parsed(text).wrong == []
    assert text.count("lost") >= 2
    assert "Self-reenactment" in compact_table(results)


def test_a_full_page_leaves_clips_out_and_says_so(measured: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "BUDGET", 1)
    text = report_texts([measured])[".html"]
    assert text.count("<video") == 1
    assert "the page would be too large" in text


def test_a_clip_that_is_missing_or_broken_is_told_in_its_place(measured: Results) -> None:
    case = Suite.read(Path(measured.run.suite_folder)).cases(measured.run.protocol)[0]
    path = measured.clip_path("near", case.name)
    kept = path.read_bytes()
    try:
        path.write_bytes(b"no clip")
        frames, problem = result_frames([measured], "near", case, None)
        assert str(path) in problem
        assert frames.shape == (case.frames, case.size, case.size, 3)
        path.unlink()
        assert result_frames([measured], "near", case, None)[1] == "its clip was not kept"
    finally:
        path.write_bytes(kept)
    assert result_frames([measured], "near", case, None)[1] == ""
    assert result_frames([measured], "near", case, "why")[1] == "why"


def test_an_unknown_subject_is_refused(measured: Results) -> None:
    with pytest.raises(SettingsError, match="no system 'nobody'"):
        report_texts([measured], subject="nobody")


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_page_in_a_browser_without_a_network(browser, page_path: Path, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True)
    page = context.new_page()
    wrong: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page_path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width  # tables scroll, the page does not

    panel = page.locator('[data-panel="strips-self"]:visible')
    assert panel.count() == 1
    before = panel.get_attribute("data-value")
    page.locator('select[data-pick="strips-self"]').select_option(index=1)
    assert page.locator('[data-panel="strips-self"]:visible').get_attribute("data-value") != before

    colour = "getComputedStyle(document.body).backgroundColor"
    paper = page.evaluate(colour)
    page.locator("button.theme").click()
    assert page.evaluate(colour) != paper

    clip = page.locator("figure.clip:visible").first
    clip.scroll_into_view_if_needed()
    page.wait_for_function("() => [...document.querySelectorAll('video')].some((one) => one.currentTime > 0)")
    clip.locator("button.play").click()
    assert clip.locator("video").evaluate("(video) => video.paused")
    clip.locator("input.seek").evaluate(
        "(seek) => { seek.value = 2; seek.dispatchEvent(new Event('input')); }"
    )
    page.wait_for_function(
        "(clip) => clip.querySelector('output').textContent === '3 / 4'", arg=clip.element_handle()
    )
    drawn = clip.locator("canvas").first.evaluate(
        "(canvas) => canvas.getContext('2d').getImageData(48, 48, 1, 1).data.slice(0, 3).reduce((a, b) => a + b)"
    )
    assert drawn > 0
    assert wrong == []
    assert [one for one in asked if not one.startswith(("data:", "blob:", page_path.as_uri()))] == []
    context.close()
