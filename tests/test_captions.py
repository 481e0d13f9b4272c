"""Each number that a caption claims is in the data that drew its picture, or was printed."""
import json
import re

import pytest
from rules import ROOT, has_figure, texts

from tools import figures, notebook

PATHS = sorted(path for path in (ROOT / 'notebooks').glob('*.ipynb')
               if figures.kept_at(path).exists())
# Not claims: formulas, code, links, names of figures and nets, sizes such as 3 × 3.
NO_CLAIM = re.compile(r'\$[^$]*\$|`[^`]*`|\]\([^)]*\)|[Ff]igures? \d+|\w+-\d+|\d+ × \d+( × \d+)?'
                      r'|notebooks? \d+|sections? \d+|exercise \d+|of \d+ \w+s\b|float\d+')
POWER = re.compile(r'10(⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)')
NUMBER = re.compile(r'(?<![\w.,⁻])[−-]?\d[\d,]*(?:\.\d+)?(?![\w⁰¹²³⁴⁵⁶⁷⁸⁹])')
ROUGH = re.compile(r'(?:about|near|around|some|nearly|below|above|over|from|to|than)\W*$')
DIGITS = str.maketrans('⁰¹²³⁴⁵⁶⁷⁸⁹⁻', '0123456789-')


def claims(caption):
    """The numbers of a caption: (as written, value, how far the data may be off)."""
    caption = NO_CLAIM.sub(' ', re.sub(r'\*\*Figure.*?\*\*', ' ', caption, count=1))
    for match in POWER.finditer(caption):
        value = 10. ** int(match.group(1).translate(DIGITS))
        yield match.group(), value, 3 * value
    caption = POWER.sub(' ', caption)
    for match in NUMBER.finditer(caption):
        written = match.group().replace(',', '').replace('−', '-')
        value, last = float(written), 10. ** -len(written.partition('.')[2])
        rough = bool(ROUGH.search(caption[:match.start()].lower()))
        yield match.group(), value, max(0.51 * last, 0.06 * abs(value) if rough else 0)


def held(caption, data, printed):
    """The claims of a caption that neither its figure's data nor a printed line holds."""
    words = set(re.findall(r'\d[\d,]*(?:\.\d+)?', ' '.join(data['words'])))
    numbers = [*data['numbers'], *(100 * number for number in data['numbers']),
               *(float(number.replace(',', '')) for number in [*words, *printed])]
    for written, value, slack in claims(caption):
        if value > 1e3 or (0 < value < 1e-3):
            near = any(number > 0 and value / 4 <= number <= value * 4 for number in numbers)
        else:
            near = any(abs(number - value) <= slack for number in numbers)
        if not near:
            yield written


def captions(path):
    """Each caption with the data of its picture and the numbers printed before it."""
    kept, printed, picture = json.loads(figures.kept_at(path).read_text('utf-8')), set(), None
    for cell in notebook.read(path).cells:
        if cell.cell_type == 'code':
            for text in texts(cell):
                printed |= set(re.findall(r'\d[\d,]*(?:\.\d+)?', text))
            printed |= set(re.findall(r'(?<![\w.])\d+(?:\.\d+)?(?![\w.])', cell.source))
            if has_figure(cell):
                picture = next(output for output in cell.outputs
                               if 'image/png' in output.get('data', {}))
        elif cell.source.startswith('**Figure') and picture is not None:
            caption = cell.source.split('\n\n')[0]
            yield caption, kept.get(figures.digest(picture)), printed
            picture = None


@pytest.mark.parametrize('path', PATHS, ids=lambda path: path.stem)
def test_captions_claim_what_their_pictures_hold(path):
    wrong = []
    for caption, data, printed in captions(path):
        assert data is not None, f'{caption[:12]}: store the notebook again (make store)'
        wrong += [f'{caption[:14]} claims {number}' for number in held(caption, data, printed)]
    assert not wrong, '\n'.join(wrong)


@pytest.mark.parametrize('caption, wrong', [
    ('**Figure 1.** From about 520 at the second to 0.5.', []),
    ('**Figure 1.** The first changes by 3 %.', ['3']),
    ('**Figure 1.** Falls to 3.8 %, and to 12 % in 3 × 3 steps of plain-56.', ['12']),
    ('**Figure 1.** Down to 10⁻⁷, printed 91.7.', ['91.7']),
    ('**Figure 1.** Down to 10⁻⁹.', ['10⁻⁹'])])
def test_a_number_that_nothing_holds_is_named(caption, wrong):
    data = {'numbers': [2e-7, 0.038, 0.5, 522.6], 'words': ['w = 8']}
    assert list(held(caption, data, {'2', '7'})) == wrong


def test_figures_are_told_to_the_test(tmp_path):
    """What a kernel draws comes out of the notebook, and is kept with the picture's digest."""
    import nbformat

    from tools import run_notebooks
    folder = tmp_path / 'notebooks'
    folder.mkdir()
    cells = ('%matplotlib inline\nfrom matplotlib import pyplot as plt',
             "plt.plot([1, 2], [0.25, 17.5])\nplt.title('T 3')\nplt.show()")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in cells])
    nbformat.write(book, folder / '01_a.ipynb')
    assert run_notebooks.main(['--in-place'], root=tmp_path) == 0
    output, = notebook.read(folder / '01_a.ipynb').cells[1].outputs
    assert set(output.data) == {'image/png', 'text/plain'}
    kept = json.loads(figures.kept_at(folder / '01_a.ipynb').read_text())
    data = kept[figures.digest(output)]
    assert data['numbers'] == [0.25, 1., 2., 17.5] and 'T 3' in data['words']
