"""Where the site is, and web pages served on this machine and visited in a browser."""
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / 'build' / 'site'
READY = 'async () => { if (window.MathJax?.startup) await window.MathJax.startup.promise; }'


@contextmanager
def served(folder):
    """The address at which `folder` can be read while the context lasts."""
    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=folder)

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f'http://127.0.0.1:{server.server_port}/'
    finally:
        server.shutdown()
        server.server_close()


class Site:
    """A site in `folder`, read at `address` with `browser`."""

    def __init__(self, folder, address, browser):
        self.folder, self.address, self.browser = folder, address, browser

    @contextmanager
    def visit(self, name, **options):
        """A Visit to the page `name` in a fresh context with Playwright's `options`."""
        context = self.browser.new_context(**{'viewport': {'width': 1280, 'height': 900},
                                              **options})
        try:
            yield Visit(self, name, context)
        finally:
            context.close()


class Visit:
    """A page that has been loaded to its end; `noise` is what went wrong meanwhile."""

    def __init__(self, site, name, context):
        self.site, self.name, self.noise = site, name, []
        context.route(lambda address: not address.startswith(site.address), self.refuse)
        self.page = context.new_page()
        self.page.on('console', self.hear)
        self.page.on('pageerror', lambda error: self.noise.append(f'error: {error}'))
        self.page.on('requestfailed', lambda r: self.noise.append(f'not loaded: {r.url}'))
        self.page.on('response', lambda r: r.status >= 400
                     and self.noise.append(f'status {r.status}: {r.url}'))
        self.page.goto(site.address + name, wait_until='networkidle')
        if self.page.evaluate('() => true'):
            self.page.evaluate(READY)

    def refuse(self, route):
        """Lets nothing leave the machine."""
        self.noise.append(f'asks another host: {route.request.url}')
        route.abort()

    def hear(self, message):
        """Notes what a reader would find in the browser's console."""
        if message.type in ('error', 'warning'):
            self.noise.append(f'console {message.type}: {message.text}')
