"""Joints that the optimisation of a clip estimates, and the others, which follow them.

Formats such as `body_46` have several definitions of a joint, of which a detector reports one. The
optimisation estimates those that are detected, so that its terms of feet and trunk apply to them;
the others keep the lifter's distance from them.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.linalg import solveh_banded

from camerapose.core.bones import bone_lengths
from camerapose.core.conversion import ENDINGS, has_definitions
from camerapose.core.ground import Ground
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.infer.clip.body import SOLES
from camerapose.infer.clip.camera import aimed
from camerapose.infer.clip.rows import spread

#: Joints that are estimated even if none of their definitions is detected.
NEEDED = ("thorax", "left_ankle", "right_ankle")
#: Frames that are completed together, frames before and after them that smooth their ends, and
#: frames that determine sizes and lengths.
CHUNK, MARGIN, SAMPLE = 2000, 300, 2000
#: Columns of `Poses` with one value per joint.
COLUMNS = ("pose2d", "confidence", "pose3d", "refined2d", "pose3d_std")


class Movement(NamedTuple):
    """Rows of an optimised movement of a person, their times (seconds), and the floor."""

    rows: Int[np.ndarray, " t"]
    times: Float[np.ndarray, " t"]
    ground: Ground | None


@dataclass(frozen=True)
class Subset:
    """The estimated joints of a skeleton.

    Attributes:
        skeleton: the estimated joints, named without the ending of their definition.
        joints: their indices in the whole skeleton.
        anchor: for each joint of the whole skeleton, the joint that it follows; itself if it is
            estimated.
    """

    skeleton: Skeleton
    joints: tuple[int, ...]
    anchor: tuple[int, ...]

    @staticmethod
    def of(skeleton: Skeleton, detected: Bool[np.ndarray, " joints"]) -> "Subset":
        """Return the subset for a skeleton and its detected joints.

        Skeletons without several definitions are estimated as a whole.
        """
        every = tuple(range(skeleton.n_joints))
        if not has_definitions(skeleton):
            return Subset(skeleton, every, every)
        detected = detected | detected[list(skeleton.mirror)]
        alike: dict[str, list[int]] = {}
        for joint, name in enumerate(skeleton.joints):
            alike.setdefault(_base(name), []).append(joint)
        above = dict(skeleton.bones)

        def parent(joint: int) -> int | None:
            """Return the parent, in a definition that is detected if there is one."""
            if joint not in above:
                return None
            same = alike[_base(skeleton.joints[above[joint]])]
            return next((j for j in same if detected[j]), above[joint])

        parents: dict[int, int | None] = {}
        needed = [alike[n][0] for n in NEEDED if n in alike and not detected[alike[n]].any()]
        waiting = [skeleton.root_index, *np.flatnonzero(detected).tolist(), *needed]
        while waiting:
            joint = waiting.pop()
            if joint not in parents:
                parents[joint] = parent(joint)
                waiting += [j for j in (parents[joint],) if j is not None]
        anchor = [
            joint if joint in parents
            else next((j for j in alike[_base(name)] if j in parents), above.get(joint, joint))
            for joint, name in enumerate(skeleton.joints)
        ]  # fmt: skip
        joints = tuple(sorted(parents))
        names = _names(skeleton, joints)
        inner = [parents[joint] for joint in joints]
        small = Skeleton(
            f"{skeleton.name}_subset",
            tuple(names[joint] for joint in joints),
            tuple(None if p is None else names[p] for p in inner),
        )
        return Subset(small, joints, tuple(anchor))

    def select(self, poses: Poses) -> Poses:
        """Return the estimated joints of poses."""
        if len(self.joints) == poses.skeleton.n_joints:
            return poses
        index = list(self.joints)
        columns: dict[str, Any] = {
            name: None if getattr(poses, name) is None else getattr(poses, name)[:, index]
            for name in COLUMNS
        }
        return replace(poses, skeleton=self.skeleton, **columns)

    def complete(
        self, poses: Poses, optimized: Poses, movements: list[Movement], constant: float
    ) -> Poses:
        """Return poses with the optimised joints and the others at their distance from them.

        The distances are the lifter's, scaled to the optimised size and smoothed. The bones of
        these joints have constant lengths, and heels and toes are not below the floor.

        Args:
            poses: before the optimisation, all joints.
            optimized: the estimated joints.
            movements: the optimised rows.
            constant: time constant of the smoothing, seconds.
        """
        if len(self.joints) == poses.skeleton.n_joints:
            return optimized
        pose3d = np.array(poses.pose3d)
        for movement in movements:
            rows = movement.rows[spread(len(movement.rows), SAMPLE)]
            lifted, result = self._aimed(poses, optimized, rows)
            before, after = (bone_lengths(p, self.skeleton).sum(1) for p in
                             (lifted[:, list(self.joints)], result))  # fmt: skip
            scale = float(np.median(after)) / max(float(np.median(before)), 1e-9)
            offset = self._offset(lifted) * scale
            _, lengths = self._place(result, offset, poses.skeleton, None, None)
            for start in range(0, len(movement.rows), CHUNK):
                first = max(start - MARGIN, 0)
                part = slice(first, start + CHUNK + MARGIN)
                lifted, result = self._aimed(poses, optimized, movement.rows[part])
                offset = _smoothed(self._offset(lifted) * scale, movement.times[part], constant)
                placed = self._place(result, offset, poses.skeleton, lengths, movement.ground)[0]
                rows = movement.rows[start : start + CHUNK]
                pose3d[rows] = placed[start - first :][: len(rows)]
        columns = {name: getattr(poses, name) for name in COLUMNS if name != "pose3d"}
        return replace(optimized, skeleton=poses.skeleton, pose3d=pose3d, **columns)

    @property
    def _others(self) -> list[int]:
        """Joints that are not estimated."""
        return [joint for joint, anchor in enumerate(self.anchor) if joint != anchor]

    def _offset(self, lifted: Float[np.ndarray, "t joints 3"]) -> Float[np.ndarray, "t others 3"]:
        """Return the vectors to the joints that are not estimated from those that they follow."""
        return lifted[:, self._others] - lifted[:, [self.anchor[j] for j in self._others]]

    @staticmethod
    def _aimed(poses: Poses, optimized: Poses, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return lifted poses in the axes of the optimised camera, and the optimised joints."""
        assert optimized.camera is not None and optimized.pose3d is not None
        camera = optimized.camera[rows]
        return aimed(poses[rows], camera.focal, camera.center), optimized.pose3d[rows]

    def _place(
        self,
        result: Float[np.ndarray, "t estimated 3"],
        offset: Float[np.ndarray, "t others 3"],
        skeleton: Skeleton,
        lengths: dict[int, float] | None,
        ground: Ground | None,
    ) -> tuple[Float[np.ndarray, "t joints 3"], dict[int, float]]:
        """Return all joints, and the lengths of the bones of those that are not estimated.

        Args:
            result: estimated joints.
            offset: of `_offset`.
            lengths: of these bones; None: their medians.
        """
        pose3d = np.empty((len(result), skeleton.n_joints, 3))
        pose3d[:, list(self.joints)] = result
        above, waiting, found = dict(skeleton.bones), list(self._others), {}
        column = {joint: k for k, joint in enumerate(waiting)}
        while waiting:  # parents first
            joint = next(
                j for j in waiting if above[j] not in waiting and self.anchor[j] not in waiting
            )
            waiting.remove(joint)
            start = pose3d[:, above[joint]]
            bone = pose3d[:, self.anchor[joint]] + offset[:, column[joint]] - start
            length = np.linalg.norm(bone, axis=-1, keepdims=True)
            found[joint] = float(np.median(length)) if lengths is None else lengths[joint]
            bone = bone * (found[joint] / np.maximum(length, 1e-9))
            if ground is not None and skeleton.joints[joint].endswith(SOLES):
                bone = _above_floor(start, bone, ground)
            pose3d[:, joint] = start + bone
        return pose3d, found


def _above_floor(
    start: Float[np.ndarray, "t 3"], bone: Float[np.ndarray, "t 3"], ground: Ground
) -> Float[np.ndarray, "t 3"]:
    """Return bones of the same lengths, rotated such that they do not end below the floor."""
    up = ground.axes[1]
    rise = np.maximum(-((start + bone) @ up + ground.camera_height), 0)
    vertical = bone @ up
    level = bone - vertical[:, None] * up
    across = np.linalg.norm(level, axis=-1)
    left = np.maximum(across**2 + vertical**2 - (vertical + rise) ** 2, 0)
    level = level * (np.sqrt(left) / np.maximum(across, 1e-9))[:, None]
    return np.where(rise[:, None] > 0, level + (vertical + rise)[:, None] * up, bone)


def _base(name: str) -> str:
    """Return the name of a joint without the ending of its definition."""
    return next((name.removesuffix(end) for end in ENDINGS if name.endswith(end)), name)


def _names(skeleton: Skeleton, joints: tuple[int, ...]) -> dict[int, str]:
    """Return names without endings; the second definition of a joint keeps its own."""
    names: dict[int, str] = {}
    for joint in joints:
        base = _base(skeleton.joints[joint])
        names[joint] = skeleton.joints[joint] if base in names.values() else base
    return names


def _smoothed(
    values: Float[np.ndarray, "t items 3"], times: Float[np.ndarray, " t"], constant: float
) -> Float[np.ndarray, "t items 3"]:
    """Return values without variations faster than a time constant (Whittaker's smoother)."""
    t = len(times)
    if t < 3 or not values.size:
        return values
    step = np.diff(times)
    middle = (step[:-1] + step[1:]) / 2
    factor = np.stack([1 / step[:-1], -1 / step[:-1] - 1 / step[1:], 1 / step[1:]])
    factor *= constant**2 / np.sqrt(middle)
    band = np.zeros((3, t))
    weight = (np.append(step, step[-1]) + np.insert(step, 0, step[0])) / 2
    band[0] = weight
    for i in range(3):
        for j in range(i + 1):
            band[i - j, j : t - 2 + j] += factor[i] * factor[j]
    right = weight[:, None] * values.reshape(t, -1)
    return solveh_banded(band, right, lower=True).reshape(values.shape)
