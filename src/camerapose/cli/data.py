"""The commands `camerapose data list|prepare|check|show`."""

from pathlib import Path
from typing import Annotated

import numpy as np
from tyro.conf import Positional, arg

from camerapose.cli.options import DIFFERENT, FIGURE_SUFFIXES, MaybePath, check_suffix

Name = Positional[Annotated[str, arg(metavar="NAME")]]
Settings = Annotated[tuple[str, ...], arg(metavar="KEY=VALUE ...")]
MaybeOut = Annotated[Path | None, arg(metavar="PATH", aliases=["-o"])]


def list_datasets() -> int:
    """List all data sets and whether their files are present.

    camerapose data list
    """
    from camerapose.data import catalog

    for entry in catalog.entries():
        print(f"{entry.name:14} {entry.summary}\n{'':14} {entry.state}")
    return 0


def prepare(
    name: Name,
    root: MaybePath = None,
    set: Settings = (),
    detector: str | None = None,
    model: str | None = None,
) -> int:
    """Read a data set once and cache it; an interrupted run resumes.

        camerapose data prepare human36m --root data/h36m
        camerapose data prepare human36m --root data/h36m --set subjects=S9,S11 frame_step=5
        camerapose data prepare rendered --detector blazepose --model heavy --set n=1000

    Args:
        name: data set, as printed by `camerapose data list`.
        root: folder of its files; default: data/NAME (human36m: data/h36m).
        set: options of the data set, such as subjects=S9,S11 frame_step=5.
        detector: detector plug-in of data sets that run one; same as --set detector=NAME.
        model: model of the detector; same as --set model=MODEL.
    """
    from camerapose.data import catalog

    given = {"detector": detector, "model": model}
    own = tuple(f"{key}={value}" for key, value in given.items() if value is not None)
    poses, folder = catalog.prepare(name, root, catalog.parse_options(name, (*set, *own)))
    if folder is None:
        raise OSError(f"{name} was read, but could not be cached (see the warning above)")
    print(f"{name}: {len(poses):,} poses ({poses.skeleton.name}), cached in {folder}")
    return 0


def check(name: Name, root: MaybePath = None, set: Settings = ()) -> int:
    """Compare a data set with its published counts and check its values.

        camerapose data check human36m --root data/h36m

    The exit status is 1 if there are problems.

    Args:
        name: data set, as printed by `camerapose data list`.
        root: folder of its files; default: data/NAME (human36m: data/h36m).
        set: options of the data set, such as subjects=S9,S11 frame_step=5.
    """
    from camerapose.data import catalog
    from camerapose.data.check import check as run

    report = run(name, root, catalog.parse_options(name, set))
    print("\n".join(report.lines))
    for problem in report.problems:
        print(f"PROBLEM: {problem}")
    print(f"{len(report.problems)} problems" if report.problems else "no problems")
    return DIFFERENT if report.problems else 0


def show(
    name: Name,
    root: MaybePath = None,
    set: Settings = (),
    out: MaybeOut = None,
    n: int = 4,
    seed: int = 0,
    images: MaybePath = None,
) -> int:
    """Draw random poses: 2D, 3D from two sides, and the projection of the 3D.

        camerapose data show human36m --root data/h36m -o poses.png
        camerapose data show mpii --images data/mpii/images --n 8

    Args:
        name: data set, as printed by `camerapose data list`.
        root: folder of its files; default: data/NAME (human36m: data/h36m).
        set: options of the data set, such as subjects=S9,S11 frame_step=5.
        out: figure to write (.png, .jpg, .pdf or .svg); default: NAME.png.
        n: number of poses.
        seed: seed of the random choice.
        images: folder of the images to draw on, if the data set names them.
    """
    if not 1 <= n <= 1000:
        raise ValueError(f"--n is {n}; give 1 to 1000")
    if seed < 0:
        raise ValueError(f"--seed is {seed}; give 0 or more")
    path = out or Path(f"{name}.png")
    check_suffix(path, FIGURE_SUFFIXES)
    from camerapose.data import catalog
    from camerapose.view.frames import draw_samples
    from camerapose.view.layout import save_figure
    from camerapose.view.samples import sample_row

    poses, _ = catalog.prepare(name, root, catalog.parse_options(name, set))
    rows = np.sort(np.random.default_rng(seed).permutation(len(poses))[:n])
    figure = draw_samples([sample_row(poses[[row]], images) for row in rows])
    print(f"wrote {save_figure(figure, path)}")
    return 0
