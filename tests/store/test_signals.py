"""Signals: who is told, what waits, and what is as before afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codegen.store import system
from codegen.store.system import Interrupted, ending_on_signals, signals_held_back, tidying_up

ROOT = Path(__file__).resolve().parents[2]
ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
OTHERS = [signal.SIGQUIT, signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU]


@pytest.fixture(autouse=True)
def handlers() -> Iterator[dict[int, Any]]:
    """Signals as a program finds them; put back at the end, which must find nothing blocked."""
    numbers = [*ENDING, *OTHERS, signal.SIGCHLD]
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    found = {number: signal.getsignal(number) for number in numbers}
    yield found
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    after = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
    assert not blocked, "signals stay blocked"
    assert after == found, "handlers are not as before"


def run(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a process that says "ready" when it can be sent a signal."""
    head = "import os, signal, sys, threading, time\nfrom codegen.store.system import *\n"
    return subprocess.Popen(
        [sys.executable, "-c", head + textwrap.dedent(code), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def wait_for(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout
    assert process.stdout.readline().strip() == word


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_that_asks_for_the_end_is_raised_in_the_block(number: signal.Signals) -> None:
    said: list[int] = []
    with pytest.raises(Interrupted) as caught, ending_on_signals(lambda: said.append(1)):
        signal.raise_signal(number)
    assert caught.value.number == number
    assert isinstance(caught.value, KeyboardInterrupt)
    time.sleep(0.05)
    assert not said, "the block was left in time"


def test_only_the_first_signal_counts() -> None:
    with pytest.raises(Interrupted) as caught, ending_on_signals(lambda: None):
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            for number in ENDING:
                signal.raise_signal(number)
            with pytest.raises(Interrupted) as again:
                system.raise_if_ending()
            with pytest.raises(Interrupted) as held, signals_held_back():
                raise AssertionError("nothing is begun at the end")
            with tidying_up():
                pass
    assert caught.value.number == again.value.number == held.value.number == signal.SIGTERM
    system.raise_if_ending()  # afterwards all is as before


def test_what_is_ignored_stays_ignored() -> None:
    """As by nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with ending_on_signals(lambda: None):
        signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.mark.parametrize("stuck", ["while True: time.sleep(0.01)", "threading.Event().wait()"])
def test_a_block_that_loses_the_exception_ends_all_the_same(stuck: str) -> None:
    process = run(
        f"""
        with ending_on_signals(lambda: print("last words", flush=True)):
            try:
                print("ready", flush=True)
                {stuck}
            except BaseException:
                pass
            {stuck}
        """
    )
    wait_for(process, "ready")
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert out == "last words\n"
    assert 0.4 < time.monotonic() - began < 5


def test_last_words_that_nobody_reads_do_not_keep_the_process() -> None:
    process = run(
        """
        with ending_on_signals(lambda: time.sleep(60)):
            try:
                print("ready", flush=True)
                time.sleep(60)
            except BaseException:
                time.sleep(60)
        """
    )
    wait_for(process, "ready")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 128 + signal.SIGTERM


def test_a_signal_waits_while_it_is_held_back() -> None:
    done: list[str] = []
    with pytest.raises(Interrupted) as caught, ending_on_signals(lambda: None):
        with signals_held_back():
            with signals_held_back():
                signal.raise_signal(signal.SIGTERM)
                os.kill(os.getpid(), signal.SIGINT)
                done.append("inner")
            done.append("outer")
        done.append("never")
    assert done == ["inner", "outer"]
    assert caught.value.number in (signal.SIGTERM, signal.SIGINT)


def test_a_signal_that_another_thread_takes_waits_too() -> None:
    """Its handler runs in the main thread at once; who asks is told that the end is near."""
    begin, done = threading.Event(), []

    def take() -> None:
        begin.wait()
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    thread = threading.Thread(target=take)
    thread.start()
    with pytest.raises(Interrupted) as caught, ending_on_signals(lambda: None):
        with signals_held_back():
            with signals_held_back():
                begin.set()
                thread.join()
                time.sleep(0.02)
                with pytest.raises(Interrupted) as told:
                    system.raise_if_ending()
            done.append("outer")
        done.append("never")
    assert done == ["outer"]
    assert told.value.number == caught.value.number == signal.SIGTERM


@pytest.mark.parametrize("number", [*OTHERS, signal.SIGTERM])
def test_a_signal_that_nobody_handles_ends_the_process_only_after_the_block(
    number: signal.Signals,
) -> None:
    process = run(
        """
        with signals_held_back():
            print("ready", flush=True)
            sys.stdin.readline()
            print("done", flush=True)
        print("after", flush=True)
        """
    )
    wait_for(process, "ready")
    process.send_signal(number)
    time.sleep(0.05)
    out, _ = process.communicate("go\n", timeout=30)
    assert out == "done\n"
    assert process.returncode == -number


@pytest.mark.parametrize("number", OTHERS)
def test_a_thread_that_takes_a_held_signal_lets_it_wait_too(number: signal.Signals) -> None:
    """A library's thread has the signal open: its handler runs in the main thread at once."""
    process = run(
        f"""
        def other():
            signal.pthread_kill(threading.get_ident(), {int(number)})

        stop = threading.Event()
        begin = threading.Event()
        thread = threading.Thread(target=lambda: (begin.wait(), other()))
        thread.start()
        with signals_held_back():
            begin.set()
            thread.join()
            time.sleep(0.05)
            print("done", flush=True)
        print("after", flush=True)
        """
    )
    out, _ = process.communicate(timeout=30)
    assert (out, process.returncode) == ("done\n", -number)


def test_what_is_handled_or_ignored_is_not_touched_while_held_back() -> None:
    seen: list[int] = []
    signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    with signals_held_back():
        # To this thread: of a process, any other that a library has begun may take it.
        signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(signal.SIGUSR2)
        assert not seen
    assert seen == [signal.SIGUSR1]
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_DFL)


def test_other_threads_do_not_listen_and_do_not_hold_back() -> None:
    seen: list[object] = []

    def work() -> None:
        with ending_on_signals(lambda: None), signals_held_back(), tidying_up():
            seen.append(signal.getsignal(signal.SIGTERM))
            seen.append(signal.pthread_sigmask(signal.SIG_BLOCK, []))
        with system.watching_children(lambda: None):
            seen.append(signal.getsignal(signal.SIGCHLD))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL, set(), signal.SIG_DFL]


def test_everything_is_as_before_after_a_failure(handlers: dict[int, Any]) -> None:
    with pytest.raises(KeyError), ending_on_signals(lambda: None), signals_held_back():
        assert signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, [])
        assert signal.SIGCHLD in signal.pthread_sigmask(signal.SIG_BLOCK, [])
        raise KeyError
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert {number: signal.getsignal(number) for number in handlers} == handlers
    system.raise_if_ending()


def test_tidying_up_holds_back_what_comes_before_the_end() -> None:
    with pytest.raises(Interrupted), ending_on_signals(lambda: None):
        with tidying_up():
            signal.raise_signal(signal.SIGTERM)
            tidy = True
        raise AssertionError("the signal comes at the end of the block")
    assert tidy


def test_a_worker_leaves_the_decision_to_the_main_process() -> None:
    """Ctrl-C is ignored, everything else as the system has it, nothing blocked."""
    process = run(
        """
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGCHLD])
        signals_of_a_worker()
        shown = [signal.SIGINT, signal.SIGTERM, signal.SIGUSR2, signal.SIGCHLD]
        print(*(int(signal.getsignal(number)) for number in shown))
        print(*signal.pthread_sigmask(signal.SIG_BLOCK, []))
        """
    )
    out, _ = process.communicate(timeout=30)
    ignored, default = int(signal.SIG_IGN), int(signal.SIG_DFL)
    assert out.split("\n")[0] == f"{ignored} {default} {ignored} {default}"
    assert out.split("\n")[1] == ""


def test_the_end_of_a_child_is_told_at_once() -> None:
    told = threading.Event()
    with system.watching_children(told.set):
        subprocess.Popen([sys.executable, "-c", ""]).wait()
        assert told.wait(10)
    told.clear()
    subprocess.Popen([sys.executable, "-c", ""]).wait()
    assert not told.is_set(), "only in the block"


def test_the_end_of_a_child_is_no_news_when_all_ends() -> None:
    looked: list[int] = []
    watching = system.watching_children(lambda: looked.append(1))
    with pytest.raises(Interrupted), ending_on_signals(lambda: None), watching:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            subprocess.Popen([sys.executable, "-c", ""]).wait()
    assert not looked


def test_signals_that_a_system_lacks_are_left_out() -> None:
    assert system.numbers_of(("SIGTERM", "SIGNOSUCH", "SIGINT")) == [15, 2]
