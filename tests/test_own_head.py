"""A head of one's own, beside a config in any folder."""
import json
import sys

import pytest
from conftest import REPO
from tools_loading import run_command, write_page_configs

import umurl_mmaction.__main__ as entry
from umurl_mmaction.apis import load_config
from umurl_mmaction.apis.loading import find_config

PAGE = REPO / 'tools' / 'extending.md'
KNN = 'umurl-knn_synthetic.py'


def test_the_head_of_the_page_is_trained(tmp_path, monkeypatch, ann_file):
    (tmp_path / 'experiments').mkdir()
    write_page_configs(PAGE, tmp_path / 'experiments')
    monkeypatch.chdir(tmp_path)
    run_command([
        'python', 'tools/train.py', 'experiments/my_cosine.py',
        '--cfg-options', 'train_cfg.max_epochs=1', 'model.neck.out_channels=8',
        *(f'{loader}.{setting}' for loader in (
            'train_dataloader', 'val_dataloader') for setting in (
                f'dataset.ann_file={ann_file}', 'num_workers=0',
                'persistent_workers=False'))
    ], monkeypatch)
    log, = (tmp_path / 'work_dirs/my_cosine').glob('*/vis_data/scalars.json')
    step, = (row for row in map(json.loads, log.read_text().splitlines())
             if 'loss' in row)
    assert 0 < step['loss_cosine'] < 4
    assert step['loss'] == pytest.approx(sum(
        step[f'loss_{x}'] for x in ('intra', 'inter', 'var', 'cov', 'cosine')))


def test_a_config_finds_modules_in_its_folder(tmp_path, monkeypatch):
    (tmp_path / 'beside.py').write_text('WORD = "hello"\n')
    path = tmp_path / 'config.py'
    path.write_text('custom_imports = dict(imports=["beside"])\n')
    monkeypatch.setattr(sys, 'path', list(sys.path))
    before = list(sys.path)
    load_config(path)
    assert sys.modules.pop('beside').WORD == 'hello'
    # Last, so that it hides no package, and once.
    load_config(path)
    assert sys.path == [*before, str(tmp_path)]


@pytest.mark.parametrize('name', [
    KNN, f'umurl_mmaction::umurl/knn/{KNN}',
    f'umurl_mmaction::umurl/knn/{KNN[:-3]}'])
def test_scripts_and_functions_take_configs_by_name(
        tmp_path, monkeypatch, capsys, name):
    assert load_config(name).model.type == 'SkeletonKNN'
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'path', list(sys.path))
    monkeypatch.setattr(sys, 'argv', [])
    (tmp_path / 'own.py').write_text('import sys; print(sys.argv[1:])')
    args = ['--work-dir', 'a b', name, 'lost.py', 'own.py', f'x={name}']
    entry.run_script('own.py', args)
    args[2] = str(find_config(KNN))
    assert capsys.readouterr().out == f'{args}\n'


@pytest.mark.parametrize('name', [
    'lost.py', 'umurl_mmaction::lost.py', f'umurl_mmaction::{KNN}'])
def test_a_config_that_is_not_there_is_named(name):
    with pytest.raises(FileNotFoundError, match=(
            f'^config {name!r} is neither a file nor one of this package')):
        load_config(name)
