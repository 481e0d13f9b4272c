"""Decoded pictures on disk: each is decoded once, for all runs and for all workers that see them.

In the folder of a cache:

    64-rgb/07/pictures  a thirty-second of the pictures, by the CRC-32 of their names: the bytes of
                        one after the other, what each of them is as JSON, the length of that
    64-rgb/facts.json   what can be said of all of them only once they have all been read
    hashes.json         files that were found to be unchanged although their times have changed

Each file is written whole or not at all, and each but the first kind may be lost. Who decodes a
piece holds its folder; others then take other pieces, so that workers share the work, and a kill
costs one piece. JSON and bytes only: nothing in a cache is ever executed.
"""
import hashlib
import json
import os
import shutil
import time
import warnings
import zlib
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import utils  # before mxnet, for its threads

import numpy as np
import PIL
from loky import cpu_count

import files
import pictures

LEAST = 1000  # pictures; fewer are decoded in seconds, and stay in memory
PIECES = 32
SETTLED = 2 * 10 ** 9  # nanoseconds: two changes within may have one time, as disks count it


class Pictures:
    """Pictures on disk, uint8 of shape (n, size, size, c): [i] reads one, as often as it is asked.

    Read, not mapped into memory: what was looked at of a map counts as this process's memory, in
    the end all of it, and a disk that fails would end the process without a word. OSError then.
    identity: a text that is the same for the same pictures in this order only.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, folder, kind, found):
        """found: [(SHA-256, open file, number of the picture in it)], in the folder of a kind."""
        self.folder, self.places = folder, [(file, row) for _, file, row in found]
        self.shape = len(found), *shape_of(kind)
        text = json.dumps([kind, [identity for identity, _, _ in found]])
        self.identity = hashlib.sha256(text.encode()).hexdigest()

    def __len__(self):
        return len(self.places)

    def __getitem__(self, i):
        return read_row(*self.places[i], self.shape[1:])

    def __iter__(self):
        """All of them, with a bar: of many this takes a minute."""
        for i in utils.progress(range(len(self)), 'Looking at all', 'picture'):
            yield self[i]


def shape_of(kind):
    """The shape of one picture, (size, size, channels)."""
    return kind['size'], kind['size'], 1 if kind['grey'] else 3


def read_row(file, row, shape):
    """Picture number `row` of an open piece."""
    count = int(np.prod(shape))
    content = os.pread(file.fileno(), count, row * count)
    if len(content) < count:
        raise OSError(f'{file.name} was cut short while it was in use')
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)


# ---------------------------------------------------------------------------------------------
# What is in a file


def signature(path):
    """Numbers that change with a file, None if it is too young, or not there.

    Size and time of the content are not enough: a file may be replaced by one with the same. But
    nobody can set the time of the last change of any kind, nor the number of the file on its disk.
    """
    try:
        found = os.stat(path)
    except OSError:
        return None
    if time.time_ns() - found.st_ctime_ns < SETTLED:
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def identify(path):
    """The SHA-256 of a file's bytes, or a few words on why they cannot be read."""
    try:
        pictures.check_is_file(path)
        with open(path, 'rb') as file:
            return hashlib.file_digest(file, 'sha256').hexdigest()
    except (ValueError, OSError) as error:
        return pictures.one_line(error)


def decode(path, kind):
    """Identity and signature of a file, and its picture, or why it has none.

    In this order, so that a file that changes meanwhile is noticed at the next start.
    """
    before, identity = signature(path), identify(path)
    try:
        return identity, before, pictures.read_picture(path, kind['size'], kind['grey'])
    except ValueError as error:
        return identity, before, str(error)


def decoder():
    """A text that changes with what makes pixels out of files: they are then all decoded anew."""
    code = hashlib.sha256(Path(pictures.__file__).read_bytes()).hexdigest()
    return f'Pillow {PIL.__version__}, pictures.py {code}'


# ---------------------------------------------------------------------------------------------
# Pieces


def piece_of(name):
    """The number of the piece that has the picture of this name, such as train/cat/1.jpg."""
    return zlib.crc32(os.fsencode(name)) % PIECES


def read_piece(path, kind):
    """An open piece, and {name: [identity, signature, row or reason]} of the pictures in it.

    (None, {}) if it is missing, damaged, or was decoded in another way.
    """
    try:
        file = open(path, 'rb')
    except FileNotFoundError:
        return None, {}
    try:
        end = file.seek(-8, os.SEEK_END)
        length = int.from_bytes(file.read(8), 'little')
        start = file.seek(end - length)
        told = json.loads(file.read(length))
        rows = sum(type(place) is int for _, _, place in told['pictures'].values())
        if told['kind'] == kind and start == rows * np.prod(shape_of(kind)):
            return file, told['pictures']
    except (ValueError, OSError, KeyError, TypeError, AttributeError):
        pass  # whatever it is, it is not what write_piece has written
    file.close()
    return None, {}


def write_piece(path, kind, paths, piece, stale, pool, bar):
    """Write a piece with the pictures of `paths`, {name: path}, and read it.

    piece: what read_piece has found there. stale: the names that are decoded, by the threads of
    `pool`; the other pictures are copied. Raises OSError, for example when the disk is full.
    """
    (old, known), told, row, names = piece, {}, 0, list(paths)
    step = 8 * cpu_count()  # pictures that wait in memory for being written
    with files.whole(path, 'wb') as file:
        for start in range(0, len(names), step):
            some = names[start:start + step]
            fresh = [name for name in some if name in stale]
            decoded = dict(zip(fresh, pool.map(lambda name: decode(paths[name], kind), fresh),
                               strict=True))
            for name in some:
                identity, before, place = decoded[name] if name in decoded else known[name]
                if not isinstance(place, str):
                    file.write(place if name in decoded else read_row(old, place, shape_of(kind)))
                    place, row = row, row + 1
                told[name] = identity, before, place
            bar.update(len(fresh))
        text = json.dumps({'kind': kind, 'pictures': told}).encode()
        file.write(text + len(text).to_bytes(8, 'little'))
    return read_piece(path, kind)


class Cache:
    """The pictures of one split, at one size, in grey or in colours, in the folder `where`.

    paths: {name: path} of the files. pool: threads. When the cache has been made, `pieces` are as
    on the disk, and `identities` has what is now in those files that were in one of them.
    """

    def __init__(self, where, paths, size, grey, pool):
        self.where, self.folder = where, where / f'{size}-{"grey" if grey else "rgb"}'
        self.kind = {'size': size, 'grey': grey, 'decoder': decoder()}
        self.pool, self.paths = pool, defaultdict(dict)
        for name, path in paths.items():
            self.paths[piece_of(name)][name] = path
        self.hashes = {name: seen for name, seen in read_json(where / 'hashes.json').items()
                       if name in paths}
        self.pieces, self.identities = {}, {}
        self.look_at(self.paths)

    def look_at(self, numbers):
        """See what is on the disk of these pieces, and hash the files that may have changed."""
        doubtful = {}
        for number in numbers:
            self.pieces[number] = read_piece(self.path(number), self.kind)
            known = self.pieces[number][1]
            for name in self.paths[number].keys() & known.keys():
                now = signature(self.paths[number][name])
                (identity, before, _), seen = known[name], self.hashes.get(name, (None, None))
                if now and now in (before, seen[0]):
                    self.identities[name] = identity if now == before else seen[1]
                else:
                    doubtful[name] = self.paths[number][name], now
        found = self.pool.map(identify, [path for path, _ in doubtful.values()])
        for name in utils.progress(doubtful, 'Comparing', 'picture'):
            self.identities[name] = next(found)
            self.hashes[name] = doubtful[name][1], self.identities[name]
        if doubtful:
            with suppress(OSError), files.whole(self.where / 'hashes.json') as file:
                json.dump(self.hashes, file)  # without it the next start takes longer, no more

    def path(self, number):
        return self.folder / f'{number:02}' / 'pictures'

    def stale(self, number):
        """The names of those pictures of a piece that have to be decoded."""
        known = self.pieces[number][1]
        return {name for name in self.paths[number]
                if name not in known or known[name][0] != self.identities[name]}

    def fill(self, first):
        """Decode what is missing, from piece `first` on, and leave to others what they are at.

        Raises OSError for a folder that cannot be written to, and for a full disk.
        """
        todo = {number: len(stale) for number in self.paths if (stale := self.stale(number))}
        if not todo:
            return
        self.check_room(sum(todo.values()))
        with utils.progress(range(sum(todo.values())), 'Decoding', 'picture') as bar:
            while todo:
                done = [number for number in sorted(todo, key=lambda n: (n - first) % PIECES)
                        if self.fill_piece(number, bar)]
                todo = {number: count for number, count in todo.items() if number not in done}
                if not done:
                    time.sleep(0.2)

    def check_room(self, count):
        """Raises OSError if the disk is too full for so many pictures more."""
        self.folder.mkdir(parents=True, exist_ok=True)
        needed = count * int(np.prod(shape_of(self.kind)))
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise OSError(f'they take {needed / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are free')

    def fill_piece(self, number, bar):
        """Decode what is missing in a piece; returns False if another process is at it."""
        path = self.path(number)
        path.parent.mkdir(exist_ok=True)
        try:
            with files.locked(path.parent):
                self.look_at([number])  # once more: another may just have let go of it
                if stale := self.stale(number):
                    self.pieces[number] = write_piece(path, self.kind, self.paths[number],
                                                      self.pieces[number], stale, self.pool, bar)
            return True
        except BlockingIOError:
            return False

    def part(self, files):
        """Pictures, labels and unreadable files, as `load` gives them, of [(path, name, label)]."""
        found, labels, unreadable = [], [], []
        for path, name, label in files:
            file, known = self.pieces[piece_of(name)]
            identity, _, place = known[name]
            if isinstance(place, str):
                unreadable.append((path, place))
            else:
                found.append((identity, file, place))
                labels.append(label)
        return Pictures(self.folder, self.kind, found), np.array(labels, np.int32), unreadable


def read_json(path):
    """The dictionary in a file; {} where there is none, or something else."""
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


# ---------------------------------------------------------------------------------------------
# A split


def place(split, folder=None):
    """Where the cache of a split is: beside it, under its name, or in another folder."""
    split = split.resolve()
    return (folder or split.parent) / f'{split.name}.cache'


def load(folder, parts, where, size, grey, rank=0, workers=1):
    """The pictures of a split, from the cache in the folder `where`; what it lacks is decoded.

    parts: of each part of the split the files, [(path, label)], all below `folder`. size, grey:
    see pictures.read_picture. rank, workers: which of several workers this is; those that see the
    same folder divide the decoding, and each returns when all of it is done.

    Returns of each part Pictures, labels, int32 of shape (n,), and the unreadable files as
    [(path, reason)]. Raises ValueError if `where` cannot be written to, though it has to be.
    """
    named = [[(path, path.relative_to(folder).as_posix(), label) for path, label in part]
             for part in parts]
    paths = {name: path for part in named for path, name, _ in part}
    pool = ThreadPoolExecutor(cpu_count())  # most of the time is Pillow's, without Python's lock
    try:
        with warnings.catch_warnings():  # what pictures.read_picture does is not for threads
            warnings.simplefilter('ignore')
            cache = Cache(where, paths, size, grey, pool)
            cache.fill(rank * PIECES // workers)
    except OSError as error:
        raise ValueError(f'{where} cannot take the decoded pictures: {pictures.one_line(error)}. '
                         'Make room, or name another folder with --cache; nothing that was '
                         'decoded is lost') from None
    finally:
        pool.shutdown(cancel_futures=True)
    remove_left(where)
    return [cache.part(part) for part in named]


def remove_left(where):
    """Remove what a kill -9 has left in a cache, if that can be.

    What is younger than an hour may be another worker's: some network file systems have no locks.
    """
    for left in where.rglob('.unfinished-*'):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > 3600:
                left.unlink()


def remember(compute, *sets):
    """`compute(*sets)`, a dictionary, of the sets that `load` gave; kept for the next start."""
    path = sets[0][0].folder / 'facts.json'
    text = json.dumps([(images.identity, labels.tolist()) for images, labels in sets])
    key = hashlib.sha256(text.encode()).hexdigest()
    facts = read_json(path)
    if facts.get('key') != key:
        facts = {'key': key, 'facts': compute(*sets)}
        with suppress(OSError), files.whole(path) as file:
            json.dump(facts, file)
    return facts['facts']
