"""Executing a submission so that an endless loop or a dead kernel costs one cell, not all.

nbgrader's own Execute interrupts a cell at its time limit; where the cell does not obey (C++, a
signal that is ignored), or where the kernel dies, it gives up on all notebooks of that student.
Here such a cell gets an error, and the next one a new kernel in which what came before has run
again.
"""
from copy import deepcopy

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_output
from nbgrader.preprocessors import Execute
from nbgrader.utils import is_grade
from traitlets import default


class OwnKernel(AsyncKernelManager):
    """Starts the Python that runs nbgrader, whatever kernels the user has installed."""

    def __init__(self, *args, **kwargs):
        kwargs.setdefault('transport_encryption', 'auto')  # ipykernel warns without it
        super().__init__(*args, **kwargs)

    @default('kernel_spec_manager')
    def _without_folders(self):
        return KernelSpecManager(kernel_dirs=[])


class ExecuteAndSurvive(Execute):
    """nbgrader's Execute, with a new kernel where a cell has used up or killed the old one."""

    def __init__(self, *args, **kwargs):
        kwargs.setdefault('kernel_manager_class', OwnKernel)
        super().__init__(*args, **kwargs)

    def preprocess(self, nb, resources, *args, **kwargs):
        self.guilty = set()  # cells that are not to run again
        return super().preprocess(nb, resources, *args, **kwargs)

    def preprocess_cell(self, cell, resources, index):
        if cell.cell_type != 'code':
            return cell, resources
        if reason := self.fatal(cell, index):
            self.guilty.add(index)
            cell.outputs.append(new_output(
                'error', ename='KernelLost', evalue=reason,
                traceback=[f'{reason} This costs this cell only: the next one gets a new kernel '
                           'in which the cells before this one have run again.']))
            self.replace_kernel(index)
        elif any(output.get('ename') == 'CellTimeoutError' for output in cell.outputs):
            self.guilty.add(index)  # interrupted; a later new kernel shall not wait for it again
        if is_grade(cell):
            # nbgrader would give no points to a cell that only warns.
            cell.outputs = [o for o in cell.outputs if o.get('name') != 'stderr']
        return cell, resources

    def fatal(self, cell, index):
        """Executes a cell; says in a sentence why its kernel is lost, None where it is not."""
        self.asked_to_exit = False
        try:
            self.execute_cell(cell, index, store_history=True)
        except DeadKernelError:
            return 'The kernel died: a crash in C++, want of memory, or a call that ends Python.'
        except CellTimeoutError:  # where the interrupt is obeyed, this is an output of the cell
            return f'The cell did not end in {self.timeout} s, and could not be interrupted.'
        if self.asked_to_exit:
            return 'The cell ended the kernel, by exit() or quit().'
        return None

    def on_cell_executed(self, **kwargs):
        payload = kwargs['execute_reply']['content'].get('payload', [])
        self.asked_to_exit = any(part.get('source') == 'ask_exit' for part in payload)
        super().on_cell_executed(**kwargs)

    def replace_kernel(self, index):
        """A new kernel, in which all cells before `index` run again, but for tests and culprits."""
        self._cleanup_kernel()
        self.create_kernel_manager()
        self.start_new_kernel()
        self.start_new_kernel_client()
        for i, earlier in enumerate(self.nb.cells[:index]):
            test = is_grade(earlier) and earlier.metadata.nbgrader['points'] > 0
            if earlier.cell_type != 'code' or test or i in self.guilty:
                continue
            outputs = deepcopy(earlier.outputs)
            if self.fatal(earlier, i):  # it went well the first time
                self.guilty.add(i)
                self.replace_kernel(index)
                earlier.outputs = outputs
                return
            earlier.outputs = outputs
