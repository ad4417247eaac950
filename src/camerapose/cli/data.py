"""The command `camerapose data`."""

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from camerapose.cli.options import DIFFERENT, MaybePath


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
    return DIFFERENT if report.problems else 0
