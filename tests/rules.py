"""What every notebook must hold to, one function a rule.

A rule takes a notebook and its path, and yields a line for each problem it finds. A new function
named `rule_…` is applied to all notebooks by test_notebooks.py, which also wants a breach of it.
"""
import ast
import io
import json
import re
import tokenize
from collections import Counter
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup
from IPython.core.inputtransformer2 import TransformerManager
from nbconvert.filters import markdown2html

from tools import notebook
from tools.notebook import KERNELSPEC, LANGUAGE_INFO, ROOT, WIDGET_VIEW, code_cells

MAX_BYTES = 1_500_000
MAX_CODE_LINES, MAX_DEFINITION_LINES = 15, 40
MACHINE_PATH = re.compile(r'(?<![\w./])/(?:work|root|home|tmp)\b|[A-Z]:\\+Users|site-packages')
# A prediction asked for, or a folded answer to it.
STEPS = re.compile(r'(?:\*\*(P)redict\.\*\*|<summary>(A)nswer</summary>)')
ARXIV = re.compile(r'\b\d{4}\.\d{4,5}\b')

# A cell that nbval does not compare says why: it asserts bounds, or it has one of these tags.
REASONS = {'timing', 'versions', 'widget'}
TAGS = {'nbval-ignore-output', 'headline'} | REASONS


# ---------------------------------------------------------------------------------------------
# Reading a notebook


def label(cell):
    """How a code cell is named in a message."""
    return f'cell [{cell.execution_count}] {cell.source.strip()[:40]!r}'


def texts(cell):
    """Every text among a code cell's outputs."""
    for output in cell.outputs:
        yield output.get('text', '')
        yield '\n'.join(output.get('traceback', []))
        yield from (value for mime, value in output.get('data', {}).items()
                    if mime.startswith('text/'))


def has_figure(cell):
    """Whether a cell shows a picture."""
    return cell.cell_type == 'code' and any(
        mime.startswith('image/') for output in cell.outputs for mime in output.get('data', {}))


def python(cell):
    """A code cell as plain Python: IPython's magics become function calls."""
    return TransformerManager().transform_cell(cell.source)


def count_code_lines(source):
    """Lines that hold code: neither blank, nor a comment, nor part of a docstring."""
    silent = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
              tokenize.ENDMARKER}
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in silent:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
            docstring = node.body[0]
            lines.difference_update(range(docstring.lineno, docstring.end_lineno + 1))
    return len(lines)


class WithoutUtils(ast.NodeTransformer):
    """Writes `utils.train` as `train`: as utils.py itself does."""

    def visit_Attribute(self, node):
        if isinstance(node.value, ast.Name) and node.value.id == 'utils':
            return ast.Name(node.attr, node.ctx)
        return self.generic_visit(node)


def definitions(source):
    """The classes and functions at the top level of Python text, as (name, syntax tree)."""
    return [(node.name, ast.dump(WithoutUtils().visit(node))) for node in ast.parse(source).body
            if isinstance(node, (ast.ClassDef, ast.FunctionDef))]


def names_in(targets):
    """The names in targets of assignments or of a loop, syntax trees."""
    return {node.id for target in targets for node in ast.walk(target)
            if isinstance(node, ast.Name)}


def tables(source):
    """The constants (SUCH = ...) at the top level of Python text, as (name, syntax tree)."""
    return [(node.targets[0].id, ast.dump(node)) for node in ast.parse(source).body
            if isinstance(node, ast.Assign) and getattr(node.targets[0], 'id', '').isupper()]


def notebook_definitions(nb):
    """The classes, functions and constants that a notebook defines, as (name, syntax tree)."""
    return [pair for cell in code_cells(nb)
            for pair in definitions(python(cell)) + tables(python(cell))]


def kept_definitions():
    """Those of resnet.py, and of utils.py what a notebook teaches, as its docstring says."""
    nets, toolbox = ((ROOT / name).read_text(encoding='utf-8')
                     for name in ('resnet.py', 'utils.py'))
    taught = {node.name for node in ast.parse(toolbox).body if isinstance(node, ast.FunctionDef)
              and '(notebook ' in (ast.get_docstring(node) or '')}
    return definitions(nets) + tables(nets) + [pair for pair in definitions(toolbox)
                                               if pair[0] in taught]


def rendered(markdown):
    """Markdown as a tree of HTML, headings with the anchors that Jupyter gives them."""
    page = BeautifulSoup(markdown2html(markdown), 'html.parser')
    for pilcrow in page.select('a.anchor-link'):
        pilcrow.decompose()
    return page


def prose(nb):
    """All Markdown of a notebook as one tree of HTML."""
    return rendered(notebook.markdown(nb))


def section(nb, title):
    """The HTML under the second-level heading that begins with `title`; None if there is none."""
    for heading in prose(nb).find_all('h2'):
        if heading.get_text().strip().startswith(title):
            body = []
            for element in heading.find_next_siblings():
                if element.name in ('h1', 'h2'):
                    break
                body.append(str(element))
            return BeautifulSoup('\n'.join(body), 'html.parser')
    return None


def bullets(part):
    """How many bullets a section has, those inside bullets not counted."""
    return sum(item.find_parent('li') is None for item in part.find_all('li'))


def anchors(path):
    """The names that a link to `path` may put behind the #."""
    if path.suffix == '.ipynb':
        return {tag['id'] for tag in prose(notebook.read(path)).find_all(id=True)}
    page = rendered(path.read_text(encoding='utf-8'))
    headings = page.find_all(re.compile('^h[1-6]$'))
    return {a['id'] for a in page.select('a[id]')} | {
        re.sub(r'[^\w\- ]', '', h.get_text().strip().lower()).replace(' ', '-') for h in headings}


def broken_links(page, path):
    """The links of `page`, the HTML of the file `path`, that lead nowhere in the repository."""
    links = [tag['href'] for tag in page.find_all(href=True)]
    links += [tag['src'] for tag in page.find_all(src=True)]
    for link in links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = path.parent / unquote(parts.path) if parts.path else path
        if not target.exists():
            yield f'the link {link} leads to no file'
        elif parts.fragment and unquote(parts.fragment) not in anchors(target):
            yield f'the link {link} names no heading of {target.name}'


# ---------------------------------------------------------------------------------------------
# Stored as it ran


def rule_cells_ran_in_order(nb, path):
    """Every code cell has run, once, from top to bottom."""
    counts = [cell.execution_count for cell in code_cells(nb)]
    if counts != list(range(1, len(counts) + 1)):
        yield f'execution counts are {counts}; they should be 1, 2, 3, …'


def rule_has_outputs(nb, path):
    """A notebook without a single output was stored before it ran."""
    if not any(cell.outputs for cell in code_cells(nb)):
        yield 'no cell has an output'


def rule_no_errors(nb, path):
    """No stored output is an exception."""
    for cell in code_cells(nb):
        if any(output.output_type == 'error' for output in cell.outputs):
            yield f'{label(cell)} ended in an error'


def rule_no_warnings(nb, path):
    """Nothing was written to stderr."""
    for cell in code_cells(nb):
        if any(output.get('name') == 'stderr' for output in cell.outputs):
            yield f'{label(cell)} wrote to stderr'


def rule_no_widget_placeholders(nb, path):
    """A widget cannot be stored: GitHub shows its bare name."""
    for cell in code_cells(nb):
        if (any(WIDGET_VIEW in output.get('data', {}) for output in cell.outputs)
                or any('interactive(children=' in text for text in texts(cell))):
            yield f'{label(cell)} stores a widget'


def rule_no_progress_debris(nb, path):
    """A carriage return is what a progress bar leaves behind."""
    for cell in code_cells(nb):
        if any('\r' in text for text in texts(cell)):
            yield f'{label(cell)} stores a carriage return'


def rule_no_machine_paths(nb, path):
    """No path of the author's machine, neither in text nor in code nor in an output."""
    for cell in nb.cells:
        found = [cell.source, *(texts(cell) if cell.cell_type == 'code' else [])]
        for match in MACHINE_PATH.finditer('\n'.join(found)):
            yield f'{match.group()!r} is a path of one machine, near {cell.source.strip()[:40]!r}'


def rule_no_metadata_noise(nb, path):
    """Metadata is what `make store` writes, so that it does not change with the machine."""
    if nb.metadata != {'kernelspec': KERNELSPEC, 'language_info': LANGUAGE_INFO}:
        yield f'metadata of the notebook: {dict(nb.metadata)}'
    for cell in nb.cells:
        if noise := set(cell.metadata) - {'tags'}:
            yield f'metadata {sorted(noise)} of {cell.source.strip()[:40]!r}'


def rule_size(nb, path):
    """GitHub shows no large notebook, and a reader waits for it."""
    if (size := path.stat().st_size) > MAX_BYTES:
        yield f'{size:,} bytes; at most {MAX_BYTES:,}'


def rule_unique_ids(nb, path):
    """Cell ids are unique; a copied cell keeps the old one."""
    cells = json.loads(path.read_text(encoding='utf-8'))['cells']  # nbformat mends what it reads
    for cell_id, count in Counter(cell.get('id') for cell in cells).items():
        if cell_id is None or count > 1:
            yield f'{count} cells have the id {cell_id}'


def rule_tags(nb, path):
    """Nothing is skipped by nbval, and what it does not compare is checked in another way."""
    for cell in code_cells(nb):
        tags = set(cell.metadata.get('tags', []))
        if unknown := tags - TAGS:
            yield f'{label(cell)} has the tags {sorted(unknown)}; known are {sorted(TAGS)}'
        if re.search(r'#\s*(NBVAL|PYTEST_VALIDATE)_', cell.source):
            yield f'{label(cell)} steers nbval by a comment; use a tag'
        asserts = any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(python(cell))))
        if 'nbval-ignore-output' in tags and not asserts and not tags & REASONS:
            yield (f'{label(cell)} is not compared by nbval: give it an assert, or one of the '
                   f'tags {sorted(REASONS)}')


# ---------------------------------------------------------------------------------------------
# Written to the series' anatomy


def rule_title(nb, path):
    """The notebook asks one question, in its first line."""
    titles = [h.get_text().strip() for h in prose(nb).find_all('h1')]
    first = nb.cells[0].source.strip().splitlines()[0]
    if len(titles) != 1 or not first.startswith('# ') or not titles[0].endswith('?'):
        yield f"the first line should be the one level-1 heading and end in '?'; headings: {titles}"


def rule_binder_badge(nb, path):
    """The first cell opens this very notebook on Binder."""
    links = [a for a in rendered(nb.cells[0].source).find_all('a', href=True)
             if urlsplit(a['href']).netloc == 'mybinder.org']
    if not any(path.name in unquote(a['href']) and a.find('img', alt=True) for a in links):
        yield f'the first cell has no Binder badge (with alt text) that leads to {path.name}'


def rule_objectives_and_takeaways(nb, path):
    """What was promised is what is summed up, bullet for bullet."""
    parts = {title: section(nb, title) for title in ('You will be able to', 'Takeaways')}
    for title, part in parts.items():
        if part is None:
            yield f"there is no section '## {title}'"
    if None not in parts.values():
        promised, kept = map(bullets, parts.values())
        if not 3 <= promised <= 5:
            yield f"'You will be able to' has {promised} bullets; 3 to 5 are wanted"
        if promised != kept:
            yield f'{promised} bullets are promised, and {kept} are among the takeaways'


def rule_check_yourself(nb, path):
    """Three to five questions, each with its answer folded."""
    part = section(nb, 'Check yourself')
    if part is None:
        yield "there is no section '## Check yourself'"
        return
    answers = part.find_all('details')
    if not 3 <= len(answers) <= 5:
        yield f"'Check yourself' has {len(answers)} answers in <details>; 3 to 5 are wanted"
    if any(answer.has_attr('open') or not answer.find('summary') for answer in answers):
        yield 'a <details> is open, or has no <summary>'
    source = notebook.markdown(nb)
    if source.count('<details') != source.count('</details>'):
        yield 'a <details> is not ended by </details>'


def rule_exercises_and_references(nb, path):
    """There is something left to do, and somewhere to read on."""
    exercises, references = section(nb, 'Exercises'), section(nb, 'References')
    if exercises is None or not bullets(exercises):
        yield "there is no section '## Exercises' with a list"
    if references is None or not ARXIV.search(str(references)):
        yield "there is no section '## References' with an arXiv number"


def rule_predict_then_run(nb, path):
    """Three times or more the reader commits to an answer; it is folded behind the output."""
    steps = ''
    for cell in nb.cells:
        steps += 'C' if cell.cell_type == 'code' else ''.join(
            asked or answered for asked, answered in STEPS.findall(cell.source))
    if steps.count('P') < 3:
        yield f"{steps.count('P')} predictions are asked for; 3 are wanted"
    if not re.fullmatch('(C*PC+A)*C*', steps):
        yield ("after each **Predict.** come code and, before the next one, its folded Answer; "
               f"here come (P, code C, answer A) {steps}")


def rule_hints(nb, path):
    """An exercise is graded in an assignment, or has a folded hint with what to expect."""
    part = section(nb, 'Exercises')
    for item in part.find_all('li') if part else ():
        if not item.find('details') and 'assignments/release' not in str(item):
            yield f'no hint: {item.get_text()[:60]}'


def rule_first_code_cell(nb, path):
    """Every notebook starts in the same way."""
    source = code_cells(nb)[0].source
    for line in ('%matplotlib inline', "sys.path.insert(0, '..')", 'import utils'):
        if line not in source:
            yield f'the first code cell has no {line}'


def rule_short_code(nb, path):
    """A cell is one thought; a definition may take longer."""
    for cell in code_cells(nb):
        source = python(cell)
        limit = MAX_DEFINITION_LINES if definitions(source) else MAX_CODE_LINES
        if (count := count_code_lines(source)) > limit:
            yield f'{label(cell)} has {count} lines of code; at most {limit}'


def rule_labels_leave_the_batch(nb, path):
    """x and y are a batch for the exercises, too: a loop over places of words names them otherwise.
    """
    assigned = set()
    for cell in code_cells(nb):
        for node in ast.parse(python(cell)).body:
            if isinstance(node, ast.Assign):
                assigned |= names_in(node.targets)
            elif isinstance(node, ast.For) and isinstance(node.iter, ast.Tuple):
                for name in sorted({'x', 'y'} & assigned & names_in([node.target])):
                    yield f'{label(cell)} has a loop that overwrites {name}'


def rule_figures_described(nb, path):
    """A stored picture has no alt text: the cell below it says in words what it shows."""
    for cell, below in zip(nb.cells, [*nb.cells[1:], None], strict=True):
        if has_figure(cell):
            words = below.source.split() if below and below.cell_type == 'markdown' else []
            if len(words) < 15 or not below.source.startswith('**Figure'):
                yield (f'{label(cell)} shows a figure; the next cell should begin with **Figure '
                       'and describe it in 15 words or more')


def rule_links(nb, path):
    """Links within the repository lead somewhere."""
    yield from broken_links(prose(nb), path)


def rule_same_as_kept(nb, path):
    """What is taught is the same text in its notebook and in resnet.py or utils.py."""
    kept = dict(kept_definitions())
    for name, tree in notebook_definitions(nb):
        if name in kept and tree != kept[name]:
            yield f'{name} differs from {name} in resnet.py or utils.py (docstrings count)'


RULES = [rule for name, rule in list(globals().items()) if name.startswith('rule_')]
