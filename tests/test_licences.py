"""docs/licences.md names every file of weights that the package holds or can fetch, with its licence."""

import re
import runpy
from pathlib import Path

from followyouremoji.benchmark.metrics.published import NETWORKS
from followyouremoji.checkpoints import released
from followyouremoji.checkpoints.hub import FACE_LANDMARKER_URL, TAESD_REPOSITORY

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "followyouremoji"
PAGE = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
WEIGHTS = {".safetensors", ".task", ".npz", ".tflite", ".onnx", ".pt", ".pth", ".bin", ".ckpt"}


def rows() -> list[list[str]]:
    """The cells of all tables."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_table_of_the_networks_that_measure_is_that_of_their_register() -> None:
    assert runpy.run_path(str(ROOT / "docs/licences.py"))["written"](PAGE) == PAGE, "run docs/licences.py"
    for network in NETWORKS:
        (row,) = [row for row in rows() if row[0].startswith(f"`{network.name}`")]
        assert row[2:4] == [network.licence, network.commercial]


def test_every_file_of_weights_in_the_package_has_a_row() -> None:
    bundled = " ".join(row[0] for row in rows())
    files = [path for path in SOURCE.rglob("*") if path.suffix in WEIGHTS]
    assert files
    for path in files:
        assert f"{path.name}`" in bundled, f"{path.relative_to(ROOT)} is not in docs/licences.md"


def test_every_repository_of_weights_has_a_row() -> None:
    repositories = [value for name, value in vars(released).items() if name.endswith("_REPOSITORY")]
    assert len(repositories) >= 4
    fetched = " ".join(row[-1] for row in rows())
    for repository in (*repositories, TAESD_REPOSITORY):
        assert f"`{repository}`" in fetched, f"{repository} is not in docs/licences.md"
    assert FACE_LANDMARKER_URL in fetched


def test_every_address_of_a_file_in_the_code_is_named() -> None:
    ends = "|".join(re.escape(ending) for ending in sorted(WEIGHTS))
    for path in SOURCE.rglob("*.py"):
        for url in re.findall(rf"https://[^\s\"']+(?:{ends})\b", path.read_text(encoding="utf-8")):
            assert url in PAGE, f"{path.relative_to(ROOT)} fetches {url}, which is not in docs/licences.md"


def test_every_row_says_whether_commercial_use_is_allowed() -> None:
    column = 0
    said = []
    for row in rows():
        if "commercial use" in row:
            column = row.index("commercial use")
        else:
            said.append(re.match(r"yes|no|unclear", row[column]) is not None)
    assert all(said)
    assert len(said) >= 5 + 7 + len(NETWORKS)
