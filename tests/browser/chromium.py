"""Which Chromium the browser tests drive."""
import os
import shutil
from pathlib import Path

NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable',
         '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
         '/Applications/Chromium.app/Contents/MacOS/Chromium')
MISSING = ('There is no Chromium. Debian: sudo apt-get install chromium; elsewhere: '
           '.venv-browser/bin/playwright install chromium; or set CHROMIUM to the path of one.')


def find_chromium(playwrights_own):
    """The path of $CHROMIUM, of one that is installed, or of Playwright's own; None without."""
    if chosen := os.environ.get('CHROMIUM'):
        return shutil.which(chosen)
    found = [path for name in NAMES if (path := shutil.which(name))]
    if Path(playwrights_own).is_file():
        found.append(playwrights_own)
    return found[0] if found else None
