"""Where the repository is on the web."""
import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BADGE = re.compile(r'https://mybinder\.org/v2/gh/([\w.-]+/[\w.-]+)/')


def repository():
    """The repository's address on GitHub: $REPOSITORY, or else what the README's badge opens."""
    if address := os.environ.get('REPOSITORY'):
        return address.rstrip('/')
    readme = (ROOT / 'README.md').read_text(encoding='utf-8')
    return f'https://github.com/{BADGE.search(readme).group(1)}'
