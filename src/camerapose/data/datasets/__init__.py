"""Data sets: one file each, named as the data set is called.

An adapter is a module with one function,

    def load(root, *, ...plain keyword options with defaults...) -> Poses

that reads what stands under `root` in the data set's usual layout and returns everything in one
`Poses` (numpy, float32): `pose2d` in normalised coordinates (`camerapose.core.camera.normalize`),
joints that are not annotated with confidence 0, `pose3d` in the camera frame in metres and
absolute, `image_size`, and labels to tell poses apart. It keeps the joint format of the data set,
or offers those that it truly has; other formats are made by `Poses.to`. Where cameras are
known they have no rotation, since poses live in the camera's frame, and their translation is the
root's place. What is missing or unlike the layout is a `FileNotFoundError` or `ValueError` that
says what came, what was expected and where the data set is to be had.

It may have more:

    def files(root, **options) -> list[Path]

naming the files that `load` would read, so that `camerapose.data.cache` knows when to prepare it
again; without it, all files under `root` count;

    def parts(root, **options) -> list[tuple[str, Callable[[], Poses | None]]]

which gives what `load` gives in pieces, in its order, each with a name and made when it is called
(None: it is empty), so that memory holds one at a time and an interruption keeps those that are
done;

    def expected(**options) -> dict[str, dict[str, int | None]]

how many poses the published data have, by label (or several, "subject/action") and value ("S1"; a
sum is "S5+S7"; None is any number), for `camerapose data check`; and `ROOT`, the folder in which
the files are looked for unless it is said. Adapters know no network and import no torch; packages
that only one adapter needs are imported inside it.
"""
