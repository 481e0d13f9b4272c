"""What the command lines share: numbers on them, signals, and output that any terminal takes."""
import argparse
import os
import signal
import sys
import threading
import time

# What asks a program to stop. SIGHUP (a closed terminal) does not exist on Windows.
STOP = [number for name in ('SIGINT', 'SIGTERM', 'SIGHUP')
        if (number := getattr(signal, name, None))]


def number(kind, least):
    """A parser, for argparse, of numbers of a kind: int, at least `least`; float, above `least`.

    The parser raises ValueError for what is no number, argparse.ArgumentTypeError for one that is
    too small or, being a float, not finite.
    """
    def parse(text):
        value = kind(text)
        if value < least or (kind is float and not least < value < float('inf')):
            bound = 'at least' if kind is int else 'a number above'
            raise argparse.ArgumentTypeError(f'it has to be {bound} {least}')
        return value
    parse.__name__ = kind.__name__  # argparse names it when the text is no number
    return parse


def end_at_once():
    """From here to `run`, while modules are loaded, Ctrl-C ends the program without a traceback."""
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def run(main):
    """The exit status of `main(sys.argv[1:])`, whose output and end hold on every system.

    Names that stdout and stderr cannot print come out as escapes. Ctrl-C, SIGTERM and SIGHUP, if
    they are not ignored (as by nohup), raise KeyboardInterrupt in `main`, which cleans up; the
    status is then 128 and the signal's number. When nobody reads the output any longer
    (`… | head`), which `main` lets pass as BrokenPipeError, it ends quietly, with status 141; for
    another OSError, such as a full disk, with one line and status 1.
    """
    signals = interrupt_at_signals()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, 'reconfigure'):
            stream.reconfigure(errors='backslashreplace')
    try:
        try:
            status = main(sys.argv[1:])
        except SystemExit as end:  # argparse, after --help for example
            status = end.code
        except KeyboardInterrupt:  # before or after what `main` guards
            status = 130
        for number in STOP:  # nothing is left to be cleaned up
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        if sys.stdout:  # None if it was closed
            sys.stdout.flush()
    except BrokenPipeError:
        discard_output()
        return 141
    except OSError as error:
        print(f'{os.path.basename(sys.argv[0])}: {error}', file=sys.stderr)
        discard_output()
        return 1
    return 128 + signals[0] if signals and status else status


def discard_output():
    """Let what stdout and stderr still hold go nowhere, or Python would complain at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nowhere, number)


def interrupt_at_signals():
    """From here on the signals in STOP raise KeyboardInterrupt; returns the list of those seen.

    The exception's text is the name of the signal. Another one within a second, such as a double
    Ctrl-C, is passed over, or it would end the cleaning up.
    """
    seen, deaf_until = [], 0.

    def stop(number, _frame):
        nonlocal deaf_until
        seen.append(number)
        if time.monotonic() >= deaf_until:
            deaf_until = time.monotonic() + 1
            raise KeyboardInterrupt(signal.Signals(number).name)

    def lost(unraisable):
        # An interrupt that falls into a destructor, of which MXNet has many, is only printed.
        nonlocal deaf_until
        if unraisable.exc_type is KeyboardInterrupt and seen:
            deaf_until = 0.
            # To the main thread, or what it waits in would not end.
            threading.Timer(0.1, signal.pthread_kill, [threading.get_ident(), seen[-1]]).start()
        else:
            sys.__unraisablehook__(unraisable)

    for number in STOP:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)
    sys.unraisablehook = lost
    return seen
