"""Makes build/resnet-notebooks.epub, an e-book of the site's pages, and …-zh.epub, in Chinese.

Nothing is executed. The pages' sources are the site's (tools/build_site.py), with links to the
explorables, which need JavaScript. Sphinx, with the settings in docs/book/conf.py, makes a book of
them.
"""
import argparse
import shutil
import sys
from pathlib import Path

from scripts import commands
from tools.build_site import run_sphinx, write_sources

ROOT = Path(__file__).resolve().parent.parent
NAMES = {'en': 'resnet-notebooks', 'zh': 'resnet-notebooks-zh'}


def build(root, language, folder):
    """Makes one language's book in the empty folder `folder`, and moves it into build/.

    Returns Sphinx's exit status.
    """
    source, made = folder / 'source', folder / 'book'
    source.mkdir(parents=True)
    write_sources(root, source, language, explorables=False)
    status = run_sphinx('epub', 'docs/book', language, source, made, folder / 'doctrees')
    if not status:
        name = f'{NAMES[language]}.epub'
        book = (made / name).replace(root / 'build' / name)
        print(f'{book}: {book.stat().st_size / 1e6:.1f} MB')
    return status


def main(arguments, root=ROOT):
    """Builds the books anew; returns the exit status: 1 if Sphinx fails or has a warning."""
    argparse.ArgumentParser(prog='python -m tools.build_epub',
                            description='Build the e-books in build/.').parse_args(arguments)
    folder = root / 'build' / 'epub'
    shutil.rmtree(folder, ignore_errors=True)
    return int(any(build(root, language, folder / language) for language in NAMES))


if __name__ == '__main__':
    sys.exit(commands.run(main))
