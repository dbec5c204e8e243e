"""What one process of several does; all of them together do it once.

A module of its own because other processes import it by name.
"""
import os

import numpy as np
import torch
from conftest import REPO
from mmaction.registry import DATASETS, HOOKS, MODELS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from tiny_models import KNN, PRETRAIN, VIEWS, tiny_config
from torch.nn.parallel import DistributedDataParallel

import umurl_mmaction  # noqa: F401
from umurl_mmaction.models.utils.encoding import FUSED, encode_dataset
from umurl_mmaction.skeleton.batch import Views

GLOBAL_BATCH = 8
STEPS = 5
# The last batch is a short one; neither 2 nor 4 divides it.
BATCHES = [8, 8, 8, 8, 7]
# They only shift what a batch normalisation centres: their gradients are
# zero, and what Adam, which divides by their size, makes of the rounding
# errors instead is as large as any other step.
SHIFTS = ('norm2.bias', 'mlp.0.bias', 'mlp.3.bias')
# Methods with a momentum encoder and queues.
FOLLOWERS = dict(
    hico='hico/hico_1xb64-3k_synthetic.py',
    srcl='srcl/srcl_1xb64-3k_synthetic.py')


@HOOKS.register_module()
class RecordSteps(Hook):
    """Keep the loss and the gradients of each step."""

    def before_train(self, runner):
        self.losses, self.gradients, self.metrics = [], [], None
        runner.optim_wrapper.optimizer.register_step_pre_hook(
            lambda *args: self.gradients.append(gradients(runner.model)))

    def after_train_iter(self, runner, batch_idx, data_batch, outputs):
        self.losses.append(outputs['loss'].item())

    def after_val_epoch(self, runner, metrics=None):
        self.metrics = metrics


def bare(model):
    return getattr(model, 'module', model)


def gradients(model):
    # Cloned: DDP's gradients are views of its buckets.
    return {
        name: weight.grad.clone()
        for name, weight in bare(model).named_parameters()
        if weight.grad is not None
    }


def state(model):
    return {
        name: value.clone()
        for name, value in bare(model).state_dict().items()
    }


def config(ann_file, name, folder, world_size):
    """A config of the repository, for a runner in one of the processes."""
    cfg = tiny_config(ann_file, name)
    cfg.update(
        launcher='pytorch' if world_size > 1 else 'none',
        work_dir=str(folder),
        experiment_name=f'{folder}-{name}'.replace('/', '-'),
        randomness=dict(seed=1))
    cfg.visualizer.vis_backends = [dict(type='LocalVisBackend')]
    return cfg


def pretrain_config(ann_file, folder, world_size):
    """Pre-training in full precision; the optimizer is the config's."""
    cfg = config(ann_file, PRETRAIN, folder, world_size)
    cfg.model.backbone.clip_len = 8
    cfg.model.data_preprocessor.views = VIEWS
    cfg.train_dataloader.update(
        batch_size=GLOBAL_BATCH // world_size,
        num_workers=0,
        persistent_workers=False)
    cfg.train_dataloader.dataset.ann_file = ann_file
    cfg.train_cfg.max_epochs = 1
    cfg.train_cfg.val_interval = 1
    cfg.val_dataloader.update(
        batch_size=GLOBAL_BATCH // world_size, num_workers=0)
    cfg.val_dataloader.dataset.ann_file = ann_file
    return cfg


def train(ann_file, folder, world_size):
    """A whole training of one epoch, with its validation."""
    cfg = pretrain_config(ann_file, folder / 'train', world_size)
    recorded = RecordSteps()
    runner = Runner.from_cfg(cfg)
    runner.register_hook(recorded)
    runner.train()
    return dict(
        losses=recorded.losses,
        gradients=recorded.gradients,
        state=state(runner.model),
        metrics=recorded.metrics,
        layers=[type(x).__name__ for x in runner.model.modules()])


def shares(size, world_size):
    """As equal as it goes: 7 samples over 4 ranks are 2, 2, 2 and 1."""
    return [len(x) for x in np.array_split(np.arange(size), world_size)]


def train_uneven(ann_file, folder, rank, world_size, double=False):
    """Steps of the wrapped model on batches that divide unevenly.

    In single precision without `SHIFTS`, in double precision with all.
    """
    cfg = pretrain_config(ann_file, folder / f'uneven{double}', world_size)
    if not double:
        cfg.optim_wrapper.paramwise_cfg = dict(
            custom_keys={name: dict(lr_mult=0.)
                         for name in SHIFTS})
    runner = Runner.from_cfg(cfg)
    model = runner.model.train()
    if double:
        model = runner.wrap_model(None, bare(model).double())
        # It would make the views single ones.
        bare(model).data_preprocessor.forward = lambda data, training: data
    optim = runner.build_optim_wrapper(cfg.optim_wrapper)
    losses, all_gradients = [], []
    optim.optimizer.register_step_pre_hook(
        lambda *args: all_gradients.append(gradients(model)))
    generator = torch.Generator().manual_seed(0)
    for size in BATCHES:
        share = shares(size, world_size)
        start = sum(share[:rank])
        views = torch.randn(4, size, 2, 8, 25, 3, generator=generator)
        views = views[:, start:start + share[rank]]
        # As they are collated, or as the data preprocessor leaves them.
        inputs = Views([x.double() if double else list(x) for x in views])
        logs = model.train_step(dict(inputs=inputs), optim)
        losses.append(logs['loss'].item())
    return dict(losses=losses, gradients=all_gradients, state=state(model))


def follow(method, rank, world_size):
    """Steps of an online network and its moving average, and its queues.

    Neither the weights nor the queues are those of the first process.
    """
    cfg = Config.fromfile(REPO / 'configs' / FOLLOWERS[method]).model
    cfg.backbone.update(embed_dims=8, clip_len=8)
    cfg.momentum = 0.1
    if method == 'hico':
        # Each process draws its own.
        cfg.backbone.dropout = 0.
    for head in cfg.heads.values():
        head.queue_size = 2 * GLOBAL_BATCH
    torch.manual_seed(rank)
    model = MODELS.build(cfg).double()
    if world_size > 1:
        model = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(
        [x for x in model.parameters() if x.requires_grad], lr=0.1)
    losses, all_gradients = [], []
    generator = torch.Generator().manual_seed(0)
    share = GLOBAL_BATCH // world_size
    for _ in range(STEPS):
        views = torch.randn(
            2, GLOBAL_BATCH, 2, 8, 25, 3, generator=generator).double()
        mine = views[:, rank * share:(rank + 1) * share]
        loss = sum(model(list(mine), mode='loss').values())
        optimizer.zero_grad()
        loss.backward()
        losses.append(loss.item())
        all_gradients.append(gradients(model))
        optimizer.step()
    return dict(losses=losses, gradients=all_gradients, state=state(model))


def retrieve(ann_file, folder, world_size):
    """Features of the gallery, and the test of each query."""
    cfg = config(ann_file, KNN, folder / 'knn', world_size)
    cfg.model.gallery.batch_size = cfg.test_dataloader.batch_size = 3
    predictions = folder / 'predictions.pkl'
    cfg.test_evaluator = [
        cfg.test_evaluator,
        dict(type='DumpResults', out_file_path=str(predictions))
    ]
    runner = Runner.from_cfg(cfg)
    metrics = runner.test()
    model = bare(runner.model)
    loader = Runner.build_dataloader(model.gallery)
    features, samples = encode_dataset(
        model,
        loader.dataset,
        batch_size=3,
        collate_fn=loader.collate_fn)
    return dict(
        metrics=metrics,
        predictions=str(predictions),
        features=features[FUSED],
        labels=[int(x.gt_label) for x in samples],
        index=model.encoded_gallery[:2],
        names=[name for name, _ in loader.dataset.labels])


def subset(ann_file, rank):
    """Names of the labelled clips that semi-supervised training has."""
    # Each process has drawn something else before.
    np.random.seed(rank)
    torch.manual_seed(rank)
    cfg = Config.fromfile(
        REPO / 'configs/umurl/finetune/umurl-finetune_1xb128-100e_ntu60-'
        'xsub-keypoint-3d.py').train_dataloader.dataset
    cfg.update(ann_file=ann_file, split='train', label_fraction=0.1)
    return [name for name, _ in DATASETS.build(cfg).labels]


def work(rank, world_size, port, ann_file, folder):
    """Do all of it as one of the ranks; the results into a file."""
    torch.set_num_threads(1)
    os.environ.update(
        CUDA_VISIBLE_DEVICES='',
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=str(port),
        WORLD_SIZE=str(world_size),
        RANK=str(rank),
        LOCAL_RANK=str(rank))
    folder = folder / str(world_size)
    folder.mkdir(exist_ok=True)
    # MMEngine exchanges results in the folder it runs in.
    os.chdir(folder)
    results = dict(
        train=train(ann_file, folder, world_size),
        uneven=train_uneven(ann_file, folder, rank, world_size),
        double=train_uneven(ann_file, folder, rank, world_size, double=True),
        **{name: follow(name, rank, world_size) for name in FOLLOWERS},
        retrieve=retrieve(ann_file, folder, world_size),
        subset=subset(ann_file, rank),
        backend=torch.distributed.get_backend()
        if world_size > 1 else None)
    torch.save(results, folder / f'rank{rank}.pth')
    if world_size > 1:
        torch.distributed.destroy_process_group()
