"""What split_data.py does: a folder of pictures becomes one to train on and one to check."""
import hashlib
import os
import shutil
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import utils  # before mxnet, for its threads

from files import is_ignored
from pictures import class_folders, find_classes, find_files, one_line, read_picture


@dataclass
class Split:
    """What `split` has done: pictures of each class on each side, and [(path, reason)]."""

    train: dict = field(default_factory=dict)
    val: dict = field(default_factory=dict)
    left_out: list = field(default_factory=list)


def split(source, out, val=0.2, seed=0, link=False):
    """Copies the pictures of `source`, one sub-folder a class, to `out`/train and `out`/val.

    val: the share of each class that goes to `out`/val; each side gets at least one picture.
    link: make symbolic links to the pictures instead of copies.

    A picture's side depends on its bytes, the seed, and the other pictures of its class. Equal
    files of one class go to one side. Files that cannot be read, files outside of the class
    folders, and equal files in two classes are left out.

    Returns a Split. Raises ValueError for what cannot be split, and OSError for folders that cannot
    be listed and for what cannot be written; nothing is written then.
    """
    source, out = Path(source), Path(out)
    check(source, out, val)
    left_out = [(path, 'in no class folder') for path in find_strays(source)]
    groups = group_equal_files(source, left_out)
    sides = {name: choose(name, equal, val, seed) for name, equal in groups.items()}

    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f'.{out.name}.', dir=out.parent) as unfinished:
        whole = Path(unfinished, 'whole')  # the folder around it is closed to other users
        jobs = [(path, whole / side / path.relative_to(source))
                for parts in sides.values() for side, paths in parts.items() for path in paths]
        for path, target in utils.progress(jobs, 'Linking' if link else 'Copying', 'picture'):
            place(path, target, link)
        if out.exists():  # since the check, that is
            raise ValueError(f'{out} exists already')
        os.rename(whole, out)
    counts = {side: {name: len(parts[side]) for name, parts in sides.items()}
              for side in ('train', 'val')}
    return Split(**counts, left_out=left_out)


def check(source, out, val):
    """Raises ValueError for arguments that cannot work, before anything is read."""
    if not 0 < val < 1:
        raise ValueError(f'val is a share between 0 and 1, such as 0.2, not {val:g}')
    find_classes(source)  # raises it too
    if out.exists() or out.is_symlink():
        raise ValueError(f'{out} exists already; remove it, or choose another name')
    if out.resolve().is_relative_to(source.resolve()):
        raise ValueError(f'{out} would lie inside {source}, and be taken for a class next time; '
                         'choose a place outside')


def find_strays(source):
    """The files of `source` itself, which belong to no class."""
    return sorted(path for path in source.iterdir()
                  if not path.is_dir() and not is_ignored(path.name))


def group_equal_files(source, left_out):
    """{class: {digest: [path, …]}} of the pictures of `source`; appends others to `left_out`."""
    folders = class_folders(source)
    files = [(name, path) for name, folder in folders.items() for path in find_files(folder)]
    groups, owners = {name: defaultdict(list) for name in folders}, defaultdict(list)
    for name, path in utils.progress(files, 'Reading', 'picture'):
        try:
            read_picture(path, size=32)
            digest = hashlib.sha256(path.read_bytes()).digest()
        except (ValueError, OSError) as error:
            left_out.append((path, one_line(error)))
            continue
        groups[name][digest].append(path)
        owners[digest].append((name, path))
    for name, folder in folders.items():
        check_own_pictures(folder, [path for paths in groups[name].values() for path in paths])
    for digest, places in owners.items():
        names = sorted({name for name, _ in places})
        if len(names) > 1:
            left_out += [(path, f'equal files are in the classes {", ".join(names)}')
                         for _, path in places]
            for name in names:
                del groups[name][digest]
    for name, folder in folders.items():
        check_class(source, name, groups[name],
                    [(path, reason) for path, reason in left_out if folder in path.parents
                     or folder == path])
    return groups


def check_own_pictures(folder, paths):
    """Raises ValueError if all pictures of a class, `paths`, are in folders below its own.

    They may well be classes themselves, as in train/cat and train/dog.
    """
    if paths and folder not in {path.parent for path in paths}:
        below = paths[0].relative_to(folder).parts[0]
        raise ValueError(f'{folder} has no pictures of its own, only folders such as {below}. If '
                         f'these are the classes, split {folder}; if not, bring its pictures '
                         'into it')


def check_class(source, name, equal, left_out):
    """Raises ValueError for a class that cannot give a picture to both sides."""
    if not equal:
        example = f' ({left_out[0][0]}: {left_out[0][1]})' if left_out else ''
        raise ValueError(f'class {name} in {source} has no picture that can be used{example}; add '
                         'some, or remove the folder')
    if len(equal) == 1:
        raise ValueError(f'class {name} in {source} has only one picture (not counting equal '
                         'ones), which cannot be in train and in val; add some')


def choose(name, equal, val, seed):
    """{'train': paths, 'val': paths} of one class, from its groups of equal files."""
    turn = sorted(equal, key=lambda digest: hashlib.sha256(b'%d ' % seed + digest).digest())
    total = sum(map(len, equal.values()))
    wanted = min(int(total * val + 0.5), total - 1)
    chosen = []
    for digest in turn:
        if len(chosen) + len(equal[digest]) <= wanted:
            chosen += equal[digest]
    if not chosen:  # none is wanted, or every group is larger than what is
        chosen = min((equal[digest] for digest in turn), key=len)
    val_paths = set(chosen)
    rest = [path for paths in equal.values() for path in paths if path not in val_paths]
    return {'train': rest, 'val': chosen}


def place(path, target, link):
    """Copies a file to `target`, or links it there; OSError where a file is there already."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():  # names that the source tells apart and the target does not
        raise FileExistsError(f'{target.name} is there already: on this disk it is the same name '
                              'as another of its class')
    if link:
        target.symlink_to(path.resolve())
    else:
        shutil.copyfile(path, target)
