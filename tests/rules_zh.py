"""What a Chinese Markdown cell must have in common with the English one, and how it is set.

A rule takes both sources and yields a line for each problem; `rule_…` are applied to every cell by
test_translation.py, which also wants a breach of each.
"""
import re
from collections import Counter

from rules import ROOT, rendered

FENCE = re.compile(r'^ *```.*?^ *```', re.M | re.S)
FORMULA = re.compile(r'\$\$.+?\$\$|\$[^$\n]+\$', re.S)
TEXT = re.compile(r'\\text\{[^}]*\}')  # words within a formula
CODE = re.compile(r'`[^`\n]+`')
TARGET = re.compile(r'(?<=\])\([^()\s]*\)')
TAG = re.compile(r'<[^>]+>')
LIST_ITEM = re.compile(r'^ *(?:[-*]|\d+\.) +', re.M)
NUMBER = re.compile(r'\d+(?:[.,]\d+)*')
# 1.3 million is 130 万, and a number in words may become another word.
LARGE = re.compile(r'(?:\d+(?:[.,]\d+)* (?:and|to) )?\d+(?:[.,]\d+)* ?'
                   r'(?:thousand|million|billion|megapixels|[万亿])')
HAN = '\u4e00-\u9fff'
GLOSSARY_LINK = re.compile(r'\[([^\]]*)\]\(\.\./GLOSSARY\.md#([\w-]+)\)')

# Words that are the same in every notebook.
FIXED = {
    '## You will be able to': '## 学完之后，你能够', '## Check yourself': '## 自测',
    '## Takeaways': '## 要点', '## Exercises': '## 练习', '## References': '## 参考文献',
    '**Time:**': '**用时：**', '**You need:**': '**需要：**', '**Next:**': '**下一篇：**',
    '**Predict.**': '**先猜一猜。**', 'None of these is graded.': '这些题都不计分。',
    '<summary>Answer</summary>': '<summary>答案</summary>',
    '<summary>Hint, and what to expect</summary>': '<summary>提示，以及会看到什么</summary>',
    '<summary>In PyTorch</summary>': '<summary>PyTorch 写法</summary>',
    '<summary>Under the hood</summary>': '<summary>幕后</summary>',
}
FIGURE = {'en': re.compile(r'\*\*Figure (\d+)\.\*\*'), 'zh': re.compile(r'\*\*图 (\d+)\.\*\*')}


def terms(path=ROOT / 'GLOSSARY.md'):
    """{anchor: the Chinese terms of its row}."""
    found = {}
    for row in rendered(path.read_text('utf-8')).select('tbody tr'):
        words = re.sub('（[^）]*）', '', row.find_all('td')[1].get_text())
        for anchor in row.select('a[id]'):
            found[anchor['id']] = {word.strip() for word in re.split('[、；]', words)}
    return found


TERMS = terms()


def words(source):
    """The text alone: code and formulas become an x, links their words."""
    source = FENCE.sub('\n', source)
    source = TAG.sub('', CODE.sub('x', FORMULA.sub('x', source)))
    return re.sub(r'!?\[([^\]]*)\]', r'\1', TARGET.sub('', source))


def without_code(source):
    return CODE.sub('', FORMULA.sub('', FENCE.sub('', source)))


def skeleton(source):
    """{what: the parts of it} that do not depend on the language."""
    text = FENCE.sub('', source)
    plain = without_code(source)
    lines = plain.splitlines()
    numbers = NUMBER.findall(LARGE.sub('', LIST_ITEM.sub('', words(source))))
    return {
        'blocks of code': FENCE.findall(source),
        'formulas': Counter(' '.join(TEXT.sub('', found).split())
                            for found in FORMULA.findall(text)),
        'inline code': Counter(CODE.findall(FORMULA.sub('', text))),
        'links': Counter(target.replace('labpath=notebooks_zh/', 'labpath=notebooks/')
                         .replace('/zh/notebooks_zh/', '/notebooks/')
                         for target in TARGET.findall(plain)),
        'folds': Counter(re.findall('</?(?:details|summary)[^>]*>', plain)),
        'headings': [len(line) - len(line.lstrip('#')) for line in lines if line.startswith('#')],
        'list items': len(LIST_ITEM.findall(plain)),
        'tables': [line.count('|') for line in lines if line.lstrip().startswith('|')],
        'numbers': Counter(numbers),
    }


def rule_same_skeleton(english, chinese):
    """Formulas, code, links, folds, headings, lists, tables and numbers are those of the twin."""
    wanted, found = skeleton(english), skeleton(chinese)
    for what, parts in wanted.items():
        if isinstance(parts, Counter):
            for sign, difference in (('-', parts - found[what]), ('+', found[what] - parts)):
                for part in difference:
                    yield f'{what}: {sign} {part}'
        elif parts != found[what]:
            yield f'{what}: {found[what]} in place of {parts}'


def rule_fixed_words(english, chinese):
    """What returns in every notebook has one translation; so have figures."""
    for ours, theirs in FIXED.items():
        if english.count(ours) != chinese.count(theirs):
            yield f'{ours} is {theirs} ({english.count(ours)} here)'
    if FIGURE['en'].findall(english) != FIGURE['zh'].findall(chinese):
        yield '**Figure 1.** is **图 1.**'


def rule_glossary_terms(english, chinese):
    """A link to the glossary reads as one of the Chinese terms of its row."""
    for text, anchor in GLOSSARY_LINK.findall(chinese):
        if text.strip('*') not in TERMS[anchor]:
            yield f'[{text}] links to {anchor}, which is {sorted(TERMS[anchor])}'


def rule_chinese(english, chinese):
    """A cell with words has Chinese ones."""
    if re.search(r'[A-Za-z]{3}', words(english)) and not re.search(f'[{HAN}]', chinese):
        yield 'no Chinese'


def rule_spacing(english, chinese):
    """A space between Chinese and Latin letters, digits, code, formulas; none between Chinese."""
    text = re.sub(r'([，。：；！？.…”）])(\*+) ', r'\1\2', words(chinese)).replace('*', '')
    for match in re.finditer(f'[{HAN}][A-Za-z0-9]|[A-Za-z0-9%][{HAN}]', text):
        yield f'a space is missing in {text[max(0, match.start() - 6):match.end() + 6]!r}'
    for match in re.finditer(f'[{HAN}] +[{HAN}]|[，。：；！？、（）“”] +[{HAN}A-Za-z0-9]'
                             f'|[{HAN}A-Za-z0-9] +[，。：；！？、（）”]', text):
        yield f'a space too many in {text[max(0, match.start() - 6):match.end() + 6]!r}'


def rule_punctuation(english, chinese):
    """Full-width punctuation beside Chinese."""
    text = words(chinese).replace('*', '')
    for match in re.finditer(f'[{HAN}] ?[,;:?!()"]|[,;:?!()"] ?[{HAN}]|[{HAN}]\\.(?!\\w)', text):
        yield f'half-width punctuation in {text[max(0, match.start() - 6):match.end() + 6]!r}'


def rule_emphasis_is_shown(english, chinese):
    """CommonMark shows the stars of **词。**词: a space has to follow, or the mark goes behind."""
    if rendered(chinese).get_text().count('*') > rendered(english).get_text().count('*'):
        yield 'stars are shown as stars: put punctuation outside of **…**, or a space behind it'
