"""Data sets: one module or package each, named as the data set is called.

An adapter is a module with one function,

    def load(root, *, ...plain keyword options with defaults...) -> Poses

that reads the files in `root` in the data set's usual layout and returns one `Poses` (numpy,
float32) with `pose2d` in normalised coordinates (`camerapose.core.camera.normalize`), confidence 0
for joints that are not annotated, `pose3d` in the camera frame in metres, `image_size`, and labels
that identify each pose. It keeps the joint format of the data set, or offers the formats that the
data set really has; others are made by `Poses.to`. Known cameras have no rotation, since poses are
in the camera frame, and their translation is the position of the root. Missing files and unexpected
content raise `FileNotFoundError` or `ValueError` with what was received, what is expected and how
to obtain the data set.

Optional members:

    def files(root, **options) -> list[Path]

returns the files that `load` reads, so that `camerapose.data.cache` detects changes; without it,
all files in `root` count;

    def make(root) -> Any

makes files that `load` reads from others, if they are missing; interrupted, it resumes;

    def parts(root, **options) -> list[tuple[str, Callable[[], Poses | None]]]

returns the result of `load` in parts, in order: a name, and a function that loads the part (None if
it is empty). Only one part at a time is in memory, and an interrupted preparation keeps completed
parts;

    def expected(**options) -> dict[str, dict[str, int | None]]

returns the published number of poses for `camerapose data check`, by label (or several,
"subject/action") and value ("S1"; "S5+S7" is a sum; None: at least one);

    ROOT

is the folder used if none is given (default: `data/NAME`). Adapters know no network and do not
import torch; packages that only one adapter needs are imported inside it.
"""
