"""Executing a submission so that an endless loop or a dead kernel costs one cell, not all.

nbgrader's own Execute interrupts a cell at its time limit; where the cell does not obey (C++, a
signal that is ignored), or where the kernel dies, it gives up on all notebooks of that student.
Here such a cell gets an error, and the next one a new kernel in which what came before has run
again. What a cell prints or shows is checked and limited as it arrives, for the same reason.
"""
import asyncio
import json
import signal
from copy import deepcopy
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellExecutionComplete, CellTimeoutError, DeadKernelError
from nbformat import ValidationError
from nbformat.v4 import new_output
from nbgrader.preprocessors import Execute
from nbgrader.utils import is_grade
from traitlets import default

KEPT = 1_000_000  # characters of output that are stored for a cell
FLOOD = 20 * KEPT  # a cell that makes more than this is stopped, before it fills the memory
MEMORY = 6 * 2 ** 30  # bytes that a kernel may allocate

# What a kernel runs before a student's first cell, outside the names that the cells see.
PREPARE = f'''
import json, resource, sys
from jupyter_client.jsonutil import json_default
from jupyter_client.session import json_packer
sys.path.insert(0, {str(Path(__file__).resolve().parent)!r})
import grader  # with MXNet: on a busy machine that may take longer than a cell has time
if not __debug__:
    raise RuntimeError('assertions are switched off')
resource.setrlimit(resource.RLIMIT_DATA, ({MEMORY}, resource.getrlimit(resource.RLIMIT_DATA)[1]))
def pack(message):
    # In ASCII: at half a character, which UTF-8 cannot hold, the thread that sends what is
    # printed stops for good, and each later cell waits for it, or for a kernel that is lost.
    try:
        return json.dumps(message, default=json_default, allow_nan=False).encode()
    except (TypeError, ValueError):
        return json_packer(message)
get_ipython().kernel.session.pack = pack
'''


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
        # In a class, on a machine that does much else, a minute has not been enough.
        kwargs.setdefault('startup_timeout', 600)
        # One that is asked to end may go on printing for seconds.
        kwargs.setdefault('shutdown_kernel', 'immediate')
        super().__init__(*args, **kwargs)

    def preprocess(self, nb, resources, *args, **kwargs):
        self.guilty = set()  # cells that are not to run again
        return super().preprocess(nb, resources, *args, **kwargs)

    def start_new_kernel_client(self):
        """As nbclient's, for a kernel that has the grader; raises RuntimeError if it has not."""
        try:
            super().start_new_kernel_client()
        except RuntimeError:  # it died: one that started at once, beside it, had taken a port
            self.create_kernel_manager()
            self.start_new_kernel()
            super().start_new_kernel_client()
        request = self.kc.execute(f'exec({PREPARE!r}, {{}})', silent=True, store_history=False)
        limit, self.timeout = self.timeout, self.startup_timeout  # not yet a cell's
        try:
            reply = self.wait_for_reply(request)
        finally:
            self.timeout = limit
        if reply is None or reply['content']['status'] != 'ok':
            self._cleanup_kernel()
            reason = reply['content'].get('evalue') if reply else 'no answer'
            raise RuntimeError(f'the kernel is not fit for grading: {reason}')
        return self.kc

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
        self.asked_to_exit, self.received = False, 0
        try:
            self.execute_cell(cell, index, store_history=True)
        except DeadKernelError:
            if self.received > FLOOD:
                return f'The cell printed or showed more than {FLOOD:,} characters.'
            return 'The kernel died: a crash in C++, want of memory, or a call that ends Python.'
        except CellTimeoutError:  # where the interrupt is obeyed, this is an output of the cell
            return f'The cell did not end in {self.timeout} s, and could not be interrupted.'
        if self.asked_to_exit:
            return 'The cell ended the kernel, by exit() or quit().'
        return None

    def process_message(self, msg, cell, cell_index):
        """As nbclient's; of what a cell prints or shows it keeps what a notebook can hold."""
        kind, content = msg['msg_type'], msg['content']
        if kind == 'status':
            return super().process_message(msg, cell, cell_index)
        self.received += len(str(content))
        if self.received > FLOOD:
            asyncio.ensure_future(self.km.signal_kernel(signal.SIGKILL))
            raise CellExecutionComplete
        # Widgets live in a browser; without their numbers, displays cannot change later.
        content.pop('transient', None)
        if kind.startswith('comm') or kind == 'update_display_data' or (
                self.received > KEPT and kind != 'error'):
            return None
        msg['content'] = encodable(content)
        try:
            return super().process_message(msg, cell, cell_index)
        except ValidationError:  # of a display that no notebook can hold
            return None

    def on_cell_executed(self, **kwargs):
        content = encodable(kwargs['execute_reply']['content'])
        self.asked_to_exit = any(part.get('source') == 'ask_exit'
                                 for part in content.get('payload', []))
        super().on_cell_executed(**{**kwargs, 'execute_reply': {'content': content}})
        for output in kwargs['cell'].outputs:
            if output.output_type == 'error':
                output.evalue = output.evalue[:KEPT // 10]
                output.traceback = [line[:KEPT // 10] for line in output.traceback[-100:]]

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


def encodable(content):
    """A message's content with a question mark for every half character, which no file can hold."""
    return json.loads(json.dumps(content, ensure_ascii=False, default=str).encode(errors='replace'))
