"""Standard deviations and time constants of the terms of the clip optimisation."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Weights:
    """Standard deviations and time constants of the terms.

    Errors of a detector or lifter are correlated over time: a term of time constant tau counts once
    per tau seconds, or once per frame if frames are further apart.
    """

    pixel_scale: float = 1.5
    """Factor of the standard deviations of the detections."""
    pixel_time: float = 0.1
    """Time constant of detection errors, seconds."""
    lifter_time: float = 0.5
    """Time constant of the lifter's errors, seconds."""
    robust: float = 4.0
    """Squared residual (in standard deviations) at which the weight of a detection is halved."""
    root_acceleration: float = 2.0
    """Square root of the power density of the root's acceleration along the image axes, m/s^2 per
    sqrt(Hz)."""
    depth_acceleration: float = 0.7
    """The same along the optical axis: smaller, since errors of the depth are correlated."""
    bone_acceleration: float = 14.0
    """The same for bone directions, 1/s^2 per sqrt(Hz)."""
    contact_speed: float = 0.05
    """Standard deviation of the velocity of a foot in contact, m/s."""
    contact_time: float = 0.1
    """Its time constant, seconds."""
    floor: float = 0.06
    """Standard deviation of the height of a foot in contact, metres."""
    floor_time: float = 0.5
    """Its time constant, seconds; a longer stance counts once."""
    below_floor: float = 0.03
    """Standard deviation of the height of ankles below their standing height, metres."""
    sole: float = 0.01
    """Standard deviation of the height of heels and toes below the floor, metres."""
    sole_time: float = 0.1
    """Its time constant, seconds."""
    vertical: float = 1.0
    """Factor of the standard deviations of the vertical that a pose indicates."""
    vertical_time: float = 1.0
    """Its time constant, seconds."""
