"""Links of the pages lead somewhere, on GitHub too: files exist, anchors exist, and the code that a page names is
there. `mkdocs build --strict` checks the same of the site, with what it adds to these pages.

Needs nothing but Python and pytest, as continuous integration runs it."""

import ast
import re
import runpy
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"(?<!\\)\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")
SYMBOL = re.compile(r"\[`([A-Za-z_][\w.]*)`\]\(([^()\s]+\.py)\)")


def text_of(page: Path) -> str:
    """A page without its blocks of code, in which brackets are no links."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    titles = re.findall(r"^#+ +(.+?) *$", text_of(page), re.MULTILINE)
    titles = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in titles]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def defined(module: Path) -> set[str]:
    """What a module defines: `name`, and `Class.name` for what a class does."""
    names = set()

    def collect(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(prefix + node.name)
                if isinstance(node, ast.ClassDef):
                    collect(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    parts = target.elts if isinstance(target, ast.Tuple) else [target]
                    names.update(prefix + part.id for part in parts if isinstance(part, ast.Name))

    collect(ast.parse(module.read_text(encoding="utf-8")).body, "")
    return names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(text_of(page)):
        if re.match(r"https?://|mailto:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} is not there"
        if anchor and "<!-- table: " not in target.read_text(
            encoding="utf-8"
        ):  # whose headings the site's build writes
            assert anchor in anchors(target), f"{link}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_code_that_is_linked_by_name_is_defined_there(page: Path) -> None:
    for name, path in SYMBOL.findall(text_of(page)):
        assert name in defined(page.parent / path), f"{path} does not define {name}"


def test_method_page_links_symbols_of_every_room_of_the_method() -> None:
    linked = {path for _, path in SYMBOL.findall(text_of(ROOT / "docs/how/method.md"))}
    rooms = {re.sub(r".*followyouremoji/", "", path).split("/")[0] for path in linked}
    assert {"face", "networks", "sampling", "training"} <= rooms


def test_architecture_shows_the_contract_that_is_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```text\n(__main__\n.*?)```", page, re.DOTALL)
    assert shown.split("\n")[:-1] == contracts[0]["layers"]
    assert all(contract["name"] in page for contract in contracts)


def test_architecture_shows_the_rooms_and_their_imports_as_they_are() -> None:
    pytest.importorskip("grimp")
    drawing = runpy.run_path(str(ROOT / "docs/pictures/rooms.py"))["drawing"]
    shown = (ROOT / "docs/pictures/rooms.svg").read_text(encoding="utf-8")
    assert shown == drawing(), "run `python docs/pictures/rooms.py`"


def test_architecture_has_a_paragraph_for_every_room() -> None:
    source = ROOT / "src/followyouremoji"
    rooms = {file.stem for file in source.glob("*.py")} | {
        file.parent.name for file in source.glob("*/__init__.py")
    }
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    described = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\*\*(.+?)\*\*", page, re.MULTILINE))))
    assert rooms - {"__init__", "__main__"} == described


def test_performance_fits_a_screen() -> None:
    page = (ROOT / "docs/performance.md").read_text(encoding="utf-8")
    assert len(page.split()) <= 1500
    assert max(len(line) for line in page.splitlines() if line.startswith("|")) <= 140


def test_citation_states_the_version() -> None:
    version = re.search(
        r'"(.+)"', (ROOT / "src/followyouremoji/version.py").read_text().split("__version__")[1]
    )
    assert version is not None
    assert f"\nversion: {version[1]}\n" in (ROOT / "CITATION.cff").read_text()


def test_readme_starts_with_a_picture_and_its_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.index("![") < readme.index("./dev demo") < readme.index("./dev check") < readme.index("## ")
    assert len(readme.split()) <= 450, "one screen, and links"
    (dev,) = re.findall(
        r"^case .*?^esac", (ROOT / "dev").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    for command in re.findall(r"\./dev (\w+)", readme):
        assert f"\n{command})\n" in dev, f"./dev has no {command}"
