"""Writes the table of the networks that measure, out of their register, into licences.md: python docs/licences.py"""

from pathlib import Path

from followyouremoji.benchmark.metrics.published import NETWORKS

PAGE = Path(__file__).with_name("licences.md")
BEGIN, END = "<!-- The table is written by docs/licences.py. -->\n", "<!-- End of the table. -->\n"


def table() -> str:
    """The register, in Markdown."""
    lines = [
        "| name: columns | network | licence | commercial use | fetched from, size | SHA-256 |",
        "|---|---|---|---|---|---|",
    ]
    for one in NETWORKS:
        size = "" if one.size is None else f", {one.size / 1e6:.0f} MB"
        checksum = "not published: by hand" if one.sha256 is None else f"`{one.sha256[:16]}…`"
        columns = ", ".join(f"`{metric}`" for metric in one.metrics)
        lines.append(
            f"| `{one.name}`: {columns} | {one.title}: {one.source} | {one.licence} | {one.commercial} | [{one.file}]({one.url}){size} | "
            f"{checksum} |"
        )
    return "\n".join(lines) + "\n"


def written(page: str) -> str:
    """The page with its table as the register has it."""
    head, _, rest = page.partition(BEGIN)
    return f"{head}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
