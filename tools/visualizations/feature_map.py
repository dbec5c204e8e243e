"""Draw the features of some classes, as the figure of the paper does.

The panels show the fused feature and that of each modality, on the plane by
t-SNE or PCA, coloured by class, with its 1-nearest-neighbour accuracy among
the clips drawn. The picture says what is left out. The same features are
written for the projector of TensorBoard, with classes, names and stick
figures of the clips, into the folder `projector` beside the picture, or in
that of --tensorboard.
"""
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from figure_arguments import (
    add_class_names,
    add_encoder,
    figure_parser,
    load_config,
)
from tool_arguments import add_up, at_least

if TYPE_CHECKING:
    from mmengine.config import Config
    from torch import Tensor

    from umurl_mmaction.visualization import ClassNames

EXAMPLE = ('python tools/visualizations/feature_map.py '
           'configs/umurl/knn/umurl-knn_synthetic.py '
           'work_dirs/umurl_1xb64_synthetic/epoch_30.pth --classes 0 1 2 3')
MAX_CLASSES = 10
MAX_NAMES = 6
METHODS = dict(tsne='t-SNE', pca='PCA')


def write_projector(folder: Path, features: dict[str, 'Tensor'],
                    rows: list[list[str]], sprites: 'Tensor') -> None:
    """Write features for TensorBoard's projector, in place of an old folder.

    Args:
        folder (Path): Folder to write.
        features (dict[str, Tensor]): Features (G, F) by kind.
        rows (list[list[str]]): Class and name of each of the G clips.
        sprites (Tensor): Their pictures, (G, 3, S, S), 0 to 1.
    """
    from torch.utils.tensorboard import SummaryWriter

    from umurl_mmaction.fileio.atomic import replacing_folder
    with replacing_folder(folder) as temporary:
        with SummaryWriter(str(temporary)) as writer:
            for name, feature in features.items():
                writer.add_embedding(
                    feature,
                    metadata=rows,
                    metadata_header=['class', 'clip'],
                    label_img=sprites,
                    tag=name)


def draw_clips(cfg: 'Config', args: Namespace,
               clips: Sequence[int]) -> 'Tensor':
    """Draw clips as sprites for the projector: (G, 3, S, S), 0 to 1."""
    import torch

    from umurl_mmaction.visualization import StageSource, hide_missing
    from umurl_mmaction.visualization.sprites import draw_sprites
    source = StageSource(cfg, args.loader)
    images = draw_sprites([
        hide_missing(
            source[i].normalized, source.layout, centered=source.centered)
        for i in clips
    ], source.layout, args.up)
    return torch.from_numpy(images).permute(0, 3, 1, 2) / 255


def left_out(labels: Sequence[Optional[int]], clips: Sequence[int],
             wanted: Sequence[int], names: 'ClassNames') -> str:
    """Say which clips a picture lacks.

    Args:
        labels (sequence of int): Labels of all clips.
        clips (sequence of int): Indices of those drawn.
        wanted (sequence of int): The classes drawn.
        names (ClassNames): Names of the classes.
    """
    others = sorted({x for x in labels if x is not None} - set(wanted))
    reasons = []
    if others:
        noun = 'class' if len(others) == 1 else 'classes'
        some = [names[label] for label in others[:MAX_NAMES]]
        more = ['...'] if len(others) > MAX_NAMES else []
        reasons.append(f'{len(others)} {noun} ({", ".join(some + more)})')
    beyond = sum(label in wanted for label in labels) - len(clips)
    if beyond:
        reasons.append(f'{beyond} clips beyond --per-class')
    if None in labels:
        reasons.append(f'{labels.count(None)} without a label')
    return f'left out: {" and ".join(reasons)}' if reasons else (
        'none is left out')


def draw(cfg: 'Config', args: Namespace) -> None:
    """Encode, write the projector's files and the picture."""
    import numpy as np
    import torch
    from mmaction.registry import DATASETS
    from torch.nn.functional import normalize
    from torch.utils.data import Subset

    from umurl_mmaction.apis import UmURLInferencer
    from umurl_mmaction.evaluation.probes import leave_one_out_accuracy
    from umurl_mmaction.visualization import (
        ClassNames,
        log_figure,
        save_figure,
    )
    from umurl_mmaction.visualization.feature_map import (
        choose_clips,
        draw_feature_map,
        flatten,
    )
    from umurl_mmaction.visualization.stages import (
        clip_labels,
        dataset_config,
    )
    dataset = DATASETS.build(dataset_config(cfg, args.loader))
    names = ClassNames.find(args.class_names, dataset)
    titles, labels = zip(*clip_labels(dataset))
    known = sorted({label for label in labels if label is not None})
    wanted = (list(dict.fromkeys(map(names.label_of, args.classes)))
              or known[:MAX_CLASSES])
    clips = choose_clips(labels, wanted, args.per_class, args.seed)
    loader = cfg[args.loader]
    inferencer = UmURLInferencer(
        cfg, args.checkpoint, batch_size=loader['batch_size'])
    encoded, _ = inferencer.encode_dataset(
        Subset(dataset, clips), inferencer.kinds,
        loader.get('num_workers', 0))
    # Retrieval compares features of length 1.
    features = {
        kind: normalize(torch.from_numpy(feature))
        for kind, feature in encoded.items()
    }
    rows = [[names[labels[i]], titles[i]] for i in clips]
    projector = Path(args.tensorboard or args.out) / 'projector'
    write_projector(projector, features, rows, draw_clips(cfg, args, clips))
    drawn = np.array([labels[i] for i in clips])
    figure = draw_feature_map(
        {
            f'{kind}: 1-NN '
            f'{100 * leave_one_out_accuracy(feature.numpy(), drawn):.1f} %':
            flatten(feature.numpy(), args.method, args.seed)
            for kind, feature in features.items()
        }, drawn.tolist(), {label: names[label] for label in wanted},
        f'{METHODS[args.method]} of {len(clips)} of {len(labels)} clips of '
        f'{args.loader}; {left_out(labels, clips, wanted, names)}\n'
        '1-NN: share of these clips whose nearest other one here is of the '
        'same class')
    path = args.out / f'{args.method}.png'
    save_figure(figure, path)
    log_figure(figure, args.tensorboard, f'features/{args.method}')
    print(f'{len(clips)} clips of {len(wanted)} classes in {path}; for the '
          f'projector: tensorboard --logdir {projector}')


def main(argv: Optional[list[str]] = None) -> None:
    parser = figure_parser(__doc__, EXAMPLE,
                           'work_dirs/visualizations/feature_map',
                           'folder to write to')
    add_encoder(parser)
    parser.add_argument(
        '--method', choices=['tsne', 'pca'], default='tsne',
        help='how the features get onto the plane (%(default)s)')
    parser.add_argument(
        '--loader', default='test_dataloader',
        help='whose dataset to encode (%(default)s)')
    parser.add_argument(
        '--classes', nargs='+', default=[], metavar='CLASS',
        help=f'labels or names of classes (the first {MAX_CLASSES})')
    parser.add_argument(
        '--per-class', type=at_least(1), default=100, metavar='N',
        help='clips of each class at most, drawn by the seed (%(default)s)')
    add_class_names(parser)
    add_up(parser)
    args = parser.parse_args(argv)

    from umurl_mmaction.command_line import one_line_errors
    with one_line_errors(str(args.out)):
        draw(load_config(args), args)


if __name__ == '__main__':
    main()
