"""Numbers in the prose of the pages are those of the results."""
import json
import re

import pytest
from conftest import REPO

from umurl_mmaction.analysis.markdown import percent, percents

UMURL = REPO / 'configs/umurl'
FILES = {
    'GTU 3D Actions': 'gtu',
    'UTD-MHAD': 'utd_mhad',
    'NW-UCLA, no copies': 'nw_ucla_nodup',
    'NW-UCLA, standard': 'nw_ucla',
    'NW-UCLA, view 1': 'nw_ucla_xview1',
    'UTD-MHAD, x and y': 'utd_mhad_2d',
}
# The columns of the tables of configs/umurl/README.md, by their heads.
LOGISTIC = {
    '1 label a class': 'logistic, 1 a class',
    '5': 'logistic, 5 a class',
    '10': 'logistic, 10 a class',
    'all': 'logistic'
}
SCORES = {
    '1-NN': '1-NN',
    'standardised': '1-NN standardised',
    'logistic': 'logistic',
    '5 labels a class': 'logistic, 5 a class'
}


def find_row(name, encoder, feature='fused'):
    content = json.loads((UMURL / 'results' / f'{name}.json').read_text())
    row, = (row for row in content['rows']
            if (row['encoder'], row['feature']) == (encoder, feature))
    return row


def three_means(column, encoder):
    """The means on GTU, UTD-MHAD and NW-UCLA without copies."""
    return [
        percent(find_row(name, encoder)['mean'][column])
        for name in ('gtu', 'utd_mhad', 'nw_ucla_nodup')
    ]


def read_table(page, head):
    """Return the rows below a head, a dict each; empty sets are the last."""
    lines = page.partition(f'\n{head}\n')[2].splitlines()
    keys = [key.strip() for key in head.strip('|').split('|')]
    rows, name = [], ''
    for line in lines[1:]:
        if not line.startswith('|'):
            return rows
        row = dict(zip(keys, map(str.strip, line.strip('|').split('|'))))
        name = row['Set'] = row['Set'] or name
        rows.append(row)


@pytest.mark.parametrize('head, columns', [
    ('| Set | Encoder | Runs | 1-NN | standardised | logistic '
     '| 5 labels a class |', SCORES),
    ('| Set | Encoder | 1 label a class | 5 | 10 | all |', LOGISTIC),
])
def test_the_tables_of_umurl_say_what_was_measured(head, columns):
    rows = read_table((UMURL / 'README.md').read_text(), head)
    assert len(rows) >= 16
    for row in rows:
        measured = find_row(FILES[row['Set']], row['Encoder'])
        said = [row[key] for key in columns]
        assert said == percents(measured, columns.values(), measured['runs'])
        if row.get('Runs'):
            assert row['Runs'] == str(measured['runs'])


def test_the_table_of_modalities_says_what_was_measured():
    head = '| Set | Encoder | fused | joint | bone | motion |'
    rows = read_table((UMURL / 'README.md').read_text(), head)
    assert len(rows) >= 10
    for row in rows:
        for feature in ('fused', 'joint', 'bone', 'motion'):
            measured = find_row(FILES[row['Set']], row['Encoder'], feature)
            assert [row[feature]] == percents(measured, ['1-NN'],
                                              measured['runs'])


@pytest.mark.parametrize('column, said', [
    ('logistic, 5 a class', {
        'umurl-plus': '{} % on GTU, {} on UTD-MHAD and {} on NW-UCLA',
        'raw joints': 'On raw joints it reaches {}, {} and {}, and',
        'umurl': "on the feature of the paper's recipe {}, {} and {}."
    }),
    ('logistic, 1 a class', {
        'umurl-plus': '`umurl-plus` reaches {}, {} and {}, ',
        'umurl': "the paper's recipe {}, {} and {}."
    }),
])
def test_the_readme_says_what_was_measured(column, said):
    text = re.sub(r'\s+', ' ', (REPO / 'README.md').read_text())
    for encoder, sentence in said.items():
        assert sentence.format(*three_means(column, encoder)) in text


def test_the_page_of_skeletal_twins_says_what_was_measured():
    page = (REPO / 'configs/skeletal_twins/README.md').read_text()
    columns = ('1-NN', '1-NN standardised', 'logistic', 'logistic, 5 a class')
    gtu, utd_mhad, _ = zip(*(three_means(x, 'umurl-plus') for x in columns))
    for means in (gtu, utd_mhad):
        assert f'| | `umurl-plus` | {" | ".join(means)} |\n' in page


def read_labelled(name):
    path = UMURL / 'results' / 'with_labels' / f'{name}.json'
    return json.loads(path.read_text())['rows']


def show_runs(rows, labels):
    return ', '.join(percent(row['top1']) for row in rows
                     if row['labels'] == labels) or 'not measured'


def test_the_table_of_supervised_training_says_what_was_measured():
    head = ('| Set | ST-GCN++, 5 labels a class | umurl-plus, 5 labels '
            '| ST-GCN++, all labels | umurl-plus, all labels |')
    table = read_table((UMURL / 'README.md').read_text(), head)
    measured = read_labelled('supervised')
    assert {row['Set'] for row in table} == {row['set'] for row in measured}
    for row in table:
        runs = [run for run in measured if run['set'] == row['Set']]
        assert row['ST-GCN++, 5 labels a class'] == show_runs(runs, 5)
        assert row['ST-GCN++, all labels'] == show_runs(runs, 'all')
        mean = find_row(FILES[row['Set']], 'umurl-plus')['mean']
        for key, column in (('5', 'logistic, 5 a class'), ('all', 'logistic')):
            said = row[f'umurl-plus, {key} labels']
            assert said == percent(mean[column])


def test_the_table_of_fine_tuning_says_what_was_measured():
    head = '| Set | Start | Width | 5 labels a class | all labels |'
    table = read_table((UMURL / 'README.md').read_text(), head)
    measured = read_labelled('fine_tuning')
    keys = [(row['Set'], row['Start'].replace('`', ''), int(row['Width']))
            for row in table]
    assert sorted(set(keys)) == sorted({
        (run['set'], run['start'], run['width']) for run in measured})
    for key, row in zip(keys, table):
        runs = [run for run in measured
                if (run['set'], run['start'], run['width']) == key]
        assert row['5 labels a class'] == show_runs(runs, 5)
        assert row['all labels'] == show_runs(runs, 'all')
