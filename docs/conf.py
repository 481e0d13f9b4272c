"""Sphinx's settings for `make site`; tools/build_site.py lays out the pages."""
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from sphinx.search.zh import SearchChinese  # noqa: E402

from tools.build_site import twins  # noqa: E402
from tools.urls import repository  # noqa: E402

# Sphinx 9.0 names a ChineseStemmer in the pages, where the English one is loaded.
SearchChinese.language_name = 'English'

LANGUAGE = os.environ.get('SITE_LANGUAGE', 'en')
project = html_title = {'en': 'ResNet notebooks', 'zh': 'ResNet 笔记本'}[LANGUAGE]
language = {'en': 'en', 'zh': 'zh_CN'}[LANGUAGE]
extensions = ['myst_nb']
exclude_patterns = ['_mathjax']

# What the notebooks have stored is shown; nothing is executed.
nb_execution_mode = 'off'
myst_enable_extensions = ['dollarmath', 'attrs_inline']
myst_heading_anchors = 6

# Nothing is loaded from elsewhere: MathJax is ours, and stored outputs hold no widgets.
mathjax_path = 'mathjax/es5/tex-chtml.js'
nb_ipywidgets_js = {}

html_theme = 'sphinx_book_theme'
html_static_path = [str(HERE / 'static'),
                    str(HERE.parent / 'build' / 'site-source' / LANGUAGE / '_mathjax')]
html_css_files = ['site.css', 'explore/explore.css']
html_js_files = [('explore/explore.js', {'type': 'module'})]
html_favicon = 'static/favicon.svg'
html_context = {
    'default_mode': 'auto',  # dark or light, as the reader's system is
    'twins': twins(HERE.parent, LANGUAGE),  # for templates/twin.html
}
templates_path = ['templates']
html_show_sphinx = False
html_use_index = False
html_show_copyright = False
html_theme_options = {
    'article_header_start': ['toggle-primary-sidebar.html', 'twin.html'],
    'repository_url': f'https://github.com/{repository()}',
    'repository_branch': 'HEAD',
    'launch_buttons': {'binderhub_url': 'https://mybinder.org', 'notebook_interface': 'jupyterlab'},
    'use_repository_button': True,
    'use_fullscreen_button': False,
    'back_to_top_button': False,  # on a telephone it lies over what one is looking at
    'navbar_persistent': [],  # no second search field above the first
    'footer_content_items': [],  # no author's name, which would be a placeholder
    'home_page_in_toc': True,
    'show_toc_level': 2,
    # Colours of code that stand out enough from their ground, in both modes.
    'pygments_light_style': 'a11y-high-contrast-light',
    'pygments_dark_style': 'a11y-high-contrast-dark',
}
