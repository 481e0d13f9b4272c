"""The data's files, its MD5SUMS, its README and utils.py agree."""
import hashlib

import utils

from rules import ROOT

FOLDER = ROOT / 'data' / 'fashion-mnist'
IN_UTILS = {name: md5 for name, _, md5 in utils.FASHION_MNIST_FILES.values()}


def test_md5sums_lists_what_utils_expects():
    lines = (FOLDER / 'MD5SUMS').read_text('utf-8').splitlines()
    assert {name: md5 for md5, name in (line.split() for line in lines)} == IN_UTILS


def test_files_are_as_published():
    found = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in FOLDER.glob('*.gz')}
    assert found == IN_UTILS


def test_readme_gives_the_same_checksums():
    readme = (FOLDER / 'README.md').read_text('utf-8')
    for name, md5 in IN_UTILS.items():
        row = next(line for line in readme.splitlines() if line.startswith(f'| `{name}`'))
        assert md5 in row and f'{(FOLDER / name).stat().st_size:,}' in row
