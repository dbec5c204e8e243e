"""Arguments that several tools share."""
import os
import subprocess
import sys

import pytest
from conftest import REPO

TOOLS = REPO / 'tools'
# The command with --help, as Python runs a script.
HELP = '''
import os, runpy, sys
sys.path.insert(0, os.path.dirname(sys.argv[1]))
sys.argv = [sys.argv[1], '--help']
try:
    runpy.run_path(sys.argv[0], run_name='__main__')
finally:
    print(sorted({'torch', 'mmaction', 'umurl_mmaction'} & set(sys.modules)))
'''
# These run MMEngine's runner, whose arguments they take.
RUNNERS = ('train.py', 'test.py', 'quickstart.py')
SCRIPTS = sorted(
    str(path.relative_to(TOOLS)) for path in TOOLS.rglob('*.py')
    if '__main__' in path.read_text() and path.name not in RUNNERS)


@pytest.mark.parametrize('name', SCRIPTS)
def test_help_imports_nothing_heavy(name, tmp_path):
    done = subprocess.run(
        [sys.executable, '-c', HELP, TOOLS / name],
        cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *usage, modules = done.stdout.splitlines()
    assert modules == '[]'
    assert usage[0].startswith('usage: ')
    assert ('--cfg-options' in done.stdout) == (
        '[--cfg-options KEY=VALUE [KEY=VALUE ...]]' in done.stdout)
    assert 'example' in done.stdout
