"""Every keypoint format is written in miniature, and read back or refused."""

import json
import warnings

import numpy as np
import pytest
from helpers import keypoint_writers as writers
from helpers.keypoint_files import flat
from helpers.keypoint_writers import ONE_PERSON, ORDERED, SIZE, WITHOUT_IDENTITIES, WITHOUT_SCORES

from camerapose.core import joint_formats, plugins
from camerapose.core.camera import denormalize
from camerapose.io import keypoints
from camerapose.io.keypoints._content import Content

LIMBS = [f"{side}_{limb}" for side in ("left", "right")
         for limb in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")]  # fmt: skip
WRITERS = {
    **dict.fromkeys(writers.NAMED, ("coco_17", "h36m_17", "halpe_26")),
    **ORDERED,
}


def check(recording, clip, scores=True):
    """The limbs of every pose are where the clip has them, in any joint format."""
    poses = recording.poses
    assert len(poses) == len(clip.points)
    order = np.lexsort((poses.labels["person"], poses.labels["frame"]))
    pixels = denormalize(poses.pose2d, poses.image_size)[order]
    source = joint_formats.get(clip.skeleton)
    for joint in LIMBS:
        ours = poses.skeleton.index(joint)
        theirs = source.index(joint)
        np.testing.assert_allclose(pixels[:, ours], clip.points[:, theirs], atol=0.02)
        if scores:
            np.testing.assert_allclose(
                poses.confidence[order][:, ours], clip.scores[:, theirs], atol=1e-3
            )
    np.testing.assert_array_equal(poses.labels["frame"][order], clip.frame)


@pytest.mark.parametrize("writer", WRITERS, ids=lambda w: w.__name__)
@pytest.mark.parametrize("people", [1, 2])
def test_read_back(writer, people, tmp_path):
    if people > 1 and writer in ONE_PERSON:
        pytest.skip("one person per file")
    for skeleton in WRITERS[writer]:
        clip = writers.clip(skeleton, frames=3, people=people)
        path = writer(clip, tmp_path / skeleton)
        recording = keypoints.read_recording(path, image_size=SIZE)
        check(recording, clip, writer not in WITHOUT_SCORES)
        assert recording.identified == (writer not in WITHOUT_IDENTITIES or people < 0) or (
            writer in (writers.arrays,)
        )


@pytest.mark.parametrize("writer", WRITERS, ids=lambda w: w.__name__)
def test_one_format_recognises_it(writer, tmp_path):
    path = writer(writers.clip(WRITERS[writer][0]), tmp_path)
    content = Content(path)
    names = [n for n in plugins.available("keypoints") if _module(n).matches(content)]
    if not names:
        content = Content(content.files[0])
        names = [n for n in plugins.available("keypoints") if _module(n).matches(content)]
    assert len(names) == 1 and keypoints.recognise(path) == names[0]


def _module(name):
    return plugins.load("keypoints", name)


@pytest.mark.parametrize("name", plugins.available("keypoints"))
def test_every_format_describes_its_programs(name):
    module = _module(name)
    assert module.DESCRIPTION and module.SOURCES and module.__doc__
    for source in module.SOURCES:
        assert source.program and source.reading


def test_every_format_has_a_writer(tmp_path):
    recognised = {
        keypoints.recognise(writer(writers.clip(skeletons[0]), tmp_path / writer.__name__))
        for writer, skeletons in WRITERS.items()
    }
    assert recognised | {"npz", "unsupported"} == set(plugins.available("keypoints"))


def draw(random):
    """Return a random writer and a clip with random joints, order and spelling."""
    writer = list(WRITERS)[random.integers(len(WRITERS))]
    people = 1 if writer in ONE_PERSON else int(random.integers(1, 3))
    named = writer in writers.NAMED
    names = list(joint_formats.FORMATS) if named else list(ORDERED[writer])
    skeleton = names[random.integers(len(names))]
    clip = writers.clip(skeleton, frames=2, people=people, seed=int(random.integers(1 << 30)))
    shown = clip.joints, clip.points, clip.scores
    if named:
        style = writers.STYLES[random.integers(len(writers.STYLES))]
        order = random.permutation(len(clip.joints))
        kept = [i for i in order if clip.joints[i] in LIMBS or random.random() < 0.8]
        clip.joints = [writers.spelled(clip.joints[i], style) for i in kept]
        clip.points, clip.scores = clip.points[:, kept], clip.scores[:, kept]
    return writer, clip, shown


@pytest.mark.parametrize("block", range(10))
def test_random_people_are_read_back_or_refused(block, tmp_path):
    """1000 draws of format, joints, order, spelling and unit; never a wrong pose."""
    random = np.random.default_rng(block)
    refused = 0
    for i in range(100):
        writer, clip, (joints, points, scores) = draw(random)
        path = writer(clip, tmp_path / str(i))
        if path.suffix == ".json" and writer is writers.coco and random.random() < 0.5:
            rescale(path, random)
        try:
            recording = keypoints.read_recording(path, image_size=SIZE)
        except ValueError:
            refused += 1
            continue
        clip.joints, clip.points, clip.scores = joints, points, scores
        check(recording, clip, writer not in WITHOUT_SCORES)
    assert refused < 20


def rescale(path, random):
    """Write the coordinates in another unit."""
    content = json.loads(path.read_text())
    width, height = SIZE
    unit = random.integers(4)
    for entry in content["annotations"]:
        values = np.reshape(entry["keypoints"], (-1, 3))
        x, y = values[:, 0], values[:, 1]
        x, y = [
            (x / width, y / height), (100 * x / width, 100 * y / height),
            (2 * x / width - 1, 2 * y / width - height / width),
            (2 * x / width - 1, 2 * y / height - 1),
        ][unit]  # fmt: skip
        entry["keypoints"] = np.column_stack([x, y, values[:, 2]]).ravel().tolist()
    path.write_text(json.dumps(content))


# --- joint order --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", joint_formats.FORMATS)
def test_names_of_our_formats_are_known(name):
    from camerapose.io.keypoints._names import order

    joints = joint_formats.get(name).joints
    found = order(joints)
    assert found.skeleton.name == name and found.columns.tolist() == list(range(len(joints)))


def test_an_order_without_names_is_inferred_and_reported(tmp_path):
    path = writers.alphapose(writers.clip("h36m_17"), tmp_path)
    with pytest.warns(UserWarning, match="look like h36m_17"):
        assert keypoints.read(path, image_size=SIZE).skeleton.name == "h36m_17"


def test_an_order_that_fits_no_format_is_refused(tmp_path):
    clip = writers.clip("coco_17")
    clip.points = clip.points[:, np.random.default_rng(0).permutation(17)]
    path = writers.alphapose(clip, tmp_path)
    with pytest.raises(ValueError, match="candidates: .*h36m_17.*coco_17"):
        keypoints.read(path, image_size=SIZE)
    with pytest.warns(UserWarning, match="do not look human"):
        keypoints.read(path, skeleton="coco_17", image_size=SIZE)


@pytest.mark.parametrize("skeleton", ["coco_17", "h36m_17"])
def test_people_who_are_partly_hidden(skeleton, tmp_path):
    """Without the lower legs, the upper body determines the order."""
    clip = writers.clip(skeleton)
    hidden = [i for i, joint in enumerate(clip.joints) if "ankle" in joint or "knee" in joint]
    clip.points[:, hidden] = clip.scores[:, hidden] = 0
    path = writers.alphapose(clip, tmp_path)
    assert keypoints.read(path, image_size=SIZE).skeleton.name == skeleton


def test_people_of_whom_little_is_visible(tmp_path):
    """A few joints are no evidence for their order."""
    clip = writers.clip("coco_17")
    clip.points[:, 7:] = clip.scores[:, 7:] = 0
    clip.points[:, :3] = clip.scores[:, :3] = 0
    with pytest.raises(ValueError, match="too few joints are visible.*candidates: .*coco_17"):
        keypoints.read(writers.alphapose(clip, tmp_path), image_size=SIZE)
    path = writers.alphapose(clip, tmp_path)
    assert keypoints.read(path, skeleton="coco_17", image_size=SIZE).skeleton.name == "coco_17"
    np.save(tmp_path / "a.npy", np.concatenate([clip.points, clip.scores[..., None]], -1))
    with pytest.raises(ValueError, match="candidates"):
        keypoints.read(tmp_path / "a.npy", image_size=SIZE)


def test_scrambled_joints_are_refused(tmp_path):
    """A single person in a random order of joints; the right order is accepted."""
    random = np.random.default_rng(0)
    for seed in range(20):
        clip = writers.clip("coco_17", frames=1, seed=seed)
        assert keypoints.read(writers.alphapose(clip, tmp_path), image_size=SIZE)
        order = random.permutation(17)
        clip.points, clip.scores = clip.points[:, order], clip.scores[:, order]
        with pytest.raises(ValueError, match="candidates"):
            keypoints.read(writers.alphapose(clip, tmp_path), image_size=SIZE)


@pytest.mark.parametrize("n_visible", [4, 6, 8, 10])
def test_sparse_scrambled_joints_are_refused(n_visible, tmp_path):
    """Of a single person in a random order, some joints are visible."""
    random = np.random.default_rng(n_visible)
    for seed in range(12):
        clip = writers.clip("coco_17", frames=1, seed=seed, noise=12.0)
        order = random.permutation(17)
        clip.points, clip.scores = clip.points[:, order], clip.scores[:, order]
        hidden = random.permutation(17)[n_visible:]
        clip.points[:, hidden] = clip.scores[:, hidden] = 0
        with pytest.raises(ValueError, match="candidates"):
            keypoints.read(writers.alphapose(clip, tmp_path), image_size=SIZE)


def test_a_wrong_named_order_is_reported(tmp_path):
    clip = writers.clip("coco_17")
    clip.joints = clip.joints[::-1]
    with pytest.warns(UserWarning, match="do not look human"):
        keypoints.read(writers.coco(clip, tmp_path))


def test_animals_are_refused(tmp_path):
    clip = writers.clip("coco_17")
    clip.joints = ["snout", "tailbase", *(f"paw_{i}" for i in range(15))]
    with pytest.raises(ValueError, match="unknown joint names snout, tailbase"):
        keypoints.read(writers.deeplabcut(clip, tmp_path), image_size=SIZE)


def test_a_named_order_gives_exactly_the_ordered_file(tmp_path):
    ordered, shuffled = writers.clip("coco_17"), writers.clip("coco_17")
    order = np.random.default_rng(0).permutation(17)
    shuffled.joints = [shuffled.joints[i] for i in order]
    shuffled.points, shuffled.scores = shuffled.points[:, order], shuffled.scores[:, order]
    a, b = (keypoints.read(writers.coco(c, tmp_path)) for c in (ordered, shuffled))
    assert a.skeleton == b.skeleton
    assert (a.pose2d == b.pose2d).all() and (a.confidence == b.confidence).all()


# --- units --------------------------------------------------------------------------------------


def test_fractions_without_an_image_size_are_refused(tmp_path):
    path = writers.numbered_table(writers.clip("blazepose_33"), tmp_path)
    with pytest.raises(ValueError, match="fractions of the image.*pass image_size"):
        keypoints.read(path)
    with pytest.warns(UserWarning, match="converted to pixels"):
        keypoints.read(path, image_size=SIZE)


def normalised(clip, path, unit):
    """Write COCO results in another unit."""
    width, height = SIZE
    x, y = np.moveaxis(clip.points, -1, 0)
    x, y = {
        "unit": (x / width, y / height),
        "symmetric": (2 * x / width - 1, (2 * y - height) / width),
        "corners": (2 * x / width - 1, 2 * y / height - 1),
    }[unit]
    clip.points = np.stack([x, y], -1)
    clip.flat = lambda i: np.column_stack([clip.points[i], clip.scores[i]]).ravel().tolist()
    return writers.coco_results(clip, path)


@pytest.mark.parametrize("unit", ["unit", "symmetric", "corners"])
def test_positive_coordinates_up_to_1_are_ambiguous(unit, tmp_path):
    """Fractions, or -1 to 1 of a person in the lower right quarter."""
    clip, expected = writers.clip("coco_17"), writers.clip("coco_17")
    for c in (clip, expected):
        c.points = (c.points / 2 + np.array(SIZE) / 2).clip(None, SIZE)
    path = normalised(clip, tmp_path, unit)
    with pytest.raises(ValueError, match="ambiguous; pass unit"):
        keypoints.read(path, image_size=SIZE)
    check(keypoints.read_recording(path, image_size=SIZE, unit=unit), expected)


# --- identities and frames ----------------------------------------------------------------------


def test_identities_are_kept_when_the_order_changes(tmp_path):
    clip = writers.clip("body_25", frames=2, people=2)
    clip.person = np.array([7, 3, 3, 7])
    recording = keypoints.read_recording(writers.openpose(clip, tmp_path), image_size=SIZE)
    assert recording.identified
    assert recording.poses.labels["person"].tolist() == [7, 3, 3, 7]


@pytest.mark.parametrize("ids", [[-1, -1, -1, -1], [5, 5, 5, 5], [None] * 4])
def test_unusable_identities_are_ignored(ids, tmp_path):
    clip = writers.clip("coco_17", frames=2, people=2)
    content = json.loads(writers.alphapose(clip, tmp_path).read_text())
    for entry, value in zip(content, ids, strict=True):
        entry["idx"] = value
    (tmp_path / "a.json").write_text(json.dumps(content))
    recording = keypoints.read_recording(tmp_path / "a.json", image_size=SIZE)
    assert not recording.identified
    assert recording.poses.labels["person"].tolist() == [0, 1, 0, 1]


def test_a_shared_identity_is_split(tmp_path):
    clip = writers.clip("coco_17", frames=20, people=2)
    clip.person[1] = clip.person[0]
    recording = keypoints.read_recording(writers.alphapose(clip, tmp_path), image_size=SIZE)
    assert recording.identified
    labels = recording.poses.labels
    pairs = set(zip(labels["frame"].tolist(), labels["person"].tolist(), strict=True))
    assert len(pairs) == len(clip.points)


@pytest.mark.parametrize("writer", [writers.openpose, writers.mmpose, writers.coco])
def test_frames_without_people_are_counted(writer, tmp_path):
    skeleton = WRITERS[writer][0]
    path = writer(writers.clip(skeleton, frames=5), tmp_path)
    recording = keypoints.read_recording(path, image_size=SIZE)
    assert recording.frames.tolist() == [0, 1, 2, 3, 4]
    assert recording.poses.labels["frame"].tolist() == [0, 2, 3, 4]


@pytest.mark.parametrize(
    ("names", "frames"),
    [
        (["cam1_2_b.jpg", "cam1_10_b.jpg"], [2, 10]), (["a.jpg", "b.jpg"], [0, 1]),
        (["31.jpg", "48.jpg"], [31, 48]), (["v_1_x2.png", "v_3_x2.png"], [1, 3]),
    ],
)  # fmt: skip
def test_frame_numbers_from_names(names, frames, tmp_path):
    entries = [
        {"image_id": name, "keypoints": flat(seed=i), "score": 1} for i, name in enumerate(names)
    ]
    (tmp_path / "a.json").write_text(json.dumps(entries))
    recording = keypoints.read_recording(tmp_path / "a.json", image_size=SIZE)
    assert recording.poses.labels["frame"].tolist() == frames


def test_times(tmp_path):
    path = writers.own(writers.clip("h36m_16"), tmp_path)
    assert keypoints.read(path).labels["time"] == pytest.approx([0, 1 / 60, 2 / 60])
    assert keypoints.read(path, fps=10).labels["time"] == pytest.approx([0, 0.1, 0.2])
    path = writers.alphapose(writers.clip("coco_17"), tmp_path)
    assert "time" not in keypoints.read(path, image_size=SIZE).labels


def test_other_files_of_a_folder_are_ignored(tmp_path):
    path = writers.openpose(writers.clip("body_25"), tmp_path)
    for name in ("README.txt", "data.yaml", "boxes.csv", ".hidden.json"):
        (path / name).write_text("text")
    assert len(keypoints.read(path, image_size=SIZE)) == 3
    assert len(keypoints.files(path)) == 3


# --- annotations --------------------------------------------------------------------------------


@pytest.fixture
def annotations(tmp_path):
    """Write a COCO file with a change, and read it."""

    def read(change, **options):
        content = json.loads(writers.coco(writers.clip("coco_17"), tmp_path).read_text())
        change(content)
        (tmp_path / "changed.json").write_text(json.dumps(content))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            poses = keypoints.read(tmp_path / "changed.json", **options)
        return poses, [str(warning.message) for warning in caught]

    return read


def test_other_categories_and_crowds_are_skipped_and_counted(annotations):
    def change(content):
        first = content["annotations"][0]
        content["categories"].append({"id": 2, "name": "dog", "keypoints": ["a"] * 20})
        content["categories"].append({"id": 0, "name": "people"})
        content["annotations"].append(first | {"category_id": 2, "keypoints": [1.0] * 60})
        content["annotations"].append(first | {"iscrowd": 1})
        content["annotations"].append({"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]})

    poses, messages = annotations(change)
    assert len(poses) == 3
    assert (
        "1 annotations of other categories, 1 crowds, 1 annotations without keypoints"
        in (messages[0])
    )


def test_scores_instead_of_flags(annotations):
    poses, _ = annotations(lambda content: None)
    assert poses.confidence.min() > 0.25 and len(np.unique(poses.confidence)) > 10


def test_joints_at_the_origin_are_missing(annotations):
    def change(content):
        content["annotations"][0]["keypoints"][:3] = [0, 0, 0.4]

    poses, _ = annotations(change)
    assert poses.confidence[0, 0] == 0 and poses.confidence[1, 0] > 0


def test_flags(annotations):
    def change(content):
        for entry in content["annotations"]:
            entry["keypoints"][2::3] = [0, 1] + [2] * 15

    poses, _ = annotations(change)
    assert poses.confidence[0].tolist() == [0, 0.5] + [1] * 15


@pytest.mark.parametrize("convert", [float, str, lambda value: f"img-{value}"])
def test_ids_of_any_type(annotations, convert):
    def change(content):
        for entry in content["annotations"]:
            entry["image_id"] = convert(entry["image_id"])
        if convert("1") != 1.0:
            for image in content["images"]:
                image["id"] = convert(image["id"])

    poses, _ = annotations(change)
    assert poses.labels["image"].tolist() == [f"frame_{i:06d}.png" for i in range(3)]


def test_sizes_that_are_missing_are_reported_once(annotations):
    def change(content):
        for image in content["images"]:
            del image["width"]

    poses, messages = annotations(change)
    assert (poses.image_size == SIZE).all()
    assert len(messages) == 1 and "assuming 640 x 480" in messages[0]


# --- files that cannot be used ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.xml", "<?xml?><annotations><image/></annotations>", "CVAT XML.*COCO Keypoints"),
        ("a.yml", "%YAML:1.0", "--write_json"),
        ("a.json", '{"shapes": [], "imagePath": "a"}', "LabelMe"),
        ("a.json", '{"_via_img_metadata": {}}', "VGG"),
        ("a.h5", "", "HDF5.*CSV"),
        ("a.slp", "text", "SLEAP project.*Analysis HDF5"),
        ("b.hdf5", "text", "SLEAP.*CSV"),
        ("a.pkl", "", "a pickle.*JSON"),
        ("a.json", '{"people": [{"pose_keypoints_3d": [1, 2, 3, 1]}]}', "without --3d"),
        ("a.json", '[{"pose_world_landmarks": [{"x": 1, "y": 1, "z": 1}]}]', "pose_landmarks"),
    ],
)
def test_known_files_that_cannot_be_used(name, text, message, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=f"{name}.*{message}"):
        keypoints.read(tmp_path / name)


def test_markers_in_3d_are_refused(tmp_path):
    path = writers.trc(writers.clip("halpe_26"), tmp_path)
    path.write_text(path.read_text().replace("\tpx\t", "\tm\t"))
    with pytest.raises(ValueError, match="3D markers or metres.*_px_"):
        keypoints.read(path, image_size=SIZE)


def test_an_array_of_one_frame_is_one_person_in_many(tmp_path):
    """Lifting demos save (1, frames, joints, 2): the first dimension is the person."""
    clip = writers.clip("coco_17", frames=3)
    np.save(tmp_path / "a.npy", clip.points[None])
    recording = keypoints.read_recording(tmp_path / "a.npy", image_size=SIZE)
    assert recording.poses.labels["frame"].tolist() == [0, 1, 2]
    assert any("one person in 3 frames" in message for message in recording.messages)


def test_json_lines(tmp_path):
    clip = writers.clip("coco_17")
    entries = json.loads(writers.coco_results(clip, tmp_path).read_text())
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, entries)))
    check(keypoints.read_recording(tmp_path / "a.jsonl", image_size=SIZE), clip)
    (tmp_path / "a.jsonl").write_text('{"image_id": 1}\n{"image')
    with pytest.raises(ValueError, match="a.jsonl is not JSON"):
        keypoints.read(tmp_path / "a.jsonl", image_size=SIZE)


def test_an_npz_that_unpacks_to_gigabytes_is_refused(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", keypoints=np.zeros((1 << 26,)))
    with pytest.raises(ValueError, match=r"a\.npz contains 0\.5 GB"):
        keypoints.read(tmp_path / "a.npz")


# --- large files --------------------------------------------------------------------------------


def test_json_is_parsed_in_chunks(tmp_path, monkeypatch):
    from camerapose.io.keypoints import _stream

    monkeypatch.setattr(_stream, "CHUNK", 50)
    monkeypatch.setattr(_stream, "ROWS", 2)
    clip = writers.clip("coco_17", frames=9, people=2)
    for writer in (writers.coco, writers.alphapose, writers.mmpose_demo):
        check(keypoints.read_recording(writer(clip, tmp_path), image_size=SIZE), clip)
