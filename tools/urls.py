"""The repository's address, which pyproject.toml sets once: all links to it follow by `make urls`.

    urls.py          rewrites the links to the repository on GitHub, Binder and Colab
    urls.py --check  lists the files in which it would change something; exit status 1 if there are

Only bytes within such links change, so a notebook keeps its outputs and its layout.
"""
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAME = rb'[\w.-]+/[\w.-]+?'  # owner/name, without a closing .git
SITES = rb'(?:mybinder\.org/v2/gh|colab\.research\.google\.com/github|github\.com)'
# A Binder link is always one to this repository, so it tells what the repository was called.
BINDER = re.compile(rb'mybinder\.org/v2/gh/(' + NAME + rb')(?=/)')


def repository(root=ROOT):
    """owner/name on GitHub."""
    settings = tomllib.loads((root / 'pyproject.toml').read_text(encoding='utf-8'))
    return settings['tool']['series']['repository']


def binder(path, root=ROOT):
    """Where a file of the repository opens in JupyterLab on Binder."""
    return f'https://mybinder.org/v2/gh/{repository(root)}/HEAD?labpath={path}'


def tracked(root=ROOT):
    """The files that git knows or would add."""
    names = subprocess.run(['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
                           cwd=root, capture_output=True, check=True).stdout.decode().split('\0')
    return [root / name for name in sorted(set(names)) if (root / name).is_file()]


def rewritten(content, old, new):
    """`content`, bytes of a file, with the links to the repositories `old` leading to `new`."""
    names = b'|'.join(re.escape(name) for name in sorted(old))
    link = rb'(' + SITES + rb'/)(?:' + names + rb')(?![\w-])'
    return re.sub(link, rb'\1' + new, content) if old else content


def changes(root=ROOT):
    """{path: new content} of the files that still link to the repository's former name."""
    new = repository(root).encode()
    contents = {path: path.read_bytes() for path in tracked(root)
                if path.suffix in ('.md', '.ipynb')}
    old = {name for content in contents.values() for name in BINDER.findall(content)} - {new}
    after = {path: rewritten(content, old, new) for path, content in contents.items()}
    return {path: content for path, content in after.items() if content != contents[path]}


def main(arguments, root=ROOT):
    """Rewrites the links, or only lists where; returns the exit status."""
    stale = changes(root)
    for path, content in stale.items():
        print(path.relative_to(root))
        if '--check' not in arguments:
            path.write_bytes(content)
    return int('--check' in arguments and bool(stale))


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
