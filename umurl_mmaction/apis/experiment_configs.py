"""The configs of an experiment on an annotation file."""
import shlex
import textwrap
from pathlib import Path

from ..fileio.atomic import replacing_folder, write_text
from .experiment import Experiment, bodies_line

BASE = 'umurl_mmaction::umurl'


def _comment(*sentences: str) -> str:
    return textwrap.fill(
        ' '.join(sentences), 79, initial_indent='# ', subsequent_indent='# ',
        break_long_words=False, break_on_hyphens=False)


def _data_lines(plan: Experiment) -> list[str]:
    """The lines that describe the data, alike in all configs."""
    name = plan.layout.name
    skeleton, origin = 'ann_file=ann_file', "The file's own skeleton"
    if plan.named:
        skeleton, origin = (f'graph_cfg=dict(layout={name!r})',
                            f'The layout {name!r}')
    step = ', '.join(f'{key}={x!r}' for key, x in plan.prepare.items())
    lines = [
        f'ann_file = {plan.ann_file!r}',
        _comment(
            f'{origin}, {plan.layout.num_joints} joints;',
            'x and y;' if plan.coords == 2 else 'x, y and z;',
            f'bodies: {bodies_line(plan.bodies)}.'),
        'skeleton = dict(',
        f'    {skeleton}, in_channels={plan.coords}, '
        f'num_person={max(plan.bodies)})',
        _comment(plan.why_normalized),
        f'prepare = [dict({step})]',
    ]
    settings = ['ann_file=ann_file', 'prepare=prepare']
    if plan.nonfinite:
        lines.append(_comment('Coordinates that are NaN or infinite are '
                              'joints that nobody saw.'))
        settings.append("nonfinite='missing'")
    return [*lines, f'data = dict({", ".join(settings)})']


def _pretrain(plan: Experiment) -> str:
    sizes = plan.sizes
    width = ('the width of the paper, whose sets are as large.'
             if sizes.is_large else
             'the width that was measured on sets of 349 to 6,223 clips.')
    if sizes.batch < sizes.num_clips:
        batch = f'Batches of {sizes.batch}, as there.'
    else:
        batch = 'All clips are one batch, for there are few.'
    length = (
        "451 passes, as in the paper's code." if sizes.is_large else
        '30 passes over the clips, but at least 3,000 steps: fewer teach '
        'little.')
    encoder = f'backbone=dict(skeleton, embed_dims={sizes.width})'
    views, model = [], [f'model = dict({encoder})']
    if plan.coords == 3 and plan.up in ('z', '-z'):
        views = [
            _comment('Bodies stand along z: views turn them about it.'),
            '*others, turn = _base_.plus_views.transforms[0]',
            "plus_views = dict(transforms=[[*others, dict(turn, up='z')]])",
        ]
        model = ['model = dict(', f'    {encoder},',
                 '    data_preprocessor=dict(views=plus_views))']
    lines = [
        _comment(f'Pre-training on {plan.num_train} clips. It looks at no '
                 'label.'),
        f"_base_ = '{BASE}/pretrain/umurl-plus_1xb64-3k_synthetic.py'", '',
        *_data_lines(plan), *views, '',
        _comment(f'{sizes.width} channels: {width}'), *model,
        _comment(batch),
        f'train_dataloader = dict(batch_size={sizes.batch}, '
        f'dataset=dict(data, split={plan.train!r}))',
    ]
    if plan.test is not None and not plan.without_test:
        lines += [
            _comment('While it trains, these clips look for their nearest '
                     'clip of the training set.'),
            f'val_dataloader = dict(dataset=dict(split={plan.test!r}))'
        ]
    lines += [
        _comment(length, 'The learning rate falls as late as in the '
                 "paper's code, after 78 % of them."),
        f'train_cfg = dict(max_iters={sizes.steps})',
        'param_scheduler = [',
        '    dict(',
        "        type='MultiStepLR', by_epoch=False, "
        f'milestones=[{sizes.milestone}], gamma=0.1)',
        ']',
    ]
    if sizes.lr is not None:
        lines += [
            _comment('The learning rate of the paper, for batches of 512.'),
            f'optim_wrapper = dict(optimizer=dict(lr={sizes.lr}))'
        ]
    return '\n'.join(lines) + '\n'


def _probe(plan: Experiment) -> str:
    classes, width = plan.facts.num_classes, plan.sizes.width
    return '\n'.join([
        _comment(f'A linear classifier of {classes} classes on the frozen '
                 f'encoder, trained on {plan.train!r}, tested on '
                 f'{plan.test!r}.', f'{plan.why_splits}.' if plan.why_splits
                 else ''),
        f"_base_ = '{BASE}/linear/umurl-linear_synthetic.py'", '',
        *_data_lines(plan), '',
        _comment('The encoder has the settings of the pre-training; its '
                 'feature has two parts of that width, one of time and one '
                 'of joints.'),
        'model = dict(',
        f'    backbone=dict(skeleton, embed_dims={width}),',
        f'    cls_head=dict(num_classes={classes}, in_channels={2 * width}))',
        f'train_dataloader = dict(dataset=dict(data, split={plan.train!r}))',
        f'val_dataloader = dict(dataset=dict(data, split={plan.test!r}))',
        'test_dataloader = val_dataloader',
        _comment("MMAction2's inference_skeleton needs this name."),
        'test_pipeline = prepare + _base_.pipeline',
        f'load_from = {plan.checkpoint!r}', ''
    ])


def _retrieve(plan: Experiment) -> str:
    gallery = f'{plan.train!r}' if plan.train else 'the file'
    what = (
        f'the nearest clips in {gallery} of any clip, without labels.'
        if plan.without_test else
        f'each clip of {plan.test!r} gets the label of its nearest clip in '
        f'{gallery}.')
    return '\n'.join([
        _comment(f'Retrieval: {what}'),
        f"_base_ = '{BASE}/knn/umurl-knn_synthetic.py'", '',
        *_data_lines(plan), '',
        _comment('The encoder has the settings of the pre-training.'),
        'model = dict(',
        f'    backbone=dict(skeleton, embed_dims={plan.sizes.width}),',
        f'    gallery=dict(dataset=dict(data, split={plan.train!r})))',
        'test_dataloader = dict(dataset=dict(data, '
        f'split={plan.test or plan.train!r}))', ''
    ])


def config_texts(plan: Experiment) -> dict[str, str]:
    """Write the configs of an experiment.

    Args:
        plan (Experiment): Its settings.

    Returns:
        dict[str, str]: Text by name of the file: ``NAME_pretrain.py``,
        where clips with labels can be tested ``NAME_probe.py``, and
        ``NAME_retrieve.py``.
    """
    texts = {f'{plan.name}_pretrain.py': _pretrain(plan)}
    if not plan.without_test:
        texts[f'{plan.name}_probe.py'] = _probe(plan)
    texts[f'{plan.name}_retrieve.py'] = _retrieve(plan)
    return texts


def write_configs(plan: Experiment, folder: Path) -> list[str]:
    """Write the configs of an experiment into a new folder.

    Args:
        plan (Experiment): Its settings.
        folder (Path): A folder that is not there yet.

    Returns:
        list[str]: The commands that run the configs, in their order, quoted
        for a shell.

    Raises:
        OSError: If the folder cannot be written. Nothing is left of it.
    """
    texts = config_texts(plan)
    with replacing_folder(folder) as part:
        for name, text in texts.items():
            write_text(part / name, text)
    *trained, retrieve = ((folder / name).as_posix() for name in texts)
    commands = [['train', 'umurl_mmaction', path] for path in trained]
    if plan.without_test:
        use = [retrieve, plan.checkpoint]
        commands += [
            ['run', 'umurl_mmaction', 'extract_features', *use, '--out',
             'features.npz'],
            ['run', 'umurl_mmaction', 'predict', *use, plan.ann_file,
             '--num-nearest', '3']
        ]
    else:
        commands.append(['test', 'umurl_mmaction', retrieve, '--checkpoint',
                         plan.checkpoint])
    return [shlex.join(['mim', *command]) for command in commands]
