"""The lint step refuses an import that runs up the package's folders."""
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPO

LINT = Path(sys.executable).with_name('lint-imports')

pytestmark = pytest.mark.skipif(
    not LINT.exists(),
    reason='import-linter is not installed in this environment')


@pytest.fixture
def lint(tmp_path):
    """Append lines to modules of a copy, and lint it: status and output."""
    shutil.copy(REPO / 'pyproject.toml', tmp_path)
    shutil.copytree(
        REPO / 'umurl_mmaction',
        tmp_path / 'umurl_mmaction',
        ignore=shutil.ignore_patterns('__pycache__', '.mim'))

    def run(lines):
        for module, line in lines.items():
            path = tmp_path / 'umurl_mmaction' / module
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, 'a') as f:
                f.write(f'{line}\n')
        done = subprocess.run([LINT, '--no-cache'],
                              cwd=tmp_path,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT,
                              text=True)
        return done.returncode, done.stdout

    return run


def test_the_package_keeps_the_contracts(lint):
    status, output = lint({})
    assert status == 0, output
    assert '0 broken' in output


@pytest.mark.parametrize('module, line, contract', [
    ('models/utils/gather.py', 'from ...apis import loading',
     'Folders import downwards only BROKEN'),
    ('fileio/atomic.py', 'from ..skeleton import layout',
     'Folders import downwards only BROKEN'),
    ('models/losses/consistency.py', 'from ..heads import linear_cls_head',
     'Parts of the models import downwards only BROKEN'),
    ('engine/resume/run_state.py', 'from ..hooks import commit_hook',
     'Parts of the engine import downwards only BROKEN'),
])
def test_an_import_that_runs_up_is_refused(lint, module, line, contract):
    status, output = lint({module: line})
    assert status == 1
    assert contract in output


def test_a_new_folder_must_be_given_its_place(lint):
    status, output = lint({'attic/__init__.py': ''})
    assert status == 1
    assert 'attic' in output
