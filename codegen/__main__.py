"""``python -m codegen``, and the command of the installed distribution."""

import os
import sys


def _leave_working_directory() -> None:
    """Take the working directory from the import path: it may be a tree with a ``json.py``.

    ``python -m`` puts it in front; a relative entry of ``PYTHONPATH`` means it, too. Our own
    modules are found without: the package knows its folder.
    """
    here = os.getcwd()
    spelled = os.environ.get("PYTHONPATH") if not sys.flags.ignore_environment else None
    named = any(
        not os.path.isabs(entry) and os.path.abspath(entry) == here
        for entry in (spelled.split(os.pathsep) if spelled else ())
    )
    for _ in range((not getattr(sys.flags, "safe_path", False)) + named):
        if here in sys.path[: 1 + named]:
            sys.path.remove(here)
    sys.path[:] = [entry for entry in sys.path if entry]


def run() -> None:
    """Run the command line and end the process with its exit code.

    A signal that comes before it is ready, or after it is done, ends the process as signals do.
    """
    code = 130
    try:
        import signal

        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        from codegen.cli import main

        code = main()
    except KeyboardInterrupt:
        pass
    if code > 128:
        os._exit(code)  # what is usually done at the end of a process could wait for ever
    sys.exit(code)


if __name__ == "__main__":
    if __spec__ is not None:  # not as `python FILE`
        try:
            _leave_working_directory()
        except OSError:  # it has been removed
            sys.path[:] = [entry for entry in sys.path if entry]
    run()
