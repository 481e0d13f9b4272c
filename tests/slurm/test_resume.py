"""A worker dies in the middle of training: two nodes, MXNet, and Fashion-MNIST."""
import numpy as np
import psutil
from cluster import wait
from test_distributed import numbers

LIMIT = 1800  # seconds for what MXNet does, on the busiest machine
TINY = ['fashion-mnist', '--train-size', '48', '--batch-size', '8', '--resize', '16',
        '--lr', '0.01', '--epochs', '4']


def test_a_killed_worker_is_survived_to_the_bit(submit):
    whole = submit(*TINY)
    assert wait(whole.ended, LIMIT, 'the job') == 'COMPLETED'
    assert whole.said() == [] and whole.state()[1] == 0

    killed = submit(*TINY)
    wait((killed.run / 'last.ckpt').exists, LIMIT, 'the first epoch')
    processes = killed.parts()
    processes['worker'][1].kill()
    assert wait(killed.ended, LIMIT, 'the job') == 'COMPLETED'
    assert killed.state()[1] == 1
    assert psutil.wait_procs(sum(processes.values(), []), timeout=1)[1] == []

    (mine, my_rows), (theirs, their_rows) = (numbers(job.run / 'last.ckpt')
                                             for job in (killed, whole))
    assert len(my_rows) == 4
    for key in ('loss', 'train_acc', 'test_acc'):
        assert [row[key] for row in my_rows] == [row[key] for row in their_rows]
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_array_equal(a, b)
