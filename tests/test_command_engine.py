"""The engines of an operator: their file, and a program that runs within limits, whatever it does."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import soundfile

from studio.engines import command, command_catalog, wave_file
from studio.engines.base import Cancelled, EngineFailed, EngineRefused
from studio.engines.command_catalog import BadEngines, Program
from studio.production import finish
from tools.testing.music_analysis import RATE

START = f"#!{sys.executable}\nimport json, os, sys, time\n"
# Writes the asked number of seconds of a tone as WAV, with the standard library only.
TONE = """
import math, struct, wave
asked = json.load(sys.stdin)
def tone(target, rate=44100, channels=2, seconds=asked["duration_seconds"], level=0.3):
    with wave.open(target, "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        values = [int(32767 * level * math.sin(2 * math.pi * 440 * n / rate)) for n in range(rate)]
        second = b"".join(struct.pack("<h", value) * channels for value in values)
        file.writeframes(second * seconds)
"""
Make = Callable[..., Program]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def program(source: str, *arguments: str, **limits: Any) -> Program:
        script = tmp_path / "engine"
        script.write_text(START + source, encoding="utf-8")
        script.chmod(0o700)
        table = tmp_path / "engines.toml"
        words = json.dumps([str(script), *arguments])
        lines = [f"{name} = {json.dumps(value)}" for name, value in limits.items()]
        table.write_text("\n".join(["[engines.ours]", f"command = {words}", *lines]), encoding="utf-8")
        return command_catalog.read(table)["ours"]

    return program


def run(program: Program, tmp_path: Path, *, seconds: int = 1, progress: Any = lambda _share: None) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    return command.run(program, {"duration_seconds": seconds, "prompt": "rain"}, folder, progress)


@pytest.mark.parametrize(("output", "arguments"), [("sys.stdout.buffer", ()), ("sys.argv[1]", ("{output}",))])
def test_a_program_makes_a_piece(make: Make, tmp_path: Path, output: str, arguments: tuple[str, ...]) -> None:
    written = run(make(TONE + f"tone({output})", *arguments), tmp_path, seconds=3)
    piece = tmp_path / "piece.mp3"
    finished = finish(wave_file.blocks(written, 3), "creation", piece, lambda _share: None, tmp_path)
    assert finished.seconds == 3
    assert min(finished.waveform) > 0
    samples, rate = soundfile.read(piece)
    assert rate == RATE
    assert np.abs(samples).max() < 1


def test_the_program_gets_the_request_a_folder_and_no_environment(make: Make, tmp_path: Path) -> None:
    source = """
facts = {"asked": json.load(sys.stdin), "environment": dict(os.environ), "folder": os.getcwd(),
         "words": sys.argv[1:], "leader": os.getpid() == os.getsid(0),
         "files": sorted(int(n) for n in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + n))}
sys.stdout.write(json.dumps(facts))
"""
    os.environ["MUSIC_STUDIO_SECRET_OF_THE_TEST"] = "secret"
    try:
        facts = json.loads(run(make(source, "$HOME", "; touch /tmp/x", "*"), tmp_path).read_text())
    finally:
        del os.environ["MUSIC_STUDIO_SECRET_OF_THE_TEST"]
    assert facts["asked"] == {"duration_seconds": 1, "prompt": "rain"}
    # Python adds LC_CTYPE itself (PEP 538).
    assert facts["environment"].keys() - {"LC_CTYPE"} == {"PATH"}
    assert facts["folder"] == str(tmp_path / "run")
    assert facts["words"] == ["$HOME", "; touch /tmp/x", "*"]
    assert facts["leader"]
    assert facts["files"] == [0, 1, 2]


def test_a_refusal_has_the_reason_of_the_program(make: Make, tmp_path: Path) -> None:
    source = r"sys.stderr.write('loading\n\x1b]0;owned\x07No \u202evocals.\r\n\n'); sys.exit(77)"
    with pytest.raises(EngineRefused) as refused:
        run(make(source), tmp_path)
    assert str(refused.value) == "]0;owned No  vocals."


@pytest.mark.parametrize(
    ("source", "message", "detail"),
    [
        ("sys.stderr.write('no \\x1b[31mmodel'); sys.exit(3)", "The engine failed.", "exit status 3: no  [31mmodel"),
        ("os.kill(os.getpid(), 11)", "The engine failed.", "exit status -11"),
        ("os.remove('output.wav')", "The engine wrote no audio.", "no file"),
        ("os.remove('output.wav'); os.symlink('/etc/hostname', 'output.wav')", "The engine wrote no audio.", "no file"),
        ("time.sleep(60)", "The engine took too long.", "more than 1 s"),
        ("while True: pass", "The engine", ""),
    ],
)
def test_a_program_that_fails_ends_as_failed(
    make: Make, tmp_path: Path, source: str, message: str, detail: str
) -> None:
    with pytest.raises(EngineFailed) as failed:
        run(make(source, timeout_seconds=1), tmp_path)
    assert str(failed.value).startswith(message)
    assert detail in failed.value.detail


def test_memory_is_limited(make: Make, tmp_path: Path) -> None:
    with pytest.raises(EngineFailed) as failed:
        run(make("held = bytearray(400 * 2**20)", memory_mib=200), tmp_path)
    assert "MemoryError" in failed.value.detail


def test_memory_of_all_processes_of_the_program_is_limited(make: Make, tmp_path: Path) -> None:
    source = "[os.fork() for _ in range(2)]; held = bytearray(os.urandom(2**20) * 90); time.sleep(30)"
    with pytest.raises(EngineFailed, match="The engine needed too much memory"):
        run(make(source, memory_mib=200), tmp_path)


def test_output_is_limited(make: Make, tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="The engine failed"):
        run(make("for _ in range(100): sys.stdout.write('x' * 2**20); sys.stdout.flush()"), tmp_path)
    size = sum(file.stat().st_size for file in (tmp_path / "run").iterdir())
    assert size < 2 * (command.BYTES_PER_SECOND + command.SPARE_BYTES)


def test_every_process_of_the_program_ends_with_it(make: Make, tmp_path: Path) -> None:
    source = """
for _ in range(3):
    if os.fork() == 0:
        with open("children", "a") as file: file.write(f"{os.getpid()}\\n")
        time.sleep(60)
time.sleep(0.3)
sys.stdout.write("done")
"""
    written = run(make(source), tmp_path)
    children = [int(line) for line in (written.parent / "children").read_text().split()]
    assert len(children) == 3
    assert _all_end(children)


def test_cancelling_ends_the_program(make: Make, tmp_path: Path) -> None:
    calls = []

    def progress(share: float) -> None:
        calls.append(share)
        if len(calls) == 3:
            raise Cancelled

    source = "open('pid', 'w').write(str(os.getpid())); time.sleep(60)"
    with pytest.raises(Cancelled):
        run(make(source), tmp_path, progress=progress)
    assert _all_end([int((tmp_path / "run" / "pid").read_text())])


@pytest.mark.slow
def test_the_program_ends_when_the_worker_is_killed(make: Make, tmp_path: Path) -> None:
    program = make("open('pid', 'w').write(str(os.getpid())); time.sleep(60)")
    (tmp_path / "run").mkdir()
    source = (
        "import sys; from pathlib import Path; from studio.engines import command, command_catalog\n"
        f"program = command_catalog.read(Path({str(tmp_path / 'engines.toml')!r}))['ours']\n"
        f"command.run(program, {{'duration_seconds': 1}}, Path({str(tmp_path / 'run')!r}), lambda share: None)"
    )
    assert program.command
    worker = subprocess.Popen([sys.executable, "-c", source], cwd=Path(__file__).parents[1])
    pid = tmp_path / "run" / "pid"
    while not (pid.exists() and pid.read_text()):
        assert worker.poll() is None
        time.sleep(0.02)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert _all_end([int(pid.read_text())])


def _all_end(pids: list[int]) -> bool:
    """Whether the processes end soon; a killed one is there until the kernel has torn it down."""
    ends = time.monotonic() + 10
    while any(map(_runs, pids)) and time.monotonic() < ends:
        time.sleep(0.02)
    return not any(map(_runs, pids))


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wav(path: Path, samples: Any, rate: int, subtype: str = "FLOAT") -> Path:
    soundfile.write(path, samples, rate, subtype=subtype, format="WAV")
    return path


def sine(rate: int, seconds: float, channels: int = 2) -> Any:
    one = 0.5 * np.sin(2 * np.pi * 997 * np.arange(round(rate * seconds)) / rate)
    return np.repeat(one[:, None], channels, axis=1).astype(np.float32)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 32000, 44100, 47999, 48000, 88200, 192000])
def test_any_rate_is_resampled_without_a_seam(tmp_path: Path, rate: int) -> None:
    read = np.concatenate(list(wave_file.blocks(wav(tmp_path / "a.wav", sine(rate, 3.5, 1), rate), 10)))
    assert abs(len(read) - round(3.5 * RATE)) <= 1
    inner = slice(RATE // 10, 3 * RATE)
    difference = read[inner] - sine(RATE, 3.5)[inner]
    assert np.abs(difference).max() < 0.003


def test_what_is_too_long_is_cut_and_faded(tmp_path: Path) -> None:
    read = np.concatenate(list(wave_file.blocks(wav(tmp_path / "a.wav", sine(RATE, 5), RATE), 2)))
    assert len(read) == 2 * RATE
    assert np.abs(read[-100:]).max() < 0.01
    assert np.abs(read[RATE : RATE + 1000]).max() > 0.45


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (lambda: np.zeros((RATE, 2)), RATE, "The engine made no sound."),
        (lambda: np.zeros((0, 2)), RATE, "The engine made no sound."),
        (lambda: np.full((RATE, 2), np.nan), RATE, "The engine made broken audio."),
        (lambda: np.full((RATE, 2), np.inf), RATE, "The engine made broken audio."),
        (lambda: np.ones((100, 6)), RATE, "The engine wrote audio of another form."),
        (lambda: np.ones((100, 1)), 4000, "The engine wrote audio of another form."),
    ],
)
def test_audio_that_cannot_be_used_ends_as_failed(tmp_path: Path, samples: Any, rate: int, message: str) -> None:
    with pytest.raises(EngineFailed) as failed:
        list(wave_file.blocks(wav(tmp_path / "a.wav", samples(), rate), 1))
    assert str(failed.value) == message


def test_other_files_are_no_audio(tmp_path: Path) -> None:
    text, flac = tmp_path / "text.wav", tmp_path / "flac.wav"
    text.write_text("no audio")
    soundfile.write(flac, sine(RATE, 1), RATE, format="FLAC")
    for file in (text, flac):
        with pytest.raises(EngineFailed, match="The engine wrote no audio"):
            list(wave_file.blocks(file, 1))


def read(tmp_path: Path, text: str) -> dict[str, Program]:
    file = tmp_path / "engines.toml"
    file.write_text(text, encoding="utf-8")
    return command_catalog.read(file)


def test_an_engine_is_unclear_unless_its_licence_is_declared(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "[engines.a]\ncommand = ['true']\n[engines.b]\ncommand = ['/bin/true', '-x']\nlicence_class = 'personal_only'\n"
        "[engines.c]\ncommand = ['true']\nlicence_class = 'commercial_cleared'\nrequires_attribution = true",
    )
    facts = {key: (one.capabilities.licence_class, one.capabilities.commercial_use,
                   one.capabilities.requires_attribution) for key, one in found.items()}  # fmt: skip
    assert facts == {
        "a": ("unclear", False, True),
        "b": ("personal_only", False, False),
        "c": ("commercial_cleared", True, True),
    }
    assert found["b"].command == ("/bin/true", "-x")
    assert found["a"].capabilities.modes == ("creation",)


ENGINE = "[engines.a]\ncommand = ['true']\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[engines.studio]\ncommand = ['true']", "engine studio: choose another key"),
        ("[engines.import]\ncommand = ['true']", "engine import: choose another key"),
        ("[engines.A]\ncommand = ['true']", "engine A: choose another key"),
        ("[engines.a]\ncommand = 'true'", "command must be a list of texts"),
        ("[engines.a]\ncommand = []", "command must be a list of texts"),
        ("[engines.a]\ncommand = ['/no/such/program']", "there is no program '/no/such/program' that may be run"),
        ("[engines.a]\ncommand = ['/etc/passwd']", "there is no program '/etc/passwd' that may be run"),
        (ENGINE + "licence_class = 'free'", "licence_class must be one of commercial_cleared"),
        (ENGINE + "commercial_use = true", "commercial_use cannot be given"),
        (ENGINE + "speed = 3", "speed cannot be given"),
        (ENGINE + "modes = ['sleep']", "modes must be some of creation, focus"),
        (ENGINE + "modes = []", "modes must be some of creation, focus"),
        (ENGINE + "name = ''", "name has a wrong type"),
        (ENGINE + "name = 'a\\u001b'", None),
        (ENGINE + 'name = "a\\u001b"', "name has a wrong type"),
        (ENGINE + f"name = '{'a' * 65}'", "name has a wrong type"),
        (ENGINE + "supports_lyrics = 1", "supports_lyrics has a wrong type"),
        (ENGINE + "languages = ['english']", "languages must be codes"),
        (ENGINE + "max_duration_seconds = 0", "max_duration_seconds must be from 1 to 600"),
        (ENGINE + "timeout_seconds = true", "timeout_seconds must be a whole number from 1"),
        (ENGINE + "memory_mib = 0", "memory_mib must be a whole number from 1"),
        ("[engine.a]", "each engine is a table"),
        ("engines = 1", "each engine is a table"),
        ("[engines]\na = 1", "must be a table"),
        ("[", "is no TOML"),
    ],
)
def test_a_file_with_a_mistake_is_refused(tmp_path: Path, text: str, problem: str | None) -> None:
    if problem is None:
        assert read(tmp_path, text)
        return
    with pytest.raises(BadEngines) as refused:
        read(tmp_path, text)
    assert problem in str(refused.value)
