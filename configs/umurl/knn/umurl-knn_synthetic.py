_base_ = './umurl-knn_1xb512_ntu60-xsub-keypoint-3d.py'

ann_file = 'data/synthetic.pkl'
model = dict(
    backbone=dict(embed_dims=128),
    gallery=dict(
        batch_size=64,
        num_workers=2,
        dataset=dict(ann_file=ann_file, split='train')))
test_dataloader = dict(
    batch_size=64, num_workers=2, dataset=dict(ann_file=ann_file, split='val'))
