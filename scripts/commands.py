"""What the command lines share: numbers on them, signals, and output that any terminal takes."""
import argparse
import os
import signal
import sys
import threading

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


def run(main):
    """The exit status of `main(sys.argv[1:])`, whose output and end hold on every system.

    Names that stdout and stderr cannot print come out as escapes. Ctrl-C, SIGTERM and SIGHUP, if
    they are not ignored (as by nohup), raise KeyboardInterrupt in `main`, which cleans up; the
    status is then 128 and the signal's number. When nobody reads the output any longer
    (`… | head`), it ends quietly, with status 141.
    """
    signals = stop_by_interrupt()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, 'reconfigure'):
            stream.reconfigure(errors='backslashreplace')
    try:
        status = main(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes stdout once more when it ends, and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:  # before or after what `main` guards
        status = 130
    return 128 + signals[0] if signals and status else status


def stop_by_interrupt():
    """From here on the signals in STOP raise KeyboardInterrupt; returns the list of those seen."""
    seen = []

    def stop(signal_number, _frame):
        seen.append(signal_number)
        raise KeyboardInterrupt

    def lost(unraisable):
        # An interrupt that falls into a destructor, of which MXNet has many, is only printed.
        if unraisable.exc_type is KeyboardInterrupt and seen:
            threading.Timer(0.1, signal.raise_signal, [seen[-1]]).start()
        else:
            sys.__unraisablehook__(unraisable)

    for signal_number in STOP:
        if signal.getsignal(signal_number) != signal.SIG_IGN:
            signal.signal(signal_number, stop)
    sys.unraisablehook = lost
    return seen
