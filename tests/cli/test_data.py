"""The commands `camerapose data list|prepare|check|show`."""

import numpy as np
import pytest

from camerapose.cli.main import main


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CAMERAPOSE_CACHE", str(tmp_path / "cache"))


def test_list_prepare_check_show(tmp_path, capsys):
    arguments = ["synthetic", "--set", "n=30"]
    assert main(["data", "list"]) == 0
    assert "human36m " in capsys.readouterr().out
    for _ in range(2):  # the second run uses the cache
        assert main(["data", "prepare", *arguments]) == 0
    output = capsys.readouterr()
    assert output.out.count("synthetic: 30 poses (h36m_16), cached in ") == 2
    assert output.err.count("preparing synthetic") == 1
    assert main(["data", "check", *arguments]) == 0
    assert capsys.readouterr().out.endswith("no problems\n")
    out = tmp_path / "poses.png"
    assert main(["data", "show", *arguments, "--out", str(out), "--n", "2"]) == 0
    assert out.stat().st_size > 10_000


def test_invalid_arguments(tmp_path, capsys):
    assert main(["data", "prepare"]) == 2
    assert "missing from camerapose data prepare: NAME" in capsys.readouterr().err
    assert main(["data", "prepare", "human3m"]) == 2
    assert "unknown dataset 'human3m'" in capsys.readouterr().err
    assert main(["data", "check", "human36m", "--root", str(tmp_path)]) == 2
    assert "data_3d_h36m.npz is missing" in capsys.readouterr().err
    root = ["--root", str(tmp_path)]
    assert main(["data", "prepare", "rendered", "--detector", "blazepose", *root]) == 2
    assert "no anny_pairs.npz" in capsys.readouterr().err
    assert main(["data", "prepare", "mpii", "--detector", "blazepose"]) == 2
    assert "mpii has no option 'detector=blazepose'" in capsys.readouterr().err
    assert main(["data", "show", "synthetic", "--n", "0"]) == 2
    assert "--n is 0" in capsys.readouterr().err
    assert main(["data", "show", "synthetic", "-o", "a.txt"]) == 2
    assert "suffix '.txt'" in capsys.readouterr().err
    assert main(["data", "chekc"]) == 2
    assert "did you mean 'check'" in capsys.readouterr().err


def test_problems_are_status_1(tmp_path, capsys):
    tree = {"S1": {"Walking": np.full((3, 32, 3), 1, np.float32)}}
    np.savez(tmp_path / "data_3d_h36m.npz", positions_3d=tree)
    arguments = ["human36m", "--root", str(tmp_path), "--set", "subjects=S1"]
    assert main(["data", "check", *arguments]) == 1
    output = capsys.readouterr().out
    assert "PROBLEM: missing, by subject/action: S1/Directions, S1/Directions 1," in output
    assert "PROBLEM: subject S1: 12 of 248,376 published poses" in output
