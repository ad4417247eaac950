"""Folders of the repository, and real data sets that some tests use where they exist."""

import os
from pathlib import Path

import pytest

#: The repository.
ROOT = Path(__file__).parents[2]
#: Real data sets; tests that need them are skipped where they are absent.
DATA = Path(os.environ.get("CAMERAPOSE_DATA", ROOT.parent / "shared/data"))
HUMAN36M = DATA / "h36m"
MPII = DATA / "mpii"
COCO = DATA / "coco/person_keypoints_val2017_2213.json"
HUMANEVA = DATA / "humaneva"


def _needs(path, name):
    return pytest.mark.skipif(not path.exists(), reason=f"requires {name}; set CAMERAPOSE_DATA")


needs_human36m = _needs(HUMAN36M / "data_3d_h36m.npz", "Human3.6M")
needs_mpii = _needs(MPII / "annot/train.json", "MPII")
needs_coco = _needs(COCO, "COCO")
