"""Draw query clips and the gallery clips that are nearest to them.

A picture for each query: it and its neighbours side by side, normalised, the
frames downwards. A neighbour of the query's class is marked as right.
"""
from argparse import Namespace
from typing import TYPE_CHECKING, Optional

from figure_arguments import (
    add_class_names,
    add_config,
    add_up,
    figure_parser,
    load_config,
)

if TYPE_CHECKING:
    import numpy as np
    from mmengine.config import Config

EXAMPLE = ('python tools/visualizations/retrieval_gallery.py '
           'configs/umurl/knn/umurl-knn_synthetic.py '
           'work_dirs/umurl_1xb64_synthetic/epoch_30.pth')


def draw(cfg: 'Config', args: Namespace) -> None:
    """Encode, search and write a picture of each query."""
    from mmengine.utils import track_iter_progress
    from torch.utils.data import Subset

    from umurl_mmaction.visualization import (
        ClassNames,
        StageSource,
        StripFigure,
        hide_missing,
        log_figure,
        save_figure,
    )
    from umurl_mmaction.visualization.features import (
        build_dataset,
        load_encoder,
        unit_features,
    )
    from umurl_mmaction.visualization.gallery import Neighbor, gallery_strips
    if 'gallery' not in cfg.model:
        raise ValueError('the config has no model.gallery; wanted is one for '
                         'retrieval, such as umurl-knn_synthetic.py')
    queries = StageSource(cfg, 'test_dataloader')
    chosen = queries.pick(args.queries, args.seed)
    # As a dataloader, so that both are built and drawn alike.
    cfg.gallery_dataloader = cfg.model.gallery
    model = load_encoder(cfg, args.checkpoint)
    wanted = unit_features(
        model, Subset(build_dataset(cfg, 'test_dataloader'), chosen),
        cfg.test_dataloader)
    known = unit_features(model, build_dataset(cfg, 'gallery_dataloader'),
                          cfg.gallery_dataloader)
    nearest = (wanted @ known.T).topk(min(args.neighbors, len(known)))
    gallery = StageSource(cfg, 'gallery_dataloader')
    names = ClassNames.find(args.class_names, gallery.dataset)

    def show(source: StageSource, index: int) -> 'np.ndarray':
        return hide_missing(source[index].normalized, source.layout)

    for query, row, cosines in track_iter_progress(
            list(zip(chosen, nearest.indices.tolist(),
                     nearest.values.tolist()))):
        name, label = queries.labels[query]
        neighbors = []
        for index, cosine in zip(row, cosines):
            found, its_label = gallery.labels[index]
            neighbors.append(
                Neighbor(show(gallery, index), found, its_label, cosine))
        strips = gallery_strips(
            show(queries, query), name, label, neighbors, names)
        figure = StripFigure(
            strips, queries.layout, args.frames, up=args.up).figure
        save_figure(figure, args.out / f'{name.replace("/", "_")}.png')
        log_figure(figure, args.tensorboard, f'retrieval/{name}')
    print(f'\n{len(chosen)} pictures in {args.out}')


def main(argv: Optional[list[str]] = None) -> None:
    parser = figure_parser(__doc__, EXAMPLE,
                           'work_dirs/visualizations/retrieval_gallery',
                           'folder to write a picture a query to')
    add_config(parser)
    parser.add_argument(
        'checkpoint', metavar='CKPT', help='weights of the encoder')
    parser.add_argument(
        '--queries', nargs='+', default=[], metavar='CLIP',
        help='names or numbers of test clips (three, drawn by the seed)')
    parser.add_argument(
        '--neighbors', type=int, default=5, metavar='K',
        help='gallery clips to draw, the nearest (%(default)s)')
    parser.add_argument(
        '--frames', type=int, default=5,
        help='frames to draw, evenly over the clip (%(default)s)')
    add_up(parser)
    add_class_names(parser)
    args = parser.parse_args(argv)
    for name in ('neighbors', 'frames'):
        if getattr(args, name) < 1:
            parser.error(f'--{name} must be at least 1, got '
                         f'{getattr(args, name)}')

    from umurl_mmaction.command_line import one_line_errors
    with one_line_errors(parser, str(args.out)):
        draw(load_config(parser, args), args)


if __name__ == '__main__':
    main()
