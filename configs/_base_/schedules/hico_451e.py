_base_ = './pretrain_451e.py'

# The settings are those of pretraining.py and run_pretraining.sh in HiCo's
# code, which computes in full precision.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(
        type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4, _delete_=True))
auto_scale_lr = dict(base_batch_size=64)
