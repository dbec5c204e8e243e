"""The terminal, the log and the curves of a training of many short epochs."""
import json

import pytest
from mmengine.runner import Runner
from tiny_models import LINEAR, tiny_config

from umurl_mmaction.engine.hooks import TerseLoggerHook


def train(ann_file, folder, **logger):
    cfg = tiny_config(ann_file, LINEAR)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.update(
            batch_size=4, num_workers=0, persistent_workers=False)
        loader.dataset.ann_file = ann_file
    cfg.merge_from_dict({
        'train_cfg.max_epochs': 7,
        'default_hooks.logger': logger,
        'load_from': None,
        'work_dir': str(folder),
        'experiment_name': folder.parent.name + folder.name
    })
    Runner.from_cfg(cfg).train()
    log, = folder.glob('*/*.log')
    lines = (log.parent / 'vis_data/scalars.json').read_text().splitlines()
    records = [json.loads(line) for line in lines]
    return log.read_text(), [x['step'] for x in records if 'iter' in x]


def epochs_in(text):
    return [line.split('Epoch(train)')[1].split('[')[1].rstrip('] ')
            for line in text.splitlines() if 'Epoch(train)' in line]


def test_a_linear_run_has_few_lines_and_whole_curves(
        ann_file, tmp_path, capsys):
    log, steps = train(ann_file, tmp_path / 'linear')
    seen = capsys.readouterr()
    for text in (log, seen.out + seen.err):
        assert epochs_in(text) == ['5', '7']
        assert 'Exp name' not in text
    # Three batches an epoch, and a point at the end of each.
    assert steps == list(range(3, 22, 3))
    assert '"FileClient" will be' in log and 'Hooks will be ex' in log
    for text in (seen.out, seen.err):
        assert '"FileClient"' not in text and 'Hooks will be' not in text
        assert '\r' not in text


def test_each_epoch_and_interval_has_a_line_on_demand(ann_file, tmp_path):
    log, steps = train(ann_file, tmp_path / 'each', epochs=1, interval=2)
    assert epochs_in(log) == [str(i) for i in range(1, 8) for _ in '23']
    assert steps == [x for x in range(1, 22) if x % 3 != 1]


def test_no_epochs_are_refused():
    with pytest.raises(ValueError, match='epochs=0 must be at least 1'):
        TerseLoggerHook(epochs=0)
