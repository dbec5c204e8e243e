"""Every way to start several processes, on a machine without a GPU."""
import os
import subprocess
import sys

import mmengine
import pytest
import torch
from conftest import REPO, free_port, make_annotations

CONFIGS = REPO / 'configs/umurl'

# Of one epoch of 12 clips, with a global batch of 4.
TRAIN = '''
_base_ = '{base}'
model = dict(backbone=dict(embed_dims=16), neck=dict(in_channels=32))
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(ann_file='tiny.pkl'))
train_cfg = dict(max_epochs=1)
'''
KNN = '''
_base_ = '{base}'
loader = dict(
    batch_size=2, num_workers=0, dataset=dict(ann_file='tiny.pkl'))
model = dict(backbone=dict(embed_dims=16), gallery=loader)
test_dataloader = loader
'''
# As many processes as asked for, with what Slurm tells each; it does not
# always tell them SLURM_LOCALID.
SRUN = '''#!/usr/bin/env bash
echo "srun $*"
while [[ $1 == -* ]]; do
    case $1 in
        -p) shift ;;
        --ntasks=*) export SLURM_NTASKS=${1#*=} ;;
    esac
    shift
done
export SLURM_NODELIST=node
unset SLURM_LOCALID
for ((i = 0; i < SLURM_NTASKS; i++)); do
    SLURM_PROCID=$i "$@" &
    pids+=($!)
done
for pid in "${pids[@]}"; do
    wait "$pid" || exit 1
done
'''
SCONTROL = '''#!/usr/bin/env bash
[[ "$*" == 'show hostname node' ]] && echo 127.0.0.1
'''


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Data, two configs and a cluster's commands."""
    path = tmp_path_factory.mktemp('launched')
    mmengine.dump(make_annotations(num_val=7), str(path / 'tiny.pkl'))
    for name, text, base in (
        ('train.py', TRAIN, 'pretrain/umurl_1xb64_synthetic.py'),
        ('knn.py', KNN, 'knn/umurl-knn_synthetic.py')):
        (path / name).write_text(text.format(base=CONFIGS / base))
    for name, text in (('srun', SRUN), ('scontrol', SCONTROL)):
        (path / 'bin').mkdir(exist_ok=True)
        (path / 'bin' / name).write_text(text)
        (path / 'bin' / name).chmod(0o755)
    return path


def start(folder, *command, **variables):
    env = dict(
        os.environ,
        PATH=f'{folder / "bin"}:{os.environ["PATH"]}',
        PYTHON=sys.executable,
        CUDA_VISIBLE_DEVICES='',
        OMP_NUM_THREADS='1',
        **{name: str(value) for name, value in variables.items()})
    return subprocess.Popen(
        list(map(str, command)),
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True)


def finish(*processes):
    """Their outputs, when all have ended well."""
    try:
        outputs = [x.communicate(timeout=200)[0] for x in processes]
    finally:
        for process in processes:
            process.kill()
    for process, output in zip(processes, outputs):
        assert process.returncode == 0, output[-4000:]
    return outputs


def options(folder_name, batch_size):
    return [
        '--work-dir', folder_name, '--cfg-options',
        f'train_dataloader.batch_size={batch_size}'
    ]


def assert_trained(folder, name, output, world_size):
    """One training in so many processes, not so many trainings."""
    assert f'Distributed training: {world_size > 1}' in output
    assert f'GPU number: {world_size}' in output
    assert len(list((folder / name).glob('*/*.log'))) == 1
    meta = torch.load(
        folder / name / 'epoch_1.pth', weights_only=False)['meta']
    # 12 clips in global batches of 4.
    assert (meta['epoch'], meta['iter']) == (1, 3)


def accuracy(output):
    return output.rpartition('acc/top1: ')[2].split()[0]


@pytest.fixture(scope='module')
def two_nodes(folder):
    """Outputs of two launchers that make up one training of 4 processes."""
    port = free_port()
    return finish(*[
        start(
            folder,
            'bash',
            REPO / 'tools/dist_train.sh',
            'train.py',
            2,
            *options('nodes', 1),
            NNODES=2,
            NODE_RANK=rank,
            MASTER_ADDR='127.0.0.1',
            PORT=port) for rank in range(2)
    ])


def test_two_nodes_of_two_processes_train(folder, two_nodes):
    assert_trained(folder, 'nodes', two_nodes[0], 4)
    # The second node has no main process, which writes and logs.
    assert 'Epoch(train)' in two_nodes[0]
    assert 'Epoch(train)' not in two_nodes[1]


def run_test(folder, *command, **variables):
    """The accuracy that a command logs for the trained encoder."""
    output = finish(start(folder, *command, **variables))[0]
    assert 'Encoding 12 clips' in output
    return accuracy(output)


def test_several_processes_test_as_one(folder, two_nodes):
    """Neither 2 nor 4 divides the 7 queries."""
    files = 'knn.py', 'nodes/epoch_1.pth'
    alone = run_test(folder, sys.executable, REPO / 'tools/test.py', *files)
    assert alone == run_test(
        folder,
        'bash',
        REPO / 'tools/dist_test.sh',
        *files,
        4,
        PORT=free_port())
    assert alone == run_test(
        folder,
        'bash',
        REPO / 'tools/slurm_test.sh',
        'partition',
        'job',
        *files,
        GPUS=2,
        MASTER_PORT=free_port())


def test_slurm_trains(folder):
    output, = finish(
        start(
            folder,
            'bash',
            REPO / 'tools/slurm_train.sh',
            'partition',
            'job',
            'train.py',
            *options('slurm', 2),
            GPUS=2,
            GPUS_PER_NODE=2,
            SRUN_ARGS='--exclusive --time=10',
            MASTER_PORT=free_port()))
    asked = output.splitlines()[0]
    assert asked.startswith(
        'srun -p partition --job-name=job --gres=gpu:2 --ntasks=2 '
        '--ntasks-per-node=2 --cpus-per-task=5 --kill-on-bad-exit=1 '
        '--exclusive --time=10 ')
    assert_trained(folder, 'slurm', output, 2)


def test_mim_trains_in_two_processes(folder):
    pytest.importorskip('mim', reason='openmim is not installed')
    output, = finish(
        start(folder, sys.executable, '-m', 'mim', 'train', 'umurl_mmaction',
              'train.py', '--launcher', 'pytorch', '--gpus', 2,
              *options('mim', 2)))
    assert_trained(folder, 'mim', output, 2)


@pytest.mark.parametrize('script, wanted', [
    ('dist_train.sh', 'CONFIG GPUS'),
    ('dist_test.sh', 'CONFIG CHECKPOINT GPUS'),
    ('slurm_train.sh', 'PARTITION JOB_NAME CONFIG'),
    ('slurm_test.sh', 'PARTITION JOB_NAME CONFIG CHECKPOINT'),
])
def test_scripts_say_what_they_want(folder, script, wanted):
    process = start(folder, 'bash', REPO / 'tools' / script, 'only-one')
    output = process.communicate()[0]
    assert process.returncode == 2
    assert wanted in output
