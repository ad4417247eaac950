"""The command `camerapose weights`."""


def weights() -> int:
    """List weights: size, speed, error, and the command that builds those not in the package.

        camerapose weights

    MPJPE and PA-MPJPE: Human3.6M, S9 and S11, ground-truth 2D, flip averaging, mm. Speed: processor
    time for 1,024 poses on one thread.
    """
    from camerapose import weights as listed

    print(listed.table())
    return 0
