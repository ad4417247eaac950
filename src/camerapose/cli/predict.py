"""The command `camerapose predict`."""

from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from camerapose.cli.options import NO_PERSON, WRONG_INPUT, Out, fail
from camerapose.infer.options import PredictOptions


def predict(
    input: Positional[Annotated[tuple[str, ...], arg(metavar="INPUT ...", help_behavior_hint="")]],
    out: Out,
    options: Annotated[PredictOptions, arg(name="")],
    engine: Annotated[str | None, arg(metavar="NAME", help_behavior_hint="")] = None,
    workers: Annotated[int | None, arg(metavar="INT", help_behavior_hint="")] = None,
    again: bool = False,
) -> int:
    """Predict 3D poses and cameras of people in images, a video, a webcam or keypoints.

    Writes poses.npz, poses.json (2D, 3D in metres, camera in pixels) and figures to --out:

        camerapose predict walk.mp4 --out result
        camerapose predict walk.mp4 --out result --height 1.75 --static-camera
        camerapose predict photos/ --out result --max-people 4
        camerapose predict 'photos/*.jpg' --out result
        camerapose predict 0 --out result
        camerapose predict openpose_json/ --out result --image-size 1920 1080

    With --engine, every input gets its own folder in --out, and inputs that are already finished
    are skipped:

        camerapose predict 'videos/*.mp4' --out results --engine local     one after another
        camerapose predict 'videos/*.mp4' --out results --engine ray       on all cores

    The exit status is 1 if no person was detected and 2 on errors.

    Args:
        input: images, folder of images, video, number of a webcam, or keypoint file or folder.
        out: folder for the results, created if needed
        options: see the class.
        engine: predict every input separately: local (in this process) or ray (in parallel)
        workers: number of inputs in parallel, for --engine ray (default: number of cores)
        again: with --engine, also predict inputs that are already finished
    """
    if not input:
        raise ValueError("no input given; give a file, such as photo.jpg, or 0 for a webcam")
    source = input[0] if len(input) == 1 else input
    if engine is not None:
        return _predict_each(source, out, options, engine, workers, again)
    if workers is not None or again:
        raise ValueError("--workers and --again require --engine local or --engine ray")
    from camerapose.infer.pipeline import predict as run

    return 0 if len(run(source, out, options, log=print)) else NO_PERSON


def _predict_each(
    inputs: Any, out: Path, options: PredictOptions, engine: str, workers: int | None, again: bool
) -> int:
    from camerapose.infer.batch import predict_each as run

    results = run(inputs, out, options, engine=engine, workers=workers, again=again, log=print)
    failed = [result.name for result in results if result.state == "failed"]
    print(f"results in {out}")
    if failed:
        names = ", ".join(failed[:5]) + (", ..." if len(failed) > 5 else "")
        return fail(f"{len(failed)} of {len(results)} inputs failed: {names}", WRONG_INPUT)
    return 0 if any(result.poses for result in results) else NO_PERSON
