"""The Dockerfile, and how `make check-container` reads it; its steps need root and the network."""
import json
import os
import re

import pytest
from rules import ROOT

from tools import check_container
from tools.check_container import DOCKERFILE, NOTEBOOK, Container, steps

BEGIN = 'FROM --platform=linux/amd64 debian:bookworm-slim AS system\n'
HERE = DOCKERFILE.parent
STEPS = steps(DOCKERFILE.read_text('utf-8'))


def parts(instruction):
    """The parts of every such step of the file."""
    return [found for name, found in STEPS if name == instruction]


def test_comments_and_continued_lines_are_read_as_docker_reads_them():
    text = f'# one\n{BEGIN}\nRUN a \\\n    # two\n    && b\nCMD ["a", "b c"]\n'
    assert [(name, [part for part in found.values() if part]) for name, found in steps(text)] == [
        ('FROM', ['bookworm', 'system']), ('RUN', ['a      && b']), ('CMD', ['["a", "b c"]'])]


@pytest.mark.parametrize('line', [
    'ENV A=b', 'ARG A', 'ADD a b/', 'run a', 'RUN', 'RUN --mount=type=cache a', 'RUN ["a"]',
    'RUN <<END', 'USER $A', 'USER a:b', 'WORKDIR here', 'WORKDIR $HOME', 'COPY a b/',
    'COPY --chown=a --from=b c d/', 'COPY --chown=a b c', 'COPY --chown=a $B c/', 'EXPOSE',
    'EXPOSE 8888/udp', 'CMD make lab', "CMD ['make']", 'CMD ["make",]', 'CMD []', 'a'])
def test_what_cannot_be_carried_out_is_refused(line):
    with pytest.raises(ValueError, match='cannot carry out: ' + re.escape(line)):
        steps(f'{BEGIN}{line}\n')


@pytest.mark.parametrize('text', [
    'RUN a', 'FROM system', 'FROM debian:bookworm-slim', 'FROM --platform=linux/amd64 python:3.11',
    f'{BEGIN}FROM other', f'{BEGIN}{BEGIN}', f'{BEGIN}FROM system\nFROM system',
    f'{BEGIN.replace(" AS system", "")}{BEGIN}'])
def test_other_beginnings_and_stages_are_refused(text):
    with pytest.raises(ValueError):
        steps(text)


def test_an_ordinary_user_opens_the_first_notebook():
    assert [user['user'] for user in parts('USER')] == ['student']
    command, = parts('CMD')
    words = json.loads(command['words'])
    assert words[:2] == ['make', 'lab']
    makefile = (ROOT / 'Makefile').read_text('utf-8')
    assert f'--LabApp.default_url={NOTEBOOK} ' in makefile.split('\nlab:')[1].split('\n\n')[0]


def test_system_has_what_the_texts_say():
    text = (ROOT / 'docs/install.md').read_text('utf-8')
    needed = re.search(r'On Debian and Ubuntu, where they are missing, also (.*)\. MXNet', text)[1]
    for package in [*re.findall('`(.*?)`', needed), 'git', 'make']:
        assert f' {package} ' in parts('RUN')[0]['script']


def test_text_says_the_port_and_the_folder_of_the_file():
    (folder,), (port,) = parts('WORKDIR'), parts('EXPOSE')
    for name in ('install.md', 'install_zh.md'):
        text = (ROOT / 'docs' / name).read_text('utf-8')
        command = re.search('^docker build .* && docker run .*', text, re.M)[0]
        assert f' -f {DOCKERFILE.relative_to(ROOT)} ' in command
        assert f':{folder["folder"]} ' in command and f':{port["port"]} ' in command


def test_an_editor_has_the_same_system_and_port():
    editor = json.loads((HERE / 'devcontainer.json').read_text('utf-8'))
    build = editor['build']
    assert (HERE / build['dockerfile']).samefile(DOCKERFILE)
    assert (HERE / build['context']).samefile(ROOT)
    assert build['target'] in [stage['name'] for stage in parts('FROM')]
    assert editor['forwardPorts'] == [int(port['port']) for port in parts('EXPOSE')]
    first, = editor['customizations']['codespaces']['openFiles']
    assert NOTEBOOK.endswith(f'/{first}')


def test_docker_ignores_what_git_does():
    ignored = (ROOT / '.gitignore').read_text('utf-8').splitlines()
    # Without a slash inside, git's patterns hold in every folder, Docker's at the root alone.
    wanted = [name.rstrip('/') if '/' in name.rstrip('/') else f'**/{name.rstrip("/")}'
              for name in ignored]
    lines = (HERE / 'Dockerfile.dockerignore').read_text('utf-8').splitlines()
    assert [line for line in lines if not line.startswith('#')] == ['.git', *wanted]


@pytest.fixture
def container(tmp_path):
    """One whose Debian is a list of users, with this process's own as `student`."""
    (tmp_path / 'root/etc').mkdir(parents=True)
    (tmp_path / 'root/etc/passwd').write_text(
        f'root:x:0:0:root:/root:/bin/bash\n'
        f'student:x:{os.getuid()}:{os.getgid()}::/home/student:/bin/bash\n')
    (tmp_path / 'root/home').mkdir()
    return Container(tmp_path)


def test_copying(container, monkeypatch):
    monkeypatch.setattr(check_container, 'tracked', lambda: [ROOT / 'Makefile', ROOT / '.ci/run'])
    for line in ('WORKDIR /home', 'COPY --chown=student Makefile tools/env.sh new/',
                 'COPY --chown=student . .'):
        container.carry_out(*steps(BEGIN + line)[1])
    home = container.root / 'home'
    copied = {str(path.relative_to(home)) for path in home.rglob('*') if path.is_file()}
    assert copied == {'Makefile', '.ci/run', 'new/Makefile', 'new/env.sh'}
    assert os.access(home / '.ci/run', os.X_OK)


@pytest.mark.parametrize('line', ['WORKDIR /home/new', 'COPY --chown=nobody . .'])
def test_a_step_that_fails_says_so(container, line):
    with pytest.raises(ValueError, match='make it first|no user'):
        container.carry_out(*steps(BEGIN + line)[1])


def test_only_what_leads_to_the_packages_comes_from_outside(container, monkeypatch):
    monkeypatch.setattr(os, 'environ', {
        'HTTPS_PROXY': 'a', 'no_proxy': 'b', 'UV_DEFAULT_INDEX': 'c', 'PIP_INDEX_URL': 'd',
        'PIP_TARGET': 'e', 'HOME': 'f'})
    words = Container(container.root.parent).inside('true')
    assert {'HTTPS_PROXY=a', 'no_proxy=b', 'UV_DEFAULT_INDEX=c', 'PIP_INDEX_URL=d',
            'HOME=/root'} <= set(words)
    assert 'PIP_TARGET=e' not in words


def test_what_is_missing_is_said_in_one_line(monkeypatch):
    monkeypatch.setattr(check_container.platform, 'system', lambda: 'Linux')
    monkeypatch.setattr(check_container.platform, 'machine', lambda: 'x86_64')
    monkeypatch.setattr(os, 'geteuid', lambda: 1000)
    monkeypatch.setattr(check_container.shutil, 'which', lambda name: None)
    with pytest.raises(SystemExit, match=r'needs root, .* and debootstrap \(.*\)\.$'):
        check_container.main([])
    monkeypatch.setattr(check_container.platform, 'machine', lambda: 'arm64')
    with pytest.raises(SystemExit, match='needs Linux on x86-64.$'):
        check_container.main([])
