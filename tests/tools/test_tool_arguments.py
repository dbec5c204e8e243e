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


@pytest.mark.parametrize('name', [
    'extract_features.py', 'predict.py', 'motion_search.py',
    'deploy/export.py',
    'visualizations/browse_skeleton.py', 'visualizations/confusion_matrix.py',
    'visualizations/feature_map.py', 'visualizations/retrieval_gallery.py',
    'visualizations/training_curves.py', 'visualizations/draw_layouts.py',
    'data/pose_estimates.py', 'data/utd_mhad.py'
])
def test_help_imports_nothing_heavy(name, tmp_path):
    done = subprocess.run(
        [sys.executable, '-c', HELP, TOOLS / name],
        cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *usage, modules = done.stdout.splitlines()
    assert modules == '[]'
    assert usage[0].startswith(f'usage: {name.split("/")[-1]}')
    assert ('[--cfg-options KEY=VALUE [KEY=VALUE ...]]' in done.stdout) == (
        not name.startswith('data/')
        and not name.endswith(('training_curves.py', 'draw_layouts.py')))
