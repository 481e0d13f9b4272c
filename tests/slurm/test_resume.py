"""A worker dies in the middle of training: two nodes, MXNet, and Fashion-MNIST."""
import hashlib
import json
import zipfile

import psutil
from cluster import wait

LIMIT = 3600  # seconds for what MXNet does, on the busiest machine
TINY = ['fashion-mnist', '--train-size', '48', '--batch-size', '8', '--resize', '16',
        '--lr', '0.01', '--epochs', '3']


def learned(job):
    """What a job's last checkpoint holds: losses and accuracies, and digests of all arrays."""
    with zipfile.ZipFile(job.run / 'last.ckpt') as archive:
        history = json.loads(archive.read('about.json'))['history']
        arrays = {name: hashlib.sha256(archive.read(name)).hexdigest()
                  for name in ('net.params', 'trainer.params', 'trainer.json')}
    return [(row['loss'], row['train_acc'], row['test_acc']) for row in history], arrays


def test_a_killed_worker_is_survived_to_the_bit(submit):
    whole = submit(*TINY)
    assert wait(whole.ended, LIMIT, 'the job') == 'COMPLETED'
    assert whole.said() == [] and whole.state()[1] == 0

    killed = submit(*TINY)
    processes = wait(killed.parts, LIMIT, 'all parts')
    wait((killed.run / 'last.ckpt').exists, LIMIT, 'the first epoch', pause=0.02)
    processes['worker'][1].kill()
    assert wait(killed.ended, LIMIT, 'the job') == 'COMPLETED'
    assert killed.state()[1] == 1  # where a run is, train.py only goes on by --resume
    assert psutil.wait_procs(sum(processes.values(), []), timeout=1)[1] == []
    assert len(learned(whole)[0]) == 3
    assert learned(killed) == learned(whole)
