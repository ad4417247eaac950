"""Clips are optimised in several threads, with the same result for any number."""

import threading
from ctypes import POINTER, c_int
from dataclasses import replace

import numpy as np
import pytest
from helpers.clips import three_people, walk
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import cholesky_banded, solve_triangular
from threadpoolctl import threadpool_info

from camerapose.infer import clip, postprocess
from camerapose.infer.clip import lapack, shot, workers
from camerapose.infer.clip.workers import MAX_THREADS, Workers
from camerapose.infer.options import PredictOptions
from camerapose.io.source import Source


@pytest.fixture(params=["pointers", "SciPy"])
def band(request, monkeypatch):
    """A banded matrix, once for the pointers and once for SciPy's own functions."""
    if request.param == "SciPy":
        monkeypatch.setattr(lapack, "_dpbtrf", None)
        monkeypatch.setattr(lapack, "_dtbtrs", None)
    band = np.random.default_rng(0).normal(size=(30, 6))
    band[:, 0] = 20
    return band


class TestLapack:
    def test_pointers_are_used(self):
        assert lapack._dpbtrf is not None
        assert lapack._dtbtrs is not None

    def test_factor_and_solutions(self, band):
        expected = cholesky_banded(band.T, lower=True)
        dense = sum(np.diag(row[: len(band) - k], -k) for k, row in enumerate(expected))
        factor = lapack.factor(band)
        inside = np.add.outer(np.arange(30), np.arange(6)) < 30  # the rest is not used
        assert_array_equal(np.where(inside, factor, 0), np.where(inside, expected.T, 0))
        for right in np.random.default_rng(1).normal(size=(2, 3, 30)):
            for transposed in (False, True):
                known = solve_triangular(dense, right.T, lower=True, trans=int(transposed)).T
                found = lapack.substitute(factor, right.copy(), transposed)
                assert_allclose(found, known, atol=1e-12)
        one = lapack.substitute(factor, np.ones((1, 30)), False)
        assert_allclose(dense @ one[0], 1)

    def test_singular_matrices(self, band):
        factor = lapack.factor(band.copy())
        band[4, 0] = -1.0
        with pytest.raises(np.linalg.LinAlgError, match="variable 5"):
            lapack.factor(band)
        factor[6, 0] = 0.0
        with pytest.raises(np.linalg.LinAlgError, match="variable 7"):
            lapack.substitute(factor, np.ones((1, 30)), False)

    def test_other_types_of_arguments(self):
        """LAPACK with 64-bit integers, or a future version of SciPy."""
        assert lapack._routine("dpbtrf", (*lapack._FACTOR, POINTER(c_int))) is None
        assert lapack._routine("dpbtrf_64_", lapack._FACTOR) is None


class TestWorkers:
    def test_results_are_in_order_and_few_are_ahead(self):
        started = []

        def square(number):
            started.append(number)
            return number**2

        with Workers(2) as pool:
            for number, result in enumerate(pool.map(square, range(20))):
                assert result == number**2
                assert len(started) <= number + 1 + 2 + 1
        assert len(started) == 20

    def test_work_is_in_other_threads(self):
        def thread(_):
            return threading.current_thread()

        with Workers(2) as pool:
            assert threading.main_thread() not in set(pool.map(thread, range(4)))
            assert set(pool.map(thread, range(1))) == {threading.main_thread()}
        with Workers(1) as pool:
            assert set(pool.map(thread, range(4))) == {threading.main_thread()}

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_errors_end_the_work(self, error):
        started = []
        with pytest.raises(error), Workers(2) as pool:
            for _ in pool.map(started.append, range(100)):
                raise error
        assert len(started) <= 4

    def test_errors_end_running_work(self):
        def forever(item):
            while item:
                list(pool.serial(abs, [item]))

        with pytest.raises(KeyboardInterrupt), Workers(2) as pool:
            for _ in pool.map(forever, [0, 1, 2]):
                raise KeyboardInterrupt

    def test_errors_of_the_function(self):
        with pytest.raises(ZeroDivisionError), Workers(2) as pool:
            list(pool.map(lambda number: 1 / number, [1, 2, 0, 4]))

    def test_linear_algebra_uses_one_thread(self):
        def blas(_=None):
            return [i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"]

        before = blas()
        with Workers(2) as pool:
            assert all(set(counts) == {1} for counts in pool.map(blas, range(3)))
        assert blas() == before

    def test_number_of_threads(self, monkeypatch):
        monkeypatch.setattr(workers, "usable_cores", lambda: 3)
        assert Workers().threads == 3
        assert Workers(1).threads == 1
        assert Workers(1000).threads == MAX_THREADS
        with pytest.raises(ValueError, match="1 or more"):
            clip.optimize(walk(frames=5)[1], threads=0)


def test_the_result_does_not_depend_on_the_number_of_threads(monkeypatch):
    """Two people, one of them with several windows, and a gap."""
    monkeypatch.setattr(shot, "WINDOW", 20)
    monkeypatch.setattr(shot, "OVERLAP", 6)
    monkeypatch.setattr(shot, "SHARED_FRAMES", 40)
    monkeypatch.setattr(shot, "STEPS", (2, 1, 2, 1))
    solved, used = shot.Shot._solved, set()
    monkeypatch.setattr(
        shot.Shot, "_solved", lambda *a: (used.add(threading.current_thread()), solved(*a))[1]
    )
    poses = walk(frames=70, noise=0.02)[1]
    labels = {**poses.labels, "person": np.repeat([0, 1], [60, 10])}
    labels["time"] = labels["time"] + 2.0 * (labels["frame"] >= 40)
    poses = replace(poses, labels=labels)
    expected, (camera,) = clip.optimize(poses, static=True, threads=1)
    assert used == {threading.main_thread()}
    used.clear()
    result, (same,) = clip.optimize(poses, static=True, threads=2)
    assert used and threading.main_thread() not in used
    assert_array_equal(result.pose3d, expected.pose3d)
    for name in ("contact_left", "contact_right"):
        assert_array_equal(result.labels[name], expected.labels[name])
    assert (same.focal, same.focal_deviation) == (camera.focal, camera.focal_deviation)
    assert_array_equal(same.ground.axes, camera.ground.axes)


def test_threads_of_the_options(monkeypatch):
    passed = {}
    monkeypatch.setattr(
        clip, "optimize", lambda poses, **options: (passed.update(options), (poses, []))[1]
    )
    poses = three_people()
    postprocess.process(
        poses, Source.open(np.zeros((8, 8, 3), np.uint8)), (np.arange(30), np.arange(30) / 30),
        PredictOptions(threads=3, smooth=1.0), lambda line: None,
    )  # fmt: skip
    assert passed["threads"] == 3
