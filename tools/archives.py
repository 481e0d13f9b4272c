"""Archives of submissions, .zip: what a learning platform gives for a class, what students pack.

Nothing in an archive is trusted: not its names, not its sizes, and not that it is one.
"""
import errno
import hashlib
import json
import re
import shutil
import stat
import struct
import tempfile
import unicodedata
import zipfile
from pathlib import Path

from assignments.rebuild import LARGEST  # bytes of a file: none that is too large to be read
from scripts.files import is_ignored, locked

TOTAL = 20 * 10 ** 9  # bytes of all files of an archive
NOTE = '.archive.json'  # in an unpacked folder: of which archive, and what was left out


def is_archive(path):
    return path.suffix.lower() == '.zip'


def unpack(archive, folder, most=TOTAL):
    """Unpacks `archive` into `folder`, whole or not at all; returns what was left out: [sentence].

    A folder that an earlier call has made is taken as it is, for its files may have been mended.
    What is left out is said of notebooks and archives only. Of a file that cannot be unpacked an
    empty one is there, so that its student does not get marks without it. most: bytes of all files.
    Raises ValueError for what is no archive, or not that of the folder, and OSError.
    """
    note = {'sha256': digest(archive)}
    if folder.exists():
        found = read_note(folder)
        if found.get('sha256') != note['sha256']:
            raise ValueError(f'{folder} exists, and is not what this archive holds: move it away')
        return found['left out']
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.parent):
        for old in folder.parent.glob('.unfinished-*'):  # of a call that was killed
            shutil.rmtree(old, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix='.unfinished-') as place:
            new = Path(place) / 'new'
            new.mkdir()
            note['left out'] = extract(archive, new, most)
            (new / NOTE).write_text(json.dumps(note), 'utf-8')
            new.rename(folder)
    return note['left out']


def digest(path):
    with path.open('rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def read_note(folder):
    """What an unpacked folder says of its archive; {} if it says nothing."""
    try:
        return json.loads((folder / NOTE).read_text('utf-8'))
    except (OSError, ValueError):
        return {}


def extract(archive, folder, most):
    """Unpacks into an empty folder; returns what was left out: [sentence]. Raises ValueError."""
    left = []
    try:
        packed = zipfile.ZipFile(archive)
    except Exception as error:  # zipfile raises much else for a file made to do harm
        raise ValueError(f'no .zip that can be read ({error}): get it anew, or unpack it '
                         'yourself') from error
    with packed:
        if sum(info.file_size for info in packed.infolist()) > most:
            raise ValueError(f'it unpacks to more than {most // 10 ** 9} GB')
        for info in packed.infolist():
            parts = re.split(r'[/\\]', name_of(info))
            if any(map(is_ignored, filter(is_named, parts))):
                continue
            try:
                extract_one(packed, info, target_of(parts, folder))
            except Exception as error:
                if getattr(error, 'errno', None) in (errno.ENOSPC, errno.EDQUOT):
                    raise
                if parts[-1].lower().endswith(('.ipynb', '.zip')):
                    left.append(f'{"/".join(parts)}: {error}')
    return left


def is_named(part):
    return part not in ('', '.', '..')


def target_of(parts, folder):
    """Where a packed file belongs. Raises ValueError for a name that leads out of `folder`."""
    if parts[0] == '' or '..' in parts or re.fullmatch('[A-Za-z]:', parts[0]):
        raise ValueError('its name leads out of the archive')
    return folder.joinpath(*filter(is_named, parts))


def extract_one(packed, info, target):
    """Unpacks a file or a folder to `target`. Raises ValueError, OSError or what zipfile raises."""
    kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where a system has no such kinds
    if info.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        raise ValueError('a second file of this name')
    with target.open('xb') as file:
        if kind not in (0, stat.S_IFREG):
            raise ValueError('a link, or another thing that is no file')
        if info.file_size > LARGEST:
            raise ValueError(f'more than {LARGEST // 10 ** 6} MB')
        try:
            with packed.open(info) as source:  # which ends at the size that was checked
                shutil.copyfileobj(source, file)
        except Exception:
            file.truncate(0)
            raise


def name_of(info):
    """A packed file's name. Where it does not say that it is UTF-8, by what it looks like.

    zipfile takes such a name for one of DOS (code page 437), as Windows writes it in the West. A
    Mac writes UTF-8 without saying so, Chinese Windows GBK, and WinRAR the true name beside it.
    """
    if info.flag_bits & 0x800:
        return info.filename
    if true := unicode_field(info.extra):
        return true
    raw = info.filename.encode('cp437')
    for encoding in ('utf-8', 'cp437', 'gbk'):
        try:
            name = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding != 'cp437' or all(map(is_western, name)):
            return name
    return info.filename


def is_western(sign):
    """Whether a sign of code page 437 is one of names: no lines and boxes, and nothing Greek."""
    return sign.isascii() or unicodedata.name(sign, '').startswith('LATIN')


def unicode_field(extra):
    """The name in an archive's Unicode field (0x7075), None if there is none."""
    while len(extra) >= 4:
        kind, length = struct.unpack('<HH', extra[:4])
        if kind == 0x7075 and length > 5:
            return extra[9:4 + length].decode(errors='replace')
        extra = extra[4 + length:]
    return None
