"""The command `camerapose`. Each subcommand imports what it needs when it runs."""

import os
import sys
import tomllib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from tyro.conf import Positional, arg

import camerapose

DESCRIPTION = """3D human pose and camera from one image.

    camerapose demo                                 a sample video, to see what it does
    camerapose predict photo.jpg --out result       an image, a folder, a video or keypoints
    camerapose data check human36m --root data/h36m
    camerapose figure gallery result --input photos --out gallery.png
    camerapose serve                                the same in a browser
    camerapose train configs/quick.toml --out runs/quick
    camerapose evaluate runs/quick --dataset human36m --root data/h36m
    camerapose adapt person_keypoints.json --out runs/mine
    camerapose export runs/quick --out my.onnx

Every subcommand has its own --help."""

#: Options that may be left out, without "None" in the help.
MaybePath = Annotated[Path | None, arg(metavar="PATH")]
MaybeName = Annotated[str | None, arg(metavar="NAME")]
MaybeInt = Annotated[int | None, arg(metavar="INT")]
MaybeFloat = Annotated[float | None, arg(metavar="FLOAT")]

#: What the learning side is installed with.
LEARNING = ("torch", "roma", "safetensors", "tensorboard", "onnx", "onnxscript", "scipy")
#: Exit statuses: nobody was found; data are not as published; wrong input or setting; Ctrl-C.
NOBODY, UNLIKE, WRONG, INTERRUPTED = 1, 1, 2, 130


def predict(
    input: Positional[Annotated[tuple[str, ...], arg(metavar="INPUT ...")]],
    out: Path,
    weights: MaybePath = None,
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
        weights: .onnx file or folder of a training; without it the weights of this package; exact
            for its others, for 2D that is exact and whole.
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

    return 0 if len(run(given, out, **settings)) else NOBODY


def _predict_each(
    inputs: Any, out: Path, engine: str, workers: int | None, again: bool, settings: dict[str, Any]
) -> int:
    from camerapose.infer.batch import predict_each as run

    found = run(inputs, out, engine=engine, workers=workers, again=again, **settings)
    failed = [outcome.name for outcome in found if outcome.state == "failed"]
    print(f"results in {out}")
    if failed:
        some = ", ".join(failed[:5]) + (", ..." if len(failed) > 5 else "")
        return _fail(f"{len(failed)} of {len(found)} inputs failed: {some}", WRONG)
    return 0 if any(outcome.poses for outcome in found) else NOBODY


def figure(
    kind: Positional[Literal["keypoints", "compare", "gallery", "steps"]],
    results: Positional[Annotated[tuple[Path, ...], arg(metavar="RESULT ...")]],
    out: Path,
    input: MaybePath = None,
    frames: Annotated[tuple[int, ...], arg(metavar="INT ...")] = (),
    most: MaybeInt = None,
) -> int:
    """A picture of results, for a paper or a page.

        camerapose predict walk.mp4 --out result
        camerapose figure keypoints result --input walk.mp4 --out keypoints.png
        camerapose figure gallery result --input walk.mp4 --frames 0 25 60 --out gallery.pdf

        camerapose predict walk.mp4 --out mine --weights runs/mine
        camerapose figure compare result mine --input walk.mp4 --out compare.png

    Args:
        kind: keypoints: 2D joints and their confidences. compare: two models side by side, with
            arrows where they differ. gallery: 2D and 3D of many images. steps: detected 2D, 3D
            and reprojection, as predict draws them.
        results: folder of a `camerapose predict`; two for compare.
        out: the picture; .png, .jpg, .pdf or .svg.
        input: the photo, folder of images or video that the results are of; without it poses
            stand on a plain ground.
        frames: numbers of the frames to show, from 0; without it some, evenly spread.
        most: how many frames to show where --frames doesn't say.
    """
    from camerapose.view.figures import figure as draw

    print(f"wrote {draw(kind, results, out, source=input, frames=frames, most=most)}")
    return 0


def serve(
    host: str = "127.0.0.1",
    port: int = 7860,
    weights: MaybePath = None,
    detector: Annotated[str, arg(metavar="NAME")] = "blazepose",
    model: Annotated[str, arg(metavar="NAME")] = "auto",
    max_megabytes: float = 200,
    max_seconds: float = 60,
    keep_minutes: float = 60,
    threads: MaybeInt = None,
    browser: bool = False,
) -> int:
    """A page in the browser: drop a photo or a video, turn the 3D, download the files.

        camerapose serve --browser

    Uploads and results are deleted when their page is closed, and all of them when this ends
    (Ctrl-C). Nothing is loaded from or sent to the internet.

    Args:
        host: 127.0.0.1 is for this computer alone; 0.0.0.0 for everyone who can reach it.
        port: TCP port.
        weights: .onnx file or folder of a training; without it the weights of this package.
        detector: what finds 2D keypoints in images.
        model: the detector's model; auto is heavy for photos and full for video.
        max_megabytes: of an upload.
        max_seconds: of a video; what comes after is left out.
        keep_minutes: how long uploads and results are kept at most.
        threads: processor threads; without it all cores.
        browser: open the page in the browser.
    """
    from camerapose.server.page import Limits
    from camerapose.server.page import serve as run

    run(host, port, weights=weights, detector=detector, model=model, threads=threads,
        limits=Limits(max_megabytes, max_seconds, keep_minutes), browser=browser)  # fmt: skip
    return 0


def train(
    config: Positional[Path],
    out: Path,
    set: Annotated[tuple[str, ...], arg(metavar="KEY=VALUE ...")] = (),
    devices: MaybeInt = None,
    nodes: int = 1,
) -> int:
    """Train refinement, warm-up and joint stage.

    Repeat the command to go on after an interruption:

        camerapose train configs/smoke.toml --out runs/smoke      synthetic poses, under a minute
        camerapose train configs/quick.toml --out runs/quick      Human3.6M and MPII
        camerapose train configs/quick.toml --out runs/q3 --set joint.epochs=3 data.mpii=/d/mpii
        camerapose train configs/paper.toml --out runs/paper --devices 4         four GPUs
        torchrun --nproc-per-node 4 --nnodes 2 ... -m camerapose.cli train ...   two machines

    Several devices share each batch, and learn what one would (docs/scale.md).

    Args:
        config: TOML with what differs from the paper's settings.
        out: run folder: metrics.jsonl, pictures, and checkpoint/ with model.onnx at the end.
        set: settings that differ from the file's, by their names in it.
        devices: GPUs of this machine (with device=cpu: processes) that train together; without it
            one, or as many as torchrun started.
        nodes: machines that train together; run the same command on each.
    """
    # Threads that wait without spinning: on a busy machine training is several times faster.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from camerapose.train import config as settings
    from camerapose.train.trainer import train as run

    chosen = settings.read(config)
    for item in set:
        chosen = settings.update(chosen, _assignment(item), "--set")
    run(chosen, out, devices=devices, nodes=nodes)
    return 0


def _assignment(item: str) -> dict[str, Any]:
    """`joint.epochs=3` as nested tables; what is no TOML value is a string."""
    key, equals, value = item.partition("=")
    if not equals:
        raise ValueError(f"--set takes KEY=VALUE, such as joint.epochs=3; it got {item!r}")
    try:
        return tomllib.loads(f"{key} = {value}")
    except tomllib.TOMLDecodeError:
        return tomllib.loads(f"{key} = {_quoted(value)}")


def _quoted(text: str) -> str:
    """A TOML string; its escapes are JSON's."""
    import json

    return json.dumps(text)


def evaluate(
    weights: Positional[str],
    root: Path,
    dataset: Annotated[str, arg(metavar="NAME")] = "human36m",
    detections: MaybeName = None,
    subjects: tuple[str, ...] = ("S9", "S11"),
    frame_step: int = 1,
    mirror: bool = False,
    turned: bool = False,
    json: MaybePath = None,
) -> int:
    """Print errors by action and over all, with the protocol they were measured by.

    Args:
        weights: a run folder, a checkpoint folder, a .safetensors file or an exported .onnx graph;
            "bundled" and "exact" for those of this package.
        root: folder of the data set's files.
        dataset: which protocol: human36m; unlike_landscape, unlike_portrait (Human3.6M's poses
            through other cameras); humaneva; mpi_inf_3dhp, mpi_inf_3dhp_14 (its official 14
            joints); pw3d_16, pw3d_14, pw3d_24 (3DPW by number of joints); ski_pose; mpii
            (reprojection only).
        detections: NAME of data_2d_h36m_NAME.npz to take as 2D, or poses2d of 3DPW; without it
            ground truth.
        subjects: of Human3.6M.
        frame_step: take every so many frames.
        mirror: average over the mirrored input.
        turned: average over five views: the image's own and four by cameras turned by 5 degrees.
        json: also write the numbers here.
    """
    from camerapose.evaluate.run import evaluate as run

    run(weights, dataset, root, detections=detections, subjects=subjects, frame_step=frame_step,
        mirror=mirror, turned=turned, json_file=json)  # fmt: skip
    return 0


def adapt(
    annotations: Positional[Path],
    out: Path,
    weights: str = "bundled",
    skeleton: MaybeName = None,
    image_size: Annotated[tuple[int, int] | None, arg(metavar="WIDTH HEIGHT")] = None,
    human36m: MaybePath = None,
    held_out: float = 0.2,
    steps: MaybeInt = None,
    images: MaybePath = None,
    seed: int = 0,
) -> int:
    """Tune a model with your own 2D annotations; no 3D label is needed.

    A fifth of the images is kept aside to measure on, before and after:

        camerapose adapt person_keypoints.json --out runs/mine
        camerapose predict video.mp4 --out result --weights runs/mine

    Args:
        annotations: COCO keypoints as annotation tools write them, or any other keypoints.
        out: folder for model.onnx, model.safetensors, adapt.json and adapt.png.
        weights: what to begin from: a run folder, a .safetensors file or "bundled".
        skeleton: joint format of annotations that don't say it.
        image_size: of annotations that don't say it, in pixels.
        human36m: folder of Human3.6M, to hold on to true pairs instead of made bodies.
        held_out: share of the images to measure on.
        steps: iterations; without it by the number of annotations.
        images: folder of the annotated images, to draw some of the people on before and after.
        seed: of everything random.
    """
    from camerapose.train.finetune import adapt as run

    found = run(weights, annotations, out, skeleton=skeleton, image_size=image_size,
                human36m=human36m, held_out=held_out, steps=steps, images=images,
                seed=seed)  # fmt: skip
    names = {"reprojection_error": ("reprojection error, pixels", 1.0),
             "implausible_bones": ("bones outside human proportions, %", 100.0),
             "asymmetry": ("left and right differ by, %", 100.0),
             "replay_mpjpe": (f"MPJPE on the replay ({found['replay']}), mm", 1.0)}  # fmt: skip
    print(f"learned from {found['learned_from']} people, measured on {found['measured_on']} others")
    print(f"{'':44}{'before':>10}{'after':>10}")
    for key, (name, unit) in names.items():
        before, after = (found[when][key] * unit for when in ("before", "after"))
        print(f"{name:44}{before:10.2f}{after:10.2f}")
    print(f"wrote {out} (camerapose predict VIDEO --weights {out} --out DIR)")
    return 0


def data(
    action: Positional[Literal["list", "prepare", "check", "show"]],
    name: Annotated[Positional[str | None], arg(metavar="NAME")] = None,
    root: MaybePath = None,
    set: Annotated[tuple[str, ...], arg(metavar="KEY=VALUE ...")] = (),
    out: MaybePath = None,
    n: int = 4,
    seed: int = 0,
    images: MaybePath = None,
) -> int:
    """List data sets, prepare one from its owners' files, check it, draw some of it.

        camerapose data list
        camerapose data prepare human36m --root data/h36m

    Args:
        action: list: what there is. prepare: read the files once and keep what was read; an
            interrupted one goes on. check: what is missing or differs; the exit status is then 1.
            show: draw samples.
        name: of the data set.
        root: folder of its files; without it data/NAME (data/h36m).
        set: its options, such as subjects=S9,S11 frame_step=5.
        out: picture that show writes; without it NAME.png.
        n: how many poses to show.
        seed: of the poses to show.
        images: folder of the images to draw on, where the data name them.
    """
    from camerapose.core import plugins
    from camerapose.data import catalog as sets

    if action == "list":
        for entry in sets.entries():
            print(f"{entry.name:14} {entry.about}\n{'':14} {entry.state}")
        return 0
    if name is None:
        raise ValueError(f"which data set? There are {', '.join(plugins.available('datasets'))}")
    chosen = sets.options(plugins.load("datasets", name), set)
    if action == "prepare":
        poses, folder = sets.prepare(name, root, chosen)
        print(f"{name}: {len(poses):,} poses of {poses.skeleton.name}, kept in {folder}")
        return 0
    if action == "show":
        picture = out or Path(f"{name}.png")
        path = sets.show(name, picture, root, chosen, n=n, seed=seed, images=images)
        print(f"wrote {path}")
        return 0
    report = sets.check(name, root, chosen)
    print("\n".join(report.lines))
    for problem in report.problems:
        print(f"PROBLEM: {problem}")
    print(f"{len(report.problems)} problems" if report.problems else "no problems")
    return UNLIKE if report.problems else 0


def export(
    checkpoint: Positional[Path],
    out: Path,
    half: bool = False,
    int8: bool = False,
    license: str = "",
) -> int:
    """Write a checkpoint as one ONNX graph, which `camerapose predict` runs, and beside it the
    .safetensors from which evaluation and training go on.

    Args:
        checkpoint: a run folder, a checkpoint folder or a .safetensors file.
        out: the .onnx file to write.
        half: store weights in half precision.
        int8: weights and products in eight bits: faster, and a little less exact.
        license: of the weights; without it what the checkpoint says.
    """
    from camerapose.models.weights import export_checkpoint

    for file in export_checkpoint(checkpoint, out, half=half, license=license, int8=int8):
        print(f"wrote {file} ({file.stat().st_size / 1e6:.1f} MB)")
    return 0


def demo(out: Path = Path("demo")) -> int:
    """Predict the people of a sample video; the video and the detector are fetched once.

    Args:
        out: folder for poses.npz, poses.json and the picture.
    """
    from camerapose.infer.demo import demo as run

    run(out)
    print(f"look at {out / 'poses.png'}")
    return 0


COMMANDS = {
    "predict": predict,
    "figure": figure,
    "serve": serve,
    "demo": demo,
    "data": data,
    "train": train,
    "evaluate": evaluate,
    "adapt": adapt,
    "export": export,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand; returns the exit status.

    Errors that a user can mend are one line on stderr and status 2. $CAMERAPOSE_DEBUG shows where
    they came from.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    if argv == ["--version"]:
        print(f"camerapose {camerapose.__version__}")
        return 0
    argv = argv or ["--help"]
    warnings.showwarning = _show_warning
    try:
        return tyro.extras.subcommand_cli_from_dict(
            COMMANDS, prog="camerapose", description=DESCRIPTION, args=argv
        )
    except KeyboardInterrupt:
        return _fail("interrupted; what was done until now is kept", INTERRUPTED)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in LEARNING:
            raise
        return _fail(
            f"this needs {error.name}, which using camerapose does not and learning does; "
            'install it with pip install "camerapose[train]"',
            WRONG,
        )
    except (ValueError, OSError) as error:
        if os.environ.get("CAMERAPOSE_DEBUG"):
            raise
        return _fail(str(error) or type(error).__name__, WRONG)


def _fail(message: str, status: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return status


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    """Warnings without the place in the code that they come from."""
    print(f"warning: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
