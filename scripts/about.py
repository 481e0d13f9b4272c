"""What a file with a net says besides its weights: classes, size and colours of pictures, depth.

It is a dictionary, `about` everywhere here; files keep it as JSON. This module needs no MXNet.
"""
import json

DEPTHS = (18, 34, 50, 101, 152)
FORMAT = 1
ROW = ('epoch', 'step', 'loss', 'train_acc', 'test_acc', 'learning_rate', 'time')  # of a history


def read_json(content):
    """What the bytes say in JSON, without NaN and infinity. Raises ValueError for any others."""
    def refuse(word):
        raise ValueError(f'{word} is no number')
    try:
        return json.loads(content, parse_constant=refuse)
    except RecursionError:
        raise ValueError('too many brackets in brackets') from None


def is_about(about):
    """Whether this is a dictionary as files keep it, for a net and its pictures that can be."""
    try:
        return (about['format'] == FORMAT
                and type(about['depth']) is int and about['depth'] in DEPTHS
                and type(about['classes']) is list and len(about['classes']) > 0
                and all(type(name) is str for name in about['classes'])
                and type(about['stride_on_first']) is bool and type(about['grey']) is bool
                and type(about['size']) is int and 0 < about['size'] < 2 ** 15
                and len(about['mean']) == len(about['std']) == (1 if about['grey'] else 3)
                and all(is_number(mean) and 0 <= mean <= 1 for mean in about['mean'])
                and all(is_number(std) and 0 < std <= 1 for std in about['std'])
                and type(about.get('settings', {})) is dict
                and all(row.keys() == set(ROW) and all(map(is_number, row.values()))
                        for row in about.get('history', [])))
    except (AttributeError, KeyError, TypeError):
        return False


def is_number(value):
    """Whether this is a number, neither NaN nor infinite, that an array can hold."""
    return type(value) in (int, float) and abs(value) < 2 ** 63


def for_others(about):
    """The part of `about` that a net needs in use, as JSON text: no history, no settings."""
    names = 'depth', 'classes', 'stride_on_first', 'size', 'grey', 'mean', 'std'
    return json.dumps({'format': FORMAT, **{name: about[name] for name in names}})
