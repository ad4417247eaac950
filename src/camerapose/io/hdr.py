"""Convert high-dynamic-range video (BT.2020 with PQ or HLG) to standard RGB.

Transfer functions: SMPTE ST 2084 (PQ), ARIB STD-B67 (HLG); system gamma and primaries: ITU-R
BT.2100 and BT.2087; tone curve: Reinhard et al. 2002, Eq. 4.
"""

import functools

import numpy as np
from PIL import Image, ImageFilter

#: Values of the transfer characteristic (ITU-T H.273): SMPTE ST 2084 and ARIB STD-B67.
PQ, HLG = 16, 18
#: Luminance in cd/m2 of diffuse white (ITU-R BT.2408), and of the brightest highlight kept.
WHITE, PEAK = 203.0, 1000.0
#: Samples per axis of the lookup table.
SAMPLES = 65
_BT2020_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)
_LUMINANCE_2020 = np.array([0.2627, 0.6780, 0.0593])


def tone_map(image: np.ndarray, transfer: int) -> np.ndarray:
    """Tone-map an image with 8-bit PQ or HLG values (height, width, 3) to 8-bit sRGB."""
    table = ImageFilter.Color3DLUT(SAMPLES, _table(transfer).ravel().tolist())
    return np.asarray(Image.fromarray(image).filter(table))


@functools.cache
def _table(transfer: int) -> np.ndarray:
    """Return sRGB values (blue, green, red, 3) for a grid of coded values."""
    axis = np.linspace(0, 1, SAMPLES)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    coded = np.stack([red, green, blue], axis=-1)
    light = (_pq_light(coded) if transfer == PQ else _hlg_light(coded)) / WHITE
    luminance = np.maximum(light @ _LUMINANCE_2020, 1e-6)[..., None]
    mapped = luminance * (1 + luminance / (PEAK / WHITE) ** 2) / (1 + luminance)
    # The curve halves diffuse white; restore it, so that faces keep their brightness.
    linear = (light * (1.6 * mapped / luminance)) @ _BT2020_TO_BT709.T
    linear = linear.clip(0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return encoded.clip(0, 1)


def _pq_light(coded: np.ndarray) -> np.ndarray:
    """Return the displayed light in cd/m2 of PQ values in 0..1."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    power = coded ** (1 / m2)
    return 10000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)


def _hlg_light(coded: np.ndarray) -> np.ndarray:
    """Return the displayed light in cd/m2 of HLG values in 0..1, on a 1000 cd/m2 display."""
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    scene = np.where(coded <= 0.5, coded**2 / 3, (np.exp((coded - c) / a) + b) / 12)
    luminance = np.maximum(scene @ _LUMINANCE_2020, 1e-9)[..., None]
    return 1000 * luminance**0.2 * scene
