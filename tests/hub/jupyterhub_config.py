"""A hub that has loaded the course's settings; the rest is what only a test may have."""
import os

c = get_config()  # noqa: F821  JupyterHub defines it

load_subconfig('/etc/jupyter/resnet_hub.py')  # noqa: F821  JupyterHub defines it too
c.JupyterHub.bind_url = 'http://127.0.0.1:8000'
c.ConfigurableHTTPProxy.should_start = False  # it runs
c.JupyterHub.authenticator_class = 'dummy'
c.DummyAuthenticator.password = os.environ['HUB_PASSWORD']
c.Authenticator.allow_all = True
