"""A teacher and students at their browsers: what they click and type, and what they see then."""
import re

import world
from playwright.sync_api import expect

PATIENCE = 600_000  # milliseconds for what a click starts, on the busiest machine
GRADING = 3_600_000  # and for the autograding of six notebooks
expect.set_options(timeout=PATIENCE)


class Person:
    """Somebody with an account on the hub, in JupyterLab."""

    def __init__(self, browser, name):
        self.name, self.home = name, f'/home/{name}'
        self.context = browser.new_context(viewport={'width': 1280, 'height': 900})
        self.context.set_default_timeout(PATIENCE)
        self.page = self.context.new_page()

    def log_in(self):
        """Name and password; the server begins to start."""
        self.page.goto(f'{world.ADDRESS}/hub/login')
        self.page.get_by_label('Username').fill(self.name)
        self.page.get_by_label('Password').fill(world.PASSWORD)
        self.page.get_by_role('button', name='Sign in').click()

    def arrive(self):
        """Returns when the server has started, and JupyterLab is there."""
        self.page.locator('#jp-main-statusbar').wait_for()

    def nbgrader(self, entry):
        """Picks an entry of the menu Nbgrader."""
        self.page.locator('.lm-MenuBar-item', has_text='Nbgrader').click()
        self.page.locator('.lm-Menu-item', has_text=re.compile(f'^{entry}$')).click()

    def entries(self):
        """What the menu Nbgrader offers."""
        self.page.locator('.lm-MenuBar-item', has_text='Nbgrader').click()
        found = self.page.locator('.lm-Menu-itemLabel').all_inner_texts()
        self.page.keyboard.press('Escape')
        return [text for text in found if text]

    def open(self, path):
        """Opens a file of the home by its address, in a JupyterLab without other tabs."""
        self.page.goto(f'{world.ADDRESS}/user/{self.name}/lab/tree/{path}?reset')
        self.page.locator('.jp-Notebook .jp-Cell').first.wait_for()

    def type_in_terminal(self, commands):
        """Opens a terminal and types; it does not wait for what comes of it."""
        said = []
        self.page.on('websocket', lambda socket: socket.on(
            'framereceived', lambda text: said.append(text)))
        self.page.goto(f'{world.ADDRESS}/user/{self.name}/lab?reset')
        self.page.locator('.jp-LauncherCard', has_text='Terminal').click()
        for _ in range(PATIENCE // 500):
            if any('$' in str(text) for text in said):  # the prompt
                break
            self.page.wait_for_timeout(500)
        self.page.locator('.jp-Terminal .xterm').click()
        self.page.keyboard.type(commands)


class Student(Person):
    """What a student does, from the assignment list to the feedback."""

    def list(self, kind):
        """A part of the assignment list: released, fetched or submitted."""
        return self.page.locator(f'#{kind}_assignments_list')

    def open_list(self):
        """Opens the assignment list, which loads it again."""
        self.page.goto(f'{world.ADDRESS}/user/{self.name}/lab?reset')
        self.nbgrader('Assignment List')
        expect(self.page.locator('#course_list_default')).to_have_text('resnet')
        for kind in ('released', 'fetched', 'submitted'):
            expect(self.page.locator(f'#{kind}_assignments_list_loading')).to_be_hidden()

    def fetch(self):
        self.open_list()
        self.list('released').get_by_role('button', name='Fetch').click()
        self.list('fetched').get_by_role('button', name='Submit').wait_for()

    def submit(self):
        """Submits; returns how often this student has done so."""
        self.open_list()
        before = self.list('submitted').locator('.nested_list_item').count()
        self.list('fetched').get_by_role('button', name='Submit').click()
        expect(self.list('submitted').locator('.nested_list_item')).to_have_count(before + 1)
        return before + 1

    def open_notebook(self, name):
        self.open(f'resnet/{name}.ipynb')
        self.page.locator('#jp-main-statusbar', has_text='Idle').wait_for()

    def cell(self, text):
        """The cell of an open notebook that has this text."""
        return self.page.locator('.jp-Notebook .jp-Cell', has_text=text).first

    def select(self, cell):
        """Makes a cell the active one, in command mode."""
        cell.locator('.jp-InputPrompt').click()
        expect(cell).to_have_class(re.compile('jp-mod-active'))
        self.page.keyboard.press('Escape')

    def write(self, cell, text):
        """Types `text` in the place of what a cell holds."""
        self.select(cell)
        self.page.keyboard.press('Enter')
        self.page.keyboard.press('Control+a')
        self.page.keyboard.insert_text(text)
        self.page.keyboard.press('Escape')

    def save(self):
        self.page.keyboard.press('Control+s')
        expect(self.page.locator('.lm-TabBar-tab.jp-mod-dirty')).to_have_count(0)

    def validate(self):
        """What the button above an open notebook says."""
        self.page.get_by_role('button', name='Validate').click()
        said = self.page.locator('.jp-Dialog #validation-message')
        said.wait_for()
        text = said.inner_text()
        self.page.locator('.jp-Dialog button', has_text='OK').click()
        return text

    def read_feedback(self, notebook):
        """Fetches feedback and opens a notebook's page; returns what stands there."""
        self.open_list()
        self.list('submitted').get_by_role('button', name='Fetch Feedback').click()
        self.list('submitted').get_by_text('view feedback').click()
        self.page.locator('.jp-DirListing-item', has_text=f'{notebook}.html').dblclick()
        return self.page.frame_locator('.jp-HTMLViewer iframe').locator('body')


class Teacher(Person):
    """What a teacher does in Formgrader."""

    def formgrader(self, page='manage_assignments'):
        """Opens one of Formgrader's pages by its address, as README says."""
        self.page.goto(f'{world.ADDRESS}/user/{self.name}/formgrader/{page}')
        self.page.locator('#main-table').wait_for()

    def row(self, text):
        """The row of a table that has this text."""
        return self.page.locator('#main-table tr', has_text=text)

    def click(self, row, action):
        """Clicks a symbol in the row of a table; returns what the message says, log and all."""
        self.row(row).locator(f'.{action} a').click()
        said = self.page.locator('#success-modal, #error-modal')
        said.wait_for(timeout=GRADING)
        expect(said).to_have_class(re.compile(r'\bin\b'))  # it slides in
        text = said.locator('.modal-body').inner_text()
        assert said.get_attribute('id') == 'success-modal', text
        self.page.reload()
        self.page.locator('#main-table').wait_for()
        return text

    def set_due_date(self, when):
        """Edits the assignment: the due date, in UTC."""
        self.row('resnet').locator('.edit a').click()
        self.page.locator('.modal-duedate').fill(f'{when:%Y-%m-%dT%H:%M}')
        self.page.locator('.modal-timezone').fill('+0000')
        self.page.get_by_role('button', name='Save').click()
        expect(self.page.locator('#edit-assignment-modal')).to_have_count(0)

    def open_submission(self, student, notebook):
        """Opens a student's notebook for grading by hand."""
        self.formgrader(f'manage_students/{student}/resnet')
        self.row(notebook).locator('a').first.click()
        # Before that, what is typed would not be stored.
        self.page.wait_for_function(
            'window.formgrader?.grades?.loaded && window.formgrader.comments?.loaded')

    def grade(self, cell, points, comment):
        """Gives an answer points and a comment; each is stored when its field is left."""
        for field, text, kind in ((f'#{cell}', str(points), 'grade'),
                                  (f'#{cell}-comment', comment, 'comment')):
            with self.page.expect_response(re.compile(f'formgrader/api/{kind}/')) as stored:
                self.page.locator(field).fill(text)
                self.page.locator(field).blur()
            assert stored.value.ok
