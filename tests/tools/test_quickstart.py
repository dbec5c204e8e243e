import os
import re
import subprocess
import sys

import pytest
from conftest import REPO
from matplotlib import image

from umurl_mmaction.analysis.curves import read_run
from umurl_mmaction.analysis.run_summary import summarize_run


def test_quickstart_ends_with_the_table_and_the_picture(tmp_path):
    """The whole of it, on fewer people and for a few steps."""
    done = subprocess.run(
        [
            sys.executable, REPO / 'tools' / 'quickstart.py', '--subjects',
            '4', '--steps', '4'
        ],
        cwd=tmp_path,
        env=dict(os.environ, OMP_NUM_THREADS='1'),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=400)
    assert done.returncode == 0, done.stdout[-4000:]
    *rest, head, raw, untrained, trained, gains, picture = (
        done.stdout.splitlines())
    assert head.split() == ['encoder', '1-NN', 'top-1', 'linear', 'top-1',
                            'seconds']
    nearest = {}
    for line, name in ((raw, 'raw joints'), (untrained, 'untrained'),
                       (trained, 'pre-trained')):
        match = re.fullmatch(
            rf'{name} +([\d.]+) % +([\d.]+) % +(\d+)', line)
        assert match, line
        assert all(0 < float(x) <= 100 for x in match.groups()[:2])
        nearest[name] = float(match[1])
    for name in ('raw joints', 'untrained'):
        gain = nearest['pre-trained'] - nearest[name]
        assert f'{gain:+.1f} against {name}' in gains
    # Nothing else but the steps, in a few lines without bars.
    assert len(rest) < 40 and not [line for line in rest if '%' in line]
    # The runs that the table is made of have its numbers.
    folder = tmp_path / 'work_dirs' / 'quickstart'
    for name, value in nearest.items():
        row = summarize_run(folder / f'knn-{name.replace(" ", "-")}')
        assert 100 * row.test['acc/top1'] == pytest.approx(value, abs=0.051)
    # So has the log, which states the baselines before the first step.
    curve = read_run(folder / 'pretrain')['retrieval/raw_joints_top1']
    assert curve == [(0, pytest.approx(nearest['raw joints'] / 100, abs=6e-4))]
    height, width, _ = image.imread(
        tmp_path / picture.partition('picture: ')[2]).shape
    assert width > height > 400


def test_help_shows_an_example():
    done = subprocess.run(
        [sys.executable, REPO / 'tools' / 'quickstart.py', '--help'],
        stdout=subprocess.PIPE,
        text=True,
        check=True)
    assert 'example:' in done.stdout
