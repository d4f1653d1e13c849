"""What git knows of a tree: which texts are committed, which are staged. Only ever asked.

Nothing here waits for long, needs git, or lets a checked-out tree run anything: objects are compared
by their digests, so that no filter, hook or monitor of the repository is started.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

#: Seconds that all questions of a run may take together.
_PATIENCE = 5.0
_MOST_PATHS = 200


class History:
    """The repository around a folder; without one, or without git, it knows nothing.

    Paths are relative to the folder. After a question that fails or takes too long no other is asked.
    """

    def __init__(self, folder: Path, patience: float = _PATIENCE) -> None:
        self._folder = folder
        self._left = patience
        self._git = _executable(folder)

    @property
    def known(self) -> bool:
        """Whether there is a repository that answers."""
        return self._git is not None

    def committed(self, paths: Sequence[str]) -> dict[str, str]:
        """Ids of the blobs at the last commit, by path."""
        return self._blobs("ls-tree", ["-z", "HEAD"], paths)

    def staged(self, paths: Sequence[str]) -> dict[str, str]:
        """Ids of the blobs that a commit would hold now, by path."""
        return self._blobs("ls-files", ["-s", "-z"], paths)

    def ignored(self, paths: Sequence[str]) -> set[str]:
        """Those of the paths without a place in the repository that it is told to ignore."""
        found: set[str] = set()
        for some in _portions(paths):
            options = ["-o", "-i", "--exclude-standard", "-z", "--", *some]
            found.update((self._ask("ls-files", *options) or b"").decode().split("\0"))
        return found & set(paths)

    def last_commit(self, path: str) -> str:
        """The last commit that changed a file, "" if there is none."""
        return (self._ask("rev-list", "-1", "HEAD", "--", path) or b"").decode().strip()

    def commit(self, ref: str) -> str:
        """The commit that a name stands for, "" if it stands for none."""
        options = ["--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"]
        return (self._ask("rev-parse", *options) or b"").decode().strip()

    @property
    def prefix(self) -> str:
        """Where the folder lies in its repository: "" at the top, else with a slash at the end."""
        return (self._ask("rev-parse", "--show-prefix") or b"").decode(errors="replace").strip()

    @property
    def is_shallow(self) -> bool:
        """Whether only the last commits are there."""
        return (self._ask("rev-parse", "--is-shallow-repository") or b"").strip() == b"true"

    def files(self, commit: str, places: Sequence[str]) -> list[str]:
        """Paths of the files at and below some places that a commit holds."""
        answer = self._ask("ls-tree", "-r", "-z", "--name-only", commit, "--", *places) or b""
        return [path for path in answer.decode(errors="surrogateescape").split("\0") if path]

    def texts(self, commit: str, paths: Sequence[str]) -> dict[str, bytes]:
        """Contents of files at a commit; those that it does not hold are left out."""
        asked = [path for path in paths if "\n" not in path]
        question = "".join(f"{commit}:./{path}\n" for path in asked)
        answer = self._ask("cat-file", "--batch", question=question.encode()) or b""
        found, position = {}, 0
        for path in asked:
            end = answer.find(b"\n", position)
            head = answer[position:end].split(b" ")
            position = end + 1
            if end < 0 or head[-1] == b"missing" or not head[-1].isdigit():
                continue
            size = int(head[-1])
            if head[-2] == b"blob":
                found[path] = answer[position : position + size]
            position += size + 1
        return found

    def _blobs(self, command: str, options: Sequence[str], paths: Sequence[str]) -> dict[str, str]:
        found = {}
        for some in _portions(paths):
            answer = self._ask(command, *options, "--", *some) or b""
            for line in answer.decode(errors="surrogateescape").split("\0"):
                # ls-tree: mode type id, a tab, the path; ls-files: mode id stage, a tab, the path
                head, _, path = line.partition("\t")
                parts = head.split(" ")
                if path:
                    found[path] = parts[2] if command == "ls-tree" else parts[1]
        return found

    def _ask(self, command: str, *options: str, question: bytes = b"") -> bytes | None:
        """What git prints; None if it cannot be asked, refuses, or does not answer in time."""
        if self._git is None:
            return None
        started = time.monotonic()
        # Plain files instead of pipes: nothing that git leaves behind can keep us waiting.
        with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as answer:
            asked.write(question)
            asked.seek(0)
            try:
                process = subprocess.Popen(
                    [self._git, *_QUIET, command, *options],
                    cwd=self._folder,
                    env=_environment(self._folder),
                    stdin=asked,
                    stdout=answer,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            except OSError:
                self._git = None
                return None
            code = _wait(process, self._left)
            self._left -= time.monotonic() - started
            if code is None:
                self._git = None
            answer.seek(0)
            return answer.read() if code == 0 else None


def blob_ids(data: bytes, like: str) -> set[str]:
    """Ids under which git may hold a file: as it is, and with plain line breaks.

    ``like`` is any id of the repository: its length tells the digest.
    """
    make = hashlib.sha256 if len(like) == 64 else hashlib.sha1
    plain = data.replace(b"\r\n", b"\n")
    return {make(b"blob %d\0" % len(text) + text).hexdigest() for text in {data, plain}}


#: No monitor and no paging, whatever the repository's own settings say.
_QUIET = ("--no-pager", "-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false")


def _portions(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(paths), _MOST_PATHS):
        yield paths[start : start + _MOST_PATHS]


def _repository(folder: Path) -> Path | None:
    """The ``.git`` of the repository around a folder."""
    places = (place / ".git" for place in (folder, *folder.parents))
    return next((place for place in places if place.exists()), None)


def _executable(folder: Path) -> str | None:
    return shutil.which("git") if _repository(folder) else None


def _environment(folder: Path) -> Mapping[str, str]:
    """The environment for git. A hook's variables count only if they mean the folder's repository."""
    environment = dict(os.environ)
    named = environment.get("GIT_DIR")
    own = _repository(folder)
    if named is not None and (own is None or not _same(Path(named), own)):
        for name in ("GIT_DIR", "GIT_INDEX_FILE"):
            environment.pop(name, None)
    elif "GIT_INDEX_FILE" in environment:
        environment["GIT_INDEX_FILE"] = os.path.abspath(environment["GIT_INDEX_FILE"])
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_PREFIX"):  # found from the folder again
        environment.pop(name, None)
    quiet = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1"}
    return {**environment, **quiet, "GIT_LITERAL_PATHSPECS": "1"}


def _same(first: Path, second: Path) -> bool:
    """Whether two names of a repository mean one; that of a work tree is a file that names it."""
    try:
        if second.is_file():
            second = (
                second.parent / second.read_text(encoding="utf-8").partition("gitdir:")[2].strip()
            )
        return os.path.realpath(first) == os.path.realpath(second)
    except (OSError, ValueError):
        return False


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """The exit code; None if it takes longer, and everything that was started ends."""
    try:
        return process.wait(max(seconds, 0.0))
    except BaseException as error:
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            return None
        raise
