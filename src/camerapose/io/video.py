"""Read the frames of a video file with their times."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from camerapose.core.limits import DEFAULT, Limits
from camerapose.io import display, hdr
from camerapose.io.completeness import Completeness, declared_seconds
from camerapose.io.frames import Frame, IncompleteInput, Log, ignore

#: Frame rate that is assumed where a video declares none.
DEFAULT_FPS = 25.0
#: Demuxers of FFmpeg that may be used. Others open further files or addresses that the input names,
#: such as playlists.
DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpegtsraw,mpeg,mpegvideo,m4v,gif,apng,flv,"
    "live_flv,asf,asf_o,ogg,mxf,nut,nuv,dv,gxf,wtv,rm,ivf,av1,obu,h261,h263,h264,hevc,vvc,vc1,dirac,"
    "cavsvideo,mjpeg,mjpeg_2000,yuv4mpegpipe,swf,amv,avs,avs2,avs3,roq,smk,bink,flic,jpegxl_anim"
)
#: Demuxers of streams without a container, whose frames have no times.
UNTIMED = {
    "h261",
    "h263",
    "h264",
    "hevc",
    "vvc",
    "vc1",
    "m4v",
    "mpegvideo",
    "cavsvideo",
    "dirac",
    "obu",
}
STILL_DEMUXERS = (
    "bmp_pipe,dds_pipe,dpx_pipe,exr_pipe,hdr_pipe,j2k_pipe,jpeg_pipe,jpegls_pipe,jpegxl_pipe,"
    "pam_pipe,pbm_pipe,pcx_pipe,pfm_pipe,pgm_pipe,pgmyuv_pipe,phm_pipe,pictor_pipe,png_pipe,"
    "ppm_pipe,psd_pipe,qdraw_pipe,qoi_pipe,sgi_pipe,sunrast_pipe,tiff_pipe,webp_pipe,xbm_pipe,"
    "xpm_pipe,xwd_pipe,gif_pipe,cri_pipe,gem_pipe,photocd_pipe,pgx_pipe,vbn_pipe,jpegxs_pipe"
)


def video_frames(
    path: Path, wanted: range, limits: Limits = DEFAULT, log: Log = ignore
) -> Iterator[Frame]:
    """Iterate over the frames of a video whose indices are in `wanted`.

    Raises:
        ValueError: the file cannot be decoded, is too large, or has no frame in the range.
        IncompleteInput: after all readable frames, if the file is damaged or truncated.
    """
    with _open(path, limits) as container:
        stream = main_stream(container)
        stream.thread_type = "AUTO"
        period = 1 / (_rate(stream) or DEFAULT_FPS)
        limits.check_frames(path, min(_declared_count(container) or 0, wanted.stop))
        aspect = display.pixel_aspect(stream)
        check = Completeness(period)
        index, start, time = 0, 0.0, -math.inf
        for decoded in decode(container, check):
            if index >= wanted.stop:
                return
            if index == 0 and int(getattr(decoded, "color_trc", 0) or 0) in (hdr.PQ, hdr.HLG):
                log(f"the frames of an HDR video are tone-mapped: {path.name}")
            declared = index * period if decoded.time is None else float(decoded.time)
            time = declared if declared > time else time + period
            start = time if index == 0 else start
            image = _rgb(decoded, aspect, check) if index in wanted else None
            if image is None and index in wanted:
                continue
            check.add_frame(time, decoded)
            if image is not None:
                yield Frame(index, time - start, image, f"{path.stem}_{index:06d}")
            index += 1
            limits.check_frames(path, index)
        if index == 0:
            reason = f" ({check.errors[0]})" if check.errors else ""
            raise ValueError(f"{path} is a video without a single readable frame{reason}")
        expected = _declared_count(container)
        missing = check.missing(path, container, stream, wanted.stop)
        if not missing and (dropped := check.small_gaps(container)):
            log(f"{path.name}: {dropped}; the times of the other frames are kept")
        if container.format.name in UNTIMED:
            log(f"{path.name} has no times: lost frames cannot be detected in raw streams")
        if container.format.name == "gif":
            log(f"{path.name} declares no number of frames: lost frames cannot be detected in GIF")
    if missing:
        of = f" of {expected} declared" if expected and expected > index else ""
        raise IncompleteInput(
            f"{path} is damaged or truncated ({missing}): {index}{of} frames could be read and "
            "were used; get the complete file for the rest"
        )
    if index <= wanted.start:
        raise ValueError(f"{path} has {index} frames; start {wanted.start} is beyond the last")


def rate_and_count(path: Path, limits: Limits = DEFAULT) -> tuple[float | None, int | None]:
    """Return the frame rate and the number of frames that a video declares."""
    with _open(path, limits) as container:
        return _rate(main_stream(container)), _declared_count(container)


def content(path: Path) -> Literal["image", "video"] | None:
    """Return what FFmpeg recognises in a file of unknown suffix, None if nothing."""
    try:
        with _open(path, DEFAULT) as container:
            return "image" if container.format.name in STILL_DEMUXERS.split(",") else "video"
    except ValueError:
        return None


def read_still(path: Path, limits: Limits, form: str = "rgb24") -> np.ndarray:
    """Read an image with FFmpeg, in a pixel format that PyAV converts to an array.

    Raises:
        ValueError: it cannot be decoded.
    """
    with _open(path, limits) as container:
        check = Completeness(1.0)
        for decoded in decode(container, check):
            if form != "rgb24":
                return decoded.to_ndarray(format=form)
            if (image := _rgb(decoded, 1.0, check)) is not None:
                return image
    reason = check.errors[0] if check.errors else "no frame"
    raise ValueError(f"{path} cannot be read as an image: {reason}")


def _rgb(decoded: Any, aspect: float, check: Completeness) -> np.ndarray | None:
    """Return a frame as RGB; None, which `check` notes, if a damaged file gave it an odd format."""
    import av

    try:
        return display.to_rgb(decoded, aspect)
    except av.error.FFmpegError as error:
        check.add_error(f"a frame cannot be converted, FFmpeg: {error.strerror or error}")
        return None


def main_stream(container: Any) -> Any:
    """Return the video stream that players show; others may be cover images."""
    return container.streams.best("video") or container.streams.video[0]


def decode(container: Any, check: Completeness) -> Iterator[Any]:
    """Iterate over the decoded frames of a video; `check` notes what cannot be decoded."""
    import av

    video = main_stream(container)
    packets = container.demux()
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
        except av.error.FFmpegError as error:  # the demuxer cannot continue
            check.add_error(error.strerror or str(error))
            return
        check.add_packet(packet)
        if packet.stream != video:
            continue
        try:
            yield from packet.decode()
        except av.error.EOFError:
            return
        except av.error.FFmpegError as error:
            check.add_error(error.strerror or str(error))


def _open(path: Path, limits: Limits) -> Any:
    import av

    options = {"format_whitelist": f"{DEMUXERS},{STILL_DEMUXERS}", "protocol_whitelist": "file"}
    try:
        # With the protocol, colons in the name mean nothing.
        url = f"file:{path.absolute()}"
        container = av.open(url, options=options, metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        empty = path.stat().st_size == 0
        reason = "the file is empty" if empty else f"FFmpeg: {error.strerror or error}"
        raise ValueError(
            f"{path} cannot be read as a video ({reason}); it is not a video, or it is damaged or "
            "truncated before its index: convert it or get the complete file"
        ) from error
    try:
        if not container.streams.video:
            n_streams = len(container.streams)
            raise ValueError(f"{path} has no video stream, only {n_streams} other streams")
        codec = main_stream(container).codec_context
        if codec is None:
            raise ValueError(f"{path} has a video stream of unknown codec; convert it to H.264")
        limits.check_pixels(path, codec.width, codec.height)
        codec.options = {"max_pixels": str(limits.max_pixels)}  # the size may change later
    except ValueError:
        container.close()
        raise
    return container


def _declared_count(container: Any) -> int | None:
    """Return the declared number of frames, or the one that follows from the duration."""
    stream = main_stream(container)
    if stream.frames:
        return int(stream.frames)
    rate, seconds = _rate(stream), _declared_seconds(container)
    return None if rate is None or seconds is None else round(seconds * rate)


def _rate(stream: Any) -> float | None:
    """Return frames per second by the time stamps, or by the codec where those are absurd."""
    average, codec = stream.average_rate, stream.guessed_rate or stream.codec_context.framerate
    absurd = average and codec and average > 3 * codec
    rate = codec if absurd else average or codec
    return float(rate) if rate else None


def _declared_seconds(container: Any) -> float | None:
    seconds = declared_seconds(main_stream(container))
    if seconds is None and container.duration and len(container.streams) == 1:
        return float(container.duration / 1e6)
    return seconds
