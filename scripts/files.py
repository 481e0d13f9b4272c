"""Files: written whole or not at all, in folders for one process alone, and which are a user's."""
import fcntl
import os
import secrets
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path

# What systems leave in folders without being asked, in small letters: bins, thumbnails (which
# would be the same picture once more), snapshots, volume information. All names with a dot in
# front, such as .DS_Store, ._a.jpg and .Trash-1000, are hidden.
LEFT_BY_SYSTEMS = [
    '.*', 'lost+found', 'lost.dir', '__pycache__',
    # Windows
    'thumbs.db', 'ehthumbs*.db', 'desktop.ini', '$recycle.bin', 'recycler',
    'system volume information', 'found.[0-9][0-9][0-9]',
    # Mac
    '__macosx', 'icon\r', 'network trash folder', 'temporary items', 'thevolumesettingsfolder',
    'desktop db', 'desktop df',
    # NAS: Synology, QNAP and others
    '@eadir', '@tmp', '@recycle', '@recently-snapshot', '@sharebin', '@transcode', '*@syno*',
    'syno*_thumb_*', 'synoindex_media_info', '#recycle', '#snapshot', 'network recycle bin*',
    'aquota.*',
]


@contextmanager
def whole(path, mode='w', **options):
    """A new file, open for writing, that takes the place of `path` if the `with` block ends well.

    mode, options: as for open; text is UTF-8 unless `encoding` says otherwise. Until the end the
    file has a name of its own in the same folder, so that two writers never meet.

    Raises OSError, for example for a full disk or a missing folder; whatever ends the block,
    `path` is then as it was, and nothing else is left.
    """
    path = Path(path)
    if 'b' not in mode:
        options = {'encoding': 'utf-8', **options}
    # Not by mkstemp: a signal behind it, and before the `try`, would leave the file.
    name = path.parent / f'.unfinished-{secrets.token_hex(8)}'
    try:
        with open(name, mode.replace('w', 'x'), **options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise


@contextmanager
def locked(folder):
    """Hold `folder`, which must exist, for this process until the `with` block ends.

    Raises BlockingIOError if another process holds it. The lock leaves no file and ends with the
    process, however that ends; where a file system knows no locks there is none.
    """
    number = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockingIOError(f'{folder} is in use: another process writes to it') from None
        except OSError:  # some network file systems have no locks for folders
            pass
        yield
    finally:
        os.close(number)


def is_ignored(name):
    """Whether a file or folder of this name was not put there by the user."""
    return any(fnmatchcase(name.lower(), pattern) for pattern in LEFT_BY_SYSTEMS)
