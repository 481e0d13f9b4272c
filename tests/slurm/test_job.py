"""How a job ends and is put back into the queue, with programs that sleep in MXNet's place."""
import psutil
import pytest
from cluster import wait


@pytest.mark.parametrize('role', ['scheduler', 'server', 'worker'])
def test_nothing_is_left_when_a_part_is_killed(stand_in, submit, role):
    job = submit('my_split')
    processes = wait(job.parts, 60, 'all parts')
    processes[role][-1].kill()
    wait(lambda: job.state()[1] == 1, 60, 'the restart')
    assert psutil.wait_procs(sum(processes.values(), []), timeout=30)[1] == []
    assert job.said()[:1] == ['train.slurm: a part of the job has failed; the job is put back '
                              'into the queue (restart 1)']


def test_after_three_restarts_without_an_epoch_it_is_given_up(stand_in, submit):
    (stand_in / 'worker').write_text('echo "$@" >> said\nexit 3\n')
    job = submit('my_split')
    assert wait(job.ended, 300, 'the end') == 'FAILED'
    assert job.state()[1] == 3
    assert job.said()[3:] == ['train.slurm: a part of the job has failed, and no epoch was '
                              'finished since start 4: job ended']
    lines = set((stand_in / 'said').read_text().splitlines())
    assert lines == {f'scripts/train.py my_split --kvstore dist_sync --out runs/slurm-{job.id}'}


@pytest.mark.parametrize('epoch', [False, True])
def test_the_time_limit(stand_in, submit, epoch):
    job = submit('my_split', options=['--time=1'])
    wait(job.parts, 60, 'all parts')
    (stand_in / 'worker').write_text('echo "$@" >> said\n')
    if epoch:
        job.run.mkdir(parents=True)
        (job.run / 'last.ckpt').touch()
    wait(job.said, 120, 'the signal')
    if epoch:
        assert job.said() == ['train.slurm: the time limit is near; the job is put back into the '
                              'queue (restart 1)']
        wait((stand_in / 'said').exists, 60, 'the second start')
        assert '--resume' in (stand_in / 'said').read_text()
    else:
        assert job.said() == ['train.slurm: the time limit is near, and no epoch was finished '
                              'since start 1: job ended']
        assert wait(job.ended, 60, 'the end') == 'FAILED'
