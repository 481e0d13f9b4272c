"""Takes the README's pictures out of the notebooks, where `make store` has stored them.

    python -m tools.front_picture          writes them into docs/
    python -m tools.front_picture --check  names those that are stale; exit status 1 if there are
"""
import argparse
import base64
import sys

from scripts import commands
from scripts.files import whole
from tools.notebook import NOTEBOOKS, ROOT, code_cells, read

# file in docs/: notebook, and a string that stands in the one cell of it that draws the picture
PICTURES = {
    'plain_and_residual.png': ('02_residual_block', 'utils.plot_errors('),
    'one_block_deleted.png': ('07_inside_a_resnet', 'def draw_deletions('),
    'surest_mistakes.png': ('04_fashion_mnist', 'sure[i]'),
}


def from_notebook(name):
    """The PNG of a picture as its notebook has it stored, in bytes."""
    notebook, words = PICTURES[name]
    cells = code_cells(read(NOTEBOOKS / f'{notebook}.ipynb'))
    found = [output.data['image/png'] for cell in cells if words in cell.source
             for output in cell.outputs if 'image/png' in output.get('data', {})]
    if len(found) != 1:
        raise ValueError(f'{notebook} has {len(found)} pictures from cells with {words!r}, not one')
    return base64.b64decode(found[0])


def stale():
    """The pictures in docs/ that are not those of the notebooks."""
    return [name for name in PICTURES if not (ROOT / 'docs' / name).is_file()
            or (ROOT / 'docs' / name).read_bytes() != from_notebook(name)]


def main(arguments):
    """Writes the stale pictures anew, or only names them; returns the exit status."""
    parser = argparse.ArgumentParser(prog='python -m tools.front_picture',
                                     description="Take the README's pictures out of the notebooks.")
    parser.add_argument('--check', action='store_true', help='only name those that are stale')
    check = parser.parse_args(arguments).check
    names = stale()
    for name in names:
        print(f'docs/{name}')
        if not check:
            with whole(ROOT / 'docs' / name, 'wb') as file:
                file.write(from_notebook(name))
    return int(check and bool(names))


if __name__ == '__main__':
    sys.exit(commands.run(main))
