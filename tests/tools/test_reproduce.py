"""Rows of the results, measured again."""
import json
from pathlib import Path

import pytest
from conftest import REPO
from tiny_models import KNN, PRETRAIN, tiny_config
from tools_loading import load_script, refusal

from umurl_mmaction.analysis import results

TOOL = load_script(REPO / 'tools/analysis/reproduce.py')
COLUMNS = ['1-NN', '1-NN standardised', 'logistic', 'logistic, 2 a class']


@pytest.fixture
def stated(ann_file, tmp_path, monkeypatch):
    """A folder of results with one row, of a tiny pre-training."""
    tiny_config(ann_file, KNN).dump(str(tmp_path / 'knn.py'))
    cfg = tiny_config(ann_file, PRETRAIN)
    cfg.train_dataloader.dataset.ann_file = ann_file
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.train_dataloader.batch_size = 4
    cfg.val_dataloader.update(num_workers=0)
    cfg.train_cfg = dict(
        type='EpochBasedTrainLoop', max_epochs=2, val_interval=2)
    cfg.default_hooks.checkpoint.interval = 1
    cfg.dump(str(tmp_path / 'pretrain.py'))
    row = dict(
        encoder='tiny',
        feature='fused',
        pretrain=str(tmp_path / 'pretrain.py'),
        options={},
        runs=1,
        seconds=1,
        mean=dict.fromkeys(COLUMNS, 0.5),
        deviation=dict.fromkeys(COLUMNS, 1.))
    content = dict(
        config=str(tmp_path / 'knn.py'),
        cfg_options={},
        labels=[2],
        draws=2,
        rows=[row])
    folder = tmp_path / 'configs' / 'umurl'
    (folder / 'results').mkdir(parents=True)

    def write(**changes):
        row.update(changes)
        path = folder / 'results' / 'set.json'
        path.write_text(json.dumps(content))

    write()
    monkeypatch.setattr('umurl_mmaction.apis.loading.configs_folder',
                        lambda: folder.parent)
    return write


def test_a_row_is_measured_and_compared(stated, tmp_path, capsys):
    argv = [
        'set/tiny', '--work-dir',
        str(tmp_path / 'work'), '--json',
        str(tmp_path / 'rows.json')
    ]
    TOOL.main(argv)
    printed = capsys.readouterr().out
    assert printed.count('agrees') == 4 and 'DIFFERS' not in printed
    rows = json.loads((tmp_path / 'rows.json').read_text())
    assert [row['feature'] for row in rows
            ] == ['fused', 'joint', 'bone', 'motion']
    assert rows[0]['steps'] == 6 and rows[0]['seeds'] == [0]
    assert list(rows[0]['mean']) == COLUMNS
    # The run is there, and the same numbers come again without training.
    stated(
        mean=rows[0]['mean'], deviation=dict.fromkeys(COLUMNS, 0.))
    TOOL.main(argv)
    again = json.loads((tmp_path / 'rows.json').read_text())
    assert again[0]['mean'] == rows[0]['mean']
    stated(mean=dict(rows[0]['mean'], logistic=5.))
    with pytest.raises(SystemExit) as info:
        TOOL.main(argv)
    assert info.value.code == 1
    line = next(x for x in capsys.readouterr().out.splitlines()
                if 'DIFFERS' in x)
    assert line.startswith('logistic ') and '500.0 ± ' in line


def test_a_row_of_a_transfer_keeps_its_own_training_set(
        stated, ann_file, tmp_path, capsys):
    """The set that is evaluated does not replace it."""
    other = tmp_path / 'other.pkl'
    other.write_bytes(Path(ann_file).read_bytes())
    text = (tmp_path / 'pretrain.py').read_text()
    (tmp_path / 'pretrain.py').write_text(
        text.replace(repr(ann_file), repr('gone.pkl')))
    argv = ['set/tiny', '--work-dir', str(tmp_path / 'work')]
    assert "'gone.pkl' is not there" in refusal(
        TOOL, capsys, *argv, '--ann-file', other)
    TOOL.main([*argv, '--ann-file', str(other), '--pretrain-file', ann_file])
    assert capsys.readouterr().out.count('agrees') == 4


def test_rows_are_listed_and_unknown_ones_refused(stated, capsys):
    TOOL.main(['--list'])
    assert capsys.readouterr().out.startswith('set/tiny: 1-NN 50.0, ')
    assert "ROW 'tiny' is not one of set/tiny" in refusal(
        TOOL, capsys, 'tiny')
    assert 'name a ROW; --list shows them all' in refusal(TOOL, capsys)


def test_every_committed_row_names_configs_that_exist():
    from umurl_mmaction.apis.loading import load_config
    rows = results.named_rows(REPO / 'configs' / 'umurl')
    assert rows
    for content, row in rows.values():
        assert 'gallery' in load_config(content['config']).model
        cfg = load_config(row['pretrain'], row['options'])
        assert cfg.model.type == 'UmURL'
        assert row['runs'] == len(row['seeds']) and row['commit']
