"""What nbgrader of every user of a hub must know: copy it to /etc/jupyter/nbgrader_config.py.

The course's own settings are in its nbgrader_config.py, in the teacher's home.
"""
from pathlib import Path

c = get_config()  # noqa: F821  nbgrader defines it

# Where assignments, submissions and feedback change hands: for everybody to write (mode 1777).
c.Exchange.root = '/srv/nbgrader/exchange'

# Formgrader is opened from the teacher's home, and the course lies below it. The folder must not
# be called as the assignment is, which would be fetched into it.
course = Path.home() / 'resnet-course'
if (course / 'nbgrader_config.py').is_file():
    c.CourseDirectory.root = str(course)

# For Validate: seconds for a cell, as in grading, and for what it printed to arrive. By default
# these are 4, too few when a class imports MXNet at once.
c.Execute.timeout = 30
c.Execute.iopub_timeout = 60
