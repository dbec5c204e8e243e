"""Curves of runs, from logs of one start or of several."""
import json

import pytest
from run_logs import train, write_log

from umurl_mmaction.analysis.curves import choose_names, read_run


def test_a_resumed_run_is_one_curve(tmp_path):
    write_log(tmp_path, '20260101_000000', train(2, 3.), train(4, 2.),
              {'acc/top1': 0.1, 'step': 1}, train(6, 9.))
    # Stopped in its second epoch, which is done again.
    write_log(tmp_path, '20260101_100000', train(6, 1.), train(8, .5),
              {'acc/top1': 0.2, 'step': 2})
    curves = read_run(tmp_path)
    assert curves['loss'] == [(2, 3), (4, 2), (6, 1), (8, .5)]
    assert curves['acc/top1'] == [(4, 0.1), (8, 0.2)]
    # Begun anew in the same folder.
    write_log(tmp_path, '20260102_000000', train(2, 7.))
    curves = read_run(tmp_path)
    assert curves['loss'] == [(2, 7)] and 'acc/top1' not in curves


def test_what_is_measured_before_training_begins_a_run(tmp_path):

    def start(value):
        return ({'retrieval/fused_top1': value, 'step': 0}, train(2, 3.),
                {'collapse/std': 0.3, 'step': 3}, train(4, 2.),
                {'retrieval/fused_top1': 2 * value, 'step': 1})

    for day, value in ((1, 0.1), (2, 0.2)):
        write_log(tmp_path, f'2026010{day}_000000', *start(value))
        curves = read_run(tmp_path)
        assert curves['retrieval/fused_top1'] == [(0, value), (4, 2 * value)]
        # It counts iterations, not epochs.
        assert curves['collapse/std'] == [(3, 0.3)]
    # A resumed run goes on.
    write_log(tmp_path, '20260103_000000', train(6, 1.))
    assert read_run(tmp_path)['retrieval/fused_top1'] == [(0, 0.2), (4, 0.4)]


def test_logs_that_cannot_be_read(tmp_path):
    with pytest.raises(ValueError, match='there is no <timestamp>/vis_data'):
        read_run(tmp_path)
    write_log(tmp_path, '20260101_000000', {'acc/top1': 1})
    with pytest.raises(ValueError, match='no step of training is logged'):
        read_run(tmp_path)
    log = tmp_path / 'log.json'
    # The last line of a run that is on may be half written.
    log.write_text(json.dumps(train(1, 2.)) + '\n{"loss": 1')
    assert read_run(log)['loss'] == [(1, 2.)]
    log.write_text('{"loss": \n' + json.dumps(train(1, 2.)))
    with pytest.raises(ValueError, match='log.json: line 1: '):
        read_run(log)
    log.write_text('[1]')
    with pytest.raises(ValueError, match='line 1: expected an object'):
        read_run(log)
    with pytest.raises(ValueError, match="no run has logged 'x'; logged are"):
        choose_names([dict(loss=[])], ['x'])
