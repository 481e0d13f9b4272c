"""What the command lines share."""
import argparse
import sys


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


def print_any_name():
    """From here on stdout takes names with characters that it cannot print: as escapes."""
    if hasattr(sys.stdout, 'reconfigure'):
        sys.stdout.reconfigure(errors='backslashreplace')
