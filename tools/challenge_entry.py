"""What `tools.challenge` starts for one entry: its training, guarded, in a process of its own.

    python -m tools.challenge_entry ENTRY FOLDER SECONDS CHANNEL

Messages go to the file descriptor CHANNEL, a JSON object a line: {"started": true} before the
entry is loaded, {"trained": true} after its training, {"predicted": true} at the end, and before
that {"rule": words} or {"error": words}. After {"trained": true} the path of the test images is
read from stdin; the answers go to FOLDER/answers.npy.
"""
import json
import os
import runpy
import sys
import time
import traceback
from pathlib import Path

START = time.perf_counter()
import utils  # noqa: E402  before mxnet, for its threads

import numpy as np  # noqa: E402

ROOT = Path(utils.__file__).resolve().parent

# Functions of C libraries that open files or start programs, past Python's own doors.
DOORS = {'MXNDArrayLoad', 'MXNDArrayLoadFromBuffer', 'MXSymbolCreateFromFile', 'MXLoadLib',
         'MXRecordIOReaderCreate', 'MXDataIterCreateIter',
         'open', 'open64', 'openat', 'fopen', 'fopen64', 'system', 'popen', 'syscall', 'fork'}
PROGRAMS = ('subprocess.Popen', 'os.system', 'os.exec', 'os.posix_spawn', 'os.fork',
            'os.forkpty', 'pty.spawn')
NETWORK = ('socket.connect', 'socket.bind', 'socket.getaddrinfo', 'socket.sendto')


def broken_rule(event, arguments, folders):
    """What an audit event of Python's breaks, in words; None for what an entry may do."""
    if event in ('open', 'os.link', 'os.symlink', 'os.rename'):
        paths = arguments[:1] if event == 'open' else arguments[:2]
        for path in paths:
            if isinstance(path, (str, bytes, os.PathLike)):
                real = Path(os.path.realpath(os.fsdecode(path)))
                if real.parent != ROOT and not any(map(real.is_relative_to, folders)):
                    return f'it opened {real}'
    elif event == 'ctypes.dlsym' and arguments[1] in DOORS:
        return f'it called {arguments[1]} of a C library'
    elif event in PROGRAMS:
        return f'it started another process ({event})'
    elif event in NETWORK:
        return f'it used the network ({event})'
    return None


def guard(folder, tell):
    """From here on, whoever breaks a rule is reported by `tell`, and gets a PermissionError."""
    folders = [Path(path).resolve() for path in (
        folder, sys.prefix, sys.base_prefix, ROOT / '__pycache__', ROOT / 'tools', '/dev', '/proc',
        '/sys', '/etc', '/usr')]

    def hook(event, arguments):
        if rule := broken_rule(event, arguments, folders):
            tell(rule=rule)
            raise PermissionError(rule)

    sys.addaudithook(hook)


def main(entry, folder, seconds, channel):
    def tell(**message):
        os.write(channel, (json.dumps(message) + '\n').encode())

    images, labels = utils.read_fashion_mnist('train')
    guard(folder, tell)
    tell(started=True)
    try:
        names = runpy.run_path(entry)
        if not callable(names.get('train')):
            raise TypeError('the file defines no function train(images, labels, seconds)')
        predict = names['train'](images, labels, seconds - (time.perf_counter() - START))
        if not callable(predict):
            raise TypeError(f'train returned {type(predict).__name__}, and not a function '
                            'predict(images)')
        tell(trained=True)
        answers = np.asarray(predict(np.load(sys.stdin.readline().rstrip('\n'))))
        if answers.dtype.kind not in 'iuf':
            raise TypeError(f'predict returned {answers.dtype}, and not numbers of classes')
        np.save(Path(folder) / 'answers.npy', answers)
        tell(predicted=True)
    except BaseException as error:  # SystemExit too: whatever ends an entry is its error
        traceback.print_exc()
        tell(error=f'{type(error).__name__}: {error}'[:300])


if __name__ == '__main__':
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))
