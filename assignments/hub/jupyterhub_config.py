"""What a hub must know of the course: copy it, change the two names, and let the hub load it."""
import os

TEACHERS = {'teacher'}  # their names on the hub; all others are students
ENVIRONMENT = '/opt/resnet-notebooks/.venv-hub'  # of users' servers: MXNet, nbgrader, JupyterHub

c = get_config()  # noqa: F821  JupyterHub defines it

c.Spawner.cmd = [f'{ENVIRONMENT}/bin/jupyterhub-singleuser']
c.Spawner.environment.update({
    # nbgrader calls the command `alembic` by its name.
    'PATH': os.pathsep.join([f'{ENVIRONMENT}/bin', os.environ.get('PATH', os.defpath)]),
    # Settings that go before all others: they hide what is for teachers.
    'JUPYTER_CONFIG_PATH':
        lambda spawner: '' if spawner.user.name in TEACHERS else '/etc/jupyter/students',
    # One thread for each kernel: a class shares the machine's cores.
    'OMP_NUM_THREADS': '1',
})
# Seconds until a server must answer: when a whole class logs in, 30 are too few.
c.Spawner.http_timeout = 300
