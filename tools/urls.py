"""The repository's address, which pyproject.toml sets once: all links to it follow by `make urls`.

    python -m tools.urls          rewrites the links to the repository on GitHub, Binder and Colab,
                                  and to its site on GitHub Pages
    python -m tools.urls --check  lists the files that would change; exit status 1 if there are

Only bytes within such links change, so a notebook keeps its outputs and its layout.
"""
import argparse
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from scripts import commands
from scripts.files import whole

ROOT = Path(__file__).resolve().parent.parent
NAME = rb'[\w.-]+/[\w.-]+?'  # owner/name, without a closing .git
SITES = rb'(?:mybinder\.org/v2/gh|colab\.research\.google\.com/github|github\.com)'
# What follows a link's owner/name: not more of the name, such as the .github.io of a/b.github.io.
END = rb'(?![\w-]|\.(?!git(?![\w-]|\.\w))\w)'
# A Binder link is always one to this repository, so it tells what the repository was called.
BINDER = re.compile(rb'mybinder\.org/v2/gh/(' + NAME + rb')(?=/)')


def repository(root=ROOT):
    """owner/name on GitHub."""
    settings = tomllib.loads((root / 'pyproject.toml').read_text(encoding='utf-8'))
    return settings['tool']['series']['repository']


def pages_address(name):
    """Where GitHub Pages shows the site of the repository owner/name."""
    owner, folder = name.split('/')
    host = f'{owner.lower()}.github.io'
    return f'https://{host}/' if folder.lower() == host else f'https://{host}/{folder}/'


def site_address(root=ROOT):
    """Where the site is, once the repository's owner has switched GitHub Pages on."""
    return pages_address(repository(root))


def binder(path, root=ROOT):
    """Where a file of the repository opens in JupyterLab on Binder."""
    return f'https://mybinder.org/v2/gh/{repository(root)}/HEAD?labpath={path}'


def tracked(root=ROOT):
    """The files that git knows or would add."""
    done = subprocess.run(['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
                          cwd=root, stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit('git does not list the files here; its own words are above')
    paths = [root / os.fsdecode(name) for name in sorted(set(done.stdout.split(b'\0')))]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def rewritten(content, old, new):
    """`content`, bytes of a file, with the links to the repositories `old` leading to `new`.

    So do those to their sites.
    """
    if not old:
        return content
    names = b'|'.join(re.escape(name) for name in sorted(old))
    link = rb'(' + SITES + rb'/)(?:' + names + rb')' + END
    content = re.sub(link, lambda found: found[1] + new, content)
    # The longest first: OWNER.github.io is the beginning of all other sites of its owner.
    sites = sorted((pages_address(name.decode()).encode() for name in old), key=len, reverse=True)
    return re.sub(b'|'.join(map(re.escape, sites)), pages_address(new.decode()).encode(), content)


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
    parser = argparse.ArgumentParser(prog='python -m tools.urls',
                                     description='Rewrite the links to the repository.')
    parser.add_argument('--check', action='store_true', help='only list the files to change')
    check = parser.parse_args(arguments).check
    stale = changes(root)
    for path, content in stale.items():
        print(path.relative_to(root))
        if not check:
            with whole(path, 'wb') as file:
                file.write(content)
    return int(check and bool(stale))


if __name__ == '__main__':
    sys.exit(commands.run(main))
