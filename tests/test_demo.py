"""The notebook of `demo`, cell after cell."""
import json

import numpy as np
from conftest import REPO
from PIL import Image

NOTEBOOK = REPO / 'demo' / 'skeleton_features.ipynb'


def test_the_notebook_runs(tmp_path, monkeypatch, capsys):
    content = json.loads(NOTEBOOK.read_text())
    assert content['nbformat'] == 4
    monkeypatch.chdir(tmp_path)
    scope = {'__name__': '__main__'}
    for cell in content['cells']:
        if cell['cell_type'] == 'code':
            exec(''.join(cell['source']), scope)

    found = scope['found']
    assert found['features'].shape == (15, 64)
    # The neighbours are right clips of the training split.
    assert {name for row in found['nearest_names'] for name in row} <= set(
        scope['names'][:45])
    # Chance is a third.
    assert np.mean(found['labels'] == scope['truth']) > 0.7
    assert 'features (15, 64)\n' in capsys.readouterr().out
    for name in ('features.png', 'neighbours.png'):
        with Image.open(name) as picture:
            assert min(picture.size) > 200
