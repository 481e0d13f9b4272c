"""Files that are written whole or not at all, and folders that one process has for itself."""
import fcntl
import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path


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
    number, name = tempfile.mkstemp(dir=path.parent, prefix='.unfinished-')
    try:
        with open(number, mode, **options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())  # mkstemp's files are for their owner only
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


def _umask():
    """The permissions that new files of this process do not get; it can only be set to be read."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
