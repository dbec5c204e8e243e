"""Numbers in the prose of the pages are those of the results."""
import json
import re

import pytest
from conftest import REPO

RESULTS = REPO / 'configs/umurl/results'


def percents(column, encoder):
    """The means on GTU, UTD-MHAD and NW-UCLA without copies."""
    means = []
    for name in ('gtu', 'utd_mhad', 'nw_ucla_nodup'):
        rows = json.loads((RESULTS / f'{name}.json').read_text())['rows']
        row, = (row for row in rows if row['encoder'] == encoder
                and row['feature'] == 'fused')
        means.append(f'{100 * row["mean"][column]:.1f}')
    return means


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
        assert sentence.format(*percents(column, encoder)) in text


def test_the_page_of_skeletal_twins_says_what_was_measured():
    page = (REPO / 'configs/skeletal_twins/README.md').read_text()
    columns = ('1-NN', '1-NN standardised', 'logistic', 'logistic, 5 a class')
    gtu, utd_mhad, _ = zip(*(percents(x, 'umurl-plus') for x in columns))
    for means in (gtu, utd_mhad):
        assert f'| | `umurl-plus` | {" | ".join(means)} |\n' in page
