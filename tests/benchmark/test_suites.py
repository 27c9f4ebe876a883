"""Suites, drawn for real; and the whole way from names to tables."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("skia", reason="drawn portraits need skia-python")
pytest.importorskip("mediapipe", reason="suites hold what the detector sees")

from followyouremoji.benchmark.identity import describe, measured_scale, separation
from followyouremoji.benchmark.methods import Copy, MeshWarp, Truth, make_method
from followyouremoji.benchmark.metrics.regions import l1_by_region, landmark_error, pupil_distance
from followyouremoji.benchmark.runner import Benchmark, run_benchmark, suite_settings
from followyouremoji.benchmark.scoring import METRICS
from followyouremoji.benchmark.suites import (
    COMPARED,
    FRAMES,
    Suite,
    SuiteSettings,
    case_path,
    drawn_suite,
    read_case,
)
from followyouremoji.benchmark.tables import number
from followyouremoji.errors import DataError, SettingsError, WeightsError
from followyouremoji.executors import Local
from followyouremoji.portraits.styles import HELD_OUT_STYLES, STYLES
from followyouremoji.settings import AnimationSettings

SIZE = 128
CASES = 3


@pytest.fixture(scope="module")
def cache_folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("suites")


@pytest.fixture(scope="module")
def suite(cache_folder) -> Suite:
    return drawn_suite(SuiteSettings("self", CASES, SIZE), cache_folder, Local())


@pytest.fixture(scope="module")
def cross(cache_folder) -> Suite:
    return drawn_suite(SuiteSettings("cross", CASES, SIZE), cache_folder, Local())


def test_a_case_holds_a_clip_and_its_truth(suite) -> None:
    for index in range(CASES):
        case = suite.case(index)
        assert case.style == STYLES[index]
        assert case.truth.shape == (FRAMES, SIZE, SIZE, 3)
        np.testing.assert_array_equal(case.points, case.truth_points)
        assert pupil_distance(case.portrait_points) > 0.1 * SIZE
        assert l1_by_region(case.portrait, case.truth[-1], case.truth_points[-1])["face"] > 0.01
    assert not np.array_equal(suite.case(0).portrait, suite.case(1).portrait)


def test_a_suite_is_a_function_of_its_settings(suite, tmp_path) -> None:
    again = drawn_suite(SuiteSettings("self", 1, SIZE), tmp_path, Local())
    first, second = suite.case(0), again.case(0)
    np.testing.assert_array_equal(first.truth, second.truth)
    np.testing.assert_allclose(first.points, second.points)
    assert suite.settings.fingerprint == again.settings.fingerprint, "fewer cases are the first ones"
    others = [SuiteSettings("cross", 1, SIZE), SuiteSettings("self", 1, 64), SuiteSettings(seed=1, size=SIZE)]
    assert len({s.fingerprint for s in [suite.settings, *others]}) == 4


def test_a_drawn_case_is_not_drawn_again(suite, cache_folder) -> None:
    path = case_path(suite.folder, 0)
    before = path.stat().st_mtime_ns
    drawn_suite(suite.settings, cache_folder, Local())
    assert path.stat().st_mtime_ns == before


def test_cross_reenactment_brings_the_others_expression_to_this_face(cross) -> None:
    cases = [cross.case(index) for index in range(CASES)]

    def mean_error(points: str) -> float:
        return float(
            np.mean(
                [
                    landmark_error(
                        np.broadcast_to(getattr(case, points), case.points.shape)[f], case.truth_points[f]
                    )
                    for case in cases
                    for f in range(FRAMES)
                ]
            )
        )

    # A quarter of the pupils' distance: the detector alone is a tenth off on emoji.
    assert mean_error("points") < min(0.25, mean_error("portrait_points"))


def test_a_damaged_case_is_named(suite, tmp_path) -> None:
    path = tmp_path / "case_0000.npz"
    path.write_bytes(case_path(suite.folder, 0).read_bytes()[:3000])
    with pytest.raises(DataError, match=r"case_0000\.npz is not a case"):
        read_case(path)


@pytest.mark.parametrize("wrong", [{"kind": "other"}, {"cases": 0}, {"size": 8}, {"styles": ()}])
def test_impossible_suites_are_refused(wrong) -> None:
    with pytest.raises(SettingsError):
        SuiteSettings(**wrong)


def test_unseen_suites_draw_the_styles_that_training_leaves_out() -> None:
    assert suite_settings("unseen", 4, 64).styles == HELD_OUT_STYLES
    assert suite_settings("unseen-cross", 4, 64).kind == "cross"
    assert not set(HELD_OUT_STYLES) & set(suite_settings("self", 4, 64).styles)
    with pytest.raises(SettingsError, match="no suite 'other'"):
        suite_settings("other", 4, 64)


def test_the_descriptor_tells_identities_apart(cache_folder) -> None:
    scale = measured_scale(64, identities=6)
    suite = drawn_suite(SuiteSettings("self", 5, 64, ("person",)), cache_folder, Local())
    cases = [suite.case(index) for index in range(5)]
    own = [describe(case.portrait, case.portrait_points) for case in cases]
    other = [describe(case.truth[COMPARED[1]], case.truth_points[COMPARED[1]]) for case in cases]
    similar = np.array([[scale.similarity(a, b) for b in other] for a in own])
    same = np.eye(5, dtype=bool)
    assert separation(similar[same], similar[~same]) > 0.85
    assert scale.similarity(own[0], own[0]) == pytest.approx(1)
    assert np.isnan(scale.similarity(own[0], describe(cases[0].portrait, np.full((478, 2), np.nan))))


def test_separation_counts_pairs() -> None:
    assert separation(np.array([3.0, 4.0]), np.array([1.0, 2.0])) == 1
    assert separation(np.array([1.0, 3.0]), np.array([2.0, 1.0])) == pytest.approx(0.625)


def test_methods_are_named_by_texts(tmp_path) -> None:
    assert make_method("copy") == Copy()
    assert make_method("still=copy").name == "still"
    assert isinstance(make_method("mesh"), MeshWarp)
    with pytest.raises(WeightsError):
        make_method("nowhere/at/all")
    with pytest.raises(SettingsError, match="no folder"):
        make_method(f"frames:{tmp_path / 'none'}")
    with pytest.raises(SettingsError, match="unknown entry `step`; did you mean `steps`"):
        make_method("bundled?step=3")
    with pytest.raises(SettingsError, match="`steps` must be a whole number from 1 to 1000, not 'many'"):
        make_method("bundled?steps=many")
    with pytest.raises(SettingsError, match="`steps` must be a whole number from 1 to 1000, not 0"):
        make_method("bundled?steps=0")
    assert make_method("two=bundled?steps=2").name == "two"
    assert make_method("bundled?steps=2&speed=fast").sampling == AnimationSettings(steps=2, speed="fast")  # type: ignore[attr-defined]


def test_the_models_autoencoder_is_nearly_the_truth(suite) -> None:
    case = suite.case(0)
    coded = make_method("autoencoder:bundled").animate(case)
    assert coded.shape == case.truth.shape
    errors = [
        l1_by_region(frames[7], case.truth[7], case.truth_points[7])["face"]
        for frames in (coded, Copy().animate(case))
    ]
    assert errors[0] < 0.6 * errors[1]


def test_recorded_frames_are_measured_as_they_are(suite, tmp_path) -> None:
    np.save(tmp_path / "case_0000.npy", suite.case(0).truth)
    method = make_method(f"frames:{tmp_path}")
    np.testing.assert_array_equal(method.animate(suite.case(0)), Truth().animate(suite.case(0)))
    with pytest.raises(DataError, match=r"case_0001\.npy"):
        method.animate(suite.case(1))
    np.save(tmp_path / "case_0001.npy", np.zeros((3, 8, 8, 3), np.uint8))
    with pytest.raises(DataError, match="must hold bytes of shape"):
        method.animate(suite.case(1))


def test_a_benchmark_writes_its_tables_and_goes_on(suite, cache_folder, tmp_path) -> None:
    benchmark = Benchmark(
        ("copy", "mesh", "truth"), tmp_path, cache_folder, ("self",), cases=CASES, size=SIZE
    )
    said: list[str] = []
    copied, warped, true = run_benchmark(benchmark, said.append)["self"]
    assert true.mean("face") == true.mean("flicker") == true.mean("landmarks_seen") == true.mean("gaze") == 0
    assert true.mean("ssim") == pytest.approx(1)
    assert true.mean("psnr") == np.inf
    assert warped.mean("face") < copied.mean("face")
    assert warped.mean("landmarks_seen") < copied.mean("landmarks_seen")
    assert copied.mean("flicker") == 0
    low, high = copied.interval("face")
    assert low < copied.mean("face") < high

    written = json.loads((tmp_path / "report.json").read_text())["self"]
    assert written["cases"] == CASES
    assert written["methods"]["truth"]["psnr"]["mean"] is None
    assert written["methods"]["portrait copied"]["face"]["mean"] == pytest.approx(copied.mean("face"))
    page = (tmp_path / "report.md").read_text()
    assert f"| portrait copied | {number(copied.mean('face'), 4)} [" in page
    assert all(f"**{metric.title}**" in page for metric in METRICS)
    with (tmp_path / "self" / "portrait_copied" / "cases.csv").open(newline="") as file:
        assert [int(row["case"]) for row in csv.DictReader(file)] == list(range(CASES))
    assert (tmp_path / "self.png").stat().st_size > 10_000

    measured = (tmp_path / "self" / "truth" / "cases.csv").stat().st_mtime_ns
    again = run_benchmark(benchmark, said.append)["self"]
    assert (tmp_path / "self" / "truth" / "cases.csv").stat().st_mtime_ns == measured, (
        "kept, not measured again"
    )
    assert again[1].mean("face") == warped.mean("face")


def test_two_methods_of_one_name_are_refused(tmp_path) -> None:
    with pytest.raises(SettingsError, match="LABEL=METHOD"):
        Benchmark(("copy", "copy"), tmp_path, tmp_path)
