"""JSON logs of runs, as MMEngine writes them."""
import json


def write_log(run, timestamp, *records, name='scalars.json'):
    folder = run / timestamp / 'vis_data'
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text('\n'.join(map(json.dumps, records)) + '\n')


def train(step, loss, per_epoch=4):
    return dict(
        loss=loss, epoch=-(-step // per_epoch), iter=step, step=step)
