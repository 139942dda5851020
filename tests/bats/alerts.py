#!/usr/bin/env python3
"""alerts.py split RULES CASES DIR: each alert and its cases into a folder of
its own, DIR/ALERT/{rules,cases}.yml, for promtool; beside it DIR/ALERT.WHAT,
the same with one thing removed from the rule, which a case must notice: its
"for", or the max of gauges that several programs export, which becomes a sum.
1 if an alert has no case in which it fires, or none in which it does not.

alerts.py same RULES ALL: 1 if a rule of RULES differs from that of its name in
ALL, annotations apart.

alerts.py expressions FILE...: every expression of rules or of a dashboard of
Grafana as a rule, for promtool, with the dashboard's variables as Grafana would
put them in.

alerts.py lines FILE...: the same as lines, WHERE TAB EXPRESSION.

alerts.py names METRICS FILE...: 1 if an expression of these files names a metric
that the text METRICS lacks, asks for labels or values which none of its series
has, or takes another value of a queue's gauge than the max; or if a legend of a
dashboard has a label that its expression does not leave.

alerts.py imports DASHBOARD: 1 if Grafana could not show it as it is.
"""
import json
import os
import re
import sys

import yaml

# What Prometheus adds to each series, and what it makes itself.
TARGET = {'job': 'incr', 'instance': '127.0.0.33:3334'}
# As Grafana puts them in: all values of a variable.
VARIABLES = {'__rate_interval': '20s', '__interval': '5s', '__range': '1h',
             'queue': '.*', 'host': '.*'}


# -- files ---------------------------------------------------------------------

def load(name):
    with open(name, encoding='utf-8') as f:
        return (json.load(f) if name.endswith('.json')
                else yaml.load(f, yaml.CSafeLoader))


def save(folder, rules, cases):
    os.makedirs(folder)
    group = {'name': 'incr', 'interval': '5s', 'rules': rules}
    with open(f'{folder}/rules.yml', 'w', encoding='utf-8') as f:
        yaml.dump({'groups': [group]}, f, yaml.CSafeDumper)
    with open(f'{folder}/cases.yml', 'w', encoding='utf-8') as f:
        yaml.dump({'rule_files': ['rules.yml'],
                   'evaluation_interval': '5s', 'tests': cases}, f,
                  yaml.CSafeDumper)


def rules_of(name):
    return [r for g in load(name)['groups'] for r in g['rules']]


def expressions_of(name):
    """(where, expression, legend) of rules, or of the panels, annotations and
    variables of a dashboard."""
    data = load(name)
    if 'groups' in data:
        return [(r['alert'], r['expr'], '') for r in rules_of(name)]
    found = [(v['name'], re.sub(r'label_values\((.*), *(\w+)\)',
                                r'group by (\2) (\1)', v['definition']),
              '{{%s}}' % v['name'])
             for v in data['templating']['list'] if v['type'] == 'query']
    found += [(a['name'], a['expr'], a['titleFormat'])
              for a in data['annotations']['list']]
    found += [(p['title'], q['expr'], q['legendFormat'])
              for p in panels_of(data) for q in p['targets']]
    return [(w, put_in_variables(e), legend) for w, e, legend in found]


def panels_of(dashboard):
    return [p for p in dashboard['panels'] if p['type'] != 'row']


def put_in_variables(text):
    def value(match):
        name = match[1] or match[2]
        if name not in VARIABLES:
            sys.exit(f'no such variable: ${name} in {text}')
        return VARIABLES[name]
    return re.sub(r'\$(?:\{(\w+)(?::\w+)?\}|(\w+))', value, text)


# -- cases ---------------------------------------------------------------------

def cases_of(cases, alert):
    return [c for c in cases
            if c['alert_rule_test'][0]['alertname'] == alert]


def split(rules_file, cases_file, folder):
    cases = load(cases_file)['tests']
    complaints = []
    for rule in rules_of(rules_file):
        alert = rule['alert']
        own = cases_of(cases, alert)
        fires = [bool(c['alert_rule_test'][0].get('exp_alerts')) for c in own]
        if not any(fires):
            complaints.append(f'{alert}: no case in which it fires')
        if all(fires):
            complaints.append(f'{alert}: no case in which it does not')
        save(f'{folder}/{alert}', [rule], own)
        if 'for' in rule:
            less = {k: v for k, v in rule.items() if k != 'for'}
            save(f'{folder}/{alert}.for', [less], own)
        if 'max by (queue)' in rule['expr']:
            less = dict(rule, expr=rule['expr'].replace('max by', 'sum by'))
            save(f'{folder}/{alert}.max', [less], own)
    sys.exit('\n'.join(complaints) or 0)


def same(rules_file, all_file):
    everything = {r['alert']: r for r in rules_of(all_file)}
    for rule in rules_of(rules_file):
        other = dict(everything[rule['alert']])
        del other['annotations']
        if rule != other:
            sys.exit(f'{rule}\n{other}')


def expressions(files):
    rules = [{'record': f'expression:{n}', 'expr': e} for n, (_, e, _) in
             enumerate(x for name in files for x in expressions_of(name))]
    yaml.dump({'groups': [{'name': 'all', 'rules': rules}]}, sys.stdout,
              yaml.CSafeDumper)


def lines(files):
    for name in files:
        for where, expr, _ in expressions_of(name):
            print(where, ' '.join(expr.split()), sep='\t')


# -- names ---------------------------------------------------------------------

# Of PromQL: strings, ranges, words, numbers (and durations), everything else.
TOKEN = r'"(?:[^"\\]|\\.)*"|\[[^]]*\]|[a-zA-Z_:][\w:]*|[\d.][\w.]*|[=!]~|[!=]=|\S'
WORD = r'[a-zA-Z_:][\w:]*'
LABEL = r'(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"'
GROUPINGS = {'by', 'without', 'on', 'ignoring', 'group_left', 'group_right'}
WORDS = {'and', 'or', 'unless', 'offset', 'bool'}


def series_of(metrics):
    """The labels of every series of a Prometheus text, by its name."""
    series = {'up': [dict(TARGET)],
              'ALERTS': [{'alertname': 'IncrLate', 'alertstate': 'firing',
                          'severity': 'critical'}]}
    with open(metrics, encoding='utf-8') as f:
        for line in f:
            match = re.match(r'(\w+)(?:\{(.*)\})? \S+$', line)
            if match:
                labels = {k: v for k, _, v in
                          re.findall(LABEL, match[2] or '')}
                series.setdefault(match[1], []).append({**labels, **TARGET})
    return series


def fits(labels, matchers):
    for name, how, text in matchers:
        value = labels.get(name, '')
        same = (re.fullmatch(text, value) is not None if how[-1] == '~'
                else value == text)
        if same != (how[0] == '='):
            return False
    return True


def take_apart(expr):
    """What an expression reads: ([(metric, matchers)], [label of by, on ...])"""
    tokens = re.findall(TOKEN, expr) + ['', '']
    selectors, labels, n = [], [], 0
    while tokens[n]:
        word, after = tokens[n], tokens[n + 1]
        n += 1
        if not re.fullmatch(WORD, word) or word in WORDS:
            continue
        if word in GROUPINGS:
            end = tokens.index(')', n)
            labels += [t for t in tokens[n + 1:end] if t != ',']
            n = end
        elif after == '{':
            end = tokens.index('}', n)
            selectors.append((word, re.findall(LABEL, ' '.join(tokens[n:end]))))
            n = end
        elif after != '(' and after not in GROUPINGS:
            selectors.append((word, []))
    return selectors, labels


# What several programs tell of one thing.
SHARED = r'(?<!max by \(queue\) \()(?<!max\()\bincr_queue_(?!\w*_total)\w+'


def faults(expr, legend, series):
    selectors, groupings = take_apart(expr)
    known = set()
    for metric, matchers in selectors:
        if metric not in series:
            yield f'no such metric: {metric}'
            continue
        labels = set().union(*series[metric])
        known |= labels
        for name, _, _ in matchers:
            if name not in labels:
                yield f'{metric} has no label {name}'
        if not any(fits(s, matchers) for s in series[metric]):
            yield f'{metric}: no series with {matchers}'
    if not selectors:
        yield 'no metric in it'
    for name in groupings:
        if known and name not in known:
            yield f'no metric of it has the label {name}'
    if 'group by' not in expr:
        for name in re.findall(SHARED, expr):
            yield f'not the max: {name}'
    for name in re.findall(r'\{\{(\w+)\}\}', legend):
        if name not in (groupings or known):
            yield f'the legend has a label that is not there: {name}'


def names(metrics, files):
    series = series_of(metrics)
    complaints = [f'{name}: {where}: {fault}' for name in files
                  for where, expr, legend in expressions_of(name)
                  for fault in faults(expr, legend, series)]
    sys.exit('\n'.join(complaints) or 0)


# -- a dashboard ----------------------------------------------------------------

def sources(x):
    """Every data source that is named in it."""
    if isinstance(x, dict):
        if 'datasource' in x:
            yield x['datasource']
        x = list(x.values())
    if isinstance(x, list):
        for y in x:
            yield from sources(y)


def imports(name):
    board = load(name)
    complaints = [f'data source: {s}' for s in sources(board)
                  if s != {'type': 'prometheus', 'uid': '${datasource}'}]
    defined = {v['name'] for v in board['templating']['list']}
    for used in set(re.findall(r'\$\{?(\w+)', json.dumps(board))):
        if used not in defined and not used.startswith('__'):
            complaints.append(f'no such variable: {used}')
    ids = [p['id'] for p in board['panels']]
    if len(ids) != len(set(ids)):
        complaints.append('an id comes twice')
    cells = set()
    for panel in board['panels']:
        pos = panel['gridPos']
        own = {(x, y) for x in range(pos['x'], pos['x'] + pos['w'])
               for y in range(pos['y'], pos['y'] + pos['h'])}
        if cells & own or pos['x'] + pos['w'] > 24:
            complaints.append(f"no place for {panel['title']}")
        cells |= own
    for panel in panels_of(board):
        refs = [q['refId'] for q in panel['targets']]
        if len(refs) != len(set(refs)) or not panel['description']:
            complaints.append(f"{panel['title']}: names or description")
    sys.exit('\n'.join(complaints) or 0)


if __name__ == '__main__':
    if sys.argv[1] == 'split':
        split(*sys.argv[2:])
    elif sys.argv[1] == 'same':
        same(*sys.argv[2:])
    elif sys.argv[1] == 'expressions':
        expressions(sys.argv[2:])
    elif sys.argv[1] == 'lines':
        lines(sys.argv[2:])
    elif sys.argv[1] == 'names':
        names(sys.argv[2], sys.argv[3:])
    elif sys.argv[1] == 'imports':
        imports(sys.argv[2])
    else:
        sys.exit(__doc__)
