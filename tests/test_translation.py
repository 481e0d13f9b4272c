"""tools/translate.py, and the Chinese notebooks: in step with the English ones, cell by cell."""
import subprocess

import nbformat
import pytest
import rules
import rules_zh
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools import translate
from tools.notebook import read

PAIRS = translate.pairs()
RULES = {name.removeprefix('rule_'): rule for name, rule in vars(rules_zh).items()
         if name.startswith('rule_')}


@pytest.fixture(params=PAIRS, ids=lambda pair: pair[0].stem)
def pair(request):
    """The paths of an English notebook and of its Chinese twin."""
    return request.param


# ---------------------------------------------------------------------------------------------
# The stored notebooks


def test_no_twin_without_an_english_notebook():
    folders = {twin.parent for _, twin in PAIRS}
    assert {path for folder in folders for path in folder.glob('*.ipynb')} == {
        twin for _, twin in PAIRS}


def test_chinese_notebook_differs_in_its_words_only(pair):
    english, twin = pair
    wanted = nbformat.writes(translate.synced(read(english), read(twin))) + '\n'
    assert twin.read_text('utf-8') == wanted, 'run `python -m tools.translate sync`'


def test_every_cell_says_what_the_english_one_says_now(pair):
    english, twin = pair
    assert not [cell.id for cell in translate.stale(read(english), read(twin))], (
        'look at these cells (`make zh`), then mark them (`python -m tools.translate check`)')


@pytest.mark.parametrize('rule', RULES)
def test_chinese_cells(pair, rule):
    english, chinese = map(read, pair)
    problems = [f'{ours.id}: {problem}' for ours, theirs in zip(english.cells, chinese.cells,
                                                                strict=True)
                if ours.cell_type == 'markdown'
                for problem in RULES[rule](ours.source, theirs.source)]
    assert not problems, '\n'.join(problems)


def test_links_and_size(pair):
    _, twin = pair
    nb = read(twin)
    assert not [*rules.broken_links(rules.prose(nb), twin), *rules.rule_size(nb, twin)]
    if twin.parent.name == 'notebooks_zh':
        assert f'labpath=notebooks_zh/{twin.name}' in nb.cells[0].source


# ---------------------------------------------------------------------------------------------
# Each rule has a breach

BREACHES = [
    ('same_skeleton', 'about $x$', '关于 $y$'),
    ('same_skeleton', 'call `f`', '调用 `g`'),
    ('same_skeleton', 'see [it](02_a.ipynb)', '见[它](03_a.ipynb)'),
    ('same_skeleton', '<details>\n\nyes\n</details>', '是'),
    ('same_skeleton', '## One', '### 一'),
    ('same_skeleton', '- a\n- b', '- 一'),
    ('same_skeleton', '| a | b |', '| 一 |'),
    ('same_skeleton', '```python\nf()  # why\n```', '```python\nf()  # 为什么\n```'),
    ('same_skeleton', 'error 15.1 %', '误差 15.2%'),
    ('fixed_words', '## Takeaways', '## 总结'),
    ('fixed_words', '**Figure 2.** All.', '**图 3.** 全部。'),
    ('glossary_terms', '[shortcut](../GLOSSARY.md#shortcut)', '[近路](../GLOSSARY.md#shortcut)'),
    ('chinese', 'A whole sentence.', 'A whole sentence.'),
    ('spacing', 'with ReLU', '使用ReLU'),
    ('spacing', 'a net', '一个 网络'),
    ('spacing', 'Yes, ReLU', '对， ReLU'),
    ('spacing', 'a net **without**', '**没有。** 网 络'),
    ('punctuation', 'Yes, it does.', '是的,它会。'),
    ('punctuation', 'a net (small)', '网络(小)'),
    ('punctuation', 'It is.', '是.'),
    ('emphasis_is_shown', '**Yes.** It is.', '**是的。**它是。'),
]
GOOD = [
    ('**Predict.** Has `f`, ReLU or a [path](../GLOSSARY.md#path) of $n$ 1.3 million (not 15 %)?',
     '**先猜一猜。** `f`、ReLU 或 $n$ 的[路径](../GLOSSARY.md#path)，哪个有 130 万（不是 15%）？'),
    ('**Figure 1.** From 2 to 3, **at most**.', '**图 1.** 从 2 到 3，**至多**如此。'),
    ('1. Pen and paper.\n   - one\n', '1. 用纸笔。\n   - 一\n'),
]


@pytest.mark.parametrize(('rule', 'english', 'chinese'), BREACHES)
def test_breach_is_found(rule, english, chinese):
    assert list(RULES[rule](english, chinese))


def test_every_rule_has_a_breach():
    assert {rule for rule, _, _ in BREACHES} == set(RULES)


@pytest.mark.parametrize(('english', 'chinese'), GOOD)
def test_good_chinese_passes(english, chinese):
    assert not [problem for rule in RULES.values() for problem in rule(english, chinese)]


# ---------------------------------------------------------------------------------------------
# The tool


def english(first='One.', code='1 + 1'):
    cells = [new_markdown_cell(first, id='a'), new_code_cell(code, id='b', outputs=[
        new_output('stream', text='2')]), new_markdown_cell('Two.', id='c')]
    return new_notebook(cells=cells)


def translated():
    chinese = translate.synced(english())
    for cell, text in ((chinese.cells[0], '一。'), (chinese.cells[2], '二。')):
        cell.source = text
    translate.check(english(), chinese, ['a', 'c'])
    return chinese


def test_new_cells_have_the_english_text_and_no_hash():
    chinese = translate.synced(english())
    assert chinese.cells == english().cells
    assert [cell.id for cell in translate.stale(english(), chinese)] == ['a', 'c']


def test_code_and_outputs_flow_and_texts_stay():
    changed = english(code='2 + 2')
    changed.cells.insert(1, new_markdown_cell('New.', id='d'))
    chinese = translate.synced(changed, translated())
    assert [cell.source for cell in chinese.cells] == ['一。', 'New.', '2 + 2', '二。']
    assert [cell.id for cell in translate.stale(changed, chinese)] == ['d']


def test_sync_never_hides_a_changed_word():
    chinese = translate.synced(english('One!'), translated())
    assert [cell.id for cell in translate.stale(english('One!'), chinese)] == ['a']
    translate.check(english('One!'), chinese, ['a'])
    assert not translate.stale(english('One!'), chinese)
    with pytest.raises(ValueError, match='no Markdown cell has the id b'):
        translate.check(english(), chinese, ['b'])


def test_a_removed_cell_goes():
    shorter = english()
    del shorter.cells[2]
    assert [cell.id for cell in translate.synced(shorter, translated()).cells] == ['a', 'b']


def test_word_diff_shows_the_lines_that_changed():
    assert translate.word_diff('The same.\nIt rises to 40 %.', 'The same.\nIt falls to 40 %!') == (
        'It [-rises-]{+falls+} to 40 %[-.-]{+!+}')


def test_report_names_the_cell_and_what_has_changed(tmp_path, monkeypatch):
    for name, nb in (('notebooks', english('One!')), ('notebooks_zh', translated())):
        (tmp_path / name).mkdir()
        nbformat.write(nb, tmp_path / name / '01_a.ipynb')
    monkeypatch.setattr(translate, 'translated_source', lambda path, cell_id, mark: 'One.')
    [paragraph] = translate.report(tmp_path / 'notebooks' / '01_a.ipynb',
                                   tmp_path / 'notebooks_zh' / '01_a.ipynb')
    assert paragraph == '01_a, cell a: the English text has changed\nOne[-.-]{+!+}'


def test_old_english_is_found_in_the_history(tmp_path, monkeypatch):
    monkeypatch.setattr(translate, 'ROOT', tmp_path)
    path = tmp_path / 'notebooks' / '01_a.ipynb'
    path.parent.mkdir()
    author = ['-c', 'user.name=a', '-c', 'user.email=a@example.org', '-c', 'commit.gpgsign=false']
    for arguments in (['init', '-q'], 'One.', 'One!', 'One?'):
        if isinstance(arguments, str):
            nbformat.write(english(arguments), path)
            subprocess.run(['git', 'add', '.'], cwd=tmp_path, check=True)
            arguments = [*author, 'commit', '-q', '-m', arguments]
        subprocess.run(['git', *arguments], cwd=tmp_path, check=True)
    assert translate.translated_source(path, 'a', translate.digest('One!')) == 'One!'
    assert translate.translated_source(path, 'a', translate.digest('Never.')) is None
