import os
import os.path as osp
import re
import subprocess
import sys

from conftest import REPO
from matplotlib import image


def test_quickstart_ends_with_the_table_and_the_picture(tmp_path):
    """The whole of it, on fewer people and for one epoch."""
    done = subprocess.run(
        [
            sys.executable, REPO / 'tools' / 'quickstart.py', '--subjects',
            '4', '--epochs', '1'
        ],
        cwd=tmp_path,
        env=dict(os.environ, OMP_NUM_THREADS='1'),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=400)
    assert done.returncode == 0, done.stdout[-4000:]
    *rest, head, untrained, trained, _, picture = done.stdout.splitlines()
    assert head.split() == ['encoder', '1-NN', 'top-1', 'linear', 'top-1',
                            'seconds']
    for line, name in ((untrained, 'untrained'), (trained, 'pre-trained')):
        match = re.fullmatch(
            rf'{name} +([\d.]+) % +([\d.]+) % +(\d+)', line)
        assert match, line
        assert all(0 < float(x) <= 100 for x in match.groups()[:2])
    rows = [[x.strip() for x in line.split('|')[1:-1]] for line in rest
            if line.startswith('| ')]
    assert rows[0][:4] == ['run', 'config', 'commit', 'epochs']
    assert [osp.basename(row[0]) for row in rows[2:]] == [
        'pretrain', 'knn-untrained', 'linear-untrained', 'knn-pre-trained',
        'linear-pre-trained']
    # The summary has the numbers of the table.
    accuracy = rows[0].index('test acc/top1, %')
    assert rows[3][accuracy] == untrained.split()[1]
    assert rows[5][accuracy] == trained.split()[1]
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
