"""Read source files; the only place that opens inputs."""

from __future__ import annotations

import hashlib
from pathlib import Path

from codegen.errors import CodegenError, fail
from codegen.expansion.model import SourceFile
from codegen.store.system import read_regular
from codegen.text.indent import normalize_indent


def digest_text(text: str) -> str:
    """Content digest of a text as it is compared and cached."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def digest_bytes(data: bytes) -> str:
    """Digest of the bytes of a file, where line breaks and marks count."""
    return hashlib.sha256(data).hexdigest()[:32]


def read_text(path: Path, shown: str) -> str:
    """The text of a source file with ``\\n`` line breaks and without a byte order mark.

    Raises CodegenError when it cannot be read, is not UTF-8 or holds a null byte.
    """
    try:
        data = read_regular(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise fail("unreadable", f"cannot read the file: {reason}", shown) from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise fail(
            "encoding",
            f"the file is not UTF-8: byte 0x{data[error.start]:02x} cannot be decoded",
            shown,
            line,
            "save the file as UTF-8",
        ) from None
    if "\0" in text:  # each version of Python says this in other words
        line = text.count("\n", 0, text.index("\0")) + 1
        hint = "save the file as text, without null bytes"
        raise fail("encoding", "the file holds a null byte", shown, line, hint)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def read_generated(path: Path, shown: str = "") -> str | None:
    """The exact text of a generated file; None if there is none, "" if it is not UTF-8.

    Raises CodegenError when something is there that cannot be read, or is no file.
    """
    try:
        return read_regular(path).decode("utf-8")
    except UnicodeDecodeError:
        return ""
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        reason = error.strerror or str(error)
    hint = "remove what is in its place, or make it readable"
    raise fail("unreadable", f"cannot read the file: {reason}", shown or str(path), 0, hint)


def glance(path: Path) -> str:
    """The text of a file that may be a generated one; "" for whatever cannot be read as such."""
    try:
        return read_generated(path) or ""
    except CodegenError:
        return ""


def make_source(path: str, module: str, text: str) -> SourceFile:
    """A :class:`SourceFile` with its digest; four spaces indent each block of its text."""
    return SourceFile(path, module, normalize_indent(text), digest_text(text))
