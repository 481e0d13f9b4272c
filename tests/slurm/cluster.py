"""A Slurm of two nodes on one machine, as plain processes and files in one folder.

This process and the controller are on node1. node2 has a network and a host name of its own; a
virtual cable connects the two. Namespaces of network, mounts and host name must be ours alone.
"""
import contextlib
import os
import secrets
import socket
import subprocess
import time

HOSTS = '127.0.0.1 localhost\n10.0.0.1 node1\n10.0.0.2 node2\n'
# Slurm believes what is said here of CPUs. A job that was put back into the queue may start again
# once no message of its last start is valid any longer (cred_expire, seconds). One that has ended
# is remembered for MinJobAge; by default for five minutes, in which a slow test is not over.
CONFIGURATION = '''
ClusterName=test
SlurmctldHost=node1
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdPidFile={folder}/%n.pid
SlurmdLogFile={folder}/%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
KillWait=5
MinJobAge=86400
NodeName=node[1-2] CPUs=4
PartitionName=all Nodes=ALL Default=YES
'''


def call(*words):
    """What a command prints; raises CalledProcessError."""
    return subprocess.run(list(map(str, words)), check=True, stdout=subprocess.PIPE, text=True,
                          timeout=60).stdout.strip()


def wait(condition, seconds, what, pause=0.5):
    """The first value of `condition` that is true; raises TimeoutError after so many seconds."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f'{what}: not within {seconds} s')
        time.sleep(pause)
    return value


def is_idle():
    """Whether both nodes are up, and no job has one."""
    return call('sinfo', '--noheader', '--format=%D %t') == '2 idle'


def lay_cable(folder):
    """Names for both nodes, and a network between them."""
    (folder / 'hosts').write_text(HOSTS)
    call('mount', '--bind', folder / 'hosts', '/etc/hosts')
    call('mount', '-t', 'tmpfs', 'tmpfs', '/run')  # where ip keeps the names of networks
    socket.sethostname('node1')
    call('ip', 'netns', 'add', 'node2')
    call('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', 'node2')
    for number, where in ((1, []), (2, ['-netns', 'node2'])):
        call('ip', *where, 'address', 'add', f'10.0.0.{number}/24', 'dev', 'eth0')
        for device in ('lo', 'eth0'):
            call('ip', *where, 'link', 'set', device, 'up')


def programs(folder):
    """The command of each program that a Slurm is made of."""
    files = [f'--{name}-file={folder / f"munge.{name}"}' for name in ('key', 'log', 'pid', 'seed')]
    yield ['munged', '--foreground', '--force', f'--socket={folder / "munge.socket"}', *files]
    yield ['slurmctld', '-D']
    yield ['slurmd', '-D']
    yield ['nsenter', '--net=/run/netns/node2', 'unshare', '--uts', 'sh', '-c',
           'hostname node2 && exec slurmd -D']


@contextlib.contextmanager
def running(folder):
    """Slurm, both of whose nodes are idle; it is stopped when the `with` block ends."""
    lay_cable(folder)
    (folder / 'munge.key').write_bytes(secrets.token_bytes(128))
    (folder / 'munge.key').chmod(0o600)
    (folder / 'slurm.conf').write_text(CONFIGURATION.format(folder=folder))
    os.environ['SLURM_CONF'] = str(folder / 'slurm.conf')
    with contextlib.ExitStack() as stack, open(folder / 'said', 'w') as said:
        for program in programs(folder):
            process = subprocess.Popen(program, stdout=said, stderr=said)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        wait(is_idle, 60, 'two idle nodes')
        yield
