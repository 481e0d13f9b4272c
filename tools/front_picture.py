"""Takes the README's picture out of notebook 02, where `make store NB=02` has stored it."""
import base64
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / 'docs' / 'plain_and_residual.png'


def from_notebook():
    """The PNG of the one figure that utils.plot_errors draws in notebook 02, in bytes."""
    stored = nbformat.read(ROOT / 'notebooks' / '02_residual_block.ipynb', as_version=4)
    cell, = (cell for cell in stored.cells
             if cell.cell_type == 'code' and 'utils.plot_errors(' in cell.source)
    image, = (output.data['image/png'] for output in cell.outputs
              if 'image/png' in output.get('data', {}))
    return base64.b64decode(image)


if __name__ == '__main__':
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_bytes(from_notebook())
