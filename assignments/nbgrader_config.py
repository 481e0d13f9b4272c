"""The course's settings, read by every nbgrader command that is run in this folder."""
import os
import sys
from pathlib import Path

here = str(Path(__file__).resolve().parent)
sys.path.insert(0, here)  # survive.py, for nbgrader
# grader.py, for the kernels that autograde; the hidden tests import it.
os.environ['PYTHONPATH'] = os.pathsep.join(
    [here, *filter(None, os.environ.get('PYTHONPATH', '').split(os.pathsep))])

from nbconvert.preprocessors import ClearMetadataPreprocessor  # noqa: E402
from nbgrader.preprocessors import (  # noqa: E402
    AssignLatePenalties,
    CheckCellMetadata,
    IgnorePattern,
    LimitOutput,
    SaveAutoGrades,
)
from survive import ExecuteAndSurvive  # noqa: E402

c = get_config()  # noqa: F821  nbgrader defines it

c.CourseDirectory.course_id = 'resnet'
c.CourseDirectory.root = here

c.IncludeHeaderFooter.header = 'source/header.ipynb'
c.ClearSolutions.code_stub = {'python': (
    '# YOUR CODE HERE\n'
    "raise NotImplementedError('Write this part: put your code in place of these two lines.')")}
c.ClearSolutions.text_stub = 'YOUR ANSWER HERE (put it in place of this line)'

# nbgrader's own list, with an Execute that outlives a dead kernel.
c.Autograde.autograde_preprocessors = [
    ExecuteAndSurvive, IgnorePattern, ClearMetadataPreprocessor, LimitOutput, SaveAutoGrades,
    AssignLatePenalties, CheckCellMetadata]
c.Execute.timeout = 30  # seconds a cell
