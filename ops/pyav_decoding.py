"""Decodes MP3, FLAC, Ogg Vorbis, Opus, WAV and M4A by PyAV, which brings FFmpeg's libraries.

FFmpeg reads hundreds of formats, and some of them open other files and addresses. Only the formats and the decoders
that are named here are let in, and only the one file.
"""

from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream

from ops.audio_decoding import FORMATS, Audio, Unreadable, one_line, refusal, require_few_channels

# By the names that FFmpeg gives to the formats and the codecs.
CODECS = {
    "mp3": ("audio/mpeg", {"mp3"}),
    "flac": ("audio/flac", {"flac"}),
    "ogg": ("audio/ogg", {"vorbis", "opus"}),
    "wav": ("audio/wav", {"pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_alaw", "pcm_mulaw"}),
    "mov,mp4,m4a,3gp,3g2,mj2": ("audio/mp4", {"aac", "alac"}),
}
# FFmpeg reads an MP3 by a decoder of another name than the codec, which then fits both.
DECODERS = {codec for _, codecs in CODECS.values() for codec in codecs} | {"mp3float"}
OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": ",".join(CODECS),
    "codec_whitelist": ",".join(sorted(DECODERS)),
}
# An MP3 may begin or end within a frame; more than that is damage.
BROKEN_PACKETS_OF = 100
EXACT = ("vorbis", "aac")
LARGEST_PACKET = 8192  # samples of Vorbis; the others have less


def decode(path: Path) -> Audio:
    """The audio of a file. Raises Unreadable."""
    av.logging.set_level(None)
    try:
        with av.open(str(path), container_options=OPTIONS, metadata_errors="replace") as container:
            return _decode(container)
    except av.error.MemoryError as error:
        raise MemoryError from error
    except av.error.FFmpegError as error:
        raise Unreadable(refusal(path)) from error


def _decode(container: InputContainer) -> Audio:
    mime_type, codecs = CODECS[container.format.name]
    stream = _audio_stream(container)
    if stream.codec_context is None:
        raise Unreadable("damaged")
    if stream.codec_context.codec.canonical_name not in codecs:
        raise Unreadable(f"not {FORMATS}, but {container.format.long_name} with {stream.codec_context.name}")
    require_few_channels(stream.codec_context.channels)
    decoded, samples = _play(container, stream)
    return Audio(mime_type, _shown(decoded, stream), samples, one_line(_title(container, stream)))


def _audio_stream(container: InputContainer) -> AudioStream:
    """The only audio stream; a cover is no stream that hurts."""
    if any(stream.type == "video" and not _is_cover(stream) for stream in container.streams):
        raise Unreadable("contains video")
    if len(container.streams.audio) != 1:
        raise Unreadable("contains no audio" if not container.streams.audio else "contains several audio streams")
    return container.streams.audio[0]


def _is_cover(stream: Stream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)


def _play(container: InputContainer, stream: AudioStream) -> tuple[Fraction, int]:
    """The duration in seconds and the number of decoded samples of one channel. Raises Unreadable."""
    duration, samples, packets, broken = Fraction(0), 0, 0, 0
    for packet in container.demux(stream):
        packets += 1
        try:
            frames = packet.decode()
        except av.error.MemoryError:
            raise
        except av.error.FFmpegError:
            broken += 1
            continue
        samples += sum(frame.samples for frame in frames)
        duration += sum((Fraction(frame.samples, frame.sample_rate) for frame in frames), Fraction(0))
    if broken > max(1, packets // BROKEN_PACKETS_OF):
        raise Unreadable(f"damaged: {broken} of {packets} parts cannot be decoded")
    return duration, samples


def _shown(decoded: Fraction, stream: AudioStream) -> Fraction:
    """The seconds that are played.

    Of Vorbis and AAC the container says where the audio ends: FFmpeg leaves out a part of the first packet of Vorbis,
    and the last packet decodes to more.
    """
    if stream.codec_context.codec.canonical_name in EXACT and stream.duration and stream.time_base:
        declared = stream.duration * stream.time_base
        if abs(declared - decoded) <= Fraction(LARGEST_PACKET, stream.codec_context.sample_rate):
            return declared
    return decoded


def _title(container: InputContainer, stream: AudioStream) -> str:
    """The title in the tags; those of Ogg belong to the stream. Names of tags differ in case."""
    tags = {name.lower(): value for name, value in (*stream.metadata.items(), *container.metadata.items())}
    return tags.get("title", "")
