"""The command `camerapose demo`."""

from pathlib import Path


def demo(out: Path = Path("demo")) -> int:
    """Predict the people of a sample video; the video and the detector are fetched once.

    Args:
        out: folder for poses.npz, poses.json and the picture.
    """
    from camerapose.infer.demo import demo as run

    run(out)
    print(f"look at {out / 'poses.png'}")
    return 0
