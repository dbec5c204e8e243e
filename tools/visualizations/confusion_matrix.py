"""Draw the confusion matrix and the accuracy of each class of a test run.

It reads the file that `mim test ... --dump result.pkl` writes.
"""
from argparse import Namespace
from pathlib import Path
from typing import Optional

from figure_arguments import (
    add_class_names,
    add_config,
    figure_parser,
    load_config,
)

EXAMPLE = ('python tools/visualizations/confusion_matrix.py result.pkl '
           '--config configs/umurl/knn/umurl-knn_synthetic.py')


def draw(args: Namespace) -> None:
    """Count, write the figure and say which classes are hardest."""
    from umurl_mmaction.visualization import (
        ClassNames,
        log_figure,
        save_figure,
    )
    from umurl_mmaction.visualization.confusion import (
        class_accuracies,
        count_confusions,
        draw_confusion,
        read_predictions,
    )
    dataset = None
    if args.config and not args.class_names:
        from mmaction.registry import DATASETS

        from umurl_mmaction.visualization.stages import dataset_config
        dataset = DATASETS.build(
            dataset_config(load_config(args), 'test_dataloader'))
    names = ClassNames.find(args.class_names, dataset)
    matrix = count_confusions(read_predictions(args.result))
    figure = draw_confusion(matrix, names)
    save_figure(figure, args.out)
    log_figure(figure, args.tensorboard, 'confusion_matrix')
    for label, accuracy in enumerate(class_accuracies(matrix)):
        print(f'{100 * accuracy:5.1f} % of {matrix[label].sum():5d}  '
              f'{names[label]}')
    print(f'{100 * matrix.trace() / matrix.sum():5.1f} % of '
          f'{matrix.sum():5d}  in all, in {args.out}')


def main(argv: Optional[list[str]] = None) -> None:
    parser = figure_parser(__doc__, EXAMPLE,
                           'work_dirs/visualizations/confusion_matrix.png',
                           'picture to write')
    parser.add_argument(
        'result', type=Path, metavar='RESULT.pkl', help='dump of a test run')
    add_config(parser, '--config',
               'experiment whose test set knows the names of the classes')
    add_class_names(parser)
    args = parser.parse_args(argv)

    from umurl_mmaction.command_line import one_line_errors
    with one_line_errors(str(args.out)):
        draw(args)


if __name__ == '__main__':
    main()
