"""A job of scripts/train.slurm, seen from outside."""
import contextlib

import psutil
from cluster import call

ENDED = {'COMPLETED', 'FAILED', 'TIMEOUT', 'CANCELLED', 'NODE_FAIL'}


class Job:
    """A job of scripts/train.slurm; `options` are sbatch's, `arguments` train.py's."""

    def __init__(self, folder, *arguments, options=()):
        self.id = call('sbatch', '--parsable', *options, 'scripts/train.slurm', *arguments)
        self.run = folder / 'runs' / f'slurm-{self.id}'
        self.file = folder / f'slurm-{self.id}.out'

    def state(self):
        """(state, how often it was put back into the queue)"""
        fields = call('scontrol', 'show', 'job', '--oneliner', self.id).split()
        found = dict(field.split('=', 1) for field in fields if '=' in field)
        return found['JobState'], int(found['Restarts'])

    def ended(self):
        """The state in which it has ended, None before."""
        return state if (state := self.state()[0]) in ENDED else None

    def said(self):
        """What train.slurm itself wrote."""
        return [line for line in self.file.read_text().splitlines()
                if line.startswith('train.slurm: ')]

    def parts(self):
        """All its processes by role, once all of them are there."""
        found = {'scheduler': [], 'server': [], 'worker': []}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                env = process.environ()
                if env.get('SLURM_JOB_ID') == self.id and process.name() != 'srun':
                    found.get(env.get('DMLC_ROLE'), []).append(process)
        return found if list(map(len, found.values())) == [1, 1, 2] else None
