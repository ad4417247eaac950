"""Detect truncated and damaged files by the structure of their container.

Decoders accept what they can read, so the loss of frames goes unnoticed where the container
does not declare their number. Formats: GIF89a, PNG (W3C, section 5), RIFF, ISO 14496-12, EBML
(RFC 8794), MPEG-TS (ISO 13818-1), ASF (Advanced Systems Format, section 3.2), FLV (Adobe, Annex E).
"""

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

#: Sizes of MPEG-TS packets: plain, with time codes (AVCHD), with error correction.
TS_PACKETS = (188, 192, 204)
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_BOXES = {b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"uuid", b"meta",
          b"sidx", b"mfra", b"emsg", b"prft", b"udta"}  # fmt: skip


def damage(path: Path, demuxer: str = "") -> str | None:
    """Return why a file is truncated or damaged; None if it is complete or of another format.

    Args:
        demuxer: with which FFmpeg reads the file.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(16)
        file.seek(0)
        check = _check_of(head)
        if demuxer == "mpegts" and _packet_size(file, size) is None:
            return "it begins in the middle of a packet, or its first packets are damaged"
        file.seek(0)
        return check(file, size) if check else None


def _check_of(head: bytes) -> Callable[[BinaryIO, int], str | None] | None:
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return _gif
    if head[:8] == _PNG_SIGNATURE:
        return _png
    if head[:4] == b"RIFF":
        return _riff
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return _ebml
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
        return _boxes
    if head[:4] == b"FLV\x01":
        return _flv
    if head[:16] == _ASF:
        return _asf
    if head[:1] == b"G" or head[4:5] == b"G":
        return _transport_stream
    return None


def _another(file: BinaryIO, place: int, signature: bytes) -> str | None:
    """Return a message if another file begins where the first one has ended; None otherwise."""
    file.seek(place)
    if file.read(len(signature)) != signature:
        return None
    return f"another file begins at byte {place}; split it there"


def _gif(file: BinaryIO, size: int) -> str | None:
    head = file.read(13)
    if len(head) < 13:
        return "the file ends in its header"
    if head[10] & 0x80:
        file.seek(3 * (2 << (head[10] & 7)), os.SEEK_CUR)
    while True:
        block = file.read(1)
        if block == b";":
            return _another(file, file.tell(), b"GIF8") or _gif_pixels(file)
        if block == b"!":
            file.seek(1, os.SEEK_CUR)
        elif block == b",":
            descriptor = file.read(9)
            if len(descriptor) < 9:
                return "the file is truncated"
            colours = 3 * (2 << (descriptor[8] & 7)) if descriptor[8] & 0x80 else 0
            file.seek(colours + 1, os.SEEK_CUR)
        elif block == b"":
            return "the file is truncated"
        else:
            return f"invalid data at byte {file.tell() - 1}"
        while length := file.read(1):
            if length == b"\0":
                break
            file.seek(length[0], os.SEEK_CUR)


def _gif_pixels(file: BinaryIO) -> str | None:
    """FFmpeg accepts a frame whose data end early, such as one joined with a later one."""
    file.seek(0)
    index = 0
    try:
        with warnings.catch_warnings(), Image.open(file) as image:
            warnings.simplefilter("ignore")
            for index in range(getattr(image, "n_frames", 1)):
                image.seek(index)
                image.load()
    except Exception as error:  # Pillow's readers raise any kind on damaged files
        return f"frame {index} is damaged: {error}"
    return None


def _png(file: BinaryIO, size: int) -> str | None:
    place = 8
    while place + 12 <= size:
        file.seek(place)
        chunk = file.read(8)
        if chunk[4:] == b"IEND":
            return _another(file, place + 12, _PNG_SIGNATURE)
        if not chunk[4:].isalpha():
            return f"invalid data at byte {place}"
        place += 12 + int.from_bytes(chunk[:4], "big")
    return "the file is truncated"


def _riff(file: BinaryIO, size: int) -> str | None:
    """AVI files above 1 GB consist of several chunks; recorders that crashed leave size 0."""
    place = 0
    while place + 8 <= size:
        file.seek(place)
        chunk = file.read(8)
        length = int.from_bytes(chunk[4:], "little")
        if chunk[:4] != b"RIFF" or length in (0, 0xFFFFFFFF):
            return None
        if place and file.read(4) in (b"WEBP", b"AVI "):
            return _another(file, place, b"RIFF")
        place += 8 + length + length % 2
    return "the file is truncated" if place > size + 1 else None


def _boxes(file: BinaryIO, size: int) -> str | None:
    place, media = 0, False
    while place + 8 <= size:
        file.seek(place)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:], "big")
        if media and head[4:8] == b"ftyp":
            return _another(file, place, head[:8])
        media = media or head[4:8] == b"mdat"
        # Length 0: to the end of the file. Cameras append data of their own after the last box.
        if length < 8 or head[4:8] not in _BOXES:
            return None
        place += length
    return "the file is truncated" if place > size else None


def _ebml(file: BinaryIO, size: int) -> str | None:
    place = 0
    while place < size:
        file.seek(place)
        head = file.read(12)
        id_length = _vint_length(head[0])
        if not id_length or len(head) <= id_length:
            return None
        size_length = _vint_length(head[id_length])
        data = head[id_length : id_length + size_length]
        if not size_length or len(data) < size_length:
            return None
        length = int.from_bytes(data, "big") & ((1 << 7 * size_length) - 1)
        if length == (1 << 7 * size_length) - 1:  # unknown, as in live streams
            return None
        place += id_length + size_length + length
    return "the file is truncated" if place > size else None


def _flv(file: BinaryIO, size: int) -> str | None:
    """Tags are followed by their size."""
    place = 13
    while place < size:
        file.seek(place)
        length = 11 + int.from_bytes(file.read(4)[1:], "big")
        file.seek(place + length)
        end = file.read(4)
        if len(end) < 4:
            return "the file is truncated"
        if int.from_bytes(end, "big") != length:
            return f"invalid data at byte {place}"
        place += length + 4
    return None


def _asf(file: BinaryIO, size: int) -> str | None:
    """The file properties object declares the size of the file, except for live streams."""
    head = file.read(min(size, 1 << 16))
    place = head.find(_ASF_PROPERTIES)
    properties = head[place + 24 : place + 92]
    if place < 0 or len(properties) < 68 or properties[64] & 1:
        return None
    declared = int.from_bytes(properties[16:24], "little")
    return "the file is truncated" if declared > size else _another(file, declared, _ASF)


def _vint_length(first: int) -> int:
    """Return the number of bytes of a variable-length integer, 0 if it is invalid."""
    return 9 - first.bit_length() if first else 0


def _transport_stream(file: BinaryIO, size: int) -> str | None:
    packet = _packet_size(file, size)
    return None if packet is None else _lost_packet(file, packet, size)


def _packet_size(file: BinaryIO, size: int) -> int | None:
    """Return the size of the packets of MPEG-TS; None if the first three are not complete."""
    for packet in TS_PACKETS:
        syncs = []
        for i in range(3):
            file.seek(i * packet + (4 if packet == 192 else 0))
            syncs.append(file.read(1))
        if syncs == [b"G"] * 3:
            return packet
    return None


def _lost_packet(file: BinaryIO, packet: int, size: int) -> str | None:
    """Check that each packet begins with a sync byte."""
    offset = 4 if packet == 192 else 0
    file.seek(0)
    place = 0
    while content := file.read(packet << 16):
        lost = np.flatnonzero(np.frombuffer(content, np.uint8)[offset::packet] != ord("G"))
        if len(lost):
            return f"invalid data at byte {place + int(lost[0]) * packet}"
        place += len(content)
    return "the file is truncated" if size % packet else None
