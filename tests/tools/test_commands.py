"""The commands of the README, as a user types them, from any folder."""
import os
import subprocess
import sys
from pathlib import Path

import mmaction
import mmengine
import pytest
from conftest import REPO, make_annotations

import umurl_mmaction

STOCK = Path(mmaction.__file__).parent / '.mim' / 'tools'
MIM = Path(umurl_mmaction.__file__).parent / '.mim'

# As small as it gets; what a user would put on the command line.
PRETRAIN = [
    'train_dataloader.dataset.ann_file=tiny.pkl',
    'train_dataloader.batch_size=4', 'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False', 'train_cfg.max_epochs=1',
    'model.backbone.embed_dims=16', 'model.neck.in_channels=32',
    'model.neck.out_channels=64'
]
LINEAR = [
    f'{name}_dataloader.{setting}' for name in ('train', 'val', 'test')
    for setting in ('dataset.ann_file=tiny.pkl', 'batch_size=4',
                    'num_workers=0', 'persistent_workers=False')
] + [
    'train_cfg.max_epochs=1', 'train_cfg.val_interval=1',
    'model.backbone.embed_dims=16', 'model.cls_head.in_channels=32',
    'model.cls_head.num_classes=3'
]
KNN = [
    f'{name}.{setting}' for name in ('test_dataloader', 'model.gallery')
    for setting in ('dataset.ann_file=tiny.pkl', 'batch_size=4',
                    'num_workers=0')
] + ['model.backbone.embed_dims=16']

# A config outside the repository, in the form the README shows.
OWN = '''
_base_ = 'umurl_mmaction::umurl/pretrain/umurl_1xb64_synthetic.py'
model = dict(backbone=dict(embed_dims=16), neck=dict(in_channels=32))
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(ann_file='tiny.pkl'))
train_cfg = dict(max_epochs=1)
'''


def run(folder, *command, expect=0, env=None):
    """Run in ``folder``; the combined output."""
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=folder,
        env=dict(os.environ, OMP_NUM_THREADS='1', **(env or {})),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300)
    assert done.returncode == expect, done.stdout[-4000:]
    return done.stdout


def accuracy(output):
    """The last top-1 accuracy that was logged."""
    return output.rpartition('acc/top1: ')[2].split()[0]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder with data and an own config, and nothing else."""
    path = tmp_path_factory.mktemp('anywhere')
    mmengine.dump(make_annotations(), str(path / 'tiny.pkl'))
    (path / 'own.py').write_text(OWN)
    return path


@pytest.fixture(scope='module')
def checkpoint(folder):
    """What `mim train` leaves, given a config's base name."""
    pytest.importorskip('mim', reason='openmim is not installed')
    output = run(folder, '-m', 'mim', 'train', 'umurl_mmaction',
                 'umurl_1xb64_synthetic.py', '--work-dir', 'pretrain',
                 '--cfg-options', *PRETRAIN)
    assert 'loss_intra' in output and 'Training finished' in output
    return folder / 'pretrain' / 'epoch_1.pth'


def test_mim_test_retrieves(folder, checkpoint):
    output = run(folder, '-m', 'mim', 'test', 'umurl_mmaction',
                 'umurl-knn_synthetic.py', '--checkpoint', checkpoint,
                 '--cfg-options', *KNN)
    assert 'acc/top1' in output and 'Encoding 12 clips' in output


def test_mim_train_probes_and_mim_test_repeats_it(folder, checkpoint):
    config = 'umurl-linear_synthetic.py'
    output = run(folder, '-m', 'mim', 'train', 'umurl_mmaction', config,
                 '--work-dir', 'linear', '--amp', '--cfg-options',
                 f'load_from={checkpoint}', *LINEAR)
    trained = accuracy(output)
    output = run(folder, '-m', 'mim', 'test', 'umurl_mmaction', config,
                 '--checkpoint', 'linear/epoch_1.pth', '--dump', 'fused.pkl',
                 '--cfg-options', *LINEAR)
    assert accuracy(output) == trained
    # Late fusion: MMAction2's own tool adds the scores of several streams.
    output = run(folder, '-m', 'umurl_mmaction',
                 STOCK / 'analysis_tools' / 'report_accuracy.py', '--preds',
                 'fused.pkl', 'fused.pkl', '--coefficients', 1, 1)
    assert f'Top 1 Accuracy: {trained}' in output


def test_own_config_with_mim(folder):
    pytest.importorskip('mim', reason='openmim is not installed')
    run(folder, '-m', 'mim', 'train', 'umurl_mmaction', 'own.py',
        '--work-dir', 'own-mim')
    assert (folder / 'own-mim' / 'epoch_1.pth').exists()


def test_own_config_with_our_tool(folder):
    run(folder, REPO / 'tools' / 'train.py', 'own.py', '--work-dir',
        'own-tool')
    assert (folder / 'own-tool' / 'epoch_1.pth').exists()


def test_own_config_with_the_stock_tool(folder):
    """The base is looked up before the config can import anything."""
    run(folder, '-m', 'umurl_mmaction', STOCK / 'train.py', 'own.py',
        '--work-dir', 'own-stock')
    assert (folder / 'own-stock' / 'epoch_1.pth').exists()


def test_stock_tools_train_resume_and_test(folder):
    """Our configs as they are, MMAction2's scripts as they are."""
    config = MIM / 'configs/umurl/pretrain/umurl_1xb64_synthetic.py'
    run(folder, STOCK / 'train.py', config, '--work-dir', 'stock', '--seed',
        0, '--cfg-options', *PRETRAIN)
    output = run(folder, STOCK / 'train.py', config, '--work-dir', 'stock',
                 '--resume', '--amp', '--cfg-options', *PRETRAIN,
                 'train_cfg.max_epochs=2')
    assert 'resumed epoch: 1' in output
    assert (folder / 'stock' / 'epoch_2.pth').exists()
    knn = MIM / 'configs/umurl/knn/umurl-knn_synthetic.py'
    output = run(folder, STOCK / 'test.py', knn, 'stock/epoch_2.pth',
                 '--cfg-options', *KNN)
    assert 'acc/top1' in output


def test_mim_train_of_mmaction(folder):
    pytest.importorskip('mim', reason='openmim is not installed')
    config = MIM / 'configs/umurl/pretrain/umurl_1xb64_synthetic.py'
    run(folder, '-m', 'mim', 'train', 'mmaction', config, '--work-dir',
        'mmaction', '--cfg-options', *PRETRAIN)
    assert (folder / 'mmaction' / 'epoch_1.pth').exists()


@pytest.mark.parametrize('option, message', [
    ('train_dataloader.dataset.ann_file=lost.pkl',
     "annotation file 'lost.pkl' is not there"),
    ('train_dataloader.dataset.split=xsub', "has no split 'xsub', only"),
    ('model.backbone.modalities="(\'joint\', \'depth\')"',
     "unknown modality 'depth'; known are"),
    ('model.backbone.graph_cfg.layout=coco',
     'the encoder wants (M, T, 17, 3)'),
    ('train_dataloader.batch_size=1', 'gives batches of one clip'),
])
def test_misuse_ends_in_one_clear_line(folder, option, message):
    output = run(
        folder,
        REPO / 'tools' / 'train.py',
        'own.py',
        '--work-dir',
        'misuse',
        '--cfg-options',
        option,
        expect=2)
    last = output.strip().splitlines()[-1]
    assert message in last, output[-2000:]
    assert not list((folder / 'misuse').glob('*.pth'))


@pytest.mark.parametrize(
    'option', ['model.backbone.embed_dims=32', 'model.backbone.clip_len=32'])
def test_a_checkpoint_of_another_size_ends_in_one_clear_line(
        folder, checkpoint, option):
    output = run(
        folder,
        REPO / 'tools' / 'test.py',
        MIM / 'configs/umurl/knn/umurl-knn_synthetic.py',
        checkpoint,
        '--cfg-options',
        *KNN,
        option,
        expect=2)
    last = output.strip().splitlines()[-1]
    assert 'the checkpoint has backbone.embeddings.joint' in last
    assert 'must be those of the pre-training' in last
