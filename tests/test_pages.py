"""Links and names of configs in the pages lead somewhere."""
import fnmatch
import re
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]
PAGES = [
    REPO / 'README.md', REPO / 'projects_readme.md',
    *sorted(REPO.glob('configs/*.md')), *sorted(REPO.glob('configs/*/*.md')),
    *sorted(REPO.glob('tools/**/*.md')), REPO / 'benchmarks' / 'README.md'
]
METHODS = '|'.join(
    path.parent.name.replace('_', '-')
    for path in REPO.glob('configs/*/README.md'))
# A base name with {a,b} and ..., not part of a path or of another name.
NAME = re.compile(rf'`((?:{METHODS})[-_{{][\w{{}},.-]*keypoint-[23]d\.py'
                  rf'|(?:{METHODS})[-_{{][\w{{}},.-]*synthetic\.py)`')


def prose(page):
    return re.sub('```.*?```', '', page.read_text(), flags=re.DOTALL)


def anchors(page):
    """GitHub's anchors of a page's headings."""
    return {
        re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-')
        for heading in re.findall('^#+ (.*)$', prose(page), re.MULTILINE)
    }


def expand(name):
    """Expand {a,b} as a shell does."""
    head, brace, rest = name.partition('{')
    if not brace:
        return [name]
    choices, _, tail = rest.partition('}')
    return [x for choice in choices.split(',')
            for x in expand(head + choice + tail)]


@pytest.mark.parametrize('page', PAGES, ids=lambda x: str(x.relative_to(REPO)))
def test_links_lead_to_files_and_headings(page):
    for link in re.findall(r'\]\(([^)\s]+)\)', prose(page)):
        if not re.match('https?:', link):
            name, _, anchor = link.partition('#')
            target = (page.parent / name).resolve() if name else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def test_pages_name_configs_that_are_there():
    configs = [path.name for path in REPO.glob('configs/*/**/*.py')]
    names = {name for page in PAGES for name in NAME.findall(page.read_text())}
    assert len(names) > 20
    # Of MMAction2.
    names -= {'stgcnpp_8xb16-joint-u100-80e_ntu60-xsub-keypoint-3d.py'}
    for name in names:
        for pattern in expand(name.replace('...', '*')):
            assert fnmatch.filter(configs, pattern), name
