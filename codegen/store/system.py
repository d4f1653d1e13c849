"""What systems do differently: signals, links, special files, locks, cores. The only such module.

Everything here has a form that works where the system lacks what POSIX offers.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

#: The signals by which a person or the system asks a process to end.
_ENDING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
#: Those that end a process that does not handle them; nothing may be half written then, either.
_FATAL: tuple[str, ...] = (*_ENDING, "SIGQUIT", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGVTALRM")
_FATAL = (*_FATAL, "SIGPROF", "SIGXCPU", "SIGIO", "SIGPWR", "SIGSTKFLT")
#: Seconds that a process has to end in order after a signal before it is ended as it is.
_GRACE = 0.6
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISLNK, "a link"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


# --- files -------------------------------------------------------------------------------------


class IrregularFile(OSError):
    """Something that is not a regular file stands where one is expected; ``strerror`` says what."""


def kind_of(mode: int) -> str:
    """What a mode of ``stat`` stands for, in words; "" for a regular file."""
    if stat.S_ISREG(mode):
        return ""
    return next((name for test, name in _KINDS if test(mode)), "something else")


def kind_at(path: Path) -> str:
    """What stands at a path that is no regular file, in words; "" for one, or for nothing."""
    try:
        return kind_of(path.lstat().st_mode)
    except OSError:
        return ""


def read_regular(path: Path, follow: bool = True) -> bytes:
    """The bytes of a regular file; nothing else is opened for reading, so nothing can block.

    With ``follow`` unset a link is refused as well. Raises OSError, of which IrregularFile is one.
    """
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    if not follow and path.is_symlink():
        raise _irregular("a link", path)
    kind = kind_of(os.stat(path).st_mode)  # opening a socket or a device can fail or do something
    if kind:
        raise _irregular(kind, path)
    handle = os.open(path, flags | (0 if follow else getattr(os, "O_NOFOLLOW", 0)))
    with open(handle, "rb") as file:
        kind = kind_of(os.fstat(handle).st_mode)
        if kind:
            raise _irregular(kind, path)
        return file.read()


def _irregular(kind: str, path: Path) -> IrregularFile:
    return IrregularFile(0, f"it is {kind}, not a regular file", str(path))


def flush_to_disk(path: Path) -> None:
    """Wait until the content of a file is on the disk."""
    with open(path, "r+b") as file:
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where a system can be asked for that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def default_mode() -> int:
    """The permissions of a new file."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def owned_by_us(path: Path) -> bool:
    """Whether a file belongs to the user of this process; a link is not followed."""
    return not hasattr(os, "getuid") or path.lstat().st_uid == os.getuid()


@contextlib.contextmanager
def locked(path: Path, patience: float = -1) -> Iterator[bool]:
    """Hold the lock file at ``path``; waits ``patience`` seconds, for ever if negative.

    Yields whether the lock is held. Raises OSError where there can be none.
    """
    from filelock import FileLock, Timeout

    # What the system refuses to lock must not be locked by a file that a killed run leaves behind.
    lock = FileLock(path, fallback_to_soft=False)
    try:
        lock.acquire(timeout=patience, poll_interval=0.02)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release(force=True)


def usable_cores() -> int:
    """Number of cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


# --- signals -----------------------------------------------------------------------------------


class Interrupted(KeyboardInterrupt):
    """A signal asked this process to end; ``number`` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _State:
    """What handlers of signals, of which a process has one set, know of the run."""

    held = 0
    waiting: list[int] = []
    ending = 0


def numbers_of(names: tuple[str, ...]) -> list[int]:
    """The signals that this system has, by their names."""
    return [int(getattr(signal, name)) for name in names if hasattr(signal, name)]


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


@contextlib.contextmanager
def ending_on_signals(last_words: Callable[[], None]) -> Iterator[None]:
    """In the block, a signal that asks the process to end raises Interrupted in the main thread.

    An exception can be lost where Python allows none, or meet code that waits. If the block is
    not left soon after it, ``last_words`` are said and the process ends all the same.
    """
    if not _in_main_thread():
        yield
        return

    def interrupt(number: int, _frame: FrameType | None) -> None:
        if _State.held:
            _State.waiting.append(number)
            return
        _State.ending = number
        for other in numbers_of(_ENDING):  # one is enough; the end must not be disturbed
            signal.signal(other, signal.SIG_IGN)
        # Not `threading`, which takes locks that the interrupted code may hold.
        _thread.start_new_thread(_end, (number, last_words, left))
        raise Interrupted(number)

    before = {}
    left = threading.Event()
    for number in numbers_of(_ENDING):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup sets it
            before[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        left.set()
        _State.ending = 0
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, last_words: Callable[[], None], left: threading.Event) -> None:
    """End the process with the signal's exit status unless it is about to end by itself."""
    if not left.wait(_GRACE):
        _thread.start_new_thread(last_words, ())  # nobody may be reading them
        left.wait(0.1)
        os._exit(128 + number)


def raise_if_ending() -> None:
    """Raise Interrupted if a signal has asked the process to end, also if it is still held back."""
    number = _State.ending or next(iter(_State.waiting), 0)
    if number:
        raise Interrupted(number)


@contextlib.contextmanager
def signals_held_back() -> Iterator[None]:
    """Act on signals that end a process only at the end of the block, which must be short.

    Their delivery is blocked, which processes and threads that are started in the block inherit;
    a library's threads may take them nevertheless, so that the handlers wait, too. Raises
    Interrupted if the process is about to end.
    """
    if _State.ending:
        raise Interrupted(_State.ending)
    if not _in_main_thread():
        yield
        return
    before = {}
    _State.held += 1
    try:
        for number in numbers_of(_FATAL):
            if signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, _postpone)
        with _blocked():
            yield
    finally:
        for number in before:
            signal.signal(number, signal.SIG_DFL)
        _State.held -= 1
        if not _State.held and _State.waiting:
            number = _State.waiting[0]
            _State.waiting.clear()
            signal.raise_signal(number)


@contextlib.contextmanager
def tidying_up() -> Iterator[None]:
    """The same for what has to be done at the end of a run, however that came about."""
    if _State.ending:  # no further signal is listened to then
        yield
        return
    with signals_held_back():
        yield


def _postpone(number: int, _frame: FrameType | None) -> None:
    _State.waiting.append(number)


@contextlib.contextmanager
def _blocked() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers_of((*_FATAL, "SIGCHLD")))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def signals_of_a_worker() -> None:
    """Ctrl-C reaches all processes of a terminal, but the main process decides what becomes of us."""
    for number in numbers_of((*_FATAL, "SIGCHLD")):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers_of((*_FATAL, "SIGCHLD")))


@contextlib.contextmanager
def watching_children(look: Callable[[], None]) -> Iterator[None]:
    """In the block, call ``look`` in the main thread whenever a child process may have ended.

    Where the system does not tell, it is found out when something is expected of the child.
    """
    if not hasattr(signal, "SIGCHLD") or not _in_main_thread():
        yield
        return
    before = signal.signal(signal.SIGCHLD, lambda number, frame: None if _State.ending else look())
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, before)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Look again and again whether something holds; False when the time is over."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
