"""Joint selection by definition: `body_46` and the formats that it contains."""

import numpy as np
import pytest

from camerapose.core import joint_formats
from camerapose.core.conversion import convert, has_definitions, joint_weights
from camerapose.core.joint_formats import BLAZEPOSE_33, BODY_46, COCO_17, FORMATS, H36M_16, MPII_16

EVERY = pytest.mark.parametrize("skeleton", FORMATS.values(), ids=lambda s: s.name)


def poses(skeleton, n=5):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, skeleton.n_joints, 3)), rng.uniform(0.1, 1, (n, skeleton.n_joints))


def test_only_the_superset_has_definitions():
    assert has_definitions(BODY_46)
    assert not any(map(has_definitions, FORMATS.values()))
    assert joint_formats.get("body_46") is BODY_46
    assert joint_formats.definition(BODY_46) == "body_46"


@EVERY
def test_joints_survive_the_way_to_the_superset_and_back(skeleton):
    points, confidence = poses(skeleton)
    superset, scores = convert(points, confidence, skeleton, BODY_46)
    back, back_scores = convert(superset, scores, BODY_46, skeleton)
    sources = {list(w)[0] for w in joint_weights(skeleton, BODY_46) if w is not None}
    assert len(sources) >= 12
    for joint in sources:
        i = skeleton.index(joint)
        np.testing.assert_array_equal(back[:, i], points[:, i])
        if not joint.endswith("foot_index"):
            np.testing.assert_array_equal(back_scores[:, i], confidence[:, i])


@EVERY
def test_the_superset_receives_no_derived_joints(skeleton):
    points, confidence = poses(skeleton)
    _, scores = convert(points, confidence, skeleton, BODY_46)
    assert ((scores > 0).sum(1) <= skeleton.n_joints).all()
    given = set(confidence[0].tolist()) | {0.0}
    assert set(scores[0].tolist()) <= given


@EVERY
def test_mirroring_and_selection_commute(skeleton):
    points, confidence = poses(BODY_46)
    direct, _ = convert(points, confidence, BODY_46, skeleton)
    mirrored, _ = convert(
        points[:, list(BODY_46.mirror)], confidence[:, list(BODY_46.mirror)], BODY_46, skeleton
    )
    np.testing.assert_allclose(mirrored, direct[:, list(skeleton.mirror)], atol=1e-12)


def test_joints_are_selected_by_definition():
    points, confidence = poses(BODY_46)
    for target, ending in ((COCO_17, ""), (H36M_16, "_h36m"), (MPII_16, "")):
        hips, _ = convert(points, confidence, BODY_46, target)
        np.testing.assert_array_equal(
            hips[:, target.index("left_hip")], points[:, BODY_46.index(f"left_hip{ending}")]
        )
    smpl, _ = convert(points, confidence, BODY_46, joint_formats.SMPL_24)
    np.testing.assert_array_equal(
        smpl[:, joint_formats.SMPL_24.index("left_hip")],
        points[:, BODY_46.index("left_hip_centre")],
    )


def test_toes_and_heels_of_blazepose():
    points, confidence = poses(BLAZEPOSE_33)
    superset, scores = convert(points, confidence, BLAZEPOSE_33, BODY_46)
    toe = BODY_46.index("left_big_toe")
    np.testing.assert_array_equal(
        superset[:, toe], points[:, BLAZEPOSE_33.index("left_foot_index")]
    )
    assert (scores[:, BODY_46.index("right_heel")] > 0).all()
    assert (scores[:, BODY_46.index("left_small_toe")] == 0).all()
