"""Find the moments of long recordings that are most like a clip.

It compares the clip with every window of the recordings, whose features
tools/extract_features.py --window has written, prints a table of the best
moments, and writes it with a timeline of the recordings and stick figures.
"""
import csv
import io
import re
from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from tool_arguments import (
    add_cfg_options,
    add_device,
    add_format,
    add_model,
    add_up,
    at_least,
    build_inferencer,
    make_parser,
    settle_format,
)

if TYPE_CHECKING:
    from umurl_mmaction.apis import (
        Moment,
        MotionSearch,
        UmURLInferencer,
        Window,
    )

EPILOG = '''example:
  python tools/motion_search.py umurl-knn_synthetic.py \\
      work_dirs/umurl_1xb64_synthetic/epoch_30.pth windows.npz clip.npy
  python tools/motion_search.py umurl-knn_synthetic.py \\
      work_dirs/umurl_1xb64_synthetic/epoch_30.pth windows.npz \\
      'monday[1200:1264]' --num-moments 10
'''


def read_query(args: Namespace, search: 'MotionSearch',
               inferencer: 'UmURLInferencer'
               ) -> tuple['Window', dict[str, Any], bool]:
    """Read the clip to look for.

    Returns:
        tuple[Window, dict, bool]: Its name and frames, its annotation, and
        whether it is of the recordings that are searched.

    Raises:
        ValueError: If there is none, or nobody is in it.
    """
    from umurl_mmaction.apis import Window
    from umurl_mmaction.apis.windows import cut_frames
    from umurl_mmaction.fileio.recordings import read_recordings
    read = partial(
        read_recordings,
        input_shape=inferencer.model.backbone.input_shape,
        split=None,
        takes_score=inferencer.pipeline.takes_score)
    stretch = re.fullmatch(r'(.*)\[(\d+):(\d+)\]', args.query)
    name = stretch[1] if stretch else args.query
    searched = searched_file(args, search)
    if Path(name).is_file():
        path = Path(name)
        clips = read(path)
        if len(clips) > 1:
            raise ValueError(
                f'{name} has {len(clips)} clips: give the name of one as '
                f'QUERY, with --query-data {name}')
        if path.resolve() == searched.resolve() and len(search.rows) == 1:
            # However the path is written.
            name, = search.rows
    else:
        path = Path(args.query_data or searched)
        clips = [clip for clip in read(path) if clip['frame_dir'] == name]
        if not clips:
            raise ValueError(f'QUERY {name!r} is neither a file nor the name '
                             f'of a clip of {path}')
    clip = clips[0]
    num_frames = clip['keypoint'].shape[-3]
    window = Window(
        name, *(map(int, stretch.groups()[1:]) if stretch else (0,
                                                                num_frames)))
    cut = cut_frames(clip, window)
    if not cut['keypoint'].any():
        raise ValueError(f'QUERY {window} is empty: nobody is in these frames')
    return window, cut, path.resolve() == searched.resolve()


def searched_file(args: Namespace, search: 'MotionSearch') -> Path:
    """Find the recordings that were searched, as they were."""
    known = search.about['ann_file']
    path = Path(args.data or known)
    if not path.is_file():
        raise ValueError(f'{path} is not there: name the file that was '
                         'searched with --data')
    if args.data:
        return path
    size, time = search.about.get('files', {}).get(known, (None, None))
    if size not in (None, path.stat().st_size):
        raise ValueError(f'{path} has changed since {args.features} was made: '
                         'extract the features anew')
    if time not in (None, path.stat().st_mtime_ns):
        print(f'note: {path} has another date than when {args.features} was '
              'made; if it has changed, extract the features anew')
    return path


def to_csv(moments: list['Moment']) -> str:
    """Write a line for each moment, the most similar first."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(['rank', 'recording', 'start', 'stop', 'cosine'])
    for rank, (window, cosine, _) in enumerate(moments, 1):
        writer.writerow([rank, *window, f'{cosine:.4f}'])
    return text.getvalue()


def draw_figures(args: Namespace, inferencer: 'UmURLInferencer',
                 search: 'MotionSearch', query: 'Window',
                 clip: dict[str, Any], moments: list['Moment']) -> None:
    """Write stick figures of the query and of the moments."""
    from umurl_mmaction.apis.windows import cut_frames
    from umurl_mmaction.datasets.transforms.normalize import normalizes_2d
    from umurl_mmaction.fileio.recordings import read_recordings
    from umurl_mmaction.visualization import (
        Strip,
        StripFigure,
        hide_missing,
        save_strips,
    )
    from umurl_mmaction.visualization.style import shorten
    path = Path(args.data or search.about['ann_file'])
    recordings = {
        x['frame_dir']: x for x in read_recordings(
            path, inferencer.model.backbone.input_shape,
            None if args.data else search.about['split'],
            inferencer.pipeline.takes_score)
    }
    layout = inferencer.model.backbone.layout
    # Without the score, which pixels may have as third coordinate.
    coords = 2 if any(
        map(normalizes_2d, inferencer.pipeline.transforms)) else 3
    strips: list[Strip] = []
    for head, window, source in [
        ('query', query, clip),
            *((f'{rank}: cosine {moment.cosine:.3f}', moment.window, None)
              for rank, moment in enumerate(moments, 1))
    ]:
        if source is None:
            if window.recording not in recordings:
                raise ValueError(f'{path} has no recording '
                                 f'{window.recording!r}: name the file that '
                                 'was searched with --data')
            source = cut_frames(recordings[window.recording], window)
        name = shorten(window.recording, 28)
        keypoint = source['keypoint']
        if keypoint.ndim == 3:
            keypoint = keypoint[None]
        strips.append(
            Strip(
                hide_missing(
                    keypoint[..., :coords], layout, centered=False),
                f'{head}\n{name}\nframes {window.start} to {window.stop - 1}',
                # As recorded, people stand anywhere.
                space=str(len(strips))))
    figure = StripFigure(
        strips,
        layout,
        args.frames,
        rows=None if args.format == 'png' else 1,
        up=args.up,
        title=f'moments like {query}')
    save_strips(figure, args.out / f'moments.{args.format}')


def find(args: Namespace) -> list['Moment']:
    """Search, and write all files."""
    from umurl_mmaction.apis import MotionSearch
    from umurl_mmaction.fileio.atomic import write_text
    from umurl_mmaction.visualization import save_figure
    from umurl_mmaction.visualization.animation import check_format
    from umurl_mmaction.visualization.timeline import Curve, draw_moments
    check_format(args.format)
    search = MotionSearch(args.features, args.kind)
    inferencer = build_inferencer(args)
    search.check_encoder(inferencer)
    query, clip, is_searched = read_query(args, search, inferencer)
    # A recording of that name in another file is another one.
    itself = query if is_searched else None
    feature = inferencer.extract_features(clip, (args.kind, ))[args.kind]
    cosines = search.cosines(feature[0])
    moments = search.find(cosines, args.num_moments, exclude=itself)
    if not moments:
        raise ValueError(f'{args.features} has no window besides the query')
    print(f'{query}, {query.stop - query.start} frames, in '
          f'{len(cosines)} windows of {search.about["window"]} frames, '
          f'{len(search.rows)} recordings of {search.num_frames} frames')
    length, usual = query.stop - query.start, search.about['window']
    if not 0.5 <= length / usual <= 2:
        print(f'note: the query has {length} frames, the windows {usual}: '
              'what is found may be of another speed')
    write_text(args.out / 'moments.csv', to_csv(moments))
    curves = {
        name: Curve(search.frames[rows], cosines[rows])
        for name, rows in search.rows.items()
    }
    save_figure(
        draw_moments(curves, moments, itself, f'moments like {query}'),
        args.out / 'timeline.png')
    draw_figures(args, inferencer, search, query, clip, moments)
    return moments


def main(argv: Optional[list[str]] = None) -> None:
    parser = make_parser(__doc__, EPILOG)
    add_model(parser)
    parser.add_argument(
        'features', type=Path, metavar='WINDOWS.npz',
        help='features of the windows, by this encoder')
    parser.add_argument(
        'query', metavar='QUERY',
        help='file with a clip, or name of a recording; NAME[START:STOP] is '
        'a stretch of it, of frames from 0')
    parser.add_argument(
        '--query-data', metavar='FILE',
        help='annotations with the recording that QUERY names (those that '
        'are searched)')
    parser.add_argument(
        '--data', metavar='FILE',
        help='recordings that were searched, to draw them (where they were)')
    parser.add_argument(
        '--num-moments', type=at_least(1), default=5, metavar='K',
        help='moments to find (%(default)s)')
    parser.add_argument(
        '--kind', default='fused',
        help='features of the file to compare (%(default)s)')
    parser.add_argument(
        '--out', type=Path, default=Path('work_dirs/motion_search'),
        metavar='FOLDER',
        help='for moments.csv, timeline.png and the stick figures, '
        'moments.png or of another --format (%(default)s)')
    add_format(parser)
    add_up(parser)
    add_device(parser)
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    settle_format(parser, args)

    from umurl_mmaction.command_line import one_line_errors
    with one_line_errors(str(args.out)):
        moments = find(args)
    for rank, (window, cosine, _) in enumerate(moments, 1):
        print(f'{rank}  {cosine:.3f}  {window}')
    print(f'moments.csv, timeline.png and moments.{args.format} are in '
          f'{args.out}')


if __name__ == '__main__':
    main()
