"""Confusion matrix and accuracy of each class."""
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix

from ..fileio.results import load_results
from .class_names import ClassNames
from .style import plain_axes, shorten

MAX_VALUES = 24  # With more classes, no number fits into a cell.
MAX_CLASSES = 5000  # The matrix has this number squared.


class Predictions(NamedTuple):
    """The labels and the predictions of a test run.

    Args:
        truth (np.ndarray): Labels of the clips, (G, ), int64.
        predicted (np.ndarray): Predicted labels, (G, ), int64.
        num_classes (int): Number of classes K.
    """
    truth: np.ndarray
    predicted: np.ndarray
    num_classes: int


def read_predictions(path: Path) -> Predictions:
    """Read the file that ``mim test --dump`` writes.

    Args:
        path (Path): A pickled list with a dict for each clip. The dict has
            ``gt_label``, and ``pred_label`` or ``pred_score``.

    Raises:
        OSError: If there is no such file.
        ValueError: If the file holds something else, or asks for code to be
            run.
    """
    results = load_results(path)
    if not isinstance(results, list) or not results:
        raise ValueError(f'{path}: expected a list of predictions, as '
                         f'`mim test --dump` writes it')
    truth, predicted, num_classes = [], [], 0
    for i, result in enumerate(results):
        try:
            score = result.get('pred_score')
            truth.append(int(result['gt_label']))
            predicted.append(
                int(result['pred_label'] if score is None else score.argmax()))
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(
                f'{path}: prediction {i}: expected gt_label, and pred_score '
                f'or pred_label, got {error}') from error
        if score is not None:
            num_classes = max(num_classes, len(score))
    num_classes = max(num_classes, 1 + max(truth), 1 + max(predicted))
    if num_classes > MAX_CLASSES:
        raise ValueError(f'{path}: expected at most {MAX_CLASSES} classes, '
                         f'got {num_classes}')
    return Predictions(np.array(truth), np.array(predicted), num_classes)


def count_confusions(predictions: Predictions) -> np.ndarray:
    """Count the clips by true and predicted class: (K, K), int64."""
    return confusion_matrix(
        predictions.truth,
        predictions.predicted,
        labels=range(predictions.num_classes))


def class_accuracies(matrix: np.ndarray) -> np.ndarray:
    """Compute the accuracy of each class.

    Args:
        matrix (np.ndarray): Clips by true and predicted class, (K, K).

    Returns:
        np.ndarray: (K, ), within 0..1; NaN for a class without any clip.
    """
    with np.errstate(invalid='ignore'):
        return matrix.diagonal() / matrix.sum(axis=1)


def draw_confusion(matrix: np.ndarray, names: ClassNames) -> Figure:
    """Draw a confusion matrix and, beside it, the accuracy of each class.

    Args:
        matrix (np.ndarray): Clips by true and predicted class, (K, K).
        names (ClassNames): The names of the classes.
    """
    K = len(matrix)
    few = K <= MAX_VALUES
    cell, font = (0.42, 9) if few else (0.16, 6.5)
    labels = [shorten(names[k], 40, keep='start') for k in range(K)]
    margin = 0.3 + font / 120 * max(map(len, labels))
    side = max(cell * K, 3.)
    figure = Figure(
        figsize=(margin + side + 2.9, margin + side + 1.1),
        dpi=110,
        layout=ConstrainedLayoutEngine(h_pad=0.1, w_pad=0.1))
    left = figure.add_subplot()
    # An inset keeps the bars beside the rows.
    right = left.inset_axes((1 + 0.15 / side, 0, 2 / side, 1), sharey=left)
    counts = matrix.sum(axis=1)
    display = ConfusionMatrixDisplay(
        100 * matrix / np.maximum(counts, 1)[:, None], display_labels=labels)
    display.plot(
        include_values=few,
        cmap='Blues',
        xticks_rotation='vertical',
        values_format='.0f',
        ax=left,
        colorbar=False,
        im_kw=dict(vmin=0, vmax=100),
        text_kw=dict(fontsize=font))
    for text in [] if display.text_ is None else display.text_.flat:
        if text.get_text() == '0':
            text.set_text('')
    left.tick_params(labelsize=font, length=2)
    left.set_xlabel('predicted class')
    left.set_ylabel('true class')
    left.set_title('% of the clips of a class', fontsize=10)

    accuracies = 100 * class_accuracies(matrix)
    right.barh(range(K), accuracies, height=0.7, color='#4292c6')
    for k, (accuracy, count) in enumerate(zip(accuracies, counts)):
        text = f'{accuracy:.0f} % of {count}' if count else 'no clip'
        right.text(
            np.nan_to_num(accuracy) + 2,
            k,
            text,
            va='center',
            fontsize=font - 1)
    right.set(xlim=(0, 150), xticks=[0, 50, 100])
    right.tick_params(axis='y', left=False, labelleft=False)
    right.tick_params(axis='x', labelsize=font)
    plain_axes(right)
    right.set_title('accuracy', fontsize=10)
    total = 100 * matrix.trace() / counts.sum()
    figure.suptitle(f'{counts.sum()} clips, top-1 {total:.1f} %, mean of the '
                    f'classes {np.nanmean(accuracies):.1f} %', fontsize=11)
    return figure
