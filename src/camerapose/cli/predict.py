"""The command `camerapose predict`."""

from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from camerapose.cli.options import (
    NO_PERSON,
    WRONG_INPUT,
    MaybeFloat,
    MaybeInt,
    MaybeName,
    Out,
    Weights,
    fail,
)


def predict(
    input: Positional[Annotated[tuple[str, ...], arg(metavar="INPUT ...")]],
    out: Out,
    weights: Weights = "default",
    detector: Annotated[str, arg(metavar="NAME")] = "blazepose",
    model: Annotated[str, arg(metavar="NAME")] = "auto",
    max_people: int = 1,
    start: MaybeInt = None,
    end: MaybeInt = None,
    stride: int = 1,
    skeleton: MaybeName = None,
    image_size: Annotated[tuple[int, int] | None, arg(metavar="WIDTH HEIGHT")] = None,
    height: MaybeFloat = None,
    focal: MaybeFloat = None,
    static_camera: bool = False,
    smooth: MaybeFloat = None,
    fill_gaps: float = 0.0,
    export: Annotated[tuple[str, ...], arg(metavar="NAME ...")] = (),
    ground: bool = False,
    overlay: bool = False,
    report: bool = False,
    picture: bool = True,
    threads: MaybeInt = None,
    engine: MaybeName = None,
    workers: MaybeInt = None,
    again: bool = False,
) -> int:
    """3D poses and cameras of people in images, a video, a webcam's pictures or keypoints.

    Writes poses.npz, poses.json (2D, 3D in metres, camera in pixels) and pictures into --out:

        camerapose predict walk.mp4 --out result
        camerapose predict walk.mp4 --out result --height 1.75 --static-camera
        camerapose predict photos/ --out result --max-people 4
        camerapose predict 'photos/*.jpg' --out result
        camerapose predict 0 --out result
        camerapose predict openpose_json/ --out result --image-size 1920 1080

    With --engine each of many inputs gets a folder of its own in --out, and what is finished is
    not done again (docs/scale.md):

        camerapose predict 'videos/*.mp4' --out results --engine local     one after another
        camerapose predict 'videos/*.mp4' --out results --engine ray       on all cores

    The exit status is 1 if nobody was found, 2 if something was wrong.

    Args:
        input: image or images, folder of images, video, number of a webcam (Ctrl-C ends it), or
            keypoints (COCO, OpenPose, AlphaPose, our own).
        out: folder for the results; made if it is not there.
        weights: default; clean for complete 2D without noise; a run folder, a checkpoint folder or
            an .onnx file.
        detector: what finds 2D keypoints in images: blazepose, heatmap or rtmlib.
        model: the detector's model; auto is heavy for images and full for video.
        max_people: how many people to look for in an image.
        start: first frame, from 0.
        end: the frame to stop before.
        stride: take every so many frames.
        skeleton: joint format of keypoints whose file doesn't say it, such as coco_17.
        image_size: of keypoints whose file doesn't say it, in pixels.
        height: of the people, in metres; makes size and distance right. Without it they are taken
            to be 1.70 on average; 0 leaves the network's guess.
        focal: of the camera in pixels, if you know it; that of photos is read from their EXIF.
        static_camera: the camera stands still; one focal length for the whole video.
        smooth: of movement: 1 is usual and done for video, 2 is calmer, 0 is off. Give it for
            keypoints that are frames of one video.
        fill_gaps: fill in where a person is not seen for at most so many seconds.
        export: also write files for other programs: csv, trc (OpenSim), c3d (motion capture), bvh
            (Blender), gltf (viewers, game engines).
        ground: in those files people stand upright on a floor, whichever way the camera looks; for
            a camera that keeps still.
        overlay: also write the video with the poses drawn on it, overlay.mp4.
        report: also write a page with 3D to turn and play, and curves over time, report.html.
        picture: draw image, 2D, 3D and reprojection.
        threads: processor threads; without it all cores (with the engine ray: one an input).
        engine: predict each input by itself: local, in this process; ray, in many, on this machine
            or on the cluster at $RAY_ADDRESS.
        workers: with the engine ray: inputs at a time; without it as many as there are cores.
        again: with an engine: also do what is finished.
    """
    if not input:
        raise ValueError("nothing to look at; give a file, such as photo.jpg, or 0 for a webcam")
    settings = dict(
        weights=weights, detector=detector, model=model, max_people=max_people,
        start=start, end=end, stride=stride, skeleton=skeleton, image_size=image_size,
        height=height, focal=focal, static_camera=static_camera, smooth=smooth, fill_gaps=fill_gaps,
        export=export, ground=ground,
        overlay=overlay, report=report, picture=picture, threads=threads,
    )  # fmt: skip
    given = input[0] if len(input) == 1 else input
    if engine is not None:
        return _predict_each(given, out, engine, workers, again, settings)
    if workers is not None or again:
        raise ValueError("--workers and --again are of many inputs; give --engine local or ray")
    from camerapose.infer.pipeline import predict as run

    return 0 if len(run(given, out, **settings)) else NO_PERSON


def _predict_each(
    inputs: Any, out: Path, engine: str, workers: int | None, again: bool, settings: dict[str, Any]
) -> int:
    from camerapose.infer.batch import predict_each as run

    found = run(inputs, out, engine=engine, workers=workers, again=again, **settings)
    failed = [outcome.name for outcome in found if outcome.state == "failed"]
    print(f"results in {out}")
    if failed:
        some = ", ".join(failed[:5]) + (", ..." if len(failed) > 5 else "")
        return fail(f"{len(failed)} of {len(found)} inputs failed: {some}", WRONG_INPUT)
    return 0 if any(outcome.poses for outcome in found) else NO_PERSON
