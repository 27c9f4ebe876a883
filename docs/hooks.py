"""What the site has beyond its pages in this folder; mkdocs calls it while it builds.

- Tables out of declarations, in place of `<!-- table: NAME -->`.
- Pages that are not in this folder: the reference of each room, the files of the repository's root, the notebook.
- Links that lead out of this folder: to a symbol's place in the reference, or to one of these pages. Others, such as to
  a test, have no place on the site and become their text.
- LaTeX becomes MathML, which browsers show without a script.
"""

from __future__ import annotations

import html
import json
import posixpath
import re
import sys
from collections.abc import Callable
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

import commands  # noqa: E402
import options  # noqa: E402

PACKAGE = "followyouremoji"
SOURCE = DOCS.parent / "src" / PACKAGE
BY_COMMANDS = {"apps", "__main__"}  # described by the page of commands
TABLES: dict[str, Callable[[], str]] = {
    "animation": options.animation,
    "training": options.tables,
    "checkpoint": options.checkpoint,
    "sliders": options.sliders,
    "stickers": options.stickers,
    "commands": commands.commands,
}
TABLE = re.compile(r"^<!-- table: (\w+) -->$", re.MULTILINE)
ROOT_PAGES = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "reporting.md",
    "CODE_OF_CONDUCT.md": "conduct.md",
}
NAMED_PAGE = re.compile(r"\bdocs/([\w/]+\.md)\b")
NOTEBOOK = "notebooks/first_steps.ipynb"
LINK = re.compile(r"(?<![!\\])\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
CODE = re.compile(r"^( *)(```|~~~).*?^\1\2", re.MULTILINE | re.DOTALL)
MATHS = re.compile(r'<(?:span|div) class="arithmatex">\s*\\([(\[])(.*?)\\[)\]]\s*</(?:span|div)>', re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Lists the rooms in the navigation."""
    (reference,) = (part["Reference"] for part in config.nav if "Reference" in part)
    (entry,) = (part for part in reference if "Rooms" in part)
    entry["Rooms"] = [{room: room_path(room)} for room in rooms()]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that are not in this folder."""
    pages = {room_path(room): room_page(room, modules) for room, modules in rooms().items()}
    for source, name in ROOT_PAGES.items():
        text = (DOCS.parent / source).read_text(encoding="utf-8")
        pages[name] = with_links(text, lambda path: path)
    pages[NOTEBOOK.replace(".ipynb", ".md")] = notebook_page((DOCS / NOTEBOOK).read_text(encoding="utf-8"))
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """A page with its tables, and with its links as they are on the site."""
    markdown = TABLE.sub(lambda match: TABLES[match[1]](), markdown)
    if page.file.abs_src_path is None:  # made above
        return markdown
    folder = posixpath.dirname(f"docs/{page.file.src_uri}")
    return with_links(markdown, lambda path: posixpath.normpath(posixpath.join(folder, path)), folder)


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """A page with its formulas in MathML; in the reference, with links to the pages that docstrings name."""
    content = MATHS.sub(lambda match: mathml(match[2], display=match[1] == "["), content)
    if not page.file.src_uri.startswith("reference/rooms/"):
        return content

    def linked(match: re.Match[str]) -> str:
        named = files.get_file_from_path(match[1])
        return f'<a href="{named.url_relative_to(page.file)}">{match[0]}</a>' if named else match[0]

    return NAMED_PAGE.sub(linked, content)


def rooms() -> dict[str, list[str]]:
    """The modules of each room, by their dotted names."""
    found: dict[str, list[str]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        if parts == ("__init__",) or parts[0] in BY_COMMANDS:
            continue
        name = ".".join((PACKAGE, *(part for part in parts if part != "__init__")))
        found.setdefault(parts[0], []).append(name)
    return found


def room_path(room: str) -> str:
    return f"reference/rooms/{room}.md"


def room_page(room: str, modules: list[str]) -> str:
    return f"# `{room}`\n\n" + "".join(f"::: {module}\n\n" for module in modules)


def notebook_page(notebook: str) -> str:
    """A notebook as a page, with a link to the file; what it printed is left out."""
    cells = json.loads(notebook)["cells"]
    texts = [
        "".join(cell["source"])
        if cell["cell_type"] == "markdown"
        else f"```python\n{''.join(cell['source'])}\n```"
        for cell in cells
    ]
    title, *rest = texts
    head = f"[The notebook itself]({posixpath.basename(NOTEBOOK)}), to run it in Jupyter."
    return "\n\n".join([title, head, *rest])


def with_links(markdown: str, path_of: Callable[[str], str], folder: str = "docs") -> str:
    """A text whose links lead to the site's pages; `path_of` makes a link's path relative to the repository's root."""

    def changed(match: re.Match[str]) -> str:
        text, link = match[1], match[2]
        if re.match(r"[a-z]+:|#", link):
            return match[0]
        path, hash_, anchor = link.partition("#")
        target = path_of(path)
        if target == "README.md":
            target = "docs/index.md"
        elif target in ROOT_PAGES:
            target = f"docs/{ROOT_PAGES[target]}"
        elif target.startswith(f"src/{PACKAGE}"):
            return in_the_reference(text, target)
        elif not target.startswith("docs/") or target.endswith(".py"):
            return text
        return f"[{text}]({posixpath.relpath(target, folder)}{hash_}{anchor})"

    parts, end = [], 0
    for code in CODE.finditer(markdown):
        parts += [LINK.sub(changed, markdown[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*parts, LINK.sub(changed, markdown[end:])])


def in_the_reference(text: str, path: str) -> str:
    """A link to what a source file defines, if its text names that; else to the file's place in the reference."""
    file = DOCS.parent / path
    parts = Path(path).relative_to("src").with_suffix("").parts
    if len(parts) < 2 or parts[1] in BY_COMMANDS or not (file.is_dir() or file.suffix == ".py"):
        return text
    module = ".".join(part for part in parts if part != "__init__")
    symbol = re.fullmatch(r"`([A-Za-z]\w*(?:\.[A-Za-z]\w*)*)`", text)
    named = symbol is not None and symbol[1].split(".")[0] in file.read_text(encoding="utf-8")
    return f"[{text}][{module}.{symbol[1]}]" if symbol and named else f"[{text}][{module}]"


def mathml(latex: str, display: bool) -> str:
    return convert(html.unescape(latex).strip(), display="block" if display else "inline")
