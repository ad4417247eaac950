"""The command `camerapose demo`."""

from pathlib import Path

from camerapose.cli.options import Out


def demo(out: Out = Path("demo")) -> int:
    """Run predict on a sample video, downloading video and detector once.

        camerapose demo -o demo

    Args:
        out: folder for poses.npz, poses.json and the figure.
    """
    from camerapose.infer.demo import demo as run

    run(out, log=print)
    print(f"see {out / 'poses.png'}")
    return 0
