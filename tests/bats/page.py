"""The browser of tests/long/page.

page.py URL STATE UP LOAD [PICTURE]: looks at the page of the system in the folder
STATE, of the incr-up that is the process UP, until the file LOAD is gone and
later; ends that system."""
import glob
import os
import re
import signal
import struct
import sys
import time
import urllib.request
import zlib

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.keys import Keys

URL, STATE, UP, LOAD = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
PICTURE = sys.argv[5] if len(sys.argv) > 5 else None
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def begin():
    options = Options()
    for word in ('--headless=new', '--no-sandbox', '--disable-dev-shm-usage',
                 '--disable-gpu', '--no-proxy-server', '--hide-scrollbars'):
        options.add_argument(word)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
    d = webdriver.Chrome(options=options, service=Service('/usr/bin/chromedriver'))
    d.set_page_load_timeout(60)
    return d


def until(what, ask, limit=60):
    """Waits until ask() is true, and gives what it gave."""
    end = time.monotonic() + limit
    while True:
        got = ask()
        if got:
            return got
        if time.monotonic() > end:
            print(f'waited in vain for: {what}; the page: {state()}, {warnings()}, {numbers()}')
            sys.exit(1)
        time.sleep(0.3)


def check(what, good):
    if not good:
        print(f'failed: {what}; the page: {state()}, {warnings()}, {numbers()}')
        sys.exit(1)


# -- the page, and the metrics -------------------------------------------------

def js(script, *args):
    return driver.execute_script('return ' + script, *args)


def state():
    return js('document.body.dataset.state + ": " + '
              'document.getElementById("state").textContent')


def warnings():
    return js('[...document.querySelectorAll("#warnings li")].map(e => e.textContent)')


def numbers():
    """By id, as numbers; what nobody told is None."""
    got = js('Object.fromEntries([...document.querySelectorAll("dd")].map('
             'e => [e.id, e.dataset.value]))')
    return {k: None if v in (None, 'NaN') else float(v) for k, v in got.items()}


def texts():
    return js('Object.fromEntries([...document.querySelectorAll("dd")].map('
              'e => [e.id, e.textContent]))')


def table(name):
    return js('[...document.querySelectorAll(`#${arguments[0]} tr`)].map('
              'r => [...r.children].map(c => c.dataset.value ?? c.textContent))', name)


def metrics():
    """[name, labels, value] of each sample, past Caddy."""
    with open(f'{STATE}/env', encoding='ascii') as f:
        url = re.search("INCR_METRICS_URL='(.*)'", f.read()).group(1)
    text = DIRECT.open(url, timeout=10).read().decode()
    found = re.findall(r'^([a-z_]+)\{(.*)\} (\S+)$', text, re.M)
    return [(n, dict(re.findall(r'(\w+)="([^"]*)"', l)), float(v)) for n, l, v in found]


def values(name, **labels):
    return [v for n, l, v in metrics() if n == name and
            all(l.get(k) == w for k, w in labels.items())]


def parts(*kinds):
    """Every process of these parts, by the pid files of incr-up."""
    sessions = set()
    for kind in kinds:
        for name in glob.glob(f'{STATE}/run/{kind}-*.pid'):
            with open(name, encoding='ascii') as f:
                sessions.add(f.read().split()[0])
    pids = []
    for name in glob.glob('/proc/[0-9]*/stat'):
        try:
            with open(name, encoding='ascii', errors='replace') as f:
                fields = f.read().rsplit(')', 1)[1].split()
        except OSError:
            continue
        if fields[2] in sessions:
            pids.append(int(name.split('/')[2]))
    return pids


def signal_all(pids, which):
    check('processes to be signalled', pids)
    for pid in pids:
        os.kill(pid, which)


# -- what is shown ---------------------------------------------------------------

def is_under_load():
    """The rates are those that two scrapes give, over half a minute."""
    until('a fresh page', lambda: state().startswith('fresh: '))
    until('rates', lambda: (numbers()['in'] or 0) > 0 and (numbers()['out'] or 0) > 0)
    until('a statement', lambda: numbers()['statement'] and numbers()['keys'])
    # What comes with a statement has its rate after some of them.
    until('out as in', lambda: numbers()['out'] > 0.7 * numbers()['in'], 60)
    first, began, shown = sum(values('incr_published_total')), time.monotonic(), []
    while time.monotonic() < began + 20:
        shown.append(numbers())
        time.sleep(0.5)
    rate = (sum(values('incr_published_total')) - first) / (time.monotonic() - began)
    for name in ('in', 'out'):
        mean = sum(n[name] for n in shown) / len(shown)
        check(f'{name}: {mean:.1f}/s, by the metrics {rate:.1f}/s', 0.7 < mean / rate < 1.4)
        print(f'figure: {name}: {mean:.1f}/s on the page, {rate:.1f}/s by the metrics')
    check('ages', all(n['oldest'] is not None and n['staleness'] is not None for n in shown))
    check('all is well', not warnings())
    check('plots', js('document.querySelectorAll(".plot canvas").length') == 4)
    drawn = '''[...document.querySelectorAll(".plot canvas")].every(c => new Set(
        c.getContext("2d").getImageData(0, 0, c.width, c.height).data).size > 9)'''
    check('plots are drawn', js(drawn))


def totals():
    codes = {}
    for n, l, v in metrics():
        if n == 'incr_http_requests_total' and v > 0:
            codes[l['code']] = codes.get(l['code'], 0) + v
    return codes


def agrees():
    """At rest each number is the metrics' own."""
    n, codes = numbers(), {row[0]: float(row[2]) for row in table('codes')}
    want = {'ready': values('incr_queue_ready'), 'taken': values('incr_queue_unacked'),
            'dead': values('incr_queue_rejected'),
            'oldest': values('incr_queue_oldest_seconds'),
            'staleness': values('incr_flush_staleness_seconds'),
            'keys': values('incr_flush_keys')}
    same = all(n[k] == (max(v) if v else None) for k, v in want.items())
    runs = {}
    for name, labels, _ in metrics():
        if name == 'process_start_time_seconds':
            runs[labels['program']] = runs.get(labels['program'], 0) + 1
    shown = {row[0]: float(row[2]) for row in table('programs') if float(row[2]) > 0}
    return same and runs == shown and codes.get('202') == totals().get('202') and \
        codes.keys() == totals().keys() and \
        all(n[k] == 0 for k in ('in', 'out', 'ready', 'taken'))


def is_at_rest():
    os.unlink(LOAD)
    until('the numbers of the metrics', agrees, 90)
    print(f'figure: at rest: {texts()}')


def drains_stand_still():
    pids = parts('drain')
    signal_all(pids, signal.SIGSTOP)
    late = 'Increments wait for more than ten seconds.'
    began = time.monotonic()
    try:
        until('increments that are late', lambda: late in warnings(), 90)
        print(f'figure: drains stopped: said after {time.monotonic() - began:.0f} s')
        check('the oldest', numbers()['oldest'] > 10 and
              js('document.getElementById("oldest").className') == 'bad')
        check('the queue', until('a queue', lambda: numbers()['ready']) > 0)
        until('programs that are gone', lambda: any(
            'incr-flush' in w and 'of' in w or 'No incr-flush runs' in w for w in warnings()))
    finally:
        signal_all(pids, signal.SIGCONT)
    until('the end of it', lambda: not warnings(), 90)


def stands_still():
    """Nothing runs but Caddy and incr-metrics."""
    pids = parts('ingest', 'drain')
    signal_all(pids, signal.SIGSTOP)
    try:
        until('a stopped system', lambda: state().startswith('stopped: Stopped'), 60)
        check('no rates of old', texts()['ready'] == '–' and texts()['oldest'] == '–')
    finally:
        signal_all(pids, signal.SIGCONT)
    until('a system that goes on', lambda: state().startswith('fresh'), 60)


def is_gone():
    os.kill(UP, signal.SIGTERM)
    until('a page without metrics', lambda: state().startswith('lost: No metrics'), 90)
    check('how old', re.search(r'is shown is \d+ s old', until(
        'an age', lambda: 'old' in state() and state())))


# -- how it is shown -------------------------------------------------------------

LOOKS = '''(() => {
    const rgb = c => c.match(/[\\d.]+/g).map(Number);
    const lum = c => rgb(c).slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ?
        v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((a, v, i) =>
        a + v * [0.2126, 0.7152, 0.0722][i], 0);
    const back = e => { for (; e; e = e.parentElement) {
        const c = getComputedStyle(e).backgroundColor;
        if (!(rgb(c)[3] === 0)) return c; } return "rgb(255, 255, 255)"; };
    const least = Math.min(...[...document.querySelectorAll(
        "h1, h2, p, dt, dd, th, td, a, li")].filter(e => e.offsetParent).map(e => {
            const [a, b] = [lum(getComputedStyle(e).color), lum(back(e))];
            return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); }));
    return [lum(back(document.body)), least];
})()'''


def media(scheme):
    driver.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': [
        {'name': 'prefers-color-scheme', 'value': scheme}]})


def wide(width):
    driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', {
        'width': width, 'height': 800, 'deviceScaleFactor': 1, 'mobile': width < 600})


def is_readable():
    for scheme in ('dark', 'light'):
        media(scheme)
        ground, contrast = js(LOOKS)
        check(f'{scheme}: {ground}', ground < 0.05 if scheme == 'dark' else ground > 0.9)
        check(f'{scheme}: a contrast of {contrast:.1f}', contrast >= 4.5)
        print(f'figure: {scheme}: contrast at least {contrast:.1f}')
    for width in (360, 768, 1280):
        wide(width)
        until(f'plots at {width}', lambda: js(
            '[...document.querySelectorAll(".plot")].every(p => p.querySelector('
            '"canvas").clientWidth <= p.clientWidth)'))
        got = js('document.documentElement.scrollWidth')
        check(f'{width} pixels: {got}', got <= width)
    driver.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})


def is_reached_by_keys():
    reached = set()
    for _ in range(8):
        driver.switch_to.active_element.send_keys(Keys.TAB)
        reached.add(js('document.activeElement.getAttribute("aria-label") ?? '
                       'document.activeElement.textContent'))
    check(f'the keyboard: {reached}', {'queues', 'programs', 'answers by code',
                                       'All metrics'} <= reached)
    check('what a reader is told', js(
        'document.querySelector("[role=status]").id === "state" && '
        '[...document.querySelectorAll(".plot")].every(p => p.ariaHidden === "true")'
        ' && [...document.querySelectorAll("meter")].every(m => m.ariaLabel)'))


def is_text():
    """What a label has stays text, also as the name of a queue or a host."""
    bad = '<img src=x onerror=alert(1)>'
    labels = f'program="incr-consume",host="{bad}",pidns="1",pid="1"'
    name = f'{STATE}/metrics/incr-consume-x-1-1.prom'

    def told():
        with open(name + '.new', 'w', encoding='ascii') as f:
            f.write(f'incr_queue_ready{{queue="{bad}",{labels}}} 0\n'
                    f'incr_updated_timestamp_seconds{{{labels}}} {time.time()}\n')
        os.rename(name + '.new', name)
        return any(row[0] == bad for row in table('queues'))
    until('a queue of others', told)
    check('text', js('document.querySelectorAll("img").length') == 0)
    os.unlink(name)
    until('its end', lambda: not any(row[0] == bad for row in table('queues')))


def asks_nobody_else():
    asked = js('performance.getEntriesByType("resource").map(e => e.name)')
    check('it asked', len(asked) > 4)
    check(f'others: {asked}', all(a.startswith((URL, 'data:')) for a in asked))
    log = [e for e in driver.get_log('browser') if e['level'] == 'SEVERE']
    check(f'the log: {log}', not log)
    # The policy holds: what is of others is not run.
    driver.execute_async_script('''const s = document.createElement("script");
        s.src = "data:text/javascript,window.ran=1"; s.onerror = s.onload = () =>
        arguments[0](); document.body.append(s);''')
    check('the policy', js('window.ran') is None)
    driver.get_log('browser')


def note_headings(path):
    """In the picture stands of which headings it is, for page.bats."""
    shown = js("[...document.querySelectorAll('h2')].map(h => h.textContent)")
    data = b'tEXtHeadings\0' + '; '.join(shown).encode('latin-1')
    with open(path, 'rb') as f:
        png = f.read()
    end = png.rindex(b'IEND') - 4
    chunk = struct.pack('>I', len(data) - 4) + data + struct.pack(
        '>I', zlib.crc32(data))
    with open(path, 'wb') as f:
        f.write(png[:end] + chunk + png[end:])


driver = begin()
try:
    driver.set_window_size(1280, 1100)
    driver.get(URL)
    is_under_load()
    is_readable()
    is_reached_by_keys()
    is_text()
    drains_stand_still()
    if PICTURE:
        until('a past', lambda: time.sleep(45) or True)
        driver.execute_script('document.activeElement.blur()')
        driver.get_screenshot_as_file(PICTURE)
        note_headings(PICTURE)
    asks_nobody_else()
    stands_still()
    is_at_rest()
    is_gone()
finally:
    driver.quit()
