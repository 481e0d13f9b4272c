"""The course's settings, read by every nbgrader command that is run in this folder."""
import os
import sys
from pathlib import Path

here = str(Path(__file__).resolve().parent)
sys.path.insert(0, here)  # rebuild.py and survive.py, for nbgrader
# PYTHONOPTIMIZE, for example, would switch off every assertion in the kernels that autograde.
for name in [name for name in os.environ if name.startswith('PYTHON')]:
    del os.environ[name]

c = get_config()  # noqa: F821  nbgrader defines it

c.CourseDirectory.course_id = 'resnet'
c.CourseDirectory.root = here

c.IncludeHeaderFooter.header = 'source/header.ipynb'
c.ClearSolutions.code_stub = {'python': (
    '# YOUR CODE HERE\n'
    "raise NotImplementedError('Write this part: put your code in place of these two lines.')")}
c.ClearSolutions.text_stub = (
    'YOUR ANSWER HERE (put it in place of this line) · 在这里写你的回答（替换这一行）')

# nbgrader's own lists: before the first, a student's cells go into the released notebook; in the
# second is an Execute that outlives a dead kernel.
c.Autograde.sanitize_preprocessors = ['rebuild.rebuild_submitted', *(
    f'nbgrader.preprocessors.{name}' for name in (
        'ClearOutput', 'DeduplicateIds', 'OverwriteKernelspec', 'OverwriteCells',
        'CheckCellMetadata'))]
c.Autograde.autograde_preprocessors = [
    'survive.ExecuteAndSurvive', 'nbconvert.preprocessors.ClearMetadataPreprocessor',
    *(f'nbgrader.preprocessors.{name}' for name in (
        'IgnorePattern', 'LimitOutput', 'SaveAutoGrades', 'AssignLatePenalties',
        'CheckCellMetadata'))]
c.Execute.timeout = 30  # seconds a cell
c.Execute.iopub_timeout = 60  # seconds for its last outputs: 4 are too few on a busy machine
