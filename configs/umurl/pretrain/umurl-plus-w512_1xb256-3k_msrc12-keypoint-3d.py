# Wider, on larger batches: the encoder to take to other sets of Kinect v1.
# configs/umurl/README.md (Transfer) has what it gives. For a GPU.
_base_ = './umurl-plus_1xb64-3k_msrc12-keypoint-3d.py'

model = dict(backbone=dict(embed_dims=512))
train_dataloader = dict(batch_size=256, num_workers=2)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
auto_scale_lr = dict(base_batch_size=256)
