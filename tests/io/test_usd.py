"""USD, read back by pxr."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.clips import walk

from camerapose.core.joint_formats import H36M_16
from camerapose.core.poses import Poses
from camerapose.io.export import tracks, write

pytest.importorskip("pxr")
from pxr import Usd, UsdGeom, UsdSkel  # noqa: E402

FPS = 25.0


@pytest.fixture(scope="module")
def poses():
    """A walk from 2 s on; frames 10 to 13 are missing."""
    truth, _ = walk(frames=40, fps=FPS)
    truth = replace(truth, labels=truth.labels | {"time": truth.labels["time"] + 2.0})
    return truth[np.r_[0:10, 14:40]]


def test_people(poses, tmp_path):
    """Joints in every frame, the skinned body, and the time of a person, read back by pxr."""
    late = replace(poses[20:], labels=poses[20:].labels | {"person": np.full(16, 4)})
    write(Poses.cat([poses, late]), tmp_path / "a.usdc")
    stage = Usd.Stage.Open(str(tmp_path / "a.usdc"))
    assert UsdGeom.GetStageUpAxis(stage) == "Y" and UsdGeom.GetStageMetersPerUnit(stage) == 1
    assert stage.GetTimeCodesPerSecond() == pytest.approx(FPS)
    expected = tracks(Poses.cat([poses, late]))
    cache = UsdSkel.Cache()
    for person, track in expected.items():
        assert stage.GetEndTimeCode() == len(track.points) - 1
        root = UsdSkel.Root(stage.GetPrimAtPath(f"/people/person_{person}"))
        cache.Populate(root, Usd.PrimDefaultPredicate)
        query = cache.GetSkelQuery(UsdSkel.Skeleton(root.GetPrim().GetChild("skeleton")))
        names = [path.split("/")[-1] for path in query.GetJointOrder()]
        for frame in np.flatnonzero(track.present)[[0, 7, -1]].tolist():
            matrices = np.array(query.ComputeJointSkelTransforms(frame))
            found = [matrices[names.index(joint), 3, :3] for joint in H36M_16.joints]
            np.testing.assert_allclose(found, track.points[frame], atol=1e-3)
        mesh = UsdGeom.Mesh(root.GetPrim().GetChild("body"))
        skinning = cache.GetSkinningQuery(mesh.GetPrim())
        corners = mesh.GetPointsAttr().Get()
        transforms = query.ComputeSkinningTransforms(frame)
        assert skinning.ComputeSkinnedPoints(transforms, corners, frame)
        low, high = (value(0) for value in (np.array(corners).min, np.array(corners).max))
        assert (low < track.points[frame].min(0)).all() and (
            high > track.points[frame].max(0)
        ).all()
        shown = [root.ComputeVisibility(i) == "inherited" for i in range(len(track.points))]
        present = np.flatnonzero(track.present)
        frames = np.arange(len(track.points))
        np.testing.assert_array_equal(shown, (frames >= present[0]) & (frames <= present[-1]))
