"""OpenSim setup files next to a .trc: marker set, scaling and inverse kinematics.

They refer to the full-body model of Pose2Sim (`Model_Pose2Sim_simple.osim`, BSD licence; Rajagopal
et al., IEEE TBME 2016, without muscles), which has to be copied into the folder.
"""

from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

from camerapose.core.angles import joint as joint_points
from camerapose.core.bones import unit
from camerapose.core.skeleton import Skeleton
from camerapose.io.export import Track, trc
from camerapose.io.files import write_text

EXTENSION = ".ik.xml"
MODEL = "Model_Pose2Sim_simple.osim"
#: Bodies of the model to which joints are attached, their positions in the frame of the body in
#: metres, right side, and their weights in inverse kinematics. Joint centres of limbs are the
#: origins of the model's joints. `_places` moves spine and thorax; the spine belongs to the pelvis,
#: whose tilt the hips do not determine.
JOINTS: dict[str, tuple[str, tuple[float, float, float], float]] = {
    "pelvis": ("pelvis", (-0.0707, -0.0661, 0.0), 1.0),
    "hip": ("pelvis", (-0.0707, -0.0661, 0.0835), 2.0),
    "knee": ("femur", (0.0, -0.3974, -0.0013), 2.0),
    "ankle": ("tibia", (0.0, -0.43, 0.0), 2.0),
    "spine": ("pelvis", (-0.0707, 0.2147, 0.0), 1.0),
    "thorax": ("torso", (0.03, 0.4426, 0.0), 1.0),
    "head": ("head", (0.03, 0.12, 0.0), 0.2),
    "shoulder": ("torso", (0.0032, 0.3715, 0.17), 1.0),
    "elbow": ("humerus", (0.0098, -0.2928, 0.0034), 1.0),
    "wrist": ("radius", (-0.0088, -0.2358, 0.0136), 1.0),
    # Surface points of Pose2Sim's marker set for Halpe_26; the heel at the level of the toe, since
    # the line between them is that of a level foot.
    "heel": ("calcn", (0.0136, 0.0079, -0.0019), 1.0),
    "big_toe": ("toes", (0.0647, 0.0099, -0.0146), 1.0),
    "small_toe": ("toes", (0.0271, 0.0096, 0.0288), 0.5),
}
#: Scaled bodies without side, the axes that are scaled, and the two joints whose distance
#: determines the scale.
MEASUREMENTS: dict[str, tuple[tuple[str, ...], str, tuple[str, str]]] = {
    "trunk": (("torso",), "X Y", ("spine", "thorax")),
    "shoulders": (("torso",), "Z", ("left_shoulder", "right_shoulder")),
    "pelvis": (("pelvis", "sacrum"), "X Y", ("pelvis", "spine")),
    "hips": (("pelvis", "sacrum"), "Z", ("left_hip", "right_hip")),
    "neck": (("head",), "X Y Z", ("thorax", "head")),
    "thigh": (("femur",), "X Y Z", ("hip", "knee")),
    "shank": (("tibia",), "X Y Z", ("knee", "ankle")),
    "foot": (("talus", "calcn", "toes"), "X Y Z", ("heel", "big_toe")),
    "upper_arm": (("humerus",), "X Y Z", ("shoulder", "elbow")),
    "forearm": (("ulna", "radius", "hand"), "X Y Z", ("elbow", "wrist")),
}
_CENTRAL = ("torso", "sacrum", "head", "pelvis")
#: Height of the model's shoulders above its hips, metres.
_HIPS_TO_SHOULDERS = 0.5191


def write(path: Path, track: Track) -> None:
    """Write NAME.ik.xml, and NAME.trc, NAME.scale.xml and NAME.markers.xml in the same folder.

    Gaps of the TRC are interpolated.

    Raises:
        ValueError: the skeleton has no legs.
    """
    base = path.name[: -len(EXTENSION)]
    motion = path.with_name(base + trc.EXTENSION)
    present = np.flatnonzero(track.present)
    times = track.times[[present[0], present[-1]]]
    # Inverse kinematics ends at a frame without markers.
    points = track.interpolated()
    points[: present[0]] = points[present[-1] + 1 :] = np.nan
    trc.write(motion, track._replace(points=points))
    markers = [joint for joint in track.skeleton.joints if _part(joint) in JOINTS]
    if "left_knee" not in markers:
        raise ValueError(f"cannot write {path}: {track.skeleton.name} has no left_knee")
    span = " ".join(f"{time:.6f}" for time in times)
    places = _places(points[present], track.skeleton)
    write_text(path.with_name(f"{base}.markers.xml"), marker_set(markers, places))
    write_text(path.with_name(f"{base}.scale.xml"), _scaling(base, span, motion.name, markers))
    write_text(path, _inverse_kinematics(base, span, motion.name, markers))


def marker_set(joints: list[str], places: dict[str, tuple[float, float, float]]) -> str:
    """Return the marker set of the joints as XML; `places` replace positions of `JOINTS`."""
    rows = []
    for joint in joints:
        body, place, _ = JOINTS[_part(joint)]
        x, y, z = places.get(_part(joint), place)
        mirror = -1.0 if joint.startswith("left_") else 1.0
        rows.append(
            f'<Marker name="{joint}"><socket_parent_frame>/bodyset/{_sided(body, joint)}'
            f"</socket_parent_frame><location>{x} {y} {mirror * z}</location><fixed>true</fixed>"
            "</Marker>"
        )
    return _document(f'<MarkerSet name="camerapose"><objects>{_lines(rows)}</objects></MarkerSet>')


def _places(points: np.ndarray, skeleton: Skeleton) -> dict[str, tuple[float, float, float]]:
    """Return positions of spine and thorax on the model with the proportions of a person.

    In the neutral model, pelvis, spine and thorax are on a vertical line, since their angles are
    then zero. How far the shoulders are below the thorax depends on where a network places it.
    """
    middle = {name: joint_points(points, skeleton, name) for name in ("pelvis", "spine", "thorax")}
    sides = [joint_points(points, skeleton, f"{side}_shoulder") for side in ("left", "right")]
    pelvis, spine, thorax = middle.values()
    if pelvis is None or spine is None or thorax is None or sides[0] is None or sides[1] is None:
        return {}
    upper, lower = np.linalg.norm(thorax - spine, axis=1), np.linalg.norm(spine - pelvis, axis=1)
    down = ((thorax - (sides[0] + sides[1]) / 2) * unit(thorax - spine)).sum(1)
    below = float(np.clip(np.median(down / upper), -0.2, 0.5))
    ratio = float(np.clip(np.median(lower / upper), 0.5, 2.0))
    length = _HIPS_TO_SHOULDERS / (ratio + 1 - below)
    (_, (x, hips, _), _), (_, (_, shoulders, _), _) = JOINTS["pelvis"], JOINTS["shoulder"]
    return {
        "spine": (x, round(hips + ratio * length, 4), 0.0),
        "thorax": (JOINTS["thorax"][1][0], round(shoulders + below * length, 4), 0.0),
    }


def _inverse_kinematics(base: str, span: str, motion: str, joints: list[str]) -> str:
    tasks = [
        f'<IKMarkerTask name="{joint}"><apply>true</apply>'
        f"<weight>{JOINTS[_part(joint)][2]}</weight></IKMarkerTask>"
        for joint in joints
    ]
    return _document(
        f'<InverseKinematicsTool name="{escape(base)}"><results_directory>.</results_directory>\n'
        f"<model_file>{escape(base)}.osim</model_file>\n"
        f"<marker_file>{escape(motion)}</marker_file>\n<time_range>{span}</time_range>\n"
        f"<output_motion_file>{escape(base)}_ik.mot</output_motion_file>\n"
        f"<accuracy>1e-05</accuracy><IKTaskSet><objects>{_lines(tasks)}</objects></IKTaskSet>"
        "</InverseKinematicsTool>"
    )


def _scaling(base: str, span: str, motion: str, joints: list[str]) -> str:
    rows = []
    for name, (bodies, axes, pair) in MEASUREMENTS.items():
        if name == "foot" and "left_heel" not in joints:
            pair = MEASUREMENTS["shank"][2]
        for side in [""] if bodies[0] in _CENTRAL else ["left_", "right_"]:
            ends = [side + joint for joint in pair]
            if not set(ends) <= set(joints):
                continue
            scaled = "".join(
                f'<BodyScale name="{_sided(body, side)}"><axes>{axes}</axes></BodyScale>'
                for body in bodies
            )
            rows.append(
                f'<Measurement name="{side}{name}"><apply>true</apply>\n<MarkerPairSet><objects>'
                f"<MarkerPair><markers>{' '.join(ends)}</markers></MarkerPair></objects>"
                f"</MarkerPairSet>\n<BodyScaleSet><objects>{scaled}</objects></BodyScaleSet>"
                "</Measurement>"
            )
    model = escape(base)
    return _document(
        f'<ScaleTool name="{model}"><mass>-1</mass><GenericModelMaker><model_file>{MODEL}'
        f"</model_file><marker_set_file>{model}.markers.xml</marker_set_file></GenericModelMaker>\n"
        "<ModelScaler><apply>true</apply><scaling_order>measurements</scaling_order>\n"
        f"<MeasurementSet><objects>{_lines(rows)}</objects></MeasurementSet>\n"
        f"<marker_file>{escape(motion)}</marker_file><time_range>{span}</time_range>"
        "<preserve_mass_distribution>false</preserve_mass_distribution>"
        f"<output_model_file>{model}.osim</output_model_file></ModelScaler>\n"
        "<MarkerPlacer><apply>false</apply></MarkerPlacer></ScaleTool>"
    )


def _part(joint: str) -> str:
    side, _, name = joint.partition("_")
    return name if side in ("left", "right") else joint


def _sided(body: str, joint: str) -> str:
    return body if body in _CENTRAL else f"{body}_{joint[0]}"


def _lines(rows: list[str]) -> str:
    return "\n" + "\n".join(rows) + "\n"


def _document(content: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<OpenSimDocument Version="40000">\n'
        f"{content}\n</OpenSimDocument>\n"
    )
