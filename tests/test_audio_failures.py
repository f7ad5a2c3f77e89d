"""Every exception of obstore, at every call: AudioUnavailable, or a bug for a value that cannot be sent."""

import asyncio
from collections.abc import Callable

import obstore
import obstore.exceptions
import pytest
from structlog.testing import capture_logs

from models.audio_store import AudioStore
from models.exceptions import AudioUnavailable, NoAudio
from ops import errors
from tools.testing import failing_drivers
from tools.testing.service import HOME
from tools.testing.stored import read

NAME = f"{HOME}/mtrack_0123456789ab-00000000.mp3"
BUGS = (TypeError, ValueError, OverflowError)


class PanicException(BaseException):  # as pyo3_runtime's, which cannot be imported
    pass


# The call of obstore that fails, and what calls it.
CALLS: dict[str, tuple[str, Callable[[AudioStore], object]]] = {
    "write": ("put", lambda store: store.write_bytes(HOME, "mtrack_0123456789ab", "audio/mpeg", b"sound")),
    "read": ("get_range_async", lambda store: read(store, NAME, 0, 5)),
    "copy": ("get", lambda store: store.copy(NAME, AudioStore("memory:///"), "audio/mpeg")),
    "delete": ("delete", lambda store: store.delete(NAME)),
    "list": ("list", lambda store: list(store.list())),
    "size": ("head", lambda store: store.size(NAME)),
    "probe": ("put", lambda store: store.require_writable()),
}


def _exceptions() -> list[BaseException]:
    found = [*failing_drivers.of_package("obstore"), *failing_drivers.of_python(), PanicException("planted")]
    assert {type(error).__name__ for error in found} >= {"GenericError", "PermissionDeniedError", "JoinError"}
    return found


def _is_bug(error: BaseException) -> bool:
    return isinstance(error, BUGS) and not isinstance(error, UnicodeDecodeError)


@pytest.mark.parametrize("call", CALLS)
def test_every_exception_at_every_call(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    function, use = CALLS[call]
    store, found = AudioStore("memory:///"), dict[str, str]()
    for error in _exceptions():
        with monkeypatch.context() as patch, capture_logs():
            patch.setattr(obstore, function, _failing(error, is_async=function.endswith("_async")))
            found[repr(error)] = _outcome(use, store)
    expected = {repr(error): type(error).__name__ if _is_bug(error) else "AudioUnavailable" for error in _exceptions()}
    missing = repr(FileNotFoundError("planted"))
    expected[missing] = {"read": "NoAudio", "copy": "NoAudio", "delete": "-", "size": "-"}.get(call, expected[missing])
    assert found == expected


def _failing(error: BaseException, *, is_async: bool) -> Callable[..., object]:
    def fail(*_args: object, **_options: object) -> object:
        raise error

    async def fail_later(*_args: object, **_options: object) -> object:
        raise error

    return fail_later if is_async else fail


def _outcome(use: Callable[[AudioStore], object], store: AudioStore) -> str:
    try:
        use(store)
    except BaseException as raised:  # noqa: BLE001 - a panic is no Exception
        return type(raised).__name__
    return "-"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("Generic S3 error: 403: <Error><Code>SignatureDoesNotMatch</Code>", "AWS_SECRET_ACCESS_KEY is wrong"),
        ("Generic S3 error: 403: <Error><Code>SlowDown</Code>", "it answers SlowDown"),
        ("Error performing HEAD http://h/b/n in 1ms - Server returned non-2xx status code: 403 Forbidden: ",
         "403 forbidden"),
        ('Error performing PUT http://h/b - HTTP error: error sending request\n\nDebug source:\n message: "No route"',
         "no route"),
        ("Error performing GET http://ida:c4nary@h/b in 2ms - HTTP error: operation timed out\n\nDebug source:",
         "http error: operation timed out"),
        ("Error performing PUT http://169.254.169.254/latest/api/token in 2ms - x", "are not set"),
        ("", "it does not answer"),
    ],
)  # fmt: skip
def test_a_reason_says_what_to_do_and_no_address(message: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(obstore, "list", _failing(obstore.exceptions.GenericError(message), is_async=False))
    with pytest.raises(AudioUnavailable) as failure:
        list(AudioStore("memory:///").list())
    assert failure.value.reason.endswith(reason)
    assert failure.value.system_message == "The audio store is not available"
    assert errors.lines(failure.value) == (f"The audio store cannot be used: {failure.value.reason}.",)
    assert "://" not in failure.value.reason


def test_a_missing_bucket_is_no_missing_object(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = FileNotFoundError("404 Not Found: <Error><Code>NoSuchBucket</Code></Error>")
    for function in ("head", "get"):
        monkeypatch.setattr(obstore, function, _failing(gone, is_async=False))
    with pytest.raises(AudioUnavailable):
        AudioStore("memory:///").size(NAME)
    absent = FileNotFoundError("404 Not Found: <Error><Code>NoSuchKey</Code></Error>")
    monkeypatch.setattr(obstore, "get", _failing(absent, is_async=False))
    with pytest.raises(NoAudio):
        AudioStore("memory:///").copy(NAME, AudioStore("memory:///"), "audio/mpeg")


def test_the_reason_of_a_failed_read_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(obstore, "get_range_async", _failing(OSError("no route to host"), is_async=True))
    with capture_logs() as logged, pytest.raises(AudioUnavailable):
        read(AudioStore("memory:///"), NAME, 0, 5)
    assert [(line["event"], line["reason"]) for line in logged] == [("audio cannot be read", "no route to host")]


def test_cancelling_a_read_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async def never(*_args: object, **_options: object) -> None:
            await asyncio.sleep(60)

        monkeypatch.setattr(obstore, "get_range_async", never)
        task = asyncio.ensure_future(anext(AudioStore("memory:///").read(NAME, 0, 5)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
