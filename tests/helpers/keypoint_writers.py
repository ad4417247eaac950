"""Writers of the keypoint files of other programs, in miniature."""

import csv
import json
import pickle
from dataclasses import dataclass

import numpy as np

from camerapose.core.joint_formats import FORMATS
from helpers.keypoint_files import person

SIZE = (640, 480)
ABBREVIATED = {
    "shoulder": "sho", "elbow": "elb", "wrist": "wri", "knee": "kne", "ankle": "ank",
}  # fmt: skip


@dataclass
class Clip:
    """People in frames: points (n, joints, 2) in pixels, scores (n, joints)."""

    skeleton: str
    joints: list
    points: np.ndarray
    scores: np.ndarray
    frame: np.ndarray
    person: np.ndarray

    def rows(self):
        for i in range(len(self.points)):
            yield i, int(self.frame[i]), int(self.person[i])

    def flat(self, i):
        return np.column_stack([self.points[i], self.scores[i]]).round(3).ravel().tolist()

    def by_frame(self):
        return {f: np.flatnonzero(self.frame == f) for f in range(int(self.frame.max()) + 1)}


def clip(skeleton="coco_17", frames=3, people=1, seed=0, first=0, noise=2.0):
    """Return people who move little; frame 1 has nobody if there are more than three frames."""
    joints = list(FORMATS[skeleton].joints)
    random = np.random.default_rng(seed)
    where = [(f, p) for f in range(frames) for p in range(people) if frames < 4 or f != 1]
    base = [person(joints, seed + 100 * p, noise) for p in range(people)]
    points = np.array([base[p] + (2 * f, f) for f, p in where])
    points[..., 0] += np.array([150.0 * (p - (people - 1) / 2) for _, p in where])[:, None]
    scores = random.uniform(0.3, 1, points.shape[:2])
    frame, who = (np.array(column) for column in zip(*where, strict=True))
    return Clip(skeleton, joints, points.round(3), scores.round(3), frame + first, who)


def spelled(joint, style):
    """Return a joint name in the spelling of another program."""
    side, _, part = joint.partition("_")
    if side not in ("left", "right"):
        return {"camel": _camel(joint), "spaces": joint.replace("_", " ")}.get(style, joint)
    if style == "abbreviated":
        return f"{side[0]}_{ABBREVIATED.get(part, part)}"
    return {
        "snake": joint, "camel": side + _camel(part)[0].upper() + _camel(part)[1:],
        "spaces": joint.replace("_", " ").title(), "upper": joint.upper(),
        "initial": side[0].upper() + _camel(part)[0].upper() + _camel(part)[1:],
        "suffix": f"{part}_{side}", "blender": f"{part}.{side[0].upper()}",
    }[style]  # fmt: skip


STYLES = ("snake", "camel", "spaces", "abbreviated", "upper", "initial", "suffix", "blender")


def _camel(name):
    first, *others = name.split("_")
    return first + "".join(word.title() for word in others)


def _write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def coco(c, folder):
    images = [{"id": f + 1, "file_name": f"frame_{f:06d}.png", "width": SIZE[0], "height": SIZE[1]}
              for f in c.by_frame()]  # fmt: skip
    annotations = [
        {"id": i, "image_id": f + 1, "category_id": 1, "keypoints": c.flat(i), "track_id": p}
        for i, f, p in c.rows()
    ]
    categories = [{"id": 1, "name": "person", "keypoints": c.joints}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    return _write(folder / "annotations.json", content)


def coco_results(c, folder):
    return _write(folder / "results.json", [
        {"image_id": f, "category_id": 1, "keypoints": c.flat(i), "score": 0.9, "track_id": p}
        for i, f, p in c.rows()
    ])  # fmt: skip


def alphapose(c, folder):
    return _write(folder / "alphapose-results.json", [
        {"image_id": f"{f}.jpg", "category_id": 1, "keypoints": c.flat(i), "score": 2.9,
         "idx": [float(p)]}
        for i, f, p in c.rows()
    ])  # fmt: skip


def alphapose_open(c, folder):
    return _write(folder / "open.json", {
        f"{f}.jpg": {"version": "AlphaPose v0.3", "people": [
            {"pose_keypoints_2d": c.flat(i), "person_id": [int(c.person[i])]} for i in rows]}
        for f, rows in c.by_frame().items()
    })  # fmt: skip


def alphapose_cmu(c, folder):
    return _write(folder / "cmu.json", {
        f"{f}.jpg": {"version": "AlphaPose v0.3", "bodies": [
            {"joints": c.flat(i), "idx": int(c.person[i])} for i in rows]}
        for f, rows in c.by_frame().items()
    })  # fmt: skip


def openpose(c, folder):
    for f, rows in c.by_frame().items():
        people = [{"person_id": [int(c.person[i])], "pose_keypoints_2d": c.flat(i)} for i in rows]
        _write(folder / "json" / f"walk_{f:012d}_keypoints.json", {"people": people})
    return folder / "json"


def mmpose(c, folder):
    return _write(folder / "mmpose.json", [
        {"frame_id": f, "instances": [
            {"keypoints": c.points[i].tolist(), "keypoint_scores": c.scores[i].tolist(),
             "bbox": [[1, 2, 3, 4]], "track_id": int(c.person[i])} for i in rows]}
        for f, rows in c.by_frame().items()
    ])  # fmt: skip


def mmpose_demo(c, folder):
    content = json.loads(mmpose(c, folder).read_text())
    names = {str(i): name for i, name in enumerate(c.joints)}
    info = {"dataset_name": "coco", "keypoint_id2name": names}
    return _write(folder / "demo.json", {"meta_info": info, "instance_info": content})


def ultralytics(c, folder):
    for f, rows in c.by_frame().items():
        _write(folder / "yolo" / f"{f}.json", [
            {"name": "person", "class": 0, "confidence": 0.9, "track_id": int(c.person[i]),
             "box": {"x1": 1, "y1": 2, "x2": 3, "y2": 4},
             "keypoints": {"x": c.points[i, :, 0].tolist(), "y": c.points[i, :, 1].tolist(),
                           "visible": c.scores[i].tolist()}} for i in rows])  # fmt: skip
    return folder / "yolo"


def yolo_labels(c, folder):
    (folder / "labels").mkdir(parents=True, exist_ok=True)
    for f, rows in c.by_frame().items():
        lines = []
        for i in rows:
            values = np.column_stack([c.points[i] / SIZE, c.scores[i]]).ravel()
            box = [0, 0.5, 0.5, 0.2, 0.2]
            lines.append(" ".join(f"{v:.7g}" for v in [*box, *values, 0.9, c.person[i] + 1]))
        if lines:
            (folder / "labels" / f"walk_{f}.txt").write_text("\n".join(lines) + "\n")
    return folder


def mediapipe(c, folder):
    frames = [
        {"frame": f, "pose_landmarks": [
            [{"x": x / SIZE[0], "y": y / SIZE[1], "z": 0.1, "visibility": s}
             for (x, y), s in zip(c.points[i].tolist(), c.scores[i].tolist(), strict=True)]
            for i in rows]}
        for f, rows in c.by_frame().items()
    ]  # fmt: skip
    return _write(folder / "mediapipe.json", frames)


def tensorflow_js(c, folder):
    frames = [
        {"frame": f, "poses": [{"keypoints": [
            {"x": x, "y": y, "score": s, "name": name} for (x, y), s, name in
            zip(c.points[i].tolist(), c.scores[i].tolist(), c.joints, strict=True)]}
            for i in rows]}
        for f, rows in c.by_frame().items()
    ]  # fmt: skip
    return _write(folder / "tfjs.json", frames)


def table(c, folder):
    header = ["frame", "person_id"]
    header += [f"{joint}_{axis}" for joint in c.joints for axis in ("x", "y", "score")]
    return _csv(folder / "table.csv", [header, *([f, p, *c.flat(i)] for i, f, p in c.rows())])


def numbered_table(c, folder):
    header = ["frame", *(f"{axis}{j}" for j in range(len(c.joints)) for axis in "xyzv")]
    rows = [
        [f, *(v for (x, y), s in zip(c.points[i], c.scores[i], strict=True)
              for v in (x / SIZE[0], y / SIZE[1], 0.1, s))]
        for i, f, _ in c.rows()
    ]  # fmt: skip
    return _csv(folder / "numbered.csv", [header, *rows])


def deeplabcut(c, folder):
    n = len(c.joints)
    who = sorted(set(c.person.tolist()))
    columns = [(p, j, a) for p in who for j in range(n) for a in ("x", "y", "likelihood")]
    header = [
        ["scorer"] + ["DLC"] * len(columns),
        ["individuals"] + [f"person{p}" for p, _, _ in columns],
        ["bodyparts"] + [c.joints[j] for _, j, _ in columns],
        ["coords"] + [a for _, _, a in columns],
    ]
    rows = []
    for f, indices in c.by_frame().items():
        by_person = {int(c.person[i]): c.flat(i) for i in indices}
        values = [by_person.get(p, [""] * (3 * n)) for p in who]
        rows.append([f, *(v for person_values in values for v in person_values)])
    return _csv(folder / "dlc.csv", header + rows)


def deeplabcut_h5(c, folder):
    """The layout of pandas' `to_hdf(format="table")`, which pickles the names of the columns."""
    import h5py

    n, who = len(c.joints), sorted(set(c.person.tolist()))
    columns = [("DLC", f"person{p}", joint, axis) for p in who for joint in c.joints
               for axis in ("x", "y", "likelihood")]  # fmt: skip
    values = np.full((int(c.frame.max()) + 1, len(who), 3 * n), np.nan)
    for i, f, p in c.rows():
        values[f, who.index(p)] = c.flat(i)
    dtype = [("index", "<i8"), ("values_block_0", "<f8", (len(columns),))]
    table = np.zeros(len(values), dtype)
    table["values_block_0"] = values.reshape(len(values), -1)
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / "walk.h5", "w") as file:
        group = file.create_group("df_with_missing")
        group.attrs["non_index_axes"] = np.bytes_(pickle.dumps([(1, columns)], protocol=0))
        group.create_dataset("table", data=table)
    return folder / "walk.h5"


def sleap(c, folder):
    """The analysis export: dimensions in MATLAB's order, scores and names."""
    import h5py

    who = sorted(set(c.person.tolist()))
    n_frames, n = int(c.frame.max()) + 1, len(c.joints)
    points = np.full((len(who), 2, n, n_frames), np.nan)
    scores = np.full((len(who), n, n_frames), np.nan)
    for i, f, p in c.rows():
        points[who.index(p), :, :, f] = c.points[i].T
        scores[who.index(p), :, f] = c.scores[i]
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / "walk.analysis.h5", "w") as file:
        file["tracks"], file["point_scores"] = points, scores
        file["track_occupancy"] = np.isfinite(points).any((1, 2)).T.astype(np.uint8)
        file["node_names"] = np.array(c.joints, "S")
        file["track_names"] = np.array([f"person{p}" for p in who], "S")
    return folder / "walk.analysis.h5"


def _csv(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def videopose3d(c, folder):
    positions = {}
    for p in sorted(set(c.person.tolist())):
        rows = np.flatnonzero(c.person == p)
        positions[f"v{p}.mp4"] = {"custom": [c.points[rows].astype(np.float32)]}
    size = {"w": SIZE[0], "h": SIZE[1]}
    layout = {"coco_17": "coco", "h36m_17": "h36m", "humaneva_15": "humaneva15"}.get(c.skeleton)
    metadata = {"layout_name": layout, "video_metadata": dict.fromkeys(positions, size)}
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "data_2d.npz", positions_2d=np.array(positions, object),
             metadata=np.array(metadata, object))  # fmt: skip
    return folder / "data_2d.npz"


def label_studio(c, folder):
    tasks = []
    for f, rows in c.by_frame().items():
        result = []
        for i in rows:
            for (x, y), name in zip(c.points[i], c.joints, strict=True):
                value = {"x": 100 * x / SIZE[0], "y": 100 * y / SIZE[1], "keypointlabels": [name]}
                result.append({"type": "keypointlabels", "value": value, "parentID": f"box{i}",
                               "original_width": SIZE[0], "original_height": SIZE[1]})  # fmt: skip
        tasks.append({"id": f, "data": {"img": f"/data/upload/1/frame_{f:04d}.jpg"},
                      "annotations": [{"result": result}]})  # fmt: skip
    return _write(folder / "tasks.json", tasks)


def supervisely(c, folder):
    nodes = {f"uuid{j}": {"label": name} for j, name in enumerate(c.joints)}
    meta = {"classes": [{"title": "person", "geometry_config": {"nodes": nodes}}]}
    _write(folder / "project" / "meta.json", meta)
    for f, rows in c.by_frame().items():
        objects = [
            {"classTitle": "person", "geometryType": "graph", "trackId": f"t{c.person[i]}",
             "nodes": {f"uuid{j}": {"loc": xy} for j, xy in enumerate(c.points[i].tolist())}}
            for i in rows
        ]  # fmt: skip
        size = {"width": SIZE[0], "height": SIZE[1]}
        _write(folder / "project" / "set" / "ann" / f"frame_{f}.png.json",
               {"size": size, "objects": objects})  # fmt: skip
    return folder / "project" / "set" / "ann"


def trc(c, folder):
    n = len(c.joints)
    lines = [
        "PathFileType\t4\t(X/Y/Z)\twalk_px_person00.trc",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\t"
        "OrigNumFrames",
        f"30\t30\t{len(c.points)}\t{n}\tpx\t30\t0\t{len(c.points)}",
        "Frame#\tTime\t" + "\t\t\t".join(c.joints) + "\t\t",
        "\t\t" + "\t".join(f"{a}{j + 1}" for j in range(n) for a in "XYZ"),
    ]
    for i, f, _ in c.rows():
        values = [v for x, y in c.points[i] for v in (x, y, 0)]
        lines.append("\t".join([str(f), f"{f / 30:.4f}", *(f"{v:.4f}" for v in values)]))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "walk.trc").write_text("\n".join(lines) + "\n")
    return folder / "walk.trc"


def arrays(c, folder):
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "keypoints.npy", np.concatenate([c.points, c.scores[..., None]], axis=-1))
    return folder / "keypoints.npy"


def reconstruction(c, folder):
    """The 2D input that the demos of MHFormer, MotionAGFormer and others write."""
    folder.mkdir(parents=True, exist_ok=True)
    people = [np.flatnonzero(c.person == p) for p in sorted(set(c.person.tolist()))]
    values = np.zeros((len(people), int(c.frame.max()) + 1, len(c.joints), 3), np.float32)
    for place, rows in enumerate(people):
        values[place, c.frame[rows], :, :2] = c.points[rows]
        values[place, c.frame[rows], :, 2] = c.scores[rows]
    np.savez_compressed(folder / "keypoints.npz", reconstruction=values)
    return folder / "keypoints.npz"


def own(c, folder):
    poses = [
        {"frame": f, "time": f / 60, "person": p, "image": "", "image_size": list(SIZE),
         "keypoints": c.points[i].tolist(), "confidence": c.scores[i].tolist()}
        for i, f, p in c.rows()
    ]  # fmt: skip
    return _write(folder / "poses.json", {
        "format": "camerapose", "version": 1, "skeleton": c.skeleton, "joints": c.joints,
        "poses": poses})  # fmt: skip


def own_lines(c, folder):
    """`poses.jsonl` of a webcam."""
    rows = json.loads(own(c, folder).read_text())["poses"]
    lines = [{"skeleton": c.skeleton} | row | {"pose3d": [], "camera": {}} for row in rows]
    (folder / "poses.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder / "poses.jsonl"


#: Formats that name their joints, those that have an order that the program fixes, and those
#: without scores, identities or gaps.
NAMED = (
    coco,
    mmpose_demo,
    tensorflow_js,
    table,
    deeplabcut,
    deeplabcut_h5,
    sleap,
    label_studio,
    supervisely,
    trc,
)
ORDERED = {
    coco_results: ("coco_17", "halpe_26", "h36m_17"),
    alphapose: ("coco_17", "halpe_26", "h36m_17"),
    alphapose_open: ("openpose_18",), alphapose_cmu: ("openpose_18",),
    openpose: ("body_25", "body_25b", "openpose_18", "openpose_15"),
    mmpose: ("coco_17", "halpe_26", "h36m_17", "mpii_16"),
    ultralytics: ("coco_17",), yolo_labels: ("coco_17",), mediapipe: ("blazepose_33",),
    numbered_table: ("blazepose_33",), videopose3d: ("coco_17", "h36m_17", "humaneva_15"),
    arrays: ("coco_17", "h36m_16", "mpii_16", "h36m_17", "lsp_14", "smpl_24"), own: ("h36m_16",),
    own_lines: ("h36m_16",), reconstruction: ("h36m_17", "coco_17"),
}  # fmt: skip
WITHOUT_SCORES = (label_studio, supervisely, trc, videopose3d)
WITHOUT_IDENTITIES = (mediapipe, tensorflow_js, numbered_table, arrays, label_studio)
ONE_PERSON = (trc, arrays, numbered_table)
