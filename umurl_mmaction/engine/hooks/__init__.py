from .cache_features_hook import CacheFeaturesHook
from .check_data_hook import CheckDataHook
from .check_loss_hook import CheckLossHook
from .check_preparation_hook import CheckPreparationHook
from .check_steps_hook import CheckStepsHook
from .check_weights_hook import CheckWeightsHook
from .collapse_monitor_hook import CollapseMonitorHook
from .commit_hook import CommitHook
from .end_with_launcher_hook import EndWithLauncherHook
from .inspect_data_hook import InspectDataHook
from .keep_on_device_hook import KeepOnDeviceHook
from .lock_work_dir_hook import LockWorkDirHook
from .retrieval_baseline_hook import RetrievalBaselineHook
from .terse_logger_hook import TerseLoggerHook
from .throughput_hook import ThroughputHook

__all__ = [
    'CacheFeaturesHook', 'CheckDataHook', 'CheckLossHook',
    'CheckPreparationHook', 'CheckStepsHook', 'CheckWeightsHook',
    'CollapseMonitorHook', 'CommitHook', 'EndWithLauncherHook',
    'InspectDataHook', 'KeepOnDeviceHook', 'LockWorkDirHook',
    'RetrievalBaselineHook', 'TerseLoggerHook', 'ThroughputHook'
]
