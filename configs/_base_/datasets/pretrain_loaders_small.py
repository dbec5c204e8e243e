_base_ = './pretrain_loaders.py'

# For runs that count steps on a small set.
train_dataloader = dict(
    batch_size=64, num_workers=1, sampler=dict(type='InfiniteSampler'))
val_dataloader = dict(batch_size=64, num_workers=1)
