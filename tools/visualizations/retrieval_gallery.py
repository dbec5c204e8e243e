"""Draw query clips and the gallery clips that are nearest to them.

A picture shows a query and its neighbours side by side, normalised; the frames
run downwards. A neighbour of the query's class is marked as right, any other
as wrong.
"""
from argparse import Namespace
from typing import TYPE_CHECKING, Optional

from figure_arguments import (
    add_class_names,
    add_encoder,
    figure_parser,
    load_config,
    tell_written,
)
from tool_arguments import add_format, add_up, at_least, settle_format

if TYPE_CHECKING:
    import numpy as np
    from mmengine.config import Config

    from umurl_mmaction.apis import UmURLInferencer
    from umurl_mmaction.visualization import StageSource

EXAMPLE = ('python tools/visualizations/retrieval_gallery.py '
           'configs/umurl/knn/umurl-knn_synthetic.py '
           'work_dirs/umurl_1xb64_synthetic/epoch_30.pth')


def draw_misses(inferencer: 'UmURLInferencer', queries: 'StageSource',
                seed: int) -> list[str]:
    """Draw three of the queries whose nearest clip is of another class.

    Returns:
        list[str]: Their numbers.

    Raises:
        ValueError: If there is none.
    """
    import numpy as np
    inferencer.model.encoded_gallery.check_labels()
    found = inferencer(
        list(map(queries.dataset.get_data_info, range(len(queries.labels)))))
    misses = [
        i for i, (_, label) in enumerate(queries.labels)
        if label is not None and label != found['nearest_labels'][i, 0]
    ]
    print(f'{len(misses)} of {len(queries.labels)} queries have a nearest '
          'clip of another class')
    if not misses:
        raise ValueError('--misses finds nothing to draw')
    drawn = np.random.default_rng(seed).choice(
        misses, min(3, len(misses)), replace=False)
    return list(map(str, sorted(drawn.tolist())))


def draw(cfg: 'Config', args: Namespace) -> None:
    """Search and write a picture of each query."""
    from umurl_mmaction.apis import UmURLInferencer
    from umurl_mmaction.progress import track
    from umurl_mmaction.visualization import (
        ClassNames,
        StageSource,
        StripFigure,
        hide_missing,
        log_figure,
        save_strips,
    )
    from umurl_mmaction.visualization.animation import check_format
    from umurl_mmaction.visualization.gallery import Neighbor, gallery_strips
    check_format(args.format)
    if 'gallery' not in cfg.model:
        raise ValueError('the config has no model.gallery; wanted is one for '
                         'retrieval, such as umurl-knn_synthetic.py')
    queries = StageSource(cfg, 'test_dataloader')
    inferencer = UmURLInferencer(
        cfg,
        args.checkpoint,
        batch_size=cfg.test_dataloader.batch_size,
        num_nearest=args.neighbors)
    wanted = args.queries
    if args.misses:
        wanted = draw_misses(inferencer, queries, args.seed)
    chosen = queries.pick(wanted, args.seed)
    found = inferencer(list(map(queries.dataset.get_data_info, chosen)))
    # StageSource draws the gallery like the queries.
    cfg.gallery_dataloader = cfg.model.gallery
    gallery = StageSource(cfg, 'gallery_dataloader')
    names = ClassNames.find(args.class_names, gallery.dataset)

    def show(source: StageSource, index: int) -> 'np.ndarray':
        return hide_missing(
            source[index].normalized, source.layout, centered=source.centered)

    for row, query in track(list(enumerate(chosen))):
        name, label = queries.labels[query]
        neighbors = []
        for index, cosine in zip(found['nearest_indices'][row],
                                 found['similarities'][row]):
            near, its_label = gallery.labels[index]
            neighbors.append(
                Neighbor(show(gallery, index), near, its_label, cosine))
        strips = gallery_strips(
            show(queries, query), name, label, neighbors, names)
        figure = StripFigure(
            strips,
            queries.layout,
            args.frames,
            rows=None if args.format == 'png' else 1,
            up=args.up)
        save_strips(
            figure, args.out / f'{name.replace("/", "_")}.{args.format}')
        log_figure(figure.figure, args.tensorboard, f'retrieval/{name}')
    tell_written(len(chosen), args)


def main(argv: Optional[list[str]] = None) -> None:
    parser = figure_parser(__doc__, EXAMPLE,
                           'work_dirs/visualizations/retrieval_gallery',
                           'folder to write a picture a query to')
    add_encoder(parser)
    parser.add_argument(
        '--queries', nargs='+', default=[], metavar='CLIP',
        help='names or numbers of test clips (three, drawn by the seed)')
    parser.add_argument(
        '--misses', action='store_true',
        help='three queries whose nearest clip is of another class, drawn by '
        'the seed')
    parser.add_argument(
        '--neighbors', type=at_least(1), default=5, metavar='K',
        help='gallery clips to draw, the nearest (%(default)s)')
    add_format(parser)
    add_up(parser)
    add_class_names(parser)
    args = parser.parse_args(argv)
    if args.misses and args.queries:
        parser.error('--misses draws the queries itself: leave out --queries')
    settle_format(parser, args)

    from umurl_mmaction.command_line import one_line_errors
    with one_line_errors(str(args.out)):
        draw(load_config(args), args)


if __name__ == '__main__':
    main()
