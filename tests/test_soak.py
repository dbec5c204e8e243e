"""A long run holds no more than a short one."""
import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPO

SOAK = '''
import os, sys
import mmengine
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

@HOOKS.register_module()
class Watch(Hook):
    """Memory in KiB and open files, now and then."""
    seen = []

    def after_train_iter(self, runner, batch_idx, data_batch=None,
                         outputs=None):
        if (runner.iter + 1) % 50 == 0:
            rss = open('/proc/self/statm').read().split()[1]
            files = len(os.listdir('/proc/self/fd'))
            self.seen.append((int(rss) * os.sysconf('SC_PAGE_SIZE') // 1024,
                              files))

repo, ann_file, work_dir = sys.argv[1:]
cfg = Config.fromfile(
    f'{repo}/configs/umurl/pretrain/umurl_1xb64_synthetic.py')
cfg.model.backbone.embed_dims = 16
cfg.model.neck.update(in_channels=32, out_channels=64)
cfg.train_dataloader.update(batch_size=4, num_workers=2)
cfg.train_dataloader.dataset.ann_file = ann_file
# 3 batches an epoch: workers live through a hundred of them.
cfg.train_cfg.max_epochs = 100
cfg.train_cfg.val_interval = 25
cfg.val_dataloader.update(batch_size=4, num_workers=2)
cfg.val_dataloader.dataset.ann_file = ann_file
cfg.default_hooks.collapse_monitor.interval = 25
cfg.default_hooks.checkpoint.update(interval=25, max_keep_ckpts=1)
cfg.custom_hooks = [dict(type='Watch')]
cfg.work_dir = work_dir
assert cfg.train_dataloader.persistent_workers
Runner.from_cfg(cfg).train()
print('SEEN', Watch.seen)
'''


@pytest.mark.skipif(
    not Path('/proc/self/statm').exists(),
    reason='memory and open files are read from Linux /proc')
def test_memory_and_files_do_not_grow(tmp_path, ann_file):
    result = subprocess.run(
        [sys.executable, '-c', SOAK, str(REPO), ann_file, str(tmp_path)],
        env=dict(os.environ, OMP_NUM_THREADS='1'),
        capture_output=True,
        text=True)
    assert result.returncode == 0, result.stderr
    seen = ast.literal_eval(result.stdout.rpartition('SEEN')[2].strip())
    assert len(seen) == 6
    memory, files = zip(*seen)
    # After a warm-up of 100 steps: 200 steps keeping their batches would hold
    # 7 MB of clips and 30 MB of views, and 200 open files of workers' shares.
    assert max(memory[2:]) - memory[1] < 20 * 1024, seen
    # Batches on their way have files of their own.
    assert min(files[3:]) <= files[1], seen
