"""Audio files are decoded to their end, in a child with limits, and whatever hurts is a reason."""

import os
import random
import signal
import struct
import wave
import zlib
from collections.abc import Callable
from pathlib import Path

import av
import psutil
import pytest
from av.audio.stream import AudioStream

from ops import audio_decoding, audio_reader
from ops.audio_decoding import Unreadable
from ops.audio_reader import AudioReader, Description
from ops.errors import CommandError
from tools.testing import sounds

LIBRARIES = tuple(audio_decoding.DECODERS)
REASON = {
    "av": "not MP3, FLAC, Ogg Vorbis, Opus, WAV or M4A, but .*|not an audio file",
    "soundfile": "not MP3, FLAC, Ogg Vorbis, Opus, WAV or M4A|not an audio file|damaged or cut off",
}


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return sounds.write_all(tmp_path_factory.mktemp("tones"), seconds=3.0)


@pytest.fixture(params=LIBRARIES)
def decode(request: pytest.FixtureRequest) -> Callable[[Path], Description]:
    decoder = audio_decoding.decoder(request.param)
    return lambda path: audio_reader.read(path, decoder)


@pytest.mark.parametrize(
    ("name", "library"),
    [
        (name, library)
        for library in LIBRARIES
        for name in sounds.FORMATS
        if (name, library) != ("tone.m4a", "soundfile")
    ],
)
def test_each_format_has_its_media_type_its_exact_duration_and_its_title(
    tones: dict[str, Path], name: str, library: str
) -> None:
    expected = Description(sounds.MIME_TYPES[name], 3000, f"Ünï {name}")
    assert audio_reader.read(tones[name], audio_decoding.decoder(library)) == expected


def test_without_pyav_an_m4a_names_the_package_that_it_needs(tones: dict[str, Path]) -> None:
    with pytest.raises(Unreadable, match=r"^M4A needs the package av: install music-studio\[audio\]$"):
        audio_decoding.decoder("soundfile")(tones["tone.m4a"])


def test_without_a_decoder_the_packages_to_install_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_decoding, "find_spec", lambda _package: None)
    with pytest.raises(CommandError, match=r"without a decoder: install music-studio\[audio\], or music-studio"):
        AudioReader()


@pytest.mark.parametrize("name", sounds.FORMATS)
def test_a_file_that_is_cut_off_is_no_audio_file(
    tones: dict[str, Path], name: str, tmp_path: Path, decode: Callable[[Path], Description]
) -> None:
    content, cut = tones[name].read_bytes(), tmp_path / name
    for length in range(len(content) // 20, len(content) * 19 // 20, len(content) // 20):
        cut.write_bytes(content[:length])
        with pytest.raises(Unreadable):
            decode(cut)


def test_damage_is_noticed(tones: dict[str, Path], tmp_path: Path, decode: Callable[[Path], Description]) -> None:
    for name in ("tone.mp3", "tone.flac", "tone.ogg", "tone.opus", "tone.m4a"):
        content = bytearray(tones[name].read_bytes())
        third = len(content) // 3
        content[third : 2 * third] = random.Random(5).randbytes(third)
        (tmp_path / name).write_bytes(content)
        with pytest.raises(Unreadable):
            decode(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "codec", "form"),
    [
        ("tone.aac", "aac", "adts"),
        ("tone.aiff", "pcm_s16be", "aiff"),
        ("tone.mp2", "mp2", "mp2"),
        ("tone.mka", "flac", "matroska"),
        ("adpcm.wav", "adpcm_ms", "wav"),
        ("flac.ogg", "flac", "ogg"),
    ],
)
@pytest.mark.parametrize("library", LIBRARIES)
def test_other_formats_and_codecs_are_refused(tmp_path: Path, name: str, codec: str, form: str, library: str) -> None:
    sounds.encode(tmp_path / name, codec, form, 0.5, 44_100)
    with pytest.raises(Unreadable, match=f"^({REASON[library]})$"):
        audio_reader.read(tmp_path / name, audio_decoding.decoder(library))


def test_a_film_is_refused_and_a_cover_is_not(tmp_path: Path, tones: dict[str, Path]) -> None:
    film, covered = tmp_path / "film.mp4", tmp_path / "covered.m4a"
    _film(film)
    with pytest.raises(Unreadable, match=r"^contains video$"):
        audio_decoding.decoder("av")(film)
    _add_cover(tones["tone.m4a"], covered)
    assert audio_decoding.decoder("av")(covered).duration_ms == 3000


@pytest.mark.parametrize(
    "content",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{tone}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {tone}\n",
        "concat:{tone}",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
    ],
    ids=["playlist", "concat", "protocol", "session"],
)
def test_a_file_opens_no_other(
    tones: dict[str, Path], tmp_path: Path, content: str, decode: Callable[[Path], Description]
) -> None:
    path = tmp_path / "list.mp3"
    path.write_text(content.format(tone=tones["tone.wav"]))
    with pytest.raises(Unreadable, match=r"^not an audio file$"):
        decode(path)


@pytest.mark.parametrize(
    "content", [b"not music" * 400, bytes(100_000), b"\xff" * 100_000, random.Random(3).randbytes(300_000)]
)
def test_what_is_no_audio_is_refused(tmp_path: Path, content: bytes, decode: Callable[[Path], Description]) -> None:
    path = tmp_path / "noise.mp3"
    path.write_bytes(content)
    with pytest.raises(Unreadable, match=r"^(not an audio file|contains no audio|damaged: .* cannot be decoded)$"):
        decode(path)


def test_a_wav_without_samples_is_refused(tmp_path: Path, decode: Callable[[Path], Description]) -> None:
    with wave.open(str(tmp_path / "nothing.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
    with pytest.raises(Unreadable, match=r"^contains no audio$"):
        decode(tmp_path / "nothing.wav")


def test_a_wav_of_many_channels_is_refused(tmp_path: Path, decode: Callable[[Path], Description]) -> None:
    with wave.open(str(tmp_path / "many.wav"), "wb") as file:
        file.setparams((100, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(100 * 2 * 800))
    with pytest.raises(Unreadable, match=r"^(has 100 channels, at most 8 are played|damaged: .*)$"):
        decode(tmp_path / "many.wav")


def test_a_wav_that_was_written_into_a_pipe_is_whole(
    tones: dict[str, Path], tmp_path: Path, decode: Callable[[Path], Description]
) -> None:
    content = bytearray(tones["tone.wav"].read_bytes())
    start = content.find(b"data") + 4
    content[start : start + 4] = b"\xff" * 4
    (tmp_path / "piped.wav").write_bytes(content)
    assert decode(tmp_path / "piped.wav").duration_ms == 3000


@pytest.mark.parametrize(
    ("written", "read"),
    [("A title\nwith\x1b[2Ja\x00 break", "A title with [2Ja"), (" \t ", ""), ("la" * 1000, "la" * 256)],
    ids=["control characters", "blank", "long"],
)
def test_a_title_is_one_line_of_512_characters(written: str, read: str) -> None:
    assert audio_decoding.one_line(written.split("\x00", maxsplit=1)[0]) == read
    assert "\ufffd" not in audio_decoding.one_line("\udcff")


def _film(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        pictures = container.add_stream("mpeg4", rate=24, width=64, height=64, pix_fmt="yuv420p")
        sound = container.add_stream("aac", rate=44_100, layout="stereo")
        for index in range(24):
            picture = av.VideoFrame(64, 64, "yuv420p")
            picture.pts = index
            container.mux(pictures.encode(picture))
        container.mux(pictures.encode(None))
        assert isinstance(sound, AudioStream)
        sounds.fill(container, sound, 1.0, 44_100)


def _add_cover(source: Path, target: Path) -> None:
    """The file with a picture as iTunes writes it: `covr` in the list of tags, ISO 14496-12 boxes."""
    content = source.read_bytes()
    picture = struct.pack(">I4sII", 16 + len(PNG), b"data", 14, 0) + PNG
    cover = struct.pack(">I4s", 8 + len(picture), b"covr") + picture
    grown = bytearray(content)
    place = content.index(b"ilst") - 4
    end = place + struct.unpack(">I", content[place : place + 4])[0]
    grown[end:end] = cover
    for name in (b"moov", b"udta", b"meta", b"ilst"):
        at = content.index(name) - 4
        grown[at : at + 4] = struct.pack(">I", struct.unpack(">I", content[at : at + 4])[0] + len(cover))
    target.write_bytes(grown)


def _png() -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(4))) + chunk(b"IEND", b"")


PNG = _png()


def _synchsafe(number: int) -> bytes:
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


def _tagged(source: Path, target: Path, frame: bytes, flags: bytes = b"\0\0") -> None:
    """The MP3 with a title before its own (ID3v2.4, section 4)."""
    tag = b"TIT2" + _synchsafe(len(frame)) + flags + frame
    target.write_bytes(b"ID3\x04\x00\x00" + _synchsafe(len(tag)) + tag + source.read_bytes())


@pytest.mark.parametrize(("byte", "megabytes"), [(b"\0", 20), (b"a", 100)], ids=["zeros", "letters"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_tag_that_unpacks_without_end_costs_nothing(
    tones: dict[str, Path], tmp_path: Path, byte: bytes, megabytes: int, library: str
) -> None:
    packer = zlib.compressobj(9)
    packed = [packer.compress(b"\x03"), *(packer.compress(byte * 2**20) for _ in range(megabytes)), packer.flush()]
    frame = _synchsafe(megabytes * 2**20 + 1) + b"".join(packed)
    _tagged(tones["tone.mp3"], tmp_path / "bomb.mp3", frame, flags=b"\x00\x09")
    with AudioReader(20, library) as reader:
        assert reader.read(tmp_path / "bomb.mp3").duration_ms == 3000


def test_a_file_that_needs_too_much_memory_is_skipped_and_the_next_is_read(
    tones: dict[str, Path], tmp_path: Path
) -> None:
    large = tmp_path / "large.mp3"
    _tagged(tones["tone.mp3"], large, b"\x03" + b"la" * (40 * 2**20))
    with AudioReader(library="av") as reader:
        assert reader.read(tones["tone.mp3"]).duration_ms == 3000
        before = reader._child
        with pytest.raises(Unreadable, match=r"^could not be decoded within \d+ s and 256 MiB$"):
            reader.read(large)
        assert reader.read(tones["tone.mp3"]).duration_ms == 3000
        assert reader._child is before


def test_a_file_that_takes_too_long_is_skipped_and_the_next_is_read(tones: dict[str, Path]) -> None:
    with AudioReader() as reader:
        reader.read(tones["tone.mp3"])
        before, reader._seconds = reader._child, 0.2
        assert before is not None
        assert before[0].pid is not None
        os.kill(before[0].pid, signal.SIGSTOP)
        with pytest.raises(Unreadable, match=r"^could not be decoded within 0.2 s and 256 MiB$"):
            reader.read(tones["tone.mp3"])
        assert not before[0].is_alive()
        reader._seconds = None
        assert reader.read(tones["tone.mp3"]).duration_ms == 3000


def test_the_limit_grows_with_the_file() -> None:
    assert audio_reader.limit_seconds(0) == 10
    assert audio_reader.limit_seconds(100 * 2**20) == 210


def _spawned() -> set[psutil.Process]:
    """The children that multiprocessing has spawned, also for other tests."""
    return {child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())}


def test_one_child_reads_many_files(tones: dict[str, Path]) -> None:
    before = _spawned()
    with AudioReader() as reader:
        reader.read(tones["tone.wav"])
        children = _spawned()
        for _ in range(20):
            reader.read(tones["tone.wav"])
        assert _spawned() == children
        assert len(children - before) == 1
    assert not _spawned() - before


def test_a_child_that_is_killed_is_replaced(tones: dict[str, Path]) -> None:
    before = _spawned()
    with AudioReader() as reader:
        reader.read(tones["tone.wav"])
        for child in _spawned() - before:
            child.kill()
        with pytest.raises(Unreadable, match=r"^could not be decoded"):
            reader.read(tones["tone.wav"])
        assert reader.read(tones["tone.wav"]).duration_ms == 3000


def test_the_child_writes_no_file_and_prints_nothing(
    tones: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(tones["tone.mp3"].read_bytes())
    content[5000:9000] = random.Random(1).randbytes(4000)
    (tmp_path / "noise.mp3").write_bytes(content)
    with AudioReader(library="soundfile") as reader, pytest.raises(Unreadable):
        reader.read(tmp_path / "noise.mp3")
    assert capfd.readouterr() == ("", "")
