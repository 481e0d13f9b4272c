"""Archives of a class and of a student: taken as platforms and systems write them, or named."""
import io
import os
import stat
import struct
import zipfile
import zlib

import pytest
from test_fuzz_grading import FILE, NAMES, put

from tools import archives, course
from tools.submissions import AssignmentError, find_students, read_submission, the_class

MOODLE = '{}_12345_assignsubmission_file'


class Unsigned(zipfile.ZipInfo):
    """A file whose name is written without the sign for UTF-8; made from that name in cp437."""

    def _encodeFilenameFlags(self):  # as zipfile calls it
        return self.filename.encode('cp437'), 0


def packed(*files):
    """The bytes of a .zip of (name or ZipInfo, content)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED) as file:
        for name, content in files:
            file.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def notebook(tmp_path):
    put(tmp_path / 'one.ipynb')
    return (tmp_path / 'one.ipynb').read_bytes()


def unpacked(tmp_path, content):
    """A class's archive, unpacked: its folder, and what was left out."""
    (tmp_path / 'class.zip').write_bytes(content)
    folder = tmp_path / 'out' / 'class'
    left = archives.unpack(tmp_path / 'class.zip', folder)
    return the_class(folder), left


def read_all(tmp_path, folder):
    """{student: (names of notebooks, problems)} of a folder of the class."""
    found = {student: read_submission(home, NAMES, unpacked=tmp_path / 'out' / 'students')
             for student, home in find_students(folder, 'resnet')[0].items()}
    return {student: ([*notebooks], problems) for student, (notebooks, problems) in found.items()}


@pytest.mark.parametrize('form, who', [
    (MOODLE + '/', MOODLE), (MOODLE + '_/', MOODLE + '_'), (MOODLE + '/resnet/', MOODLE),
    ('hand-ins/' + MOODLE + '/', MOODLE), (MOODLE + '_', MOODLE),
    ('{}_12345_67890_', '{}_12345'), ('{}_LATE_12345_67890_', '{}_12345'),
    ('{}_late_12345_67890_', '{}_12345'), ('{}/', '{}'), ('{}/resnet/', '{}'),
    ('./{}/', '{}'), ('{}\\resnet\\', '{}')])
def test_layouts_of_platforms(tmp_path, notebook, form, who):
    names = ['Ada Lovelace', "Zo\xeb O'Neil", '李小明', 'محمد علي', 'Łukasz', 'नेहा']
    files = [(form.format(name) + FILE, notebook) for name in names]
    files += [('__MACOSX/x/._' + FILE, b''), ('.DS_Store', b'')]
    found = read_all(tmp_path, unpacked(tmp_path, packed(*files))[0])
    assert found == {who.format(name): ([NAMES[0]], []) for name in names}


def test_what_canvas_renames_and_anonymous_students(tmp_path, notebook):
    files = [f'lovelaceada_12_34_{NAMES[0]}-1.ipynb', f'lovelaceada_12_35_{NAMES[1]}-12.ipynb',
             f'anon_x4Yz9_36_{FILE}', f'LATE_anon_B4Yz9_37_{FILE}', f'bob_9_38_{FILE}',
             f'bob_9_39_{NAMES[0]}-1.ipynb', 'cyd_10_40_report.pdf']
    found = read_all(tmp_path, unpacked(tmp_path, packed(*((f, notebook) for f in files)))[0])
    assert found['lovelaceada_12'] == (NAMES[:2], [])
    assert found['anon_x4Yz9'] == found['anon_B4Yz9'] == ([NAMES[0]], [])
    assert 'a second notebook of this name' in found['bob_9'][1][0]
    assert 'no notebook (there is: cyd_10_40_report.pdf)' in found['cyd_10'][1][0]


@pytest.mark.parametrize('flat', [False, True])
def test_text_typed_into_moodle_is_no_second_student(tmp_path, notebook, flat):
    slash = '_' if flat else '/'
    files = [(MOODLE.format('Ada') + slash + FILE, notebook)]
    files += [(f'{name}_12345_assignsubmission_onlinetext{slash}onlinetext.html', b'Hello')
              for name in ('Ada', 'Bob')]
    found = read_all(tmp_path, unpacked(tmp_path, packed(*files))[0])
    assert found.pop(MOODLE.format('Ada')) == ([NAMES[0]], [])
    (student, (notebooks, problems)), = found.items()
    assert student.startswith('Bob_12345') and not notebooks and 'no notebook' in problems[0]


@pytest.mark.parametrize('encoding, name', [
    ('utf-8', 'Zo\xeb'), ('utf-8', '李小明'), ('utf-8', 'محمد'), ('cp437', 'Zo\xeb'),
    ('cp437', 'Müller'), ('gbk', '李小明'), ('gbk', '陶喆'), ('ascii', 'Ada')])
def test_names_without_the_sign_for_utf_8(tmp_path, notebook, encoding, name):
    files = [(Unsigned(f'{student}/{FILE}'.encode(encoding).decode('cp437')), notebook)
             for student in (name, 'bob')]
    folder, left = unpacked(tmp_path, packed(*files))
    assert not left and read_all(tmp_path, folder).keys() == {name, 'bob'}


def test_the_true_name_beside_a_name_of_dos(tmp_path, notebook):
    name, raw = f'Łukasz/{FILE}'.encode(), f'_ukasz/{FILE}'.encode()
    info = zipfile.ZipInfo(raw.decode())
    info.extra = struct.pack('<HHBL', 0x7075, 5 + len(name), 1, zlib.crc32(raw)) + name
    assert archives.name_of(info) == f'Łukasz/{FILE}'


def test_nothing_is_written_outside(tmp_path, notebook):
    names = ['../a.ipynb', '/b.ipynb', 'x/../../c.ipynb', 'C:\\d.ipynb', '..\\e.ipynb',
             '\\\\host\\share\\f.ipynb', f'ada/{FILE}', f'bob/{FILE}']
    before = {*tmp_path.iterdir()} | {tmp_path / 'class.zip', tmp_path / 'out'}
    folder, left = unpacked(tmp_path, packed(*((name, notebook) for name in names)))
    assert {*tmp_path.iterdir()} == before and len(left) == 6
    assert all('leads out' in line for line in left)
    assert {p.name for p in folder.iterdir()} == {'ada', 'bob', archives.NOTE}


def link(name):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info


def damaged(content):
    """An archive with a wrong checksum for its second file."""
    at = content.index(b'PK\x01\x02', content.index(b'PK\x01\x02') + 1) + 16
    return content[:at] + b'\0\0\0\0' + content[at + 4:]


@pytest.mark.parametrize('kind', ['link', 'damaged', 'twice', 'password', 'large', 'method'])
def test_what_cannot_be_unpacked_costs_its_student_only(tmp_path, notebook, monkeypatch, kind):
    content = packed((f'ada/{FILE}', notebook), (f'bob/{FILE}', notebook))
    if kind == 'link':
        content = packed((f'ada/{FILE}', notebook), (link(f'bob/{FILE}'), '/etc/passwd'))
    elif kind == 'damaged':
        content = damaged(content)
    elif kind == 'twice':
        with pytest.warns(UserWarning, match='Duplicate'):
            content = packed((f'ada/{FILE}', notebook), (f'bob/{FILE}', notebook),
                             (f'bob/{FILE}', notebook))
    elif kind in ('password', 'method'):
        at = content.rindex(b'PK\x01\x02') + (8 if kind == 'password' else 10)
        content = content[:at] + (b'\1' if kind == 'password' else b'\x63') + content[at + 1:]
    elif kind == 'large':
        monkeypatch.setattr(archives, 'LARGEST', len(notebook))
        content = packed((f'ada/{FILE}', notebook), (f'bob/{FILE}', notebook + b' '))
    folder, left = unpacked(tmp_path, content)
    assert len(left) == 1 and f'bob/{FILE}: ' in left[0]
    found = read_all(tmp_path, folder)
    assert found['ada'] == ([NAMES[0]], [])
    if kind != 'twice':
        assert not found['bob'][0] and 'not a readable notebook' in found['bob'][1][0]
    # The same is said once more when nothing is unpacked any longer.
    assert unpacked(tmp_path, content) == (folder, left)


def test_an_archive_that_unpacks_to_too_much(tmp_path):
    bomb = packed(*((f'{i}.ipynb', bytes(10 ** 6)) for i in range(2)))
    at = bomb.rindex(b'PK\x01\x02') + 24  # its size, as it is said
    (tmp_path / 'bomb.zip').write_bytes(bomb[:at] + b'\xff\xff\xff\x7f' + bomb[at + 4:])
    with pytest.raises(ValueError, match='unpacks to more than 1 GB'):
        archives.unpack(tmp_path / 'bomb.zip', tmp_path / 'out' / 'bomb', 10 ** 9)
    assert not [*(tmp_path / 'out').iterdir()]


def test_a_size_that_is_not_true(tmp_path):
    bomb = packed((FILE, bytes(10 ** 6)))
    at = bomb.rindex(b'PK\x01\x02') + 24
    bomb = bomb[:at] + b'\x10\0\0\0' + bomb[at + 4:]
    folder, left = unpacked(tmp_path, bomb)
    assert len(left) == 1 and (folder / FILE).stat().st_size == 0


@pytest.mark.parametrize('content', [b'', b'PK\x05\x06', b'{"cells": []}'])
def test_no_archive(tmp_path, content):
    (tmp_path / 'class.zip').write_bytes(content)
    with pytest.raises(AssignmentError, match='class.zip: no .zip that can be read'):
        course.grade(tmp_path / 'class.zip')
    assert [*tmp_path.rglob('*')] == [tmp_path / 'class.zip', tmp_path / 'class-graded-unpacked',
                                      tmp_path / 'class-graded-unpacked' / 'class']


def test_nothing_unpacked_is_overwritten(tmp_path, notebook):
    content = packed((f'ada/{FILE}', notebook), (f'bob/{NAMES[0]} (1).ipynb', notebook))
    folder, _ = unpacked(tmp_path, content)
    assert 'no notebook of this assignment' in read_all(tmp_path, folder)['bob'][1][0]
    (folder / 'bob' / f'{NAMES[0]} (1).ipynb').rename(folder / 'bob' / FILE)  # by the teacher
    assert unpacked(tmp_path, content)[0] == folder
    assert read_all(tmp_path, folder)['bob'] == ([NAMES[0]], [])
    with pytest.raises(ValueError, match='is not what this archive holds: move it away'):
        unpacked(tmp_path, packed((f'cyd/{FILE}', notebook)))
    assert read_all(tmp_path, folder).keys() == {'ada', 'bob'}


def test_what_a_killed_call_left_is_in_nobodys_way(tmp_path, notebook):
    (tmp_path / 'out' / '.unfinished-x' / 'new').mkdir(parents=True)
    unpacked(tmp_path, packed((f'ada/{FILE}', notebook)))
    assert os.listdir(tmp_path / 'out') == ['class']


@pytest.mark.parametrize('inside', ['', 'resnet/', 'my work/resnet/'])
@pytest.mark.parametrize('beside', [False, True])
def test_a_students_archive(tmp_path, notebook, inside, beside):
    for student in ('ada', '李小明'):
        (tmp_path / 'in' / student).mkdir(parents=True)
        (tmp_path / 'in' / student / 'Work.ZIP').write_bytes(packed(
            (inside + FILE, notebook), ('__MACOSX/._' + FILE, b'x'), ('data/x.csv', b'1')))
        if beside:  # the same once more
            (tmp_path / 'in' / student / FILE).write_bytes(notebook)
    expected = {'ada': ([NAMES[0]], []), '李小明': ([NAMES[0]], [])}
    assert read_all(tmp_path, tmp_path / 'in') == expected
    assert read_all(tmp_path, tmp_path / 'in') == expected


@pytest.mark.parametrize('content, said', [
    (b'no archive', 'no .zip that can be read'), (packed(('a.zip', b'')), 'archive in an archive'),
    (packed(('../' + FILE, b'')), 'leads out'), (packed(('a.csv', b'1')), 'no notebook'),
    (packed((FILE, b'{"cells": []}')), 'several folders')])
def test_a_students_archive_that_is_not_taken(tmp_path, content, said, notebook):
    for student in ('ada', 'bob'):
        (tmp_path / 'in' / student).mkdir(parents=True)
    (tmp_path / 'in' / 'ada' / FILE).write_bytes(notebook)
    (tmp_path / 'in' / 'bob' / 'work.zip').write_bytes(content)
    if said == 'several folders':  # not the same notebook
        (tmp_path / 'in' / 'bob' / FILE).write_bytes(notebook)
    found = read_all(tmp_path, tmp_path / 'in')
    assert found['ada'] == ([NAMES[0]], [])
    assert not found['bob'][0] and said in found['bob'][1][0] and 'bob' in found['bob'][1][0]


def test_files_named_after_students_in_a_folder(tmp_path, notebook):
    (tmp_path / 'in').mkdir()
    for name in (f'adalove_1_2_{FILE}', f'adalove_1_3_{NAMES[1]}-1.ipynb', 'list of names.csv'):
        (tmp_path / 'in' / name).write_bytes(notebook)
    (tmp_path / 'in' / 'bob_7_8_work.zip').write_bytes(packed((FILE, notebook)))
    assert read_all(tmp_path, tmp_path / 'in') == {
        'adalove_1': (NAMES[:2], []), 'bob_7': ([NAMES[0]], [])}
    assert find_students(tmp_path / 'in', 'resnet')[1] == [tmp_path / 'in' / 'list of names.csv']


def test_the_archive_of_one_student(tmp_path, notebook):
    (tmp_path / 'ada.zip').write_bytes(packed((f'work/{FILE}', notebook), (f'work/{NAMES[1]}.ipynb',
                                                                          notebook)))
    archives.unpack(tmp_path / 'ada.zip', tmp_path / 'out' / 'class' / 'ada')
    found = read_all(tmp_path, the_class(tmp_path / 'out' / 'class' / 'ada'))
    assert list(found.values()) == [(NAMES[:2], [])]
