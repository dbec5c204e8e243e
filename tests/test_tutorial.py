"""The tutorial, command after command, on a tiny folder of arrays."""
import csv
import json
import re
import shlex

import numpy as np
import pytest
from conftest import REPO
from PIL import Image
from tools_loading import page_blocks, run_command

TUTORIAL = REPO / 'tools' / 'tutorial.md'
OWN_SKELETONS = REPO / 'tools' / 'data' / 'own_skeletons.md'
CLASSES = ['sit down', 'wave']

# What makes the written configs tiny, appended to them.
BACKBONE = "model['backbone'].update(embed_dims=16)\n"
LOADER = '.update(batch_size=4, num_workers=0, persistent_workers=False)\n'
SMALLER = {
    'mine_pretrain.py': BACKBONE + 'train_dataloader' + LOADER +
    "model['neck'] = dict(in_channels=32, out_channels=64)\n"
    'train_cfg = dict(max_iters=30, val_interval=10)\n'
    # Under the name of the page, after fewer steps.
    "default_hooks = dict(checkpoint=dict(filename_tmpl='iter_3000.pth'), "
    'collapse_monitor=dict(interval=10), logger=dict(interval=10))\n',
    'mine_retrieve.py': BACKBONE + 'test_dataloader' + LOADER +
    "model['gallery']" + LOADER,
    'mine_probe.py': BACKBONE + 'train_dataloader' + LOADER +
    'val_dataloader' + LOADER +
    "model['cls_head'].update(in_channels=32)\n",
}


def commands():
    """All command lines of the page, split as a shell does."""
    blocks = page_blocks(TUTORIAL, 'shell')
    lines = ''.join(blocks).replace('\\\n', ' ').splitlines()
    return [shlex.split(line) for line in lines]


def write_clips(folder):
    """24 clips of five joints and two bodies of motion, 16 to train on."""
    rng = np.random.default_rng(0)
    poses = rng.normal(size=(2, 1, 5, 3))
    rows = ['name,label,split']
    for i in range(24):
        noise = rng.normal(scale=0.05, size=(20 + i, 5, 3))
        np.save(folder / f'clip{i}.npy', poses[i % 2] + noise)
        rows.append(f'clip{i},{CLASSES[i % 2]},{"train" if i < 16 else "val"}')
    (folder / 'labels.csv').write_text('\n'.join(rows))
    skeleton, = page_blocks(OWN_SKELETONS, 'json')
    (folder / 'skeleton.json').write_text(skeleton)


def last(rows, name):
    row, = [x for x in rows if x['config'] == name]
    return row


def test_each_command_of_the_tutorial(tmp_path, monkeypatch):
    pytest.importorskip('sklearn')
    pytest.importorskip('onnx')
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'my_clips').mkdir()
    write_clips(tmp_path / 'my_clips')
    for command in commands():
        if command[1].endswith('custom_clips.py'):
            # Workers would look for its functions in pytest.
            command += ['--workers', '1']
        run_command(command, monkeypatch)
        if command[1].endswith('start.py'):
            for name, text in SMALLER.items():
                with open(f'mine/{name}', 'a') as file:
                    file.write(text)

    # What the page says that there is now.
    assert list((tmp_path / 'work_dirs/mine_pretrain').glob(
        'best_retrieval_fused_top1_iter_*.pth'))
    log, = (tmp_path / 'work_dirs/mine_pretrain').glob(
        '*/vis_data/scalars.json')
    logged = {x for line in log.read_text().splitlines()
              for x in json.loads(line)}
    assert logged >= {
        f'retrieval/{x}_top1' for x in ('fused', 'joint', 'bone', 'motion')}
    assert logged >= {f'collapse/{x}' for x in (
        'std', 'effective_rank', 'dead_share', 'agreement_joint')}
    assert list(log.parent.glob('events.out.tfevents.*'))
    pictures = tmp_path / 'work_dirs' / 'pictures'
    for folder, number in (('clips', 2), ('retrieval', 2), ('features', 1),
                           ('.', 2)):
        paths = list((pictures / folder).glob('*.png'))
        assert len(paths) == number, folder
        for path in paths:
            with Image.open(path) as picture:
                assert min(picture.size) > 100

    scope = {}
    for block in page_blocks(TUTORIAL, 'python'):
        exec(block, scope)
    assert scope['fused'].shape == (8, 32)
    assert sorted(scope['names']) == sorted(
        f'clip{i}' for i in range(16, 24))
    with open('classes.csv', newline='') as file:
        row, = csv.DictReader(file)
    assert set(row.values()) & set(CLASSES)
    assert len(json.loads((tmp_path / 'nearest.json').read_text())) == 1
    assert (tmp_path / 'umurl.onnx').stat().st_size > 10_000

    encoders = json.loads((tmp_path / 'encoders.json').read_text())['rows']
    assert [row['encoder'] for row in encoders][:2] == [
        'raw joints', 'untrained']
    rows = json.loads((tmp_path / 'summary.json').read_text())
    assert sorted(row['config'] for row in rows) == [
        'mine_pretrain', 'mine_probe', 'mine_retrieve']
    assert last(rows, 'mine_pretrain')['iterations'] == 30
    assert 'acc/top1' in last(rows, 'mine_retrieve')['test']
    linear = last(rows, 'mine_probe')
    assert list((tmp_path / 'work_dirs/mine_probe').glob(
        'best_acc_top1_epoch_*.pth'))
    # The last epoch's weights, on the same clips.
    assert linear['test']['acc/top1'] == linear['val']['acc/top1']['last']


def test_links_of_the_page_lead_somewhere():
    links = re.findall(r'\]\(([^)#]+)[^)]*\)', TUTORIAL.read_text())
    assert len(links) >= 4
    for link in links:
        assert (TUTORIAL.parent / link).is_file(), link
