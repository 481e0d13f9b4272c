"""The week of a course on a hub, one day after the other: assignments/README.md, With JupyterHub.

Ada does two notebooks and submits twice, Ben does one and is late, Zoe does one and copies,
splits, deletes and retypes its cells. The other notebooks go back as they were fetched.
"""
import csv
import datetime
import json
import re
import subprocess
import time

import pytest
import world
from playwright.sync_api import expect
from world import COURSE, STUDENTS, TEACHER, call

GRADIENTS, BLOCK = '1_gradients', '2_residual_block'
ANSWER = 'BN mended vanishing gradients, and the training error still rises with depth.'
COMMENT = 'And the identity copy?'
# What another program does, in which nbgrader's cells can be deleted.
DELETE = f'''
import json
with open('{GRADIENTS}.ipynb', 'r+') as file:
    notebook = json.load(file)
    cells = [cell for cell in notebook['cells'] if cell['id'] != 'diagnose']
    assert len(cells) == len(notebook['cells']) - 1
    file.seek(0)
    json.dump({{**notebook, 'cells': cells}}, file)
    file.truncate()
'''
NOW = datetime.datetime.now(datetime.UTC)


def solutions(notebook):
    """{cell: our solution} of a notebook's code cells."""
    path = world.OPT / f'assignments/source/resnet/{notebook}.ipynb'
    cells = json.loads(path.read_text('utf-8'))['cells']
    return {cell['id']: re.sub(r' *### (BEGIN|END) SOLUTION\n?', '', ''.join(cell['source']))
            for cell in cells if cell['cell_type'] == 'code'
            and cell['metadata'].get('nbgrader', {}).get('solution')}


def do(student, notebook):
    """Types our solutions into an open notebook."""
    for source in solutions(notebook).values():
        student.write(student.cell(source.splitlines()[0]), source)
    student.save()


def wait(condition):
    """Returns when `condition` is true; raises TimeoutError after ten minutes."""
    end = time.monotonic() + 600
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError('not within ten minutes')
        time.sleep(0.5)


def autograded(teacher, student):
    """Autogrades a student; returns the log that Formgrader shows."""
    teacher.formgrader('manage_submissions/resnet')
    return teacher.click(student, 'autograde')


# ---------------------------------------------------------------------------------------------
# Monday: the assignment is released and fetched


def test_only_the_teacher_has_formgrader(people):
    for name, person in people.items():
        answer = person.page.request.get(f'{world.ADDRESS}/user/{name}/formgrader')
        assert answer.status == (200 if name == TEACHER else 404)
    for name in STUDENTS:
        assert people[name].entries() == ['Assignment List']


def test_the_teacher_generates_and_releases(teacher):
    teacher.formgrader()
    assert '6_better_or_broken' in teacher.click('resnet', 'assign')
    teacher.set_due_date(NOW + datetime.timedelta(days=7))
    assert 'Released as: resnet resnet' in teacher.click('resnet', 'release')


@pytest.mark.parametrize('name', STUDENTS)
def test_a_student_fetches(people, name):
    people[name].fetch()
    fetched = world.Path(f'/home/{name}/resnet')
    assert len(list(fetched.glob('*.ipynb'))) == 6 and (fetched / 'clothes.npz').is_file()


@pytest.mark.parametrize('folder', [COURSE, f'{world.EXCHANGE}/resnet/inbound'])
def test_no_student_sees_solutions_or_what_others_submit(folder):
    with pytest.raises(subprocess.CalledProcessError):
        call('ls', folder, user='ada', stderr=subprocess.DEVNULL)


# ---------------------------------------------------------------------------------------------
# Tuesday to Thursday: students work


def test_ada_writes_validates_and_submits(ada):
    ada.open_notebook(GRADIENTS)
    assert 'failed' in ada.validate()
    do(ada, GRADIENTS)
    ada.write(ada.cell('YOUR ANSWER HERE (put'), ANSWER)
    ada.save()
    assert 'Success! Your notebook passes all the tests.' in ada.validate()
    assert ada.submit() == 1


def test_ada_submits_once_more(ada):
    ada.open_notebook(BLOCK)
    do(ada, BLOCK)
    assert ada.submit() == 2


def test_zoe_copies_splits_deletes_and_retypes_cells(zoe):
    zoe.open_notebook(GRADIENTS)
    do(zoe, GRADIENTS)
    keys = zoe.page.keyboard
    copied = zoe.cell('def sigmoid_chain_gradient')
    zoe.select(copied)
    keys.press('c')
    keys.press('v')
    expect(zoe.page.locator('.jp-Cell', has_text='def sigmoid_chain_gradient')).to_have_count(2)
    split = zoe.cell('def residual_gradient_terms')
    zoe.write(split, '# mine\n' + solutions(GRADIENTS)['terms'])
    keys.press('Enter')
    keys.press('Control+Home')
    keys.press('ArrowDown')
    keys.press('Control+Shift+Minus')
    keys.press('Escape')
    expect(zoe.page.locator('.jp-Cell', has_text='# mine')).not_to_contain_text('def ')
    zoe.select(zoe.cell('def diagnose'))
    keys.press('d')
    keys.press('d')  # which JupyterLab refuses
    keys.press('b')
    zoe.write(zoe.page.locator('.jp-Cell.jp-mod-active'), solutions(GRADIENTS)['diagnose'])
    zoe.write(zoe.cell('YOUR ANSWER HERE (put'), ANSWER)
    keys.press('r')
    expect(zoe.page.locator('.jp-RawCell')).to_contain_text('BN mended')
    zoe.save()
    call(world.HUB / 'bin/python', '-c', DELETE, user='zoe', cwd='/home/zoe/resnet')
    assert zoe.submit() == 1


# ---------------------------------------------------------------------------------------------
# Friday: the time is over


def test_ben_is_late(teacher, ben):
    ben.open_notebook(GRADIENTS)
    do(ben, GRADIENTS)
    due = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1)
    teacher.formgrader()
    teacher.set_due_date(due)
    time.sleep(max(0, 60 - due.second))
    assert ben.submit() == 1


def test_the_teacher_collects(teacher):
    teacher.formgrader()
    assert 'Processing 3 submissions' in teacher.click('resnet', 'collect')
    expect(teacher.page.locator('#main-table .num-submissions')).to_have_text('3')


def test_autograding_ada_counts_what_she_submitted_last(teacher):
    assert 'seconds late' not in autograded(teacher, 'ada')
    expect(teacher.row('ada').locator('.score')).to_have_text('21 / 87')
    expect(teacher.row('ada').locator('.status')).to_have_text('needs manual grading')


def test_autograding_ben_says_that_he_is_late(teacher):
    assert re.search(r'is \d+\.\d+ seconds late', autograded(teacher, 'ben'))
    expect(teacher.row('ben').locator('.score')).to_have_text('9 / 87')


def test_autograding_zoe_gives_what_her_code_earns(teacher):
    said = autograded(teacher, 'zoe')
    for sentence in ('cells that are there twice: chain, terms', 'cells of another type: answer',
                     'not found, graded by what other cells define: diagnose'):
        assert f'zoe, {GRADIENTS}: ' in said and sentence in said
    expect(teacher.row('zoe').locator('.score')).to_have_text('9 / 87')


@pytest.mark.parametrize(('student', 'points'), [('ada', 2), ('zoe', 1)])
def test_an_answer_is_graded_by_hand(teacher, student, points):
    teacher.open(f'resnet-course/source/resnet/{GRADIENTS}.ipynb')
    expect(teacher.page.locator('.jp-Cell', has_text='Rubric.')).to_contain_text('1 point: ')
    teacher.open_submission(student, GRADIENTS)
    expect(teacher.page.locator('.nbgrader_cell', has=teacher.page.locator('#answer'))
           ).to_contain_text(ANSWER)
    teacher.grade('answer', points, COMMENT)


# ---------------------------------------------------------------------------------------------
# Monday: feedback and marks


def test_the_teacher_returns_feedback(teacher):
    teacher.formgrader()
    teacher.click('resnet', 'generate-feedback')
    assert 'Feedback released' in teacher.click('resnet', 'release-feedback')


@pytest.mark.parametrize(('name', 'points'), [('ada', '11.0 / 12.0'), ('zoe', '10.0 / 12.0')])
def test_a_student_reads_feedback(people, name, points):
    page = people[name].read_feedback(GRADIENTS)
    expect(page).to_contain_text(f'Score: {points}')
    expect(page).to_contain_text(COMMENT)


def test_the_teacher_exports_the_marks(teacher):
    teacher.type_in_terminal(world.commands(2))
    marks = COURSE / 'marks.csv'
    wait(lambda: marks.exists() and marks.read_text().count('\n') == 4)
    with open(marks, newline='') as file:
        rows = {row['student_id']: row for row in csv.DictReader(file)}
    assert {name: float(row['score']) for name, row in rows.items()} == {
        'ada': 23, 'ben': 9, 'zoe': 10}
    assert {name for name, row in rows.items() if row['timestamp'] > row['duedate']} == {'ben'}
